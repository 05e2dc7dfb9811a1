import type { QueryMix } from './query-mix.js';
import type { Workload } from './workload.js';

/** What the kind of a load changes in how a pool is sized; what each expert says is weighed all the same. */
export interface Policy {
  /** Whether as many may be opening ahead of demand at once as there may be, however slowly they open. */
  readonly opensFreely: boolean;
  /** Whether connections that are needed no more are closed before their idle timeout. */
  readonly scalesDown: boolean;
  /** Whether the leases of one second are like those of the next, so that the limit probe can tell sizes apart by them. */
  readonly comparable: boolean;
  /**
   * How long a connection is kept of whose gaps nothing is known, in milliseconds, where its absence costs callers less than that: the
   * idle timeout remains an upper bound.
   */
  readonly unprovenMs: number;
  /** Whether connections whose lifetime ends are replaced over all of the time that there is for it. */
  readonly rotatesSlowly: boolean;
}

/** Whatever is to be moved soonest comes first. */
const USUAL: Policy = {
  opensFreely: false,
  scalesDown: true,
  comparable: true,
  unprovenMs: Number.POSITIVE_INFINITY,
  rotatesSlowly: false,
};

/** What differs from the usual; docs/sizing.md tells what else was tried, and what it cost in the backtest. */
const OF_SHAPE: Readonly<Partial<Record<Workload, Partial<Policy>>>> = {
  idle: { unprovenMs: 60_000 },
  steady: { rotatesSlowly: true },
  ramp: { scalesDown: false },
  bursty: { opensFreely: true },
};
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

  /** @param shape undefined while nothing is known of how callers come. */
  step(shape: Workload | undefined, mix: QueryMix, now: number): void {
    if (now - this.#movedAt < STEP_EVERY_MS) return;
    const wanted: Policy = { ...USUAL, ...(shape && OF_SHAPE[shape]), ...OF_MIX[mix] };
    const knob = (Object.keys(wanted) as (keyof Policy)[]).find(
      (name) => this.#current[name] !== wanted[name],
    );
    if (knob === undefined) return;
    this.#current = { ...this.#current, [knob]: wanted[knob] };
    this.#movedAt = now;
  }
}
