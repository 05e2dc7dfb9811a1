import { remaining } from '../decay.js';

const HALF_LIFE_MS = 600_000;
/** What an expert has to be cheaper by. */
const MARGIN = 0.95;
/** Of less than this nothing is concluded. */
const LEAST_MS = 1;

/**
 * The gate of an expert: what its forecasts cost, and what the naive ones would have, "as the pool would do without it".
 * Both are pinball losses whose slopes are prices: a connection too many costs its time, one too few its callers' waits.
 */
export class Ledger {
  #own = 0;
  #naive = 0;
  #at = 0;

  add(ownMs: number, naiveMs: number, now: number): void {
    const kept = remaining(now - this.#at, HALF_LIFE_MS);
    this.#own = this.#own * kept + ownMs;
    this.#naive = this.#naive * kept + naiveMs;
    this.#at = now;
  }

  /** Whether the expert has earned more than it cost. */
  get trusts(): boolean {
    return this.#own < MARGIN * this.#naive - LEAST_MS;
  }

  clear(): void {
    this.#own = 0;
    this.#naive = 0;
  }
}
