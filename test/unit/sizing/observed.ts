import type { Observation } from '../../../src/sizing/observation.js';

/** A tenth of a second in which nothing happened but what is said. */
export function observed(seen: Partial<Observation>): Observation {
  return {
    now: 0,
    elapsedMs: 100,
    atRest: false,
    stalled: false,
    peak: 0,
    load: 0,
    arrivals: 0,
    open: 0,
    holdMs: 4,
    connectMs: 40,
    min: 0,
    limit: 20,
    idleTimeoutMs: 10_000,
    unprovenMs: Number.POSITIVE_INFINITY,
    ...seen,
  };
}
