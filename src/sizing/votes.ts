/** In a row, to become another class; twice as many to fall back to the calmest, but from the first, which is no word on the load. */
const NEEDED = 3;

/** Keeps a name from flapping: only equal votes in a row change it. */
export class Votes<Class> {
  readonly #first: Class;
  #current: Class;
  #candidate: Class;
  #votes = 0;
  readonly #calmest: Class;

  constructor(first: Class, calmest: Class) {
    this.#first = first;
    this.#current = first;
    this.#candidate = first;
    this.#calmest = calmest;
  }

  get current(): Class {
    return this.#current;
  }

  /** @returns the class before, where this vote changed it. */
  cast(vote: Class): Class | undefined {
    if (vote === this.#current) {
      this.#votes = 0;
      return undefined;
    }
    this.#votes = vote === this.#candidate ? this.#votes + 1 : 1;
    this.#candidate = vote;
    const needed = vote === this.#calmest && this.#current !== this.#first ? 2 * NEEDED : NEEDED;
    if (this.#votes < needed) return undefined;
    const before = this.#current;
    this.#current = vote;
    this.#votes = 0;
    return before;
  }
}
