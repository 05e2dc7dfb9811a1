/** Leases of the past that are replayed. */
const MOST = 1_024;
const FEWEST = 64;
/** Callers that are replayed on each size: more would keep the event loop for a second. */
const MOST_REPLAYED = 8 * MOST;
/** Of the maximum in force: which others are tried. */
const SHARES = [0.25, 0.4, 0.5, 0.6, 0.75, 1, 1.25, 1.5, 2, 3, 4];
/** A wait this much longer is no price for fewer connections. */
const TOLERABLE_MS = 0.5;
const TOLERABLE_SHARE = 0.05;
/** Callers who wait longer than this are worth a larger maximum, if it at least halves their wait. */
const LONG_MS = 5;

/** What another maximum would have meant for the leases that were replayed. */
export interface Alternative {
  readonly max: number;
  readonly waitMeanMs: number;
  readonly waitP99Ms: number;
  /** Time that connections stood open, over that with the maximum in force. */
  readonly connectionTime: number;
}

/** What other maxima would have meant. */
export interface WhatIf {
  /** How many leases were replayed, and over how much time they came. */
  readonly leases: number;
  readonly overMs: number;
  /** Smallest first; the maximum in force is one of them. */
  readonly alternatives: readonly Alternative[];
  /** In a sentence, where another maximum would have been better. */
  readonly advice: string | undefined;
}

/**
 * Remembers when the latest timed callers came and how long connections were held, and replays them on pools of other sizes
 * (a G/G/c queue, first come first served, the newest idle connection first). It takes the database to be as fast with
 * more connections, and callers to come as they came: it is no proof, but better than a guess.
 */
export class History {
  #arrivals = new Float64Array(FEWEST);
  #holds = new Float32Array(FEWEST);
  #arrived = 0;
  #held = 0;

  arrived(at: number): void {
    if (this.#arrived === this.#arrivals.length) this.#grow();
    this.#arrivals[this.#arrived % MOST] = at;
    this.#arrived += 1;
  }

  /** Holds need not be those of the same leases: they are as long. */
  heldFor(durationMs: number): void {
    this.#holds[this.#held % this.#holds.length] = durationMs;
    this.#held += 1;
  }

  /**
   * @param each how many leases each timed one stands for.
   * @param mayGain whether the database may be as fast with more connections; what is known to gain nothing is not advised.
   * @returns undefined while too little was seen.
   */
  replay(max: number, idleTimeoutMs: number, each: number, mayGain = true): WhatIf | undefined {
    const seen = Math.min(this.#arrived, MOST);
    const holds = Math.min(this.#held, this.#holds.length);
    if (seen < FEWEST || holds < FEWEST) return undefined;
    const latest = Math.max(2, Math.ceil(MOST_REPLAYED / each));
    const arrivals = this.#arrivals.slice(0, seen).sort().subarray(-latest);
    const leases = arrivals.length;
    const overMs = arrivals[leases - 1]! - arrivals[0]!;
    const times = spread(arrivals, each);
    const sizes = [...new Set(SHARES.map((share) => Math.max(1, Math.round(share * max))))];
    const replayed = sizes.map((size) =>
      replayOn(size, times, this.#holds.subarray(0, holds), idleTimeoutMs),
    );
    const actual = replayed[sizes.indexOf(max)]!;
    const alternatives = replayed.map(({ waits, openMs }, index) => ({
      max: sizes[index]!,
      waitMeanMs: waits.reduce((sum, wait) => sum + wait, 0) / waits.length,
      waitP99Ms: p99(waits),
      connectionTime: openMs / actual.openMs,
    }));
    return { leases, overMs, alternatives, advice: adviceOn(alternatives, max, mayGain) };
  }

  #grow(): void {
    if (this.#arrivals.length === MOST) return;
    const arrivals = new Float64Array(2 * this.#arrivals.length);
    const holds = new Float32Array(arrivals.length);
    arrivals.set(this.#arrivals);
    holds.set(this.#holds);
    // What the ring of holds has overwritten stays in its first half.
    this.#held = Math.min(this.#held, this.#holds.length);
    this.#arrivals = arrivals;
    this.#holds = holds;
  }
}

/** Each timed arrival as the `each` that it stands for, evenly until the next one. */
function spread(arrivals: Float64Array, each: number): Float64Array {
  if (each === 1) return arrivals;
  const times = new Float64Array((arrivals.length - 1) * each);
  for (let index = 0; index < times.length; index += 1) {
    const before = Math.floor(index / each);
    const share = (index % each) / each;
    times[index] = arrivals[before]! + share * (arrivals[before + 1]! - arrivals[before]!);
  }
  return times;
}

function replayOn(
  size: number,
  times: Float64Array,
  holds: Float32Array,
  idleTimeoutMs: number,
): { waits: Float64Array; openMs: number } {
  const freeAt = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  const waits = new Float64Array(times.length);
  let openMs = 0;
  for (const [caller, at] of times.entries()) {
    let chosen = 0;
    for (let other = 1; other < size; other += 1) {
      const [mine, theirs] = [freeAt[chosen]!, freeAt[other]!];
      // The newest of those that are idle, else the first to come free.
      if (theirs <= at ? mine > at || theirs > mine : theirs < mine) chosen = other;
    }
    const startsAt = Math.max(at, freeAt[chosen]!);
    const holdMs = holds[caller % holds.length]!;
    openMs +=
      Math.min(startsAt - freeAt[chosen]!, idleTimeoutMs || Number.POSITIVE_INFINITY, at - times[0]!) +
      holdMs;
    freeAt[chosen] = startsAt + holdMs;
    waits[caller] = startsAt - at;
  }
  const endsAt = times[times.length - 1]!;
  for (const freedAt of freeAt) {
    if (freedAt > Number.NEGATIVE_INFINITY)
      openMs += Math.max(0, Math.min(endsAt - freedAt, idleTimeoutMs || endsAt));
  }
  return { waits, openMs };
}

function p99(waits: Float64Array): number {
  const sorted = waits.toSorted();
  return sorted[Math.floor(0.99 * (sorted.length - 1))]!;
}

function adviceOn(alternatives: readonly Alternative[], max: number, mayGain: boolean): string | undefined {
  const actual = alternatives.find((each) => each.max === max)!;
  const fewer = alternatives.find(
    (each) =>
      each.max < max &&
      each.connectionTime < 1 - TOLERABLE_SHARE &&
      each.waitP99Ms <= actual.waitP99Ms * (1 + TOLERABLE_SHARE) + TOLERABLE_MS,
  );
  if (mayGain && actual.waitP99Ms > LONG_MS) {
    const larger = alternatives.filter((each) => each.max > max);
    const best = larger.at(-1)?.waitP99Ms ?? Number.POSITIVE_INFINITY;
    const enough = larger.find(
      ({ waitP99Ms }) => waitP99Ms <= actual.waitP99Ms / 2 && waitP99Ms <= best + LONG_MS,
    );
    if (enough !== undefined) {
      return (
        `max ${max} is small: with ${enough.max}, 99 % would have waited less than ${ms(enough.waitP99Ms)} in place of ` +
        `${ms(actual.waitP99Ms)}, if the database is as fast with so many connections`
      );
    }
  }
  if (fewer === undefined) return undefined;
  return (
    `max ${fewer.max} instead of ${max} would have cost ${ms(Math.max(0, fewer.waitP99Ms - actual.waitP99Ms))} of p99 wait and saved ` +
    `${Math.round(100 * (1 - fewer.connectionTime))} % of connection time`
  );
}

function ms(durationMs: number): string {
  return `${durationMs.toFixed(durationMs < 10 ? 1 : 0)} ms`;
}
