import type { Runtime, Timer } from '../../src/index.js';

interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that stands still until somebody advances it, and a seeded source of chance: the same seed replays a run exactly. */
export class VirtualRuntime implements Runtime {
  #now = 0;
  #order = 0;
  #due: Due[] = [];
  #state: number;
  /** How many keep the process alive. */
  keptAlive = 0;

  constructor(seed: number) {
    this.#state = (seed * 2654435761) >>> 0 || 1;
  }

  now(): number {
    return this.#now;
  }

  /** Mulberry32: small, and good enough for tests. */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  schedule(delayMs: number, run: () => void): Timer {
    this.#order += 1;
    const due: Due = { at: this.#now + delayMs, order: this.#order, run };
    this.#due.push(due);
    return {
      cancel: () => {
        this.#due = this.#due.filter((other) => other !== due);
      },
    };
  }

  afterPoll(run: () => void): void {
    this.schedule(0, run);
  }

  keepAlive(): Timer {
    this.keptAlive += 1;
    return {
      cancel: () => {
        this.keptAlive -= 1;
      },
    };
  }

  /** How many scheduled calls are outstanding. */
  get outstanding(): number {
    return this.#due.length;
  }

  /** Lets `durationMs` pass, running what falls due in order and letting promises settle in between. */
  async advance(durationMs: number): Promise<void> {
    const until = this.#now + durationMs;
    let ranAtThisInstant = 0;
    await settle();
    for (;;) {
      const next = this.#earliest();
      if (next === undefined || next.at > until) break;
      ranAtThisInstant = next.at > this.#now ? 0 : ranAtThisInstant + 1;
      if (ranAtThisInstant > 1_000) throw new Error(`bug: the timers spin at ${this.#now} ms`);
      this.#due = this.#due.filter((due) => due !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = until;
  }

  /** The clock jumps without anything running, as when the event loop stands still. */
  stall(durationMs: number): void {
    this.#now += durationMs;
  }

  #earliest(): Due | undefined {
    let earliest: Due | undefined;
    for (const due of this.#due) {
      if (
        earliest === undefined ||
        due.at < earliest.at ||
        (due.at === earliest.at && due.order < earliest.order)
      ) {
        earliest = due;
      }
    }
    return earliest;
  }
}

/** Lets every promise chain of the engine come to its end. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await undefined;
}
