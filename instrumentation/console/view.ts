import { Histogram } from '../../src/histogram.js';
import type { DurationSummary, FlagReport, PoolCounters, PoolReport, PoolStats } from '../../src/index.js';
import { SlotState } from '../../src/index.js';
import { idleOf, usedOf } from '../../src/stats.js';
import type { FollowedPool, PoolRegistry, PoolSeries } from '../registry.js';
import { findingsOf } from './findings.js';
import type { PoolLogs, ToldDecision } from './pool-logs.js';

/** A connection as the console shows it. */
export interface ConnectionView {
  readonly id: number;
  readonly state: string;
  readonly uses: number;
  /** How many leases it carries. */
  readonly holders: number;
  readonly ageMs: number;
  /** How long it has been idle, or leased. */
  readonly sinceMs: number;
  /** Why it closes once it is released. */
  readonly retiring: string | undefined;
  /** How long its leases took lately, on average. */
  readonly meanHeldMs: number;
  /** Timed leases that failed, and all of them. */
  readonly failures: number;
  readonly timed: number;
  /** Share of its time that was well spent, from 0 to 1. */
  readonly efficiency: number;
}

export interface PoolView {
  readonly name: string;
  readonly identity: Readonly<Record<string, unknown>>;
  readonly stats: PoolStats;
  readonly inUse: number;
  readonly idle: number;
  readonly counters: Readonly<PoolCounters>;
  /** Of the last ten seconds. */
  readonly wait: DurationSummary;
  readonly use: DurationSummary;
  /** Of the pool's whole life. */
  readonly ever: Readonly<Record<'wait' | 'use' | 'create', DurationSummary>>;
  readonly flags: readonly FlagReport[];
  /** How many connections the forecast asks for; undefined while there is none. */
  readonly forecast: number | undefined;
  /** What the load is like, and what another `max` would have meant. */
  readonly sizing: PoolReport['sizing'];
  readonly limit: PoolReport['limit'];
  /** The costliest, without any literal. */
  readonly queries: PoolReport['queries'];
  readonly connections: readonly ConnectionView[];
  /** Leaks, what stands before the server, the fleet, names and prepared statements, in sentences. */
  readonly findings: readonly string[];
  readonly decisions: readonly ToldDecision[];
  /** When the pool's trust in its server changed. */
  readonly circuit: readonly ToldDecision[];
}

/** All that the console shows at one instant; nothing that telemetry would not carry. */
export interface ConsoleView {
  readonly at: number;
  readonly pid: number;
  readonly pools: readonly PoolView[];
}

const STATE_NAMES = Object.keys(SlotState);
const NOTHING = new Histogram().summary();
const MOST_CONNECTIONS = 200;
const MOST_QUERIES = 10;

export function viewOf(registry: PoolRegistry, logs: PoolLogs): ConsoleView {
  return {
    at: Date.now(),
    pid: process.pid,
    pools: [...registry.open()].flatMap((series) => poolView(series, logs) ?? []),
  };
}

function poolView({ name, attributes, pool }: PoolSeries, logs: PoolLogs): PoolView | undefined {
  if (pool === undefined) return undefined;
  const report = pool.report();
  const { stats, counters, wait, use, create, flags, sizing, limit, queries } = report;
  const log = logs.find(name);
  const now = performance.now();
  return {
    name,
    identity: attributes,
    stats,
    inUse: usedOf(stats),
    idle: idleOf(stats),
    counters,
    wait: log?.waits.summary(now) ?? NOTHING,
    use: log?.uses.summary(now) ?? NOTHING,
    ever: { wait, use, create },
    flags,
    forecast: pool.outlook?.target,
    sizing,
    limit,
    queries: queries.slice(0, MOST_QUERIES),
    connections: connectionViews(pool),
    findings: findingsOf(report),
    decisions: log?.decisions ?? [],
    circuit: log?.circuit ?? [],
  };
}

function connectionViews(pool: FollowedPool): ConnectionView[] {
  const now = performance.now();
  const views: ConnectionView[] = [];
  for (const slot of pool.slots()) {
    if (views.length === MOST_CONNECTIONS) break;
    const { id, state, uses, holders, retiring, openedAt, idleSince, leasedAt, openStartedAt, track } = slot;
    const since =
      { [SlotState.idle]: idleSince, [SlotState.leased]: leasedAt }[state as number] ?? openStartedAt;
    views.push({
      id,
      state: STATE_NAMES[state]!,
      uses,
      holders,
      ageMs: openedAt === 0 ? 0 : now - openedAt,
      sinceMs: Math.max(0, now - since),
      retiring,
      meanHeldMs: track.meanHeldMs,
      failures: track.failures,
      timed: track.timed,
      efficiency: track.efficiency(now),
    });
  }
  return views;
}
