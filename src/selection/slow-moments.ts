/** Answers before and after one that it is compared with. */
const NEIGHBOURS = 8;
const KEPT = 2 * NEIGHBOURS + 1;

/** A moment was slow for everybody if the typical neighbour, before or after, took this share of the slow one's time. */
const COMMON_SHARE = 1 / 4;

/**
 * Tells a slow statement from a slow moment: while the client's event loop or the server's machine stands still, whatever is in
 * flight is late, and that says nothing of its kind. A slow answer is judged by the eight before it and the eight after it.
 */
export class SlowMoments<Of> {
  readonly #slowMs: number;
  /** A ring, and beside it the times: the next place to be written holds the oldest. */
  readonly #answers: Of[] = [];
  readonly #times: number[] = [];
  #next = 0;

  /** `slowMs`: what takes no longer is not slow, whatever the others take. */
  constructor(slowMs: number) {
    this.#slowMs = slowMs;
  }

  /** Takes in an answer. Gives the one eight before it, if that was slow and its moment was not. */
  take(answer: Of, ms: number): Of | undefined {
    this.#answers[this.#next] = answer;
    this.#times[this.#next] = ms;
    this.#next = (this.#next + 1) % KEPT;
    const middle = (this.#next + NEIGHBOURS) % KEPT;
    const judgedMs = this.#times[middle]!;
    if (this.#times.length < KEPT || judgedMs <= this.#slowMs) return undefined;
    const commonMs = Math.max(this.#typicalMs(0), this.#typicalMs(NEIGHBOURS + 1));
    return commonMs >= judgedMs * COMMON_SHARE ? undefined : this.#answers[middle];
  }

  /** The median of eight answers, the first of which is so many after the oldest. */
  #typicalMs(from: number): number {
    const times = Array.from(
      { length: NEIGHBOURS },
      (_, index) => this.#times[(this.#next + from + index) % KEPT]!,
    );
    return times.sort((one, other) => one - other)[NEIGHBOURS / 2]!;
  }
}
