import type { CloseReason, PoolCounters } from '../../src/index.js';
import { METRIC_CONNECTION_TIMEOUTS } from './semconv.js';

/** A number of the engine that only grows, and the series in which it is told. */
interface Count {
  readonly metric: CountMetric;
  /** What sets it apart from the metric's other series. */
  readonly attribute?: readonly [name: string, value: string];
  /** Told even while it is zero. */
  readonly always?: boolean;
  read(counters: Readonly<PoolCounters>): number;
}

export const COUNT_METRICS = {
  [METRIC_CONNECTION_TIMEOUTS]: {
    unit: '{timeout}',
    description: 'Acquires that ran out of time.',
  },
  'enhanced_pool.acquire.count': { unit: '{acquire}', description: 'Acquires, by how they ended.' },
  'enhanced_pool.connection.opened': { unit: '{connection}', description: 'Connections opened.' },
  'enhanced_pool.connection.open_failures': {
    unit: '{failure}',
    description: 'Connections that did not open.',
  },
  'enhanced_pool.connection.closed': { unit: '{connection}', description: 'Connections closed, by reason.' },
  'enhanced_pool.lease.suspected_leaks': {
    unit: '{lease}',
    description: 'Leases held beyond the leak threshold.',
  },
} as const;
export type CountMetric = keyof typeof COUNT_METRICS;

export const ATTR_ACQUIRE_OUTCOME = 'enhanced_pool.acquire.outcome';
export const ATTR_CLOSE_REASON = 'enhanced_pool.connection.close_reason';

const CLOSE_REASONS: readonly CloseReason[] = [
  'idle',
  'lifetime',
  'uses',
  'broken',
  'check',
  'dirty',
  'shrink',
  'evicted',
  'drain',
];

/** Every count that is told. */
export const COUNTS: readonly Count[] = [
  { metric: METRIC_CONNECTION_TIMEOUTS, always: true, read: (counters) => counters.timedOut },
  outcome('immediate', (counters) => counters.immediate),
  outcome('waited', (counters) => counters.waited),
  outcome('timeout', (counters) => counters.timedOut),
  outcome('aborted', (counters) => counters.aborted),
  outcome('rejected', (counters) => counters.rejected),
  outcome('open_failed', (counters) => counters.openErrors),
  { metric: 'enhanced_pool.connection.opened', always: true, read: (counters) => counters.opened },
  { metric: 'enhanced_pool.connection.open_failures', read: (counters) => counters.openFailed },
  ...CLOSE_REASONS.map(
    (reason): Count => ({
      metric: 'enhanced_pool.connection.closed',
      attribute: [ATTR_CLOSE_REASON, reason],
      read: (counters) => counters.closed[reason],
    }),
  ),
  { metric: 'enhanced_pool.lease.suspected_leaks', read: (counters) => counters.leaksSuspected },
];

function outcome(name: string, read: Count['read']): Count {
  return { metric: 'enhanced_pool.acquire.count', attribute: [ATTR_ACQUIRE_OUTCOME, name], read };
}
