import type { Classification, Verb } from '../query/classify.js';

/** Why a statement has a connection to itself. */
export type AloneReason =
  | 'several_statements'
  | 'writes'
  | 'may_write'
  | 'session_state'
  | 'not_learned'
  | 'takes_too_long'
  | 'probe';

/** Quick runs alone before statements of a kind may share. */
const RUNS_TO_LEARN = 8;
const MOST_RUNS_TO_LEARN = 4_096;
/** A slow one while they learn costs so many of them. */
const RUNS_PER_SLOW_ONE = 512;

/** A statement that kept a connection busy for longer was slow, unless its moment was (`SlowMoments`). */
export const SLOW_MS = 20;
/**
 * So many slow ones, each forgotten over as many shared runs, move a kind out of shared connections. One alone may be a server's
 * process that got no processor; those behind it are not left to wait (`SILENT_MS`).
 */
const SLOW_ONES = 3;
const FORGOTTEN_OVER_RUNS = 512;

/** Kinds that keep the server busy for longer gain nothing from sharing, and cost those behind them too much. */
const SHORT_MS = 0.5;

/** What a statement costs at least: reading its messages and writing the answer (measured on loopback: 14 µs). */
const MESSAGES_MS = 0.015;

/** The shortest run counts, but only of so many of the latest: data grow and plans change. Fewer would all fall into one busy time. */
const LATEST_RUNS = 512;
/** Shared runs that are averaged: answers that came by one read of the socket seem to have taken nothing. */
const SERVED_TOGETHER = 32;
/** So many averages are remembered: some are of a moment in which all stood still. */
const LATEST_AVERAGES = 8;
/** From so many on their median tells whether a kind is short; the first alone does where it is not. */
const TELLING_AVERAGES = 4;
/** Runs that are averaged while none were. */
const FIRST_SERVED = 8;
/**
 * So much time is more than that many short ones take, however quick the others are: the average is known to be too long. Not by fewer long ones than
 * this: after a moment in which all stood still, one on each shared connection seems to have taken it.
 */
const SERVED_LONG_MS = SERVED_TOGETHER * SHORT_MS;
const LONG_ONES = 4;
/** What one is taken to cost until that is known, at least: so much that two are all that a connection takes. */
const UNKNOWN_MS = 0.5;

/** One run in so many is alone again, so that the time it takes stays known. */
const PROBE_MASK = 127;
const PROBE_AT = 64;

/** The least of the latest values: between one and two windows of them. */
export class LatestLeast {
  readonly #window: number;
  #count = 0;
  #least = Number.POSITIVE_INFINITY;
  #before = Number.POSITIVE_INFINITY;

  constructor(window: number) {
    this.#window = window;
  }

  /** Infinite before the first. */
  get value(): number {
    return Math.min(this.#least, this.#before);
  }

  record(value: number): void {
    if (this.#count === this.#window) {
      this.#before = this.#least;
      this.#least = Number.POSITIVE_INFINITY;
      this.#count = 0;
    }
    this.#count += 1;
    if (value < this.#least) this.#least = value;
  }
}

/** What a shared connection took for each of a few, on the average, lately. */
class Averages {
  readonly #latest: number[] = [];
  /** Infinite before the first. */
  least = Number.POSITIVE_INFINITY;
  /** Whether they tell of a kind that takes long: half of them do, for of one whose runs differ some may be short by chance. */
  areLong = false;
  /** Of the average that is not yet known. */
  #runs = 0;
  #sumMs = 0;
  #longOnes = 0;

  take(servedMs: number): void {
    this.#runs += 1;
    this.#sumMs += servedMs;
    if (servedMs > SHORT_MS) this.#longOnes += 1;
    const isFirst = this.#latest.length === 0;
    const isLong = !isFirst && this.#longOnes >= LONG_ONES && this.#sumMs > SERVED_LONG_MS;
    if (!isLong && this.#runs < (isFirst ? FIRST_SERVED : SERVED_TOGETHER)) return;
    this.#record(this.#sumMs / this.#runs);
    this.#runs = 0;
    this.#sumMs = 0;
    this.#longOnes = 0;
  }

  #record(average: number): void {
    this.#latest.push(average);
    if (this.#latest.length > LATEST_AVERAGES) this.#latest.shift();
    const sorted = [...this.#latest].sort((one, other) => one - other);
    this.least = sorted[0]!;
    const isTelling = sorted.length === 1 || sorted.length >= TELLING_AVERAGES;
    this.areLong = isTelling && sorted[sorted.length >> 1]! > SHORT_MS;
  }
}

/** What changes rows, and nothing else that its text tells. */
const WRITES: ReadonlySet<Verb> = new Set(['insert', 'update', 'delete', 'merge']);

/** What forbids a statement to share, by its text alone; undefined when nothing does. `writes` forbids it until its user says otherwise. */
export function barrierOf({
  verb,
  readOnly,
  multiStatement,
  sessionStateful,
}: Classification): AloneReason | undefined {
  if (multiStatement) return 'several_statements';
  if (sessionStateful) return 'session_state';
  if (readOnly === 'yes') return undefined;
  return WRITES.has(verb) ? 'writes' : 'may_write';
}

/**
 * What the statements of one fingerprint have shown in view of sharing a connection: they are on their own until they are
 * known to be short, and again when some were slow; each time that happens, for twice as many runs, until they have shared well
 * for long.
 */
export class SharingProfile {
  readonly barrier: AloneReason | undefined;
  #shortest = new LatestLeast(LATEST_RUNS);
  #served = new Averages();
  #asked = 0;
  #sharedRuns = 0;
  #goodRuns = 0;
  #neededRuns = RUNS_TO_LEARN;
  #slowOnes = 0;

  constructor(barrier: AloneReason | undefined) {
    this.barrier = barrier;
  }

  /**
   * Why its next statement is to have a connection to itself; undefined when it may share.
   * @param roundTripMs the shortest time in which this server answered anything.
   * @param writesShare whether the user lets writes share.
   */
  whyAlone(roundTripMs: number, writesShare = false): AloneReason | undefined {
    if (this.barrier !== undefined && !(writesShare && this.barrier === 'writes')) return this.barrier;
    if (this.#goodRuns < this.#neededRuns) return 'not_learned';
    this.#asked += 1;
    if ((this.#asked & PROBE_MASK) === PROBE_AT) return 'probe';
    return this.costMs(roundTripMs) > SHORT_MS ? 'takes_too_long' : undefined;
  }

  /**
   * What one is expected to keep a connection busy, in milliseconds: what a shared connection has taken for each of many. Before
   * that is known, the shortest run without the way there and back: of a pool that asks one thing only, it says nothing.
   */
  costMs(roundTripMs: number): number {
    const served = this.#served.least;
    if (served < Number.POSITIVE_INFINITY) return Math.max(MESSAGES_MS, served);
    return Math.max(UNKNOWN_MS, this.#shortest.value - roundTripMs);
  }

  /** Takes in how long a connection was held for one alone. */
  learnAlone(heldMs: number): void {
    this.#shortest.record(heldMs);
    if (heldMs <= SLOW_MS) this.#goodRuns += 1;
  }

  /**
   * Takes in how long a shared connection was busy with one. True when its kind turns out to take too long.
   * @param isService whether it was sent before the answer ahead of it came: else the way there and back is in it.
   */
  learnShared(servedMs: number, isService: boolean): boolean {
    // Those that were in flight when it was moved out have nothing to add.
    if (this.#goodRuns < this.#neededRuns) return false;
    if (isService) this.#served.take(servedMs);
    if (this.#served.areLong) {
      this.#moveOut();
      return true;
    }
    if (servedMs > SLOW_MS) return false;
    this.#slowOnes = Math.max(0, this.#slowOnes - 1 / FORGOTTEN_OVER_RUNS);
    this.#sharedRuns += 1;
    if (this.#sharedRuns % FORGOTTEN_OVER_RUNS === 0) {
      this.#neededRuns = Math.max(RUNS_TO_LEARN, this.#neededRuns / 2);
    }
    return false;
  }

  #moveOut(): void {
    this.#slowOnes = 0;
    this.#goodRuns = 0;
    this.#neededRuns = Math.min(this.#neededRuns * 2, MOST_RUNS_TO_LEARN);
    this.#shortest = new LatestLeast(LATEST_RUNS);
    this.#served = new Averages();
  }

  /** One was slow, and not because all were. True when that moves its kind out of shared connections. */
  foundSlow(): boolean {
    if (this.#goodRuns < this.#neededRuns) {
      this.#goodRuns = Math.max(0, this.#goodRuns - RUNS_PER_SLOW_ONE);
      return false;
    }
    this.#slowOnes += 1;
    if (this.#slowOnes < SLOW_ONES) return false;
    this.#moveOut();
    return true;
  }
}
