import type { QueryMix } from './query-mix.js';
import type { Workload } from './workload.js';

/** What the kind of a load changes in how a pool is sized; what each expert says is weighed all the same. */
export interface Policy {
  /** Whether as many may be opening ahead of demand at once as there may be, however slowly they open. */
  readonly opensFreely: boolean;
  /** Whether the leases of one second are like those of the next, so that the limit probe can tell sizes apart by them. */
  readonly comparable: boolean;
}

const USUAL: Policy = { opensFreely: false, comparable: true };

/**
 * What differs from the usual. A load that is steady or a ramp changes nothing: to let go of connections ten seconds later in the
 * one, and not at all in the other, made the backtest (`npm run bench -- sizing`) dearer.
 */
const OF_SHAPE: Readonly<Partial<Record<Workload, Partial<Policy>>>> = { bursty: { opensFreely: true } };
const OF_MIX: Readonly<Partial<Record<QueryMix, Partial<Policy>>>> = {
  analytic: { comparable: false },
  mixed: { comparable: false },
};

const STEP_EVERY_MS = 30_000;

/** Moves one knob at a time, twice a minute at the most, so that a load which is taken for another does little harm. */
export class Policies {
  #current: Policy = USUAL;
  #movedAt = Number.NEGATIVE_INFINITY;

  get current(): Policy {
    return this.#current;
  }

  step(shape: Workload, mix: QueryMix, now: number): void {
    if (now - this.#movedAt < STEP_EVERY_MS) return;
    const wanted = { ...USUAL, ...OF_SHAPE[shape], ...OF_MIX[mix] };
    const knob = (Object.keys(wanted) as (keyof Policy)[]).find(
      (name) => this.#current[name] !== wanted[name],
    );
    if (knob === undefined) return;
    this.#current = { ...this.#current, [knob]: wanted[knob] };
    this.#movedAt = now;
  }
}
