import { BUCKETS, bucketMiddleMs, type Histogram } from '../histogram.js';
import { Votes } from './votes.js';

/** What the queries of a pool are like, by how long they hold their connections. */
export const QUERY_MIXES = ['oltp', 'analytic', 'mixed'] as const;
export type QueryMix = (typeof QUERY_MIXES)[number];

const VOTE_EVERY_MS = 5_000;
/** Share of the past that is left at a vote: half of it after fifteen seconds. */
const KEPT = 0.8;
/** Of fewer timed leases nothing is said. */
const FEWEST = 20;
/** Short is a p95 below this; long is a hold beyond that. */
const SHORT_P95_MS = 100;
const LONG_MS = 1_000;
/** Squared coefficient of variation above which holds are of more than one kind. */
const VARIED = 4;
/** A hold is slow from ten times the median on, but not below this. */
const SLOW_RATIO = 10;
const SLOW_MS = 20;
/** Share of the time connections are held that is the long ones' in an analytic load, and the slow ones' in a mixed one. */
const ANALYTIC_SHARE = 0.5;
const MIXED_SHARE = { least: 0.2, most: 0.9 } as const;

/** Names the mix of queries, by votes, so that the name does not flap. Goes by the times that leases were held. */
export class QueryMixClass {
  readonly #votes = new Votes<QueryMix>('oltp', 'oltp');
  readonly #recent = new Float64Array(BUCKETS);
  readonly #counted = new Float64Array(BUCKETS);
  #votedAt = 0;

  get current(): QueryMix {
    return this.#votes.current;
  }

  /** @returns what it was before, where it became another. */
  step(now: number, holds: Histogram): QueryMix | undefined {
    if (now - this.#votedAt < VOTE_EVERY_MS) return undefined;
    this.#votedAt = now;
    const total = this.#takeIn(holds);
    if (total < FEWEST) return undefined;
    const vote = mixOf(this.#recent, total);
    return vote === undefined ? undefined : this.#votes.cast(vote);
  }

  /** @returns how many leases are counted now, those of before in part. */
  #takeIn(holds: Histogram): number {
    let total = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const count = holds.countIn(bucket);
      this.#recent[bucket] = KEPT * this.#recent[bucket]! + count - this.#counted[bucket]!;
      this.#counted[bucket] = count;
      total += this.#recent[bucket]!;
    }
    return total;
  }
}

/** Undefined between the classes. */
function mixOf(counts: Float64Array, total: number): QueryMix | undefined {
  let seen = 0;
  let sumMs = 0;
  let squaresMs2 = 0;
  let medianMs = 0;
  let p95Ms = 0;
  for (const [bucket, count] of counts.entries()) {
    const heldMs = bucketMiddleMs(bucket);
    seen += count;
    sumMs += count * heldMs;
    squaresMs2 += count * heldMs * heldMs;
    if (medianMs === 0 && seen >= total / 2) medianMs = heldMs;
    if (p95Ms === 0 && seen >= 0.95 * total) p95Ms = heldMs;
  }
  const meanMs = sumMs / total;
  const isVaried = squaresMs2 / total - meanMs * meanMs > VARIED * meanMs * meanMs;
  const slowShare = heldBeyondMs(counts, Math.max(SLOW_RATIO * medianMs, SLOW_MS)) / sumMs;
  if (isVaried && slowShare >= MIXED_SHARE.least && slowShare <= MIXED_SHARE.most) return 'mixed';
  if (heldBeyondMs(counts, LONG_MS) > ANALYTIC_SHARE * sumMs) return 'analytic';
  return p95Ms < SHORT_P95_MS && !isVaried ? 'oltp' : undefined;
}

/** Time held in holds longer than `thresholdMs`. */
function heldBeyondMs(counts: Float64Array, thresholdMs: number): number {
  let heldMs = 0;
  for (const [bucket, count] of counts.entries()) {
    const middleMs = bucketMiddleMs(bucket);
    if (middleMs > thresholdMs) heldMs += count * middleMs;
  }
  return heldMs;
}
