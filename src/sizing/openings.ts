/** How much slower than usual an opening may be before fewer are begun at once. */
const SLOW = 2;
const USUAL_WEIGHT = 0.1;
const AFTER_SLOW = 0.7;
const AFTER_FAILURE = 0.5;

/**
 * How many connections may be opening at once ahead of demand: one more for as many as opened well, a share fewer when they
 * open slowly or not at all (additive increase, multiplicative decrease; Chiu and Jain, 1989). Callers who wait are never held up by it.
 */
export class Openings {
  #most: number;
  #usualMs = 0;
  #decreasedAt = Number.NEGATIVE_INFINITY;

  constructor(most: number) {
    this.#most = most;
  }

  /** How many more may be begun, `opening` being on their way. */
  room(opening: number): number {
    return Math.max(0, Math.floor(this.#most) - opening);
  }

  /** One that began at `startedAt` has opened. */
  opened(startedAt: number, now: number): void {
    const tookMs = now - startedAt;
    const isSlow = this.#usualMs > 0 && tookMs > SLOW * this.#usualMs;
    this.#usualMs += (this.#usualMs === 0 ? 1 : USUAL_WEIGHT) * (tookMs - this.#usualMs);
    if (isSlow) this.#decrease(startedAt, AFTER_SLOW, now);
    else this.#most += 1 / this.#most;
  }

  /** One that began at `startedAt` has not. */
  failed(startedAt: number, now: number): void {
    this.#decrease(startedAt, AFTER_FAILURE, now);
  }

  /** Those that were on their way together count as one. */
  #decrease(startedAt: number, share: number, now: number): void {
    if (startedAt < this.#decreasedAt) return;
    this.#decreasedAt = now;
    this.#most = Math.max(1, this.#most * share);
  }
}
