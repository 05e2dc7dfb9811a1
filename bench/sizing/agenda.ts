/** The earliest first, and of those at the same time the first that came. */
export class Agenda<T> {
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  readonly #items: T[] = [];
  #order = 0;

  get length(): number {
    return this.#times.length;
  }

  /** Infinite when there is nothing. */
  get nextAt(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  add(at: number, item: T): void {
    this.#order += 1;
    this.#times.push(at);
    this.#orders.push(this.#order);
    this.#items.push(item);
    let child = this.#times.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#before(child, parent)) break;
      this.#swap(child, parent);
      child = parent;
    }
  }

  take(): T | undefined {
    const first = this.#items[0];
    const last = this.#times.length - 1;
    if (last < 0) return undefined;
    this.#swap(0, last);
    this.#times.pop();
    this.#orders.pop();
    this.#items.pop();
    for (let parent = 0; ; ) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2]) {
        if (child < last && this.#before(child, least)) least = child;
      }
      if (least === parent) return first;
      this.#swap(parent, least);
      parent = least;
    }
  }

  #before(one: number, other: number): boolean {
    const ahead = this.#times[one]! - this.#times[other]!;
    return ahead < 0 || (ahead === 0 && this.#orders[one]! < this.#orders[other]!);
  }

  #swap(one: number, other: number): void {
    for (const list of [this.#times, this.#orders, this.#items] as unknown[][]) {
      [list[one], list[other]] = [list[other], list[one]];
    }
  }
}
