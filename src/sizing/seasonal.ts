import { type Observation, STEP_MS } from './observation.js';
import { Recurrence } from './recurrence.js';

/** Half seconds for four minutes, and ten seconds for an hour: periods from two seconds to twenty minutes. */
const FINE = { slotMs: 500, slots: 480 } as const;
const COARSE = { slotMs: 10_000, slots: 360 } as const;

/** Knows what recurs: expects now what there was a period ago, and a little ahead of it. */
export class Seasonal {
  readonly #fine: Recurrence;
  readonly #coarse: Recurrence;
  /** What the demand stood at when it was last seen. */
  #held = 0;

  constructor(now: number) {
    this.#fine = new Recurrence(FINE.slotMs, FINE.slots, now);
    this.#coarse = new Recurrence(COARSE.slotMs, COARSE.slots, now);
  }

  /** In milliseconds; 0 while none is known. */
  get periodMs(): number {
    return this.#known.period * this.#known.slotMs;
  }

  /** The highest demand that recurs. */
  get highest(): number {
    return this.#known.highest;
  }

  step({ now, elapsedMs, atRest, peak, limit, connectMs }: Observation): number {
    const within = Math.min(peak, limit);
    const held = atRest ? within : this.#held;
    for (const recurrence of [this.#fine, this.#coarse]) {
      recurrence.note(now, within, held);
      recurrence.search(elapsedMs / STEP_MS);
    }
    this.#held = atRest ? within : 0;
    return this.#known.expected(leadMs(connectMs));
  }

  /** When it will first ask for more than `level`; infinite when it has nothing to say. */
  nextAbove(level: number, now: number, connectMs: number): number {
    return this.#known.nextAbove(level, now, leadMs(connectMs));
  }

  get #known(): Recurrence {
    return this.#fine.period > 0 ? this.#fine : this.#coarse;
  }
}

/** Twice what a connection takes to open, and a step in which to begin. */
function leadMs(connectMs: number): number {
  return 2 * connectMs + STEP_MS;
}
