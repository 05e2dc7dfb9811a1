import {
  type FlagReport,
  type FleetReport,
  type Outlook,
  type PoolCounters,
  type PoolStats,
  type StatementCounters,
  WatchedPool,
} from '../../src/index.js';
import type { QueryKind } from '../../src/query/profiles.js';
import { BUILT_OPTIMIZATIONS, type OptimizationName, WEIGHED_BY_COST } from '../../src/rollout/flags.js';
import { idleOf, usedOf } from '../../src/stats.js';
import type { FollowedPool } from '../registry.js';
import type { Mode } from '../types.js';
import {
  ATTR_ACQUIRE_OUTCOME,
  ATTR_CHECK_KIND,
  ATTR_CHECK_OUTCOME,
  ATTR_CIRCUIT_STATE,
  ATTR_CLOSE_REASON,
  ATTR_FLEET_STATE,
  ATTR_MODE,
  ATTR_OPTIMIZATION,
  ATTR_OPTIMIZATION_STAGE,
  ATTR_PASSED_OVER_REASON,
  ATTR_QUERY_KIND,
  ATTR_STATEMENT_ACTION,
  ATTR_WORKLOAD,
  ATTR_WORKLOAD_MIX,
  ATTRIBUTES,
} from './attribute-table.js';
import {
  ATTR_CONNECTION_STATE,
  METRIC_CONNECTION_COUNT,
  METRIC_CONNECTION_CREATE_TIME,
  METRIC_CONNECTION_IDLE_MAX,
  METRIC_CONNECTION_IDLE_MIN,
  METRIC_CONNECTION_LIMIT,
  METRIC_CONNECTION_PENDING_REQUESTS,
  METRIC_CONNECTION_TIMEOUTS,
  METRIC_CONNECTION_USE_TIME,
  METRIC_CONNECTION_WAIT_TIME,
} from './semconv.js';

/** Attributes that set one series of a metric apart from its others, beside the pool's identity. */
export type Apart = Readonly<Record<string, string>>;

type Counters = Readonly<PoolCounters>;
type Statements = Readonly<StatementCounters> | undefined;

/** A pool at one instant. */
export interface Snapshot {
  readonly stats: PoolStats;
  readonly flags: ReadonlyMap<OptimizationName, FlagReport>;
  readonly mode: Mode;
  readonly outlook: Outlook | undefined;
  /** Undefined for a pool that shares no budget. */
  readonly fleet: FleetReport | undefined;
}

export function snapshotOf(pool: FollowedPool): Snapshot {
  const flags = pool.rollout?.report() ?? [];
  return {
    stats: pool.stats(),
    flags: new Map(flags.map((flag) => [flag.name, flag])),
    mode: pool instanceof WatchedPool ? 'observe' : 'enhance',
    outlook: pool.outlook,
    fleet: pool.fleet,
  };
}

/** One series of a metric that is read from the engine when it is collected. */
export interface Gauged {
  readonly apart: Apart;
  /** Undefined is not told at all. */
  read(snapshot: Snapshot): number | undefined;
}

/** One series of a metric that only grows. Its value outlives the pool. */
export interface Counted {
  readonly apart: Apart;
  /** `statements` where the adapter knows single ones. */
  read(counters: Counters, statements: Statements): number;
}

interface About {
  readonly name: string;
  readonly unit: string;
  readonly meaning: string;
  /** Those that set its series apart, beside the pool's identity; all have few and known values. */
  readonly attributes: readonly string[];
}

export interface GaugeRow extends About {
  readonly instrument: 'up-down counter' | 'gauge';
  readonly series: readonly Gauged[];
}

export interface CountRow extends About {
  readonly instrument: 'counter';
  /** Told only once it has counted something: what nobody counts without a flag, or in some libraries. */
  readonly onceCounted: boolean;
  readonly series: readonly Counted[];
}

export interface DurationRow extends About {
  readonly instrument: 'histogram';
  readonly buckets: readonly number[];
}

export type MetricRow = GaugeRow | CountRow | DurationRow;

/** In seconds. OpenTelemetry's default buckets are made for milliseconds and would put every wait into the first. */
const WAIT_BUCKETS = [
  0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const USE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const CREATE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export const WAIT_TIME = duration(
  METRIC_CONNECTION_WAIT_TIME,
  'time until an acquire was served',
  WAIT_BUCKETS,
);
export const USE_TIME = duration(METRIC_CONNECTION_USE_TIME, 'time between acquire and release', USE_BUCKETS);
export const CREATE_TIME = duration(
  METRIC_CONNECTION_CREATE_TIME,
  'time a connection took to open',
  CREATE_BUCKETS,
);
export const CHECK_DURATION = duration(
  'enhanced_pool.health_check.duration',
  'time that checks, clean-ups and warm-ups of connections took',
  CREATE_BUCKETS,
  [ATTR_CHECK_KIND, ATTR_CHECK_OUTCOME],
);

const GAUGES: readonly GaugeRow[] = [
  upDown(
    METRIC_CONNECTION_COUNT,
    '{connection}',
    'connections',
    by(ATTR_CONNECTION_STATE, {
      idle: ({ stats }) => idleOf(stats),
      used: ({ stats }) => usedOf(stats),
    }),
  ),
  upDown(
    METRIC_CONNECTION_IDLE_MAX,
    '{connection}',
    'most idle connections allowed',
    ({ stats }) => stats.limit,
  ),
  upDown(
    METRIC_CONNECTION_IDLE_MIN,
    '{connection}',
    'fewest connections kept open',
    ({ stats }) => stats.min,
  ),
  upDown(
    METRIC_CONNECTION_LIMIT,
    '{connection}',
    'most open connections allowed',
    ({ stats }) => stats.limit,
  ),
  upDown(METRIC_CONNECTION_PENDING_REQUESTS, '{request}', 'callers waiting', ({ stats }) => stats.waiting),
  upDown(
    'enhanced_pool.connection.opening',
    '{connection}',
    'connections being opened',
    ({ stats }) => stats.opening,
  ),
  upDown(
    'enhanced_pool.connection.closing',
    '{connection}',
    'connections being closed',
    ({ stats }) => stats.closing,
  ),
  upDown(
    'enhanced_pool.connection.target',
    '{connection}',
    'connections that the demand asks for, within the limits',
    ({ stats }) => stats.target,
  ),
  upDown(
    'enhanced_pool.connection.forecast',
    '{connection}',
    'connections that the forecast asks for; needs the flag `forecaster`',
    ({ outlook }) => outlook?.target,
  ),
  gauge(
    'enhanced_pool.efficiency',
    '1',
    'share of the open connections that is leased or being checked',
    ({ stats }) => (stats.open === 0 ? undefined : (stats.leased + stats.checking) / stats.open),
  ),
  gauge(
    'enhanced_pool.utilization',
    '1',
    'share of the connections allowed that is leased or being checked',
    ({ stats }) => (stats.limit === 0 ? 0 : (stats.leased + stats.checking) / stats.limit),
  ),
  upDown(
    'enhanced_pool.circuit.status',
    '1',
    'how far the pool trusts its server: 1 for the state it is in',
    statusBy(ATTR_CIRCUIT_STATE, ({ stats, mode }) => (mode === 'enhance' ? stats.circuit : undefined)),
  ),
  gauge(
    'enhanced_pool.fleet.budget',
    '{connection}',
    'most connections that the pools of all processes share',
    ({ fleet }) => fleet?.budget,
  ),
  upDown(
    'enhanced_pool.fleet.share',
    '{connection}',
    'how many of them the pool may have now',
    ({ fleet }) => fleet?.share,
  ),
  upDown(
    'enhanced_pool.fleet.held',
    '{connection}',
    'how many of them it has, those being opened and closed included',
    ({ fleet }) => fleet?.held,
  ),
  upDown(
    'enhanced_pool.fleet.status',
    '1',
    'how the pool comes by its share: 1 for the state it is in',
    statusBy(ATTR_FLEET_STATE, ({ fleet }) => fleet?.state),
  ),
  upDown(
    'enhanced_pool.workload.status',
    '1',
    'what the load is like: 1 for that; needs the flag `forecaster`',
    statusBy(ATTR_WORKLOAD, ({ outlook }) => outlook?.workload),
  ),
  upDown(
    'enhanced_pool.workload.mix.status',
    '1',
    'how long its queries hold their connections: 1 for that; needs the flag `forecaster`',
    statusBy(ATTR_WORKLOAD_MIX, ({ outlook }) => outlook?.mix),
  ),
  upDown(
    'enhanced_pool.mode.status',
    '1',
    'how the pool runs: 1 for the mode it is in',
    statusBy(ATTR_MODE, ({ mode }) => mode),
  ),
  upDown(
    'enhanced_pool.optimization.status',
    '1',
    'the stage of each optimisation: 1 for the one it is in',
    byStage(),
  ),
  gauge(
    'enhanced_pool.optimization.exposure',
    '1',
    'share of the time of the pool in which an optimisation acted',
    byOptimization(BUILT_OPTIMIZATIONS, ({ exposure }) => exposure),
  ),
  upDown(
    'enhanced_pool.optimization.regret',
    's',
    'what the decisions of an optimisation cost callers above the plain ones, by its own reckoning; below 0 is a gain',
    byOptimization(WEIGHED_BY_COST, ({ regret }) => regret / 1_000),
  ),
];

const COUNTS: readonly CountRow[] = [
  counter(
    METRIC_CONNECTION_TIMEOUTS,
    '{timeout}',
    'acquires that ran out of time',
    (counters) => counters.timedOut,
  ),
  counter(
    'enhanced_pool.acquire.count',
    '{acquire}',
    'acquires',
    by(ATTR_ACQUIRE_OUTCOME, {
      immediate: (counters) => counters.immediate,
      waited: (counters) => counters.waited,
      timeout: (counters) => counters.timedOut,
      aborted: (counters) => counters.aborted,
      rejected: (counters) => counters.rejected,
      open_failed: (counters) => counters.openErrors,
    }),
  ),
  counter(
    'enhanced_pool.acquire.shed',
    '{acquire}',
    'acquires of low priority that were turned away while there was not enough for all',
    (counters) => counters.shed,
  ),
  counter(
    'enhanced_pool.acquire.stale',
    '{acquire}',
    'acquires that read from a former writer while no connection to the new one was to be had',
    (counters) => counters.staleReads,
  ),
  counter(
    'enhanced_pool.acquire.shared',
    '{acquire}',
    'acquires that shared a connection with others',
    ({ shared, sharedLate }) => shared + sharedLate,
  ),
  counter(
    'enhanced_pool.acquire.passed_over',
    '{acquire}',
    'acquires that got another connection than the newest idle one',
    byEach(
      ATTR_PASSED_OVER_REASON,
      (reason) => (counters) => counters.passedOver[reason as keyof Counters['passedOver']],
    ),
  ),
  counter(
    'enhanced_pool.connection.opened',
    '{connection}',
    'connections opened',
    (counters) => counters.opened,
  ),
  counter(
    'enhanced_pool.connection.open_failures',
    '{failure}',
    'connections that did not open',
    (counters) => counters.openFailed,
  ),
  counter(
    'enhanced_pool.connection.closed',
    '{connection}',
    'connections closed',
    byEach(ATTR_CLOSE_REASON, (reason) => (counters) => counters.closed[reason as keyof Counters['closed']]),
  ),
  counter(
    'enhanced_pool.connection.severed',
    '{connection}',
    'connections cut because nothing came on them any more',
    (counters) => counters.severed,
  ),
  counter(
    'enhanced_pool.circuit.transitions',
    '{transition}',
    'changes of that trust, by what it came to',
    byEach(ATTR_CIRCUIT_STATE, (state) => (counters) => counters.circuit[state as keyof Counters['circuit']]),
  ),
  counter(
    'enhanced_pool.lanes.overtakings',
    '{acquire}',
    'acquires served before somebody who had waited longer, whose query is slower',
    (counters) => counters.overtakings,
  ),
  counter(
    'enhanced_pool.lanes.held_back',
    '{acquire}',
    'slow queries that waited beside an idle connection, which was kept for fast ones',
    (counters) => counters.heldBack,
  ),
  counter(
    'enhanced_pool.optimization.reverts',
    '{revert}',
    'how often an optimisation on probation was taken back',
    byEach(ATTR_OPTIMIZATION, (name) => (counters) => counters.takenBack[name as OptimizationName]),
  ),
  onceCounted(
    'enhanced_pool.query.runs',
    '{run}',
    'timed runs of queries; needs a flag that goes by queries, as `lanes`',
    byEach(ATTR_QUERY_KIND, (kind) => (counters) => counters.queries[kind as QueryKind].runs),
  ),
  onceCounted(
    'enhanced_pool.query.time',
    's',
    'time for which those held a connection',
    byEach(ATTR_QUERY_KIND, (kind) => (counters) => counters.queries[kind as QueryKind].heldMs / 1_000),
  ),
  onceCounted(
    'enhanced_pool.statement.actions',
    '{action}',
    'what was done with single statements of pg and knex',
    by(ATTR_STATEMENT_ACTION, {
      prepared_hit: ofStatements('preparedHits'),
      prepared: ofStatements('prepared'),
      prepared_ahead: ofStatements('preparedAhead'),
      deallocated: ofStatements('deallocated'),
      unprepared: ofStatements('unprepared'),
      redispatched: ofStatements('redispatched'),
      moved_out: ofStatements('movedOut'),
    }),
  ),
  counter(
    'enhanced_pool.lease.released',
    '{lease}',
    'leases that came back',
    (counters) => counters.released,
  ),
  counter(
    'enhanced_pool.lease.stale_releases',
    '{release}',
    'releases of a lease that had come back already',
    (counters) => counters.staleReleases,
  ),
  counter(
    'enhanced_pool.lease.suspected_leaks',
    '{lease}',
    'leases held beyond the leak threshold',
    (counters) => counters.leaksSuspected,
  ),
  counter(
    'enhanced_pool.acquire.nested',
    '{event}',
    'how often the holders of all connections were found waiting for others',
    (counters) => counters.nestedAcquires,
  ),
];

/** Every metric that is emitted, the nine of the conventions first. */
export const METRICS: readonly MetricRow[] = [
  ...GAUGES,
  ...COUNTS,
  WAIT_TIME,
  USE_TIME,
  CREATE_TIME,
  CHECK_DURATION,
]
  // One that no engine of this version can tell of is none yet.
  .filter((row) => !('series' in row) || row.series.length > 0)
  .sort((left, right) => Number(isConvention(right.name)) - Number(isConvention(left.name)));

/** Every series that only grows, in an order that does not change. */
export const COUNTED: readonly Counted[] = COUNTS.flatMap(({ series }) => series);

export function isConvention(name: string): boolean {
  return !name.startsWith('enhanced_pool.');
}

/** How many series a pool has of a metric at the most. */
export function seriesAtMost({ attributes }: MetricRow): number {
  return attributes.reduce((product, name) => product * (ATTRIBUTES[name]?.values?.length ?? 0), 1);
}

type Read<Source extends unknown[]> = (...source: Source) => number | undefined;
type SeriesOf<Source extends unknown[]> = readonly { readonly apart: Apart; readonly read: Read<Source> }[];
type Reads<Source extends unknown[]> = Read<Source> | SeriesOf<Source>;
type FromSnapshot = [snapshot: Snapshot];

/** One series for each value of an attribute. */
function by<Source extends unknown[]>(
  attribute: string,
  reads: Readonly<Record<string, (...source: Source) => number>>,
): { readonly apart: Apart; read(...source: Source): number }[] {
  return Object.entries(reads).map(([value, read]) => ({ apart: { [attribute]: value }, read }));
}

function byEach(attribute: string, readOf: (value: string) => (counters: Counters) => number): Counted[] {
  return ATTRIBUTES[attribute]!.values!.map((value) => ({
    apart: { [attribute]: value },
    read: readOf(value),
  }));
}

/** 0 where nobody knows single statements. */
function ofStatements(count: keyof StatementCounters): Counted['read'] {
  return (_, statements) => statements?.[count] ?? 0;
}

function upDown(name: string, unit: string, meaning: string, reads: Reads<FromSnapshot>): GaugeRow {
  return { name, instrument: 'up-down counter', unit, meaning, ...seriesOf(reads) };
}

function gauge(name: string, unit: string, meaning: string, reads: Reads<FromSnapshot>): GaugeRow {
  return { name, instrument: 'gauge', unit, meaning, ...seriesOf(reads) };
}

/** Told from zero on: `increase` and `rate` see no growth in a series that begins with its first count. */
function counter(
  name: string,
  unit: string,
  meaning: string,
  reads: Counted['read'] | readonly Counted[],
): CountRow {
  const series = typeof reads === 'function' ? [{ apart: {}, read: reads }] : reads;
  return {
    name,
    instrument: 'counter',
    unit,
    meaning,
    onceCounted: false,
    attributes: attributesOf(series),
    series,
  };
}

function onceCounted(
  name: string,
  unit: string,
  meaning: string,
  reads: Counted['read'] | readonly Counted[],
): CountRow {
  return { ...counter(name, unit, meaning, reads), onceCounted: true };
}

function duration(
  name: string,
  meaning: string,
  buckets: readonly number[],
  attributes: readonly string[] = [],
): DurationRow {
  return { name, instrument: 'histogram', unit: 's', meaning, attributes, buckets };
}

function seriesOf(reads: Reads<FromSnapshot>): Pick<GaugeRow, 'attributes' | 'series'> {
  const series = typeof reads === 'function' ? [{ apart: {}, read: reads }] : reads;
  return { attributes: attributesOf(series), series };
}

function attributesOf(series: readonly { readonly apart: Apart }[]): string[] {
  return Object.keys(series[0]?.apart ?? {});
}

/** One series for each optimisation: planned ones are not told of. */
function byOptimization(names: readonly OptimizationName[], read: (flag: FlagReport) => number): Gauged[] {
  return names.map((name) => ({
    apart: { [ATTR_OPTIMIZATION]: name },
    read: ({ flags }) => whole(flags.get(name), read),
  }));
}

/** The status pattern of the conventions: 1 for the value that it has. */
function statusBy(attribute: string, read: (snapshot: Snapshot) => string | undefined): Gauged[] {
  return ATTRIBUTES[attribute]!.values!.map((value) => ({
    apart: { [attribute]: value },
    read: (snapshot) => (read(snapshot) === value ? 1 : undefined),
  }));
}

/** The same for the stage of each optimisation. A stage in which it never was is not told. */
function byStage(): Gauged[] {
  return BUILT_OPTIMIZATIONS.flatMap((name) =>
    ATTRIBUTES[ATTR_OPTIMIZATION_STAGE]!.values!.map(
      (stage): Gauged => ({
        apart: { [ATTR_OPTIMIZATION]: name, [ATTR_OPTIMIZATION_STAGE]: stage },
        read: ({ flags }) => (flags.get(name)?.stage === stage ? 1 : undefined),
      }),
    ),
  );
}

function whole(flag: FlagReport | undefined, read: (flag: FlagReport) => number): number | undefined {
  return flag === undefined ? undefined : read(flag);
}
