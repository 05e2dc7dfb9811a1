/** The time that a suite may take: measuring ends when it is over, on whatever machine. */
export class Allotment {
  readonly #endsAt: number;

  constructor(seconds: number) {
    this.#endsAt = performance.now() + seconds * 1_000;
  }

  /** When one of `parts` that are left is to end, if all of them are to last as long. */
  partOf(parts: number): number {
    const now = performance.now();
    return now + Math.max(0, this.#endsAt - now) / parts;
  }
}
