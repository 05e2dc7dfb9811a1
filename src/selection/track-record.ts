import { remaining } from '../decay.js';
import type { Outcome } from '../lease.js';
import type { QueryProfile } from '../query/profiles.js';

/** Kinds of queries that a connection's record tells apart, by what their text says. */
export const QUERY_KINDS = ['read', 'write', 'session', 'unknown'] as const;
export type QueryKind = (typeof QUERY_KINDS)[number];

/** Averages are plain ones over so many leases and exponential ones (weight 1/20) from then on. */
const AVERAGED_LEASES = 20;

/** Runs of a query before it can tell whether a connection is slow. */
const RUNS_OF_A_BASELINE = 10;
/** Leases before a connection is called slow. */
const LEASES_TO_JUDGE = 10;
/** Leases before one is replaced for it. */
const LEASES_TO_PROVE = 30;
/** What a connection has shown is half forgotten after so long: it must be tried again to be known. */
const HALF_LIFE_MS = 10_000;
/** Holds differ for many reasons: up to so many times the usual one is no slowness. */
const SLOWER = 1.5;
const SLOWER_LOG = Math.log(SLOWER);

/** What a connection has shown with one kind of query; of timed leases. */
export interface KindRecord {
  count: number;
  failures: number;
  /** Time they held the connection together, in milliseconds. */
  totalMs: number;
}

/** A connection's record as it is told. */
export interface TrackReport {
  /** Leases that were timed: all of up to 1,000 a second of the pool, then a sample. */
  readonly timed: number;
  readonly failures: number;
  /** Share of the latest leases that failed, from 0 to 1. */
  readonly failureRate: number;
  /** Exponential average of how long it was held, in milliseconds. */
  readonly meanHeldMs: number;
  /** Exponential average of how long those waited whom it was given to, in milliseconds. */
  readonly meanWaitedMs: number;
  /** How many times longer its queries take than the same ones take elsewhere; 1 is as long. */
  readonly slowness: number;
  /** Share of its time that was well spent, see `TrackRecord.efficiency`. */
  readonly efficiency: number;
  /** By kind of query; kinds that it never had are left out. */
  readonly kinds: Readonly<Partial<Record<QueryKind, KindRecord & { readonly successRate: number }>>>;
}

/** What one connection has shown: counts of its whole life, averages that forget. Of timed leases, in constant memory. */
export class TrackRecord {
  timed = 0;
  failures = 0;
  failureRate = 0;
  meanHeldMs = 0;
  meanWaitedMs = 0;
  readonly #kinds: Record<QueryKind, KindRecord>;
  #waits = 0;
  /** Average logarithm of how much longer queries took here than they usually do. */
  #slownessLog = 0;
  #compared = 0;
  #comparedAt = 0;

  constructor() {
    const none = (): KindRecord => ({ count: 0, failures: 0, totalMs: 0 });
    this.#kinds = { read: none(), write: none(), session: none(), unknown: none() };
  }

  waited(waitedMs: number): void {
    this.#waits += 1;
    this.meanWaitedMs += (waitedMs - this.meanWaitedMs) / Math.min(this.#waits, AVERAGED_LEASES);
  }

  /** Takes in a lease that ended, before its query's profile does: that is what it is compared with. */
  learn(profile: QueryProfile | undefined, heldMs: number, outcome: Outcome, now: number): void {
    const failed = outcome !== 'ok';
    this.timed += 1;
    const weight = 1 / Math.min(this.timed, AVERAGED_LEASES);
    if (failed) this.failures += 1;
    this.failureRate += ((failed ? 1 : 0) - this.failureRate) * weight;
    this.meanHeldMs += (heldMs - this.meanHeldMs) * weight;
    const kind = this.#kinds[kindOf(profile)];
    kind.count += 1;
    kind.totalMs += heldMs;
    if (failed) kind.failures += 1;
    else if (profile?.classification !== undefined && profile.runs >= RUNS_OF_A_BASELINE)
      this.#compare(heldMs / profile.typicalMs, now);
  }

  /** False where it cannot be slow: what it has shown only fades. */
  get seemsSlow(): boolean {
    return this.#slownessLog >= SLOWER_LOG;
  }

  /** Whether it seems slow by so many leases that it may be replaced for it. */
  get isProvenSlow(): boolean {
    return this.seemsSlow && this.#compared >= LEASES_TO_PROVE;
  }

  /**
   * By how much longer than usual, in milliseconds, a query will take here; 0 while that is not known. It blames the connection,
   * not its queries: each was compared with others of its own kind.
   */
  excessMs(query: Pick<QueryProfile, 'typicalMs'> | undefined, now: number): number {
    if (!this.seemsSlow || query === undefined) return 0;
    const slowness = this.slowness(now);
    return slowness < SLOWER ? 0 : query.typicalMs * (slowness - 1);
  }

  /** How many times longer queries take here than elsewhere; fades towards 1. */
  slowness(now: number): number {
    if (this.#compared < LEASES_TO_JUDGE) return 1;
    return Math.exp(this.#slownessLog * remaining(now - this.#comparedAt, HALF_LIFE_MS));
  }

  /** What its queries take elsewhere over what they take here, at most 1, times the share that did not fail. */
  efficiency(now: number): number {
    return (1 - this.failureRate) / Math.max(1, this.slowness(now));
  }

  report(now: number): TrackReport {
    const kinds: Partial<Record<QueryKind, KindRecord & { successRate: number }>> = {};
    for (const name of QUERY_KINDS) {
      const kind = this.#kinds[name];
      if (kind.count > 0) kinds[name] = { ...kind, successRate: 1 - kind.failures / kind.count };
    }
    const { timed, failures, failureRate, meanHeldMs, meanWaitedMs } = this;
    const [slowness, efficiency] = [this.slowness(now), this.efficiency(now)];
    return { timed, failures, failureRate, meanHeldMs, meanWaitedMs, slowness, efficiency, kinds };
  }

  #compare(ratio: number, now: number): void {
    const kept = this.#slownessLog * remaining(now - this.#comparedAt, HALF_LIFE_MS);
    this.#compared += 1;
    this.#comparedAt = now;
    const weight = 1 / Math.min(this.#compared, AVERAGED_LEASES);
    this.#slownessLog = kept + (Math.log(Math.max(ratio, 0.001)) - kept) * weight;
  }
}

function kindOf(profile: QueryProfile | undefined): QueryKind {
  if (profile === undefined) return 'unknown';
  const { classification } = profile;
  if (classification === undefined) return profile.fingerprint === 'session' ? 'session' : 'unknown';
  if (classification.readOnly === 'yes') return 'read';
  return classification.readOnly === 'no' ? 'write' : 'unknown';
}
