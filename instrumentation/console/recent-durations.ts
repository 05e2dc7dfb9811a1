import { BUCKETS, bucketMiddleMs, Histogram } from '../../src/histogram.js';
import type { DurationSummary } from '../../src/index.js';

/** Of what is older nobody who looks at a live page wants to know. */
const SECONDS = 10;

/** What is told of durations that ended lately. */
export type RecentSummary = Pick<DurationSummary, 'count' | 'p50Ms' | 'p99Ms' | 'maxMs'>;

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
  summary(now: number): RecentSummary {
    const oldest = Math.floor(now / 1_000) - SECONDS;
    const recent = this.#seconds.filter(({ second }) => second > oldest).map(({ durations }) => durations);
    const count = recent.reduce((sum, durations) => sum + durations.count, 0);
    const maxMs = Math.max(0, ...recent.map((durations) => durations.summary().maxMs));
    const below = (share: number) => {
      let left = Math.ceil(share * count);
      for (let bucket = 0; bucket < BUCKETS && left > 0; bucket += 1) {
        for (const durations of recent) left -= durations.countIn(bucket);
        if (left <= 0) return Math.min(bucketMiddleMs(bucket), maxMs);
      }
      return 0;
    };
    return { count, p50Ms: below(0.5), p99Ms: below(0.99), maxMs };
  }
}
