import type { Histogram } from '../histogram.js';

/** The mean of what a histogram took in from one look to the next. */
export class RecentMean {
  #count = 0;
  #sumMs = 0;

  /** Since the last look; 0 where nothing came. */
  next({ count, sumMs }: Pick<Histogram, 'count' | 'sumMs'>): number {
    const meanMs = count > this.#count ? (sumMs - this.#sumMs) / (count - this.#count) : 0;
    this.#count = count;
    this.#sumMs = sumMs;
    return meanMs;
  }
}
