/** A lag counts as a period when the series correlates with itself by more than this, having correlated less before. */
const ACCEPTED = 0.5;
/** Of several lags that correlate about as well the shortest is the period, the others are its multiples. */
const AS_GOOD = 0.9;
/** A slow series correlates at every short lag: a period is told from it by the dip between. */
const DIP = 0.3;
const SHORTEST_LAG = 4;
/** A period is believed once it was seen so often. */
const PERIODS_SEEN = 3;
/** A round of all lags is gone through in about so many steps, so that none is long. */
const STEPS_PER_ROUND = 80;

/** Peaks of demand in slots of equal length, and the period at which they recur: the peak of their autocorrelation. */
export class Recurrence {
  readonly slotMs: number;
  readonly #peaks: Float32Array;
  /** The series as the round began, the newest first: two slots wide, since what recurs seldom meets the same slot, less its mean. */
  readonly #series: Float32Array;
  readonly #correlations: Float32Array;
  #length = 0;
  #variance = 0;
  #lag = SHORTEST_LAG;
  /** Slots begun since the start; the newest is still being filled. */
  #begun = 1;
  #slotEndsAt: number;
  #period = 0;
  #highest = 0;

  constructor(slotMs: number, slots: number, now: number) {
    this.slotMs = slotMs;
    this.#peaks = new Float32Array(slots);
    this.#series = new Float32Array(slots);
    this.#correlations = new Float32Array(Math.floor(slots / PERIODS_SEEN) + 2);
    this.#slotEndsAt = now + slotMs;
  }

  /** In slots; 0 while none is known. */
  get period(): number {
    return this.#period;
  }

  /** The highest demand of a whole period, as of the last round; 0 while no period is known. */
  get highest(): number {
    return this.#highest;
  }

  /** Notes what the demand was up to `now`; `held` is what it stood at in the slots that ended meanwhile. */
  note(now: number, peak: number, held: number): void {
    const ended = Math.max(0, Math.ceil((now - this.#slotEndsAt) / this.slotMs));
    const { length } = this.#peaks;
    for (let slot = Math.max(0, ended - length); slot < ended; slot += 1) {
      this.#peaks[(this.#begun + slot) % length] = held;
    }
    this.#begun += ended;
    this.#slotEndsAt += ended * this.slotMs;
    const newest = (this.#begun - 1) % length;
    this.#peaks[newest] = Math.max(this.#peaks[newest]!, peak);
  }

  /** Goes on with the search for the period, as far as `steps` steps have it: a long rest is made up for at once. */
  search(steps: number): void {
    const longest = Math.floor(this.#length / PERIODS_SEEN);
    const lags = Math.ceil((this.#correlations.length / STEPS_PER_ROUND) * Math.min(steps, STEPS_PER_ROUND));
    for (let done = 0; done < lags; done += 1) {
      if (this.#lag > longest) {
        this.#decide(longest);
        this.#beginRound();
        return;
      }
      this.#correlations[this.#lag] = this.#correlation(this.#lag);
      this.#lag += 1;
    }
  }

  /** The highest demand one period before the stretch from now to `aheadMs` from now, and two periods before it. */
  expected(aheadMs: number): number {
    if (this.#period === 0) return 0;
    const slots = Math.min(this.#period, 1 + Math.ceil(aheadMs / this.slotMs));
    let highest = 0;
    for (let ahead = 0; ahead <= slots; ahead += 1) highest = Math.max(highest, this.#recurring(ahead));
    return highest;
  }

  /** When `expected(aheadMs)` first goes beyond `level`, if it is not there already; infinite when it will not. */
  nextAbove(level: number, now: number, aheadMs: number): number {
    if (this.#period === 0) return Number.POSITIVE_INFINITY;
    const begunAt = this.#slotEndsAt - this.slotMs;
    for (let ahead = 1; ahead < this.#period; ahead += 1) {
      if (this.#recurring(ahead) <= level) continue;
      return Math.max(now, begunAt + (ahead - 1) * this.slotMs - aheadMs);
    }
    return Number.POSITIVE_INFINITY;
  }

  #recurring(ahead: number): number {
    return Math.max(this.#at(ahead - this.#period), this.#at(ahead - 2 * this.#period));
  }

  /** The peak of the slot `offset` away from the newest. */
  #at(offset: number): number {
    return this.#peaks[(this.#begun - 1 + offset) % this.#peaks.length]!;
  }

  #beginRound(): void {
    this.#lag = SHORTEST_LAG;
    this.#length = Math.max(0, Math.min(this.#begun, this.#peaks.length) - 2);
    let sum = 0;
    for (let back = 0; back < this.#length; back += 1) {
      const wide = Math.max(this.#at(-1 - back), this.#at(-2 - back));
      this.#series[back] = wide;
      sum += wide;
    }
    const mean = sum / Math.max(1, this.#length);
    let squares = 0;
    for (let back = 0; back < this.#length; back += 1) {
      const apart = this.#series[back]! - mean;
      this.#series[back] = apart;
      squares += apart * apart;
    }
    this.#variance = squares / Math.max(1, this.#length);
  }

  #correlation(lag: number): number {
    if (this.#variance <= 0) return 0;
    const series = this.#series;
    const pairs = this.#length - lag;
    let sum = 0;
    for (let back = 0; back < pairs; back += 1) sum += series[back]! * series[back + lag]!;
    return sum / (Math.max(1, pairs) * this.#variance);
  }

  #decide(longest: number): void {
    const period = this.#periodUpTo(longest);
    this.#period = period;
    this.#highest = 0;
    for (let ahead = 0; ahead < period; ahead += 1) {
      this.#highest = Math.max(this.#highest, this.#recurring(ahead));
    }
  }

  #periodUpTo(longest: number): number {
    let best = 0;
    for (let lag = SHORTEST_LAG; lag <= longest; lag += 1) best = Math.max(best, this.#correlations[lag]!);
    if (best <= ACCEPTED) return 0;
    let dipped = false;
    for (let lag = SHORTEST_LAG; lag <= longest; lag += 1) {
      const here = this.#correlations[lag]!;
      if (here < DIP) dipped = true;
      const next = lag < longest ? this.#correlations[lag + 1]! : 0;
      if (dipped && here >= AS_GOOD * best && here >= next) return lag;
    }
    return 0;
  }
}
