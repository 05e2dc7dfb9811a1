import type { Demand } from './cost.js';

/** The step of every forecast: an observation of a pool in use covers about so long. */
export const STEP_MS = 100;

/** What a pool saw since the observation before. */
export interface Observation extends Demand {
  readonly now: number;
  /** How long it covers; a pool at rest is observed seldom. */
  readonly elapsedMs: number;
  /** Whether nothing came and went meanwhile: `peak` then held all the time. */
  readonly atRest: boolean;
  /** Whether the event loop stood still meanwhile: what came then was seen at once and says nothing about the pace. */
  readonly stalled: boolean;
  /** Callers who came. */
  readonly arrivals: number;
  /** Connections open now. */
  readonly open: number;
  /** No connection is closed that would leave fewer. */
  readonly min: number;
  /** The upper bound now in force. */
  readonly limit: number;
  /** How long the user lets a connection stand idle; infinite where for ever. */
  readonly idleTimeoutMs: number;
  /** How long one is kept of whose gaps nothing is known, as `Policy` says. */
  readonly unprovenMs: number;
}
