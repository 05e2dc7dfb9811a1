import type { DurationSummary } from '../../src/index.js';

/** Of what is older nobody who looks at a live page wants to know. */
const RECENT_MS = 10_000;
const MOST_KEPT = 2_000;

/** What is told of durations that ended lately. */
export type RecentSummary = Pick<DurationSummary, 'count' | 'p50Ms' | 'p99Ms' | 'maxMs'>;

/** Durations of the last ten seconds, or the last two thousand where there were more. */
export class RecentDurations {
  readonly #endedAt = new Float64Array(MOST_KEPT).fill(Number.NEGATIVE_INFINITY);
  readonly #durationMs = new Float64Array(MOST_KEPT);
  #next = 0;

  record(durationMs: number, now: number): void {
    this.#endedAt[this.#next] = now;
    this.#durationMs[this.#next] = durationMs;
    this.#next = (this.#next + 1) % MOST_KEPT;
  }

  /** Zeros where nothing ended lately. */
  summary(now: number): RecentSummary {
    const recent = this.#durationMs.filter((_, index) => now - this.#endedAt[index]! < RECENT_MS).sort();
    const below = (share: number) => recent[Math.ceil(share * recent.length) - 1] ?? 0;
    return { count: recent.length, p50Ms: below(0.5), p99Ms: below(0.99), maxMs: recent.at(-1) ?? 0 };
  }
}
