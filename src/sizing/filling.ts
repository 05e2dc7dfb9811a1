import { AT_ONCE, type Openings } from './openings.js';

/** Between two waves; each time half of it to one and a half, by chance, so that the waves of many processes do not come together. */
const WAVE_MS = 100;

/**
 * Fills a pool up to its `min`: a handful at once, more in waves of as many as may be opening at once. A fleet that starts
 * together would else log in all together.
 */
export class Filling {
  /** No wave begins before. */
  nextAt = Number.NEGATIVE_INFINITY;
  readonly #openings: Openings;
  readonly #random: () => number;

  constructor(openings: Openings, random: () => number) {
    this.#openings = openings;
    this.#random = random;
  }

  /** How many of the `lacking` connections begin to open now, `opening` others being on their way. */
  wave(lacking: number, opening: number, now: number): number {
    if (lacking <= 0) return 0;
    if (lacking + opening <= AT_ONCE) return lacking;
    if (now < this.nextAt) return 0;
    this.nextAt = now + WAVE_MS * (0.5 + this.#random());
    return Math.min(lacking, this.#openings.room(opening));
  }
}
