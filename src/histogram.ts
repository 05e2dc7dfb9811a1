import type { DurationSummary } from './stats.js';

/** Eight buckets an octave: a quantile is at most 9 % off, as in HdrHistogram's log-linear layout. */
const BUCKETS_PER_OCTAVE = 8;
const LEAST_MS = 0.001;
const OCTAVES = 32;
/** Buckets of a histogram. */
export const BUCKETS = OCTAVES * BUCKETS_PER_OCTAVE;

/** Durations in constant memory: counts in logarithmic buckets from one microsecond to an hour and more. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  record(durationMs: number): void {
    this.#counts[bucketOf(durationMs)]! += 1;
    this.#count += 1;
    this.#sumMs += durationMs;
    if (durationMs > this.#maxMs) this.#maxMs = durationMs;
  }

  /** Takes in all that another one has recorded. */
  add(other: Histogram): void {
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) this.#counts[bucket]! += other.#counts[bucket]!;
    this.#count += other.#count;
    this.#sumMs += other.#sumMs;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
  }

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  /** How many were recorded in a bucket, ever. */
  countIn(bucket: number): number {
    return this.#counts[bucket]!;
  }

  /** The duration below which the share `q` of all records lies; 0 when nothing was recorded. */
  quantile(q: number): number {
    let left = q * this.#count;
    if (left === 0) return 0;
    const bucket = this.#counts.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return Math.min(upperEdgeMs(bucket), this.#maxMs);
  }

  /** 0 when nothing was recorded. */
  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count;
  }

  summary(): DurationSummary {
    return {
      count: this.#count,
      meanMs: this.meanMs,
      p50Ms: this.quantile(0.5),
      p99Ms: this.quantile(0.99),
      maxMs: this.#maxMs,
    };
  }
}

function bucketOf(durationMs: number): number {
  if (durationMs <= LEAST_MS) return 0;
  const bucket = Math.ceil(Math.log2(durationMs / LEAST_MS) * BUCKETS_PER_OCTAVE);
  return Math.min(bucket, BUCKETS - 1);
}

/** The duration that stands for all of a bucket. */
export function bucketMiddleMs(bucket: number): number {
  return LEAST_MS * 2 ** ((bucket - 0.5) / BUCKETS_PER_OCTAVE);
}

function upperEdgeMs(bucket: number): number {
  return LEAST_MS * 2 ** (bucket / BUCKETS_PER_OCTAVE);
}
