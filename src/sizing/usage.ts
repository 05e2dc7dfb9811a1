import type { Observation } from './observation.js';

/** What a pool has needed of what it had, over its whole life. */
export interface UsageReport {
  /** The most connections that were asked for at once, those who had to wait included, and how long ago that was. */
  readonly peak: number;
  readonly peakAgoMs: number;
  /** Time that connections stood open, all of them together. */
  readonly openMs: number;
  /** Of that, time in which not even the busiest moment of a tenth of a second needed them. */
  readonly unneededMs: number;
}

/** Adds up what connections were open for. Constant memory. */
export class Usage {
  #peak = 0;
  #peakAt = 0;
  #openMs = 0;
  #unneededMs = 0;

  step({ now, elapsedMs, peak, open }: Observation): void {
    this.#openMs += open * elapsedMs;
    this.#unneededMs += Math.max(0, open - peak) * elapsedMs;
    if (peak < this.#peak) return;
    this.#peak = peak;
    this.#peakAt = now;
  }

  report(now: number): UsageReport {
    return {
      peak: this.#peak,
      peakAgoMs: this.#peak === 0 ? 0 : now - this.#peakAt,
      openMs: this.#openMs,
      unneededMs: this.#unneededMs,
    };
  }
}
