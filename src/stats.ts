import type { CircuitState } from './breaker/breaker.js';
import type { FleetReport } from './fleet/member.js';
import type { ServerNameReport } from './health/addresses.js';
import type { LeakReport } from './health/leaks.js';
import { type Lane, QUERY_KINDS, type QueryKind } from './query/profiles.js';
import type { StatementCounters } from './query/statements.js';
import { OPTIMIZATION_NAMES, type OptimizationName } from './rollout/flags.js';
import type { FlagReport } from './rollout/rollout.js';
import type { PassedOverReason } from './selection/cheapest.js';
import type { TrackReport } from './selection/track-record.js';
import type { LimitReport } from './sizing/limit-probe.js';
import type { SizingReport } from './sizing/sizing.js';
import type { CloseReason, Slot } from './slots.js';

/** A pool's numbers at one instant. */
export interface PoolStats {
  /** Connections that exist or are being made: idle, leased, checking, warming, stale and opening ones. */
  readonly open: number;
  readonly idle: number;
  readonly leased: number;
  /** Connections being proven alive or made clean. */
  readonly checking: number;
  /** Connections that nobody waited for, being made ready. */
  readonly warming: number;
  /** Connections to a former writer that are kept for reads and that nobody holds now; needs the flag `staleReads`. */
  readonly stale: number;
  readonly opening: number;
  readonly closing: number;
  /** Callers in the queue. */
  readonly waiting: number;
  readonly min: number;
  /** The user's upper bound. */
  readonly max: number;
  /** How many connections the demand of this instant asks for, within `min` and `limit`. */
  readonly target: number;
  /** The upper bound now in force; never above `max`. */
  readonly limit: number;
  /** Where the pool's trust in its server stands. */
  readonly circuit: CircuitState;
}

/** Connections that are put to use, by callers or by the pool itself: OpenTelemetry's state `used`. */
export function usedOf({ leased, checking, warming }: PoolStats): number {
  return leased + checking + warming;
}

/** Connections that wait for callers: OpenTelemetry's state `idle`. */
export function idleOf({ idle, stale }: PoolStats): number {
  return idle + stale;
}

/** What a pool has done since it was made; each number only grows. */
export interface PoolCounters {
  /** Acquires served at once from an idle connection. */
  immediate: number;
  /** Acquires served at once with a connection that others may use at the same time. */
  shared: number;
  /** Of `shared`, those for which one more connection was put to use; the others were packed. */
  spread: number;
  /** Most statements ever in flight on one connection. */
  sharedDepthMost: number;
  /** Acquires served after a wait in the queue. */
  waited: number;
  /** Of `waited`, those served with a connection that others may use at the same time. */
  sharedLate: number;
  /** Of `waited`, those that read from a former writer. */
  staleReads: number;
  /** Acquires served before somebody who had waited longer, whose query is slower. */
  overtakings: number;
  /** Slow queries that had to wait beside an idle connection, which was kept for fast ones. */
  heldBack: number;
  /** Acquires that got another connection than the newest idle one, by what was dearer with that one. */
  readonly passedOver: Record<PassedOverReason, number>;
  timedOut: number;
  /** The same of acquires for a statement's second sending, of which no caller knows; not in `timedOut`. */
  secondsTimedOut: number;
  aborted: number;
  /** Acquires that the pool itself refused: its queue was full, it was closed or isolated, holders waited for one another, or their priority was low. */
  rejected: number;
  /** Of `rejected`, those whose priority was low while there was not enough for all. */
  shed: number;
  /** Acquires that failed because a connection could not be opened. */
  openErrors: number;
  opened: number;
  /** Connections that began to open because the forecast asked for them; not all of them have to succeed. */
  openedAhead: number;
  openFailed: number;
  /** Opens that came after their deadline and were closed at once. */
  lateArrivals: number;
  released: number;
  staleReleases: number;
  checks: number;
  checksFailed: number;
  /** Connections that were made ready while nobody waited for them, and those of which that failed or took too long. */
  warmed: number;
  warmFailed: number;
  resets: number;
  /** Connections that were cut because nothing came on them, while another was answered. */
  severed: number;
  leaksSuspected: number;
  /** How often the holders of all connections were found waiting for others. */
  nestedAcquires: number;
  /** How often the pool's trust in its server came to stand there. */
  readonly circuit: Record<CircuitState, number>;
  readonly closed: Record<CloseReason, number>;
  /** How often an optimisation on probation was taken back. */
  readonly takenBack: Record<OptimizationName, number>;
  /**
   * Timed runs by kind of query, and the time for which they held a connection; of those that shared one, in which it was busy with them,
   * and as `select`: with `pipelinedWrites` writes are among them.
   */
  readonly queries: Record<QueryKind, QueryTotals>;
}

/** What the queries of one kind took together. */
export interface QueryTotals {
  runs: number;
  heldMs: number;
}

export function newCounters(): PoolCounters {
  return {
    immediate: 0,
    shared: 0,
    spread: 0,
    sharedDepthMost: 0,
    waited: 0,
    sharedLate: 0,
    staleReads: 0,
    overtakings: 0,
    heldBack: 0,
    passedOver: { statement: 0, settings: 0, slow: 0, doubtful: 0, lifetime: 0 },
    timedOut: 0,
    secondsTimedOut: 0,
    aborted: 0,
    rejected: 0,
    shed: 0,
    openErrors: 0,
    opened: 0,
    openedAhead: 0,
    openFailed: 0,
    lateArrivals: 0,
    released: 0,
    staleReleases: 0,
    checks: 0,
    checksFailed: 0,
    warmed: 0,
    warmFailed: 0,
    resets: 0,
    severed: 0,
    leaksSuspected: 0,
    nestedAcquires: 0,
    circuit: { closed: 0, degraded: 0, open: 0, half_open: 0, recovering: 0 },
    closed: {
      idle: 0,
      lifetime: 0,
      uses: 0,
      slow: 0,
      moved: 0,
      broken: 0,
      check: 0,
      warm: 0,
      dirty: 0,
      shrink: 0,
      evicted: 0,
      drain: 0,
    },
    takenBack: each(OPTIMIZATION_NAMES, () => 0),
    queries: each(QUERY_KINDS, () => ({ runs: 0, heldMs: 0 })),
  };
}

/** What stands between a pool and its server, as far as the adapter can tell. */
export interface PoolerReport {
  /** `unknown`: there is a pooler, and nothing has shown yet that it lends its connections by the transaction; it is taken to do so. */
  readonly mode: 'none' | 'unknown' | 'session' | 'transaction';
  /** Whether the user said so; else it was seen. */
  readonly declared: boolean;
  /** Whether it keeps prepared statements for its clients, as the user said. */
  readonly preparedStatements: boolean;
}

/** As it stands now. */
export function poolerReport(pooler: PoolerReport | undefined): PoolerReport | undefined {
  if (pooler === undefined) return undefined;
  const { mode, declared, preparedStatements } = pooler;
  return { mode, declared, preparedStatements };
}

function each<Name extends string, Value>(names: readonly Name[], make: () => Value): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, make()])) as Record<Name, Value>;
}

/** Quantiles of a duration, in milliseconds, over all that was timed. */
export interface DurationSummary {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What one connection is and has shown. */
export interface ConnectionReport extends TrackReport {
  readonly id: number;
  /** How often it was leased. */
  readonly uses: number;
  readonly ageMs: number;
}

export function connectionReports(slots: Iterable<Slot<unknown>>, now: number): ConnectionReport[] {
  return Array.from(slots, ({ id, uses, openedAt, track }) => {
    return { id, uses, ageMs: openedAt === 0 ? 0 : now - openedAt, ...track.report(now) };
  });
}

/** What the queries of one fingerprint have shown, in timed runs. */
export interface QueryReport {
  /** Of the SQL's shape; else the caller's `queryType`, `session` or `_other`. */
  readonly fingerprint: string;
  /** Verbs and tables, without any literal; undefined where there was no text. */
  readonly summary: string | undefined;
  readonly runs: number;
  readonly failures: number;
  /** Share of the latest runs that failed, from 0 to 1. */
  readonly failureRate: number;
  readonly meanMs: number;
  readonly longestMs: number;
  /** Time its runs took together, in milliseconds. */
  readonly totalMs: number;
  readonly lane: Lane;
}

/** What `report()` tells of a pool's life so far. */
export interface PoolReport {
  readonly stats: PoolStats;
  readonly counters: Readonly<PoolCounters>;
  /** Time callers waited for a connection, those served at once included. */
  readonly wait: DurationSummary;
  /** Time leases were held. */
  readonly use: DurationSummary;
  /** Time connections took to open. */
  readonly create: DurationSummary;
  /** What was done with single statements, where the adapter knows them: shared connections, names given. */
  readonly statements: Readonly<StatementCounters> | undefined;
  /** Undefined where the adapter cannot tell. */
  readonly pooler: PoolerReport | undefined;
  /** How the pool stands in the budget that it shares with others; undefined when it shares none. */
  readonly fleet: FleetReport | undefined;
  /** How many connections are asked for and why, and what another `max` would have meant; undefined until the flag `forecaster` is other than off. */
  readonly sizing: SizingReport | undefined;
  /** What the names of the servers stand for; none where servers are known by address, or the flag `addressWatch` is off. */
  readonly names: readonly ServerNameReport[];
  /** Leases held beyond `leakThresholdMs` now. */
  readonly leaks: readonly LeakReport[];
  /** How many connections the database can put to use, as far as is known; undefined while the flag `limitProbe` is off. */
  readonly limit: LimitReport | undefined;
  /** The connections, in the order of their birth. */
  readonly connections: readonly ConnectionReport[];
  /** The queries that took most of the connections' time, at most twenty; none where no optimisation reads queries. */
  readonly queries: readonly QueryReport[];
  /** The optimisations: which act, and why one does not. */
  readonly flags: readonly FlagReport[];
}
