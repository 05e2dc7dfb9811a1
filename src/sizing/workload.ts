import { type Observation, STEP_MS } from './observation.js';
import type { QueryMix } from './query-mix.js';
import { Votes } from './votes.js';

/** What the load of a pool may be like. */
export const WORKLOADS = ['idle', 'steady', 'ramp', 'periodic', 'bursty', 'saturated'] as const;
export type Workload = (typeof WORKLOADS)[number];

/** The load became another: how callers come (`shape`), or how long they hold their connections (`mix`). */
export type WorkloadChange =
  | { readonly axis: 'shape'; readonly from: Workload; readonly to: Workload }
  | { readonly axis: 'mix'; readonly from: QueryMix; readonly to: QueryMix };

const VOTE_EVERY_MS = 5_000;
/** A vote is about the last six stretches: thirty seconds. */
const STRETCHES = 6;
/** Arrivals a second below which a pool is idle. */
const IDLE_RATE = 0.2;
/** Variance over mean of arrivals a step: 1 by chance alone, with a deviation of 0.08 over 300 steps. */
const BURSTY_DISPERSION = 5;
const RAMP_DEVIATIONS = 4;
/** Of the steps in which somebody waited. */
const SATURATED_SHARE = 0.8;

/** Five seconds of a pool's life. */
interface Stretch {
  steps: number;
  waiting: number;
  arrivals: number;
  squares: number;
  peak: number;
}

const newStretch = (): Stretch => ({ steps: 0, waiting: 0, arrivals: 0, squares: 0, peak: 0 });

/** Names the load, by votes, so that the name does not flap. */
export class WorkloadClass {
  readonly #votes = new Votes<Workload>('idle', 'steady');
  #stretches: Stretch[] = [];
  #stretch = newStretch();
  #stretchMs = 0;
  #observedAt = 0;

  /** A pool that was not looked at for half a minute had nothing to do. */
  at(now: number): Workload {
    return now - this.#observedAt > STRETCHES * VOTE_EVERY_MS ? 'idle' : this.#votes.current;
  }

  /** Whether anything is known by now: the first class is no word on the load. */
  get isKnown(): boolean {
    return this.#votes.current !== 'idle' || this.#stretches.length >= STRETCHES;
  }

  /** @param recurs whether the load is known to recur. */
  step(
    { now, elapsedMs, atRest, stalled, arrivals, peak, limit }: Observation,
    recurs: boolean,
  ): WorkloadChange | undefined {
    this.#observedAt = now;
    if (stalled) return undefined;
    const stretch = this.#stretch;
    stretch.steps += elapsedMs / STEP_MS;
    stretch.arrivals += arrivals;
    stretch.squares += (arrivals * arrivals * STEP_MS) / Math.max(elapsedMs, 1);
    if (peak > limit) stretch.waiting += elapsedMs / STEP_MS;
    stretch.peak = Math.max(stretch.peak, peak);
    this.#stretchMs += elapsedMs;
    if (this.#stretchMs < VOTE_EVERY_MS) return undefined;
    if (atRest && elapsedMs > STRETCHES * VOTE_EVERY_MS) this.#stretches = [];
    this.#stretches = [...this.#stretches.slice(1 - STRETCHES), stretch];
    this.#stretch = newStretch();
    this.#stretchMs = 0;
    const to = classOf(this.#stretches, recurs);
    const from = this.#votes.cast(to);
    return from === undefined ? undefined : { axis: 'shape', from, to };
  }
}

function classOf(stretches: readonly Stretch[], recurs: boolean): Workload {
  const sum = (of: (stretch: Stretch) => number) => stretches.reduce((total, each) => total + of(each), 0);
  const steps = sum(({ steps }) => steps);
  const arrivals = sum((each) => each.arrivals);
  if (sum(({ waiting }) => waiting) >= SATURATED_SHARE * steps) return 'saturated';
  if (recurs) return 'periodic';
  const perSecond = (arrivals * 1_000) / (steps * STEP_MS);
  if (perSecond < IDLE_RATE && stretches.every(({ peak }) => peak <= 1)) return 'idle';
  if (isRamp(stretches)) return 'ramp';
  const mean = arrivals / steps;
  const variance = sum(({ squares }) => squares) / steps - mean * mean;
  return mean > 0 && variance / mean > BURSTY_DISPERSION ? 'bursty' : 'steady';
}

/** Whether the rate of the stretches rises by more than chance explains: the slope of their regression over its deviation. */
function isRamp(stretches: readonly Stretch[]): boolean {
  if (stretches.length < STRETCHES) return false;
  const rates = stretches.map(({ arrivals, steps }) => arrivals / steps);
  const mean = rates.reduce((total, rate) => total + rate, 0) / rates.length;
  const middle = (rates.length - 1) / 2;
  let covariance = 0;
  let spread = 0;
  let apart = 0;
  for (const [index, rate] of rates.entries()) {
    covariance += (index - middle) * (rate - mean);
    spread += (index - middle) ** 2;
  }
  const slope = covariance / spread;
  for (const [index, rate] of rates.entries()) apart += (rate - mean - slope * (index - middle)) ** 2;
  const steps = stretches[0]!.steps;
  const variance = Math.max(apart / (rates.length - 2), mean / steps);
  return slope > RAMP_DEVIATIONS * Math.sqrt(variance / spread);
}
