import type { Workload } from './workloads.js';

/** A connection's whole cost to open, and how many there may be: the same for all policies. */
export const CONNECT_MS = 40;
export const MAX = 20;

/** What a policy made of a workload. */
export interface Outcome {
  /** Milliseconds that callers waited, all together, beyond those of a pool of `MAX` that is warm all the time. */
  readonly coldWaitMs: number;
  readonly waitMeanMs: number;
  readonly waitP99Ms: number;
  readonly connectionSeconds: number;
  readonly busySeconds: number;
  readonly creates: number;
}

/** A millisecond of a caller's wait costs as much as two seconds of a connection. */
export function cost({ coldWaitMs, connectionSeconds }: Outcome): number {
  return coldWaitMs + 0.5 * connectionSeconds;
}

export function utilisation({ busySeconds, connectionSeconds }: Outcome): number {
  return busySeconds / connectionSeconds;
}

/** Counts what happens to one policy. */
export class Tally {
  readonly waits: Float64Array;
  connectionMs = 0;
  creates = 0;
  readonly #workload: Workload;

  constructor(workload: Workload) {
    this.#workload = workload;
    this.waits = new Float64Array(workload.arrivals.length);
  }

  outcome(unavoidableWaitMs: number): Outcome {
    const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
    const sorted = this.waits.toSorted();
    const waited = sum(this.waits);
    return {
      coldWaitMs: waited - unavoidableWaitMs,
      waitMeanMs: waited / this.waits.length,
      waitP99Ms: sorted[Math.floor(0.99 * (sorted.length - 1))] ?? 0,
      connectionSeconds: this.connectionMs / 1_000,
      busySeconds: sum(this.#workload.holds) / 1_000,
      creates: this.creates,
    };
  }
}
