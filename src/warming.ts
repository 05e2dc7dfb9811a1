/** For so long a caller counts on a connection that is being warmed when he comes: then another is opened for him. */
export const HURRY_MS = 10;

/** After a warm-up that had no end none is begun for so long; doubled by each that comes after it, up to the second. */
const REST_MS = { least: 10_000, most: 600_000 } as const;

/** Whether connections are warmed: not for a while where that had no end, for each such attempt costs a connection. */
export class Warming {
  #restsUntil = Number.NEGATIVE_INFINITY;
  #restMs = 0;

  mayBegin(now: number): boolean {
    return now >= this.#restsUntil;
  }

  /** One ended in its time. */
  ended(): void {
    this.#restMs = 0;
  }

  /** One did not. */
  overran(now: number): void {
    // Those that were on their way together count as one.
    if (!this.mayBegin(now)) return;
    this.#restMs = Math.min(REST_MS.most, Math.max(REST_MS.least, 2 * this.#restMs));
    this.#restsUntil = now + this.#restMs;
  }
}
