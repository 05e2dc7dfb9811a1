/** Connections idle for less than so many milliseconds die alike; the last class has no end. */
const IDLE_CLASSES_MS = [500, 5_000, 30_000, 120_000, Number.POSITIVE_INFINITY] as const;

/** What is believed before anything was seen: one connection in a hundred is dead, a belief that fifty alive outweigh. */
const PRIOR = { dead: 0.5, alive: 50 } as const;

/** Beyond so many seen, old ones are forgotten by half. */
const REMEMBERED = 2_000;

/** How probable it is that a connection is dead after it was idle for some time, learned from what became of others (Beta posterior). */
export class Survival {
  readonly #dead = IDLE_CLASSES_MS.map(() => 0);
  readonly #alive = IDLE_CLASSES_MS.map(() => 0);

  learn(idleMs: number, alive: boolean): void {
    const at = classOf(idleMs);
    (alive ? this.#alive : this.#dead)[at]! += 1;
    if (this.#alive[at]! + this.#dead[at]! <= REMEMBERED) return;
    this.#alive[at]! /= 2;
    this.#dead[at]! /= 2;
  }

  /** From 0 to 1. */
  deadAfter(idleMs: number): number {
    const at = classOf(idleMs);
    const dead = PRIOR.dead + this.#dead[at]!;
    return dead / (dead + PRIOR.alive + this.#alive[at]!);
  }
}

function classOf(idleMs: number): number {
  let at = 0;
  while (idleMs >= IDLE_CLASSES_MS[at]!) at += 1;
  return at;
}
