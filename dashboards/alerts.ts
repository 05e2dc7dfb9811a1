import { stringify } from 'yaml';
import { POOL, series } from './promql.js';

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: 'critical' | 'warning' | 'info';
  readonly summary: string;
  readonly description: string;
}

/** Within the package; each alert has an anchor there. */
const RUNBOOK = 'docs/troubleshooting.md';
const BY = `job, instance, ${POOL}`;
const ALL = { filter: '' };
const POOL_NAME = `{{ $labels.${POOL} }}`;

const used = `sum by (${BY}) (${series('db.client.connection.count', '', { ...ALL, where: 'db_client_connection_state="used"' })})`;
const limit = `sum by (${BY}) (${series('db.client.connection.limit', '', ALL)})`;
const pending = `sum by (${BY}) (${series('db.client.connection.pending_requests', '', ALL)})`;
const increase = (metric: string, over: string) =>
  `sum by (${BY}) (increase(${series(metric, '_total', ALL)}[${over}]))`;
const waitBuckets = series('db.client.connection.wait_time', '_bucket', { ...ALL, unit: 'seconds' });

const ALERTS: readonly Alert[] = [
  {
    alert: 'DbPoolExhausted',
    expr: `(${used} >= ${limit}) and (${pending} > 0) and (${limit} > 0)`,
    for: '1m',
    severity: 'critical',
    summary: `Every connection of pool ${POOL_NAME} is in use, and callers wait`,
    description: 'Look at the time connections are held. Slow queries or leaks if it rises; else raise max.',
  },
  {
    alert: 'DbPoolSaturationHigh',
    expr: `${used} / (${limit} > 0) > 0.8`,
    for: '5m',
    severity: 'warning',
    summary: `Pool ${POOL_NAME} is more than 80 % in use`,
    description: 'Raise max, or find out what holds connections for so long.',
  },
  {
    alert: 'DbPoolWaiters',
    expr: `min_over_time((${pending})[2m:15s]) > 0`,
    for: '1m',
    severity: 'warning',
    summary: `Callers have been waiting for pool ${POOL_NAME} for minutes`,
    description: 'Bursts do not fire this: the queue has not been empty once.',
  },
  {
    alert: 'DbPoolAcquireSlow',
    expr: `histogram_quantile(0.99, sum by (le, ${BY}) (rate(${waitBuckets}[5m]))) > 1`,
    for: '5m',
    severity: 'warning',
    summary: `One in a hundred callers of pool ${POOL_NAME} waits for more than a second`,
    description: 'Compare it with the acquire timeout of the pool: half of it is late.',
  },
  {
    alert: 'DbPoolTimeouts',
    expr: `${increase('db.client.connection.timeouts', '5m')} > 0`,
    for: '0m',
    severity: 'critical',
    summary: `Callers of pool ${POOL_NAME} ran out of time`,
    description:
      'Users got errors. The error and the pool.acquire span say why, with the numbers of the pool.',
  },
  {
    alert: 'DbPoolCannotConnect',
    expr: `${increase('enhanced_pool.connection.open_failures', '5m')} > 5`,
    for: '1m',
    severity: 'critical',
    summary: `Pool ${POOL_NAME} cannot open connections`,
    description:
      'The pool.connect spans carry the error of the server: refused, wrong password, too many clients.',
  },
  {
    alert: 'DbPoolCircuitOpen',
    expr: `sum by (${BY}) (${series('enhanced_pool.circuit.status', '', { ...ALL, where: 'enhanced_pool_circuit_state=~"open|half_open"' })}) > 0`,
    for: '1m',
    severity: 'critical',
    summary: `Pool ${POOL_NAME} has lost its server`,
    description:
      'It opens one connection at a time to see whether the server is back. The log event enhanced_pool.circuit.changed says what was seen.',
  },
  {
    alert: 'DbPoolLeakSuspected',
    expr: `${increase('enhanced_pool.lease.suspected_leaks', '15m')} > 0`,
    for: '0m',
    severity: 'warning',
    summary: `A connection of pool ${POOL_NAME} was not given back in time`,
    description: 'A log event names the connection. Is there a path on which release is not called?',
  },
  {
    alert: 'DbPoolChurn',
    expr: `${increase('enhanced_pool.connection.closed', '10m')} > 0.2 * ${increase('enhanced_pool.lease.released', '10m')} and ${increase('enhanced_pool.connection.closed', '10m')} > 20`,
    for: '10m',
    severity: 'info',
    summary: `Pool ${POOL_NAME} closes a connection for every few that it lends`,
    description: 'See why they are closed. Idle: raise min. Broken: look at the network and at errors.',
  },
  {
    alert: 'DbPoolOptimizationGivenUp',
    expr: `sum by (${BY}, enhanced_pool_optimization_name) (${series('enhanced_pool.optimization.status', '', { ...ALL, where: 'enhanced_pool_optimization_stage="given_up"' })}) > 0`,
    for: '0m',
    severity: 'info',
    summary: `Pool ${POOL_NAME} has given up {{ $labels.enhanced_pool_optimization_name }} for good`,
    description:
      'It made things worse three times. poolReports() has the reason, under flags; set the flag to off.',
  },
];

/** The rule file, for `rule_files` of Prometheus. */
export function alertRules(): string {
  const rules = ALERTS.map(({ alert, expr, for: lasting, severity, summary, description }) => ({
    alert,
    expr,
    for: lasting,
    labels: { severity },
    annotations: { summary, description, runbook_url: `${RUNBOOK}#${alert.toLowerCase()}` },
  }));
  return stringify({ groups: [{ name: 'connection-pools', rules }] }, { lineWidth: 0 });
}
