import { Histogram } from '../../src/histogram.js';
import type { DurationSummary } from '../../src/index.js';

/** Of what is older nobody who looks at a live page wants to know. */
const SECONDS = 10;

/** Durations of the last ten seconds, the one that is under way included. */
export class RecentDurations {
  readonly #seconds: { readonly second: number; readonly durations: Histogram }[] = [];

  record(durationMs: number, now: number): void {
    const second = Math.floor(now / 1_000);
    let latest = this.#seconds.at(-1);
    if (latest?.second !== second) {
      latest = { second, durations: new Histogram() };
      this.#seconds.push(latest);
      if (this.#seconds.length > SECONDS) this.#seconds.shift();
    }
    latest.durations.record(durationMs);
  }

  /** Zeros where nothing ended lately. */
  summary(now: number): DurationSummary {
    const oldest = Math.floor(now / 1_000) - SECONDS;
    const recent = new Histogram();
    for (const { second, durations } of this.#seconds) if (second > oldest) recent.add(durations);
    return recent.summary();
  }
}
