import { FAILURES, type FailurePattern } from '../health/failure.js';

/** Where a pool's trust in its server stands. */
export type CircuitState = 'closed' | 'degraded' | 'open' | 'half_open' | 'recovering';

/** The circuit went from one state to another. */
export interface CircuitChange {
  readonly from: CircuitState;
  readonly to: CircuitState;
  readonly reason: string;
}

/** What becomes of the callers for whom a connection could not be opened. */
export type Verdict =
  /** The first is told, as if there were no circuit. */
  | 'tell'
  /** They wait on, each to its own deadline: the server is expected back. */
  | 'hold'
  /** All are told: what is wrong will not pass by itself. */
  | 'refuse';

interface Policy {
  /** How many connections may be opening at once. */
  readonly openings: 'all' | 'ramp' | 'probe';
  /** Whether connections are opened that nobody waits for. */
  readonly fills: boolean;
}

/** What each state lets the pool do. */
export const POLICIES: Readonly<Record<CircuitState, Policy>> = {
  closed: { openings: 'all', fills: true },
  degraded: { openings: 'ramp', fills: false },
  open: { openings: 'probe', fills: false },
  half_open: { openings: 'probe', fills: false },
  recovering: { openings: 'ramp', fills: false },
};

/** Two connections lost within this time, and a fifth of all: it was not the connections. */
const BURST_MS = 1_000;
const BURST_SHARE = 0.2;
/** The share of uses that may lose their connection before the server counts as in trouble, by its lower 95 % bound. */
const MOST_LOST = 0.1;
/** Of fewer uses nothing is concluded. */
const LEAST_USES = 10;
/** In a row, while older connections still work. */
const FAILED_OPENS = 2;
/** From the first good probe to trust, and how long a degraded server must behave; doubled when it fails again within a minute. */
const DWELL_MS = { recovering: 1_000, degraded: 5_000, most: 60_000 } as const;
const RELAPSE_MS = 60_000;
/**
 * While it is not trusted no more connections begin to open within a second than these, unless the pool has reason for more; a little
 * longer, for the server does not see them at the same distances.
 */
export const PACE = { openings: 10, withinMs: 1_100 } as const;
/**
 * A server that has just come back has much to do. For a moment no more is opened than will do for those who wait, within so long:
 * each opening takes from them what a hundred short statements would.
 */
const COMING_BACK = { forMs: 250, servedWithinMs: 100 } as const;
/** While it is isolated those who wait are looked after so often. */
const LOOK_EVERY_MS = 1_000;
/** A probe without an answer for so long is given up for another. */
const PROBE_MS = 10_000;
/** A rejected login is tried twice a minute: more would lock accounts and fill logs. */
const REFUSED_MS = 30_000;
/** Probes come at least so often, and at most a twentieth of the outage apart: recovery is noticed within 5 % of it. */
const PROBE_EVERY_MS = { first: 100, least: 150, most: 10_000, share: 0.05 } as const;
/** So much of it is by chance: those that lost their server at one moment are soon out of step. */
const PROBE_JITTER = 0.25;

/**
 * The circuit breaker between a pool and its server (M. Nygard, "Release It!"), made for connections: it goes by failed
 * opens and lost connections, never by failed statements, and it regulates how many connections are opened, never who
 * is served by those that are. Pure but for chance: numbers and `now` in, decisions out.
 */
export class Breaker {
  state: CircuitState = 'closed';
  /** No connection is opened before. */
  nextOpenAt = 0;
  /** When the trouble began that is not over; 0 while there is none. */
  troubleSince = 0;
  /** Told of every change. */
  readonly #changed: (change: CircuitChange) => void;
  readonly #random: () => number;
  readonly #lost = new Window();
  readonly #burst: number[] = [];
  /** Whether a connection was ever opened: what has never worked is not down but wrongly set up. */
  #hasWorked = false;
  #isIsolated = false;
  #changedAt = 0;
  #badAt = 0;
  #healthyAt = Number.NEGATIVE_INFINITY;
  #relapses = 0;
  #failedInARow = 0;
  #refusing = false;
  #ramp = 1;
  /** When the latest connections began to open that are to be paced. */
  readonly #attempts: number[] = [];

  constructor(random: () => number, changed: (change: CircuitChange) => void) {
    this.#random = random;
    this.#changed = changed;
  }

  /** Whether everybody is told at once what is wrong, for the server would only say it again. */
  get refuses(): boolean {
    return this.#refusing && this.state === 'open';
  }

  /** Whether callers wait for openings that keep failing, or for a `reset`. */
  get holds(): boolean {
    return (this.#failedInARow > 0 && this.state !== 'closed') || this.#isIsolated;
  }

  /** Whether it was opened by hand: then it stays so until `reset`, whatever comes. */
  get isIsolated(): boolean {
    return this.#isIsolated;
  }

  /** Opens the circuit by hand: nothing is opened, probes included. `refuses`: nor does anybody wait. */
  isolate(refuses: boolean, now: number): void {
    this.#isIsolated = true;
    this.#refusing = refuses;
    this.troubleSince = now;
    this.nextOpenAt = Number.POSITIVE_INFINITY;
    this.#move('open', 'it was isolated', now);
  }

  /** Closes the circuit by hand: what was against the server is forgotten. */
  reset(now: number): void {
    this.#isIsolated = false;
    this.nextOpenAt = now;
    this.#failedInARow = 0;
    this.#relapses = 0;
    this.#healthyAt = Number.NEGATIVE_INFINITY;
    this.#close('it was reset', now);
  }

  /** What was said last to those who wait. */
  get #standing(): Verdict {
    return this.#refusing ? 'refuse' : 'hold';
  }

  get #isOpen(): boolean {
    return this.state === 'open' || this.state === 'half_open';
  }

  /** Whether connections may be opened that nobody waits for. */
  get fills(): boolean {
    return POLICIES[this.state].fills;
  }

  /**
   * How many more connections may be opened now, `opening` being on their way.
   * @param pace how many the pool has reason to open within a second, be it more than ten.
   */
  room(now: number, opening: number, pace: number): number {
    const { openings } = POLICIES[this.state];
    if (openings === 'all') return Number.POSITIVE_INFINITY;
    if (now < this.nextOpenAt) return 0;
    const most = openings === 'probe' ? (this.state === 'open' ? 1 : 0) : this.#ramp - opening;
    return Math.max(0, Math.min(most, Math.max(PACE.openings, pace) - this.#attemptsLately(now)));
  }

  /** Whether the server has come back a moment ago, and is not to be asked for more connections than will do. */
  spares(now: number): boolean {
    return now < this.#comingBackUntil;
  }

  /**
   * How many connections will do for work that would take one of them `workMs`. Any number where somebody waits whose time is over by
   * `deadlineAt`, sooner than the server is spared: the one connection may be held for long.
   */
  enough(workMs: number, deadlineAt: number, now: number): number {
    if (!this.spares(now) || deadlineAt <= this.#comingBackUntil) return Number.POSITIVE_INFINITY;
    return Math.max(1, Math.ceil(workMs / COMING_BACK.servedWithinMs));
  }

  /** A connection begins to open. */
  opening(now: number): void {
    this.#attemptsLately(now);
    if (this.state !== 'closed') this.#attempts.push(now);
    if (this.state === 'open') this.#move('half_open', 'a probe is on its way', now);
  }

  /** One that began to open at `startedAt` did. News from before the last change of state is old news. */
  opened(startedAt: number, now: number): void {
    this.#hasWorked = true;
    this.#failedInARow = 0;
    if (!this.#isIsolated) this.#refusing = false;
    if (startedAt < this.#changedAt || this.state === 'closed' || this.#isIsolated) return;
    this.nextOpenAt = now;
    this.#ramp += 1;
    if (this.state === 'half_open') this.#move('recovering', 'the server answers', now);
  }

  /** One that began to open at `startedAt` failed, while `live` others were open. */
  openFailed(pattern: FailurePattern, startedAt: number, live: number, now: number): Verdict {
    if (this.#isIsolated) return this.#standing;
    const { mitigation, what } = FAILURES[pattern];
    if (mitigation === 'limit') return this.#isFull(what, now);
    const isServers = mitigation !== 'none' && mitigation !== 'retire' && mitigation !== 'replace';
    if (!this.#hasWorked || !isServers) {
      if (this.state === 'half_open') this.#move('open', what, now);
      return 'tell';
    }
    const refuse = mitigation === 'refuse';
    // What began before the circuit opened says nothing new, and must not slow the probes.
    if (this.#isOpen && startedAt < this.#changedAt) return this.#standing;
    this.#worsen(now);
    this.#failedInARow += 1;
    this.#ramp = 1;
    this.#refusing = refuse;
    this.nextOpenAt = now + (refuse ? REFUSED_MS * (1 + this.#random() / 10) : this.#backoffMs(now));
    if (live === 0) this.#move('open', what, now);
    // A probe that fails beside one that came late would else leave a half-open circuit without a probe.
    else if (refuse || this.#failedInARow >= FAILED_OPENS || this.state === 'half_open')
      this.#move('degraded', what, now);
    return refuse && live === 0 ? 'refuse' : 'hold';
  }

  /**
   * No connection is left, and none is on its way: those wait no longer who were held because others were served.
   * Whether they are told what is wrong.
   */
  noneLeft(now: number): boolean {
    if (this.#refusing && this.state === 'degraded')
      this.#move('open', 'no connection is left, and the server refuses another', now);
    return this.refuses;
  }

  /**
   * A connection that worked is lost, of `open` that there were; `openedAt` tells whether it is of before the trouble.
   * Whether so many were lost together that all older ones are suspect.
   */
  connectionLost(openedAt: number, open: number, now: number): boolean {
    if (this.#isOpen || openedAt < this.troubleSince) return false;
    this.#lost.record(now, 0, 1);
    this.#burst.push(now);
    while (this.#burst[0]! <= now - BURST_MS) this.#burst.shift();
    const together = this.#burst.length;
    const burst = together >= 2 && together >= BURST_SHARE * open;
    const uses = this.#lost.total(now);
    const isTooMuch = uses >= LEAST_USES && wilsonLower(this.#lost.failed(now), uses) > MOST_LOST;
    if (!burst && !isTooMuch) return false;
    this.#worsen(now);
    this.#ramp = 1;
    this.#move('degraded', burst ? 'several connections were lost at once' : 'connections are lost', now);
    return burst;
  }

  /** The upkeep's part: `served` leases have ended well since the last one. */
  tick(served: number, now: number): void {
    this.#lost.record(now, served, 0);
    const { state } = this;
    if (state === 'half_open' && now - this.#changedAt >= PROBE_MS) {
      this.#move('open', 'a probe had no answer', now);
    } else if (state === 'recovering' || state === 'degraded') {
      const dwellMs = Math.min(DWELL_MS.most, DWELL_MS[state] * 2 ** this.#relapses);
      // Whoever wants a connection asks first, one at a time, whether the server would still refuse it.
      if (this.#refusing && now < this.nextOpenAt + REFUSED_MS) return;
      if (now - Math.max(this.#badAt, state === 'recovering' ? this.#changedAt : 0) < dwellMs) return;
      this.#healthyAt = now;
      this.#close('nothing failed for a while', now);
    }
  }

  /** When the upkeep has to come round for the circuit; infinite when it need not. */
  dueAt(now: number): number {
    if (this.#isIsolated) return now + LOOK_EVERY_MS;
    if (this.state === 'closed') return Number.POSITIVE_INFINITY;
    if (this.nextOpenAt > now) return this.nextOpenAt;
    if (this.spares(now)) return this.#comingBackUntil;
    const isPaced = this.#attemptsLately(now) >= PACE.openings;
    return isPaced ? this.#attempts[0]! + PACE.withinMs : Number.POSITIVE_INFINITY;
  }

  get #comingBackUntil(): number {
    return this.state === 'recovering' ? this.#changedAt + COMING_BACK.forMs : Number.NEGATIVE_INFINITY;
  }

  #attemptsLately(now: number): number {
    while (this.#attempts[0]! + PACE.withinMs <= now) this.#attempts.shift();
    return this.#attempts.length;
  }

  #close(reason: string, now: number): void {
    this.troubleSince = 0;
    this.#refusing = false;
    this.#burst.length = 0;
    this.#lost.clear();
    this.#move('closed', reason, now);
  }

  /** A server that is full is there: how many connections it grants is not this circuit's matter. */
  #isFull(what: string, now: number): Verdict {
    this.#failedInARow = 0;
    if (this.state === 'half_open') this.#move('recovering', what, now);
    return 'hold';
  }

  #worsen(now: number): void {
    this.#badAt = now;
    if (this.troubleSince > 0) return;
    this.troubleSince = now;
    this.#relapses = now - this.#healthyAt < RELAPSE_MS ? this.#relapses + 1 : 0;
  }

  #backoffMs(now: number): number {
    const { first, least, most, share } = PROBE_EVERY_MS;
    const longest = Math.min(most, Math.max(least, share * (now - this.troubleSince)));
    const ms = Math.min(longest, first * 2 ** Math.min(this.#failedInARow - 1, 10));
    return ms * (1 - PROBE_JITTER * this.#random());
  }

  #move(to: CircuitState, reason: string, now: number): void {
    const from = this.state;
    if (from === to) return;
    this.state = to;
    this.#changedAt = now;
    this.#changed({ from, to, reason });
  }
}

const SECONDS = 10;

/** The last ten seconds, a bucket a second. Each knows its second, so that a pause leaves nothing old behind. */
class Window {
  readonly #buckets = Array.from({ length: SECONDS }, () => ({ second: -1, good: 0, bad: 0 }));

  record(now: number, good: number, bad: number): void {
    const second = Math.floor(now / 1_000);
    const bucket = this.#buckets[((second % SECONDS) + SECONDS) % SECONDS]!;
    if (bucket.second !== second) Object.assign(bucket, { second, good: 0, bad: 0 });
    bucket.good += good;
    bucket.bad += bad;
  }

  failed(now: number): number {
    return this.#recent(now).reduce((sum, { bad }) => sum + bad, 0);
  }

  total(now: number): number {
    return this.#recent(now).reduce((sum, { good, bad }) => sum + good + bad, 0);
  }

  clear(): void {
    for (const bucket of this.#buckets) bucket.second = -1;
  }

  #recent(now: number) {
    const second = Math.floor(now / 1_000);
    return this.#buckets.filter((bucket) => bucket.second >= 0 && bucket.second > second - SECONDS);
  }
}

/** Lower bound of the 95 % interval of a share (Wilson, 1927): few events prove little. */
export function wilsonLower(hits: number, of: number): number {
  if (of === 0) return 0;
  const z2 = 1.96 ** 2;
  const share = hits / of;
  const middle = share + z2 / (2 * of);
  const half = 1.96 * Math.sqrt((share * (1 - share) + z2 / (4 * of)) / of);
  return Math.max(0, (middle - half) / (1 + z2 / of));
}
