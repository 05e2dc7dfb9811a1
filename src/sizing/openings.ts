/** So many may be opening at once from the start, where there may be so many. */
export const AT_ONCE = 10;
/** How much slower than usual an opening may be before fewer are begun at once. */
const SLOW = 2;
const USUAL_WEIGHT = 0.1;
const AFTER_SLOW = 0.7;
const AFTER_FAILURE = 0.5;

/**
 * How many connections may be opening at once ahead of demand: twice as many with each wave until the first opens slowly or not at all, as
 * TCP begins; from then on one more for as many as opened well, and a share fewer when they do not (additive increase,
 * multiplicative decrease; Chiu and Jain, 1989). Callers who wait are never held up by it.
 */
export class Openings {
  readonly #ceiling: () => number;
  #most = AT_ONCE;
  #knowsLimit = false;
  #usualMs = 0;
  #decreasedAt = Number.NEGATIVE_INFINITY;

  /** @param ceiling the most connections that there may be. */
  constructor(ceiling: () => number) {
    this.#ceiling = ceiling;
  }

  /** How many more may be begun, `opening` being on their way. */
  room(opening: number): number {
    return Math.max(0, Math.min(Math.floor(this.#most), this.#ceiling()) - opening);
  }

  /** One that began at `startedAt` has opened. */
  opened(startedAt: number, now: number): void {
    const tookMs = now - startedAt;
    const isSlow = this.#usualMs > 0 && tookMs > SLOW * this.#usualMs;
    this.#usualMs += (this.#usualMs === 0 ? 1 : USUAL_WEIGHT) * (tookMs - this.#usualMs);
    if (isSlow) this.#decrease(startedAt, AFTER_SLOW, now);
    else this.#most = Math.min(this.#ceiling(), this.#most + (this.#knowsLimit ? 1 / this.#most : 1));
  }

  /** One that began at `startedAt` has not. */
  failed(startedAt: number, now: number): void {
    this.#decrease(startedAt, AFTER_FAILURE, now);
  }

  /** Those that were on their way together count as one. */
  #decrease(startedAt: number, share: number, now: number): void {
    if (startedAt < this.#decreasedAt) return;
    this.#decreasedAt = now;
    this.#knowsLimit = true;
    this.#most = Math.max(1, this.#most * share);
  }
}
