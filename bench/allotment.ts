/** The time that measuring may take. What cannot be left out takes longer on a busy machine: there is less left for the rest. */
export class Allotment {
  readonly #endsAt: number;

  constructor(endsAt: number) {
    this.#endsAt = endsAt;
  }

  static ofSeconds(seconds: number): Allotment {
    return new Allotment(performance.now() + seconds * 1_000);
  }

  /** When one of `parts` that are left is to end, if all of them are to last as long. */
  partOf(parts: number): number {
    const now = performance.now();
    return now + Math.max(0, this.#endsAt - now) / parts;
  }
}
