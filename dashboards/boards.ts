import type { Board, Line, Panel } from './panels.js';
import { POOL, perSecond, quantile, series, total } from './promql.js';

const COUNT = 'db.client.connection.count';
const LIMIT = 'db.client.connection.limit';
const WAIT = 'db.client.connection.wait_time';
const USE = 'db.client.connection.use_time';
const CREATE = 'db.client.connection.create_time';
const PENDING = 'db.client.connection.pending_requests';
const TIMEOUTS = 'db.client.connection.timeouts';

const USED = { where: 'db_client_connection_state="used"' };
const IDLE = { where: 'db_client_connection_state="idle"' };

const OPTIMIZATION = 'enhanced_pool_optimization_name';
const QUERY_KIND = 'enhanced_pool_query_kind';

const line = (legend: string, expr: string): Line => ({ legend, expr });

const quantiles = (metric: string, by: readonly string[] = []): Line[] =>
  [0.5, 0.95, 0.99].map((q) =>
    line(`p${q * 100}${by.map((label) => ` {{${label}}}`).join('')}`, quantile(q, metric, by)),
  );

const number = (title: string, description: string, unit: string, expr: string): Panel => ({
  title,
  description,
  unit,
  lines: [line(title, expr)],
  form: 'number',
  width: 4,
});

const connections: Panel = {
  title: 'Connections',
  description:
    'In use and idle, stacked, below the limit. In use at the limit for long means that callers wait: see waiting.',
  unit: 'short',
  form: 'stacked',
  lines: [
    line('in use', total(COUNT, [], USED)),
    line('idle', total(COUNT, [], IDLE)),
    line('opening', total('enhanced_pool.connection.opening')),
    line('closing', total('enhanced_pool.connection.closing')),
  ],
};

const target: Panel = {
  title: 'Limit, target and use',
  description: 'What the demand asks for against what is allowed. A target at the limit for long: raise max.',
  unit: 'short',
  lines: [
    line('limit', total(LIMIT)),
    line('target', total('enhanced_pool.connection.target')),
    line('forecast', total('enhanced_pool.connection.forecast')),
    line('in use', total(COUNT, [], USED)),
    line('kept at least', total('db.client.connection.idle.min')),
  ],
};

const efficiency: Panel = {
  title: 'Use of what is open, and of what is allowed',
  description:
    'In use over open, and over the limit. The first low for long: connections stand idle; the second low: lower max.',
  unit: 'percentunit',
  lines: [
    line('of the open', `avg(${series('enhanced_pool.efficiency', '', { unit: 'ratio' })})`),
    line('of the limit', `avg(${series('enhanced_pool.utilization', '', { unit: 'ratio' })})`),
  ],
};

const workload: Panel = {
  title: 'Pools by kind of load',
  description: 'What the load is taken for. Saturated: callers wait nearly all the time.',
  unit: 'short',
  form: 'stacked',
  lines: [
    line('{{enhanced_pool_workload}}', total('enhanced_pool.workload.status', ['enhanced_pool_workload'])),
  ],
};

const mix: Panel = {
  title: 'Pools by mix of queries',
  description:
    'How long connections are held. Mixed: some queries hold theirs for far longer than the others.',
  unit: 'short',
  form: 'stacked',
  lines: [
    line(
      '{{enhanced_pool_workload_mix}}',
      total('enhanced_pool.workload.mix.status', ['enhanced_pool_workload_mix']),
    ),
  ],
};

const pending: Panel = {
  title: 'Callers waiting',
  description: 'Anything above 0 for long is the alarm, not the volume: look at the time leases are held.',
  unit: 'short',
  lines: [line('{{db_client_connection_pool_name}}', total(PENDING, [POOL]))],
};

const wait: Panel = {
  title: 'Wait for a connection',
  description:
    'Of all timed acquires, those served at once included. The p99 near the timeout means errors soon.',
  unit: 's',
  lines: quantiles(WAIT),
};

const held: Panel = {
  title: 'Time a connection is held',
  description:
    'Flat while callers wait: the pool is too small. Rising: queries got slower. Rising for ever: a leak.',
  unit: 's',
  lines: quantiles(USE),
};

const outcomes: Panel = {
  title: 'Acquires by outcome',
  description: 'How acquires ended. timeout, rejected and open_failed are errors of the application.',
  unit: 'ops',
  lines: [
    line(
      '{{enhanced_pool_acquire_outcome}}',
      perSecond('enhanced_pool.acquire.count', ['enhanced_pool_acquire_outcome']),
    ),
  ],
};

const churn: Panel = {
  title: 'Connections closed, by reason',
  description:
    'Many closed as broken or check: the network or the server. Many as idle: raise min or the idle timeout.',
  unit: 'ops',
  lines: [
    line(
      '{{enhanced_pool_connection_close_reason}}',
      perSecond('enhanced_pool.connection.closed', ['enhanced_pool_connection_close_reason']),
    ),
    line('opened', perSecond('enhanced_pool.connection.opened')),
    line('did not open', perSecond('enhanced_pool.connection.open_failures')),
  ],
};

const sharedBudget: Panel = {
  title: 'Shared budget',
  description:
    'What the pools of one fleet have, against their budget. Held at the budget while callers wait: raise it, or send less.',
  unit: 'short',
  lines: [
    line('budget', `max(${series('enhanced_pool.fleet.budget')})`),
    line('shares', total('enhanced_pool.fleet.share')),
    line('held', total('enhanced_pool.fleet.held')),
  ],
};

const shareStates: Panel = {
  title: 'Pools by how they come by their share',
  description: 'Away: its lease cannot be renewed, and it shrinks to its static share. Look at Redis.',
  unit: 'short',
  form: 'stacked',
  lines: [
    line('{{enhanced_pool_fleet_state}}', total('enhanced_pool.fleet.status', ['enhanced_pool_fleet_state'])),
  ],
};

const overview: Board = {
  uid: 'enhanced-pool-fleet',
  title: 'Connection pools: fleet',
  description: 'Every pool of every process on one page.',
  rows: [
    {
      title: 'Now',
      panels: [
        number('Pools', 'Pools that are open.', 'short', `count(${series(LIMIT)} > 0)`),
        number('In use', 'Connections in use.', 'short', total(COUNT, [], USED)),
        number(
          'Busiest pool',
          'The highest utilisation of any pool; 1 is full.',
          'percentunit',
          `max(${series('enhanced_pool.utilization', '', { unit: 'ratio' })})`,
        ),
        number('Waiting', 'Callers waiting for a connection.', 'short', total(PENDING)),
        number('p99 wait', 'Wait for a connection.', 's', quantile(0.99, WAIT)),
        number(
          'Timeouts',
          'Acquires that ran out of time within the range shown.',
          'short',
          `sum(increase(${series(TIMEOUTS, '_total')}[$__range]))`,
        ),
      ],
    },
    {
      title: 'Pools',
      panels: [
        {
          title: 'Utilisation by pool',
          description: 'Share of the limit in use; above 0.8 for long is worth a look.',
          unit: 'percentunit',
          lines: [
            line(
              '{{db_client_connection_pool_name}} {{instance}}',
              `max by (${POOL}, instance) (${series('enhanced_pool.utilization', '', { unit: 'ratio' })})`,
            ),
          ],
        },
        pending,
        {
          title: 'p99 wait by pool',
          description: 'Which pool makes its callers wait.',
          unit: 's',
          lines: [line('{{db_client_connection_pool_name}}', quantile(0.99, WAIT, [POOL]))],
        },
        {
          title: 'Acquires by pool',
          description: 'Where the load is.',
          unit: 'ops',
          lines: [
            line('{{db_client_connection_pool_name}}', perSecond('enhanced_pool.acquire.count', [POOL])),
          ],
        },
      ],
    },
    { title: 'A budget for many processes', panels: [sharedBudget, shareStates] },
  ],
};

const onePool: Board = {
  uid: 'enhanced-pool-one',
  title: 'Connection pools: one pool',
  description: 'What a pool does, and why. Choose one pool above.',
  rows: [
    { title: 'Connections', panels: [connections, target] },
    { title: 'Load', panels: [efficiency, workload, mix] },
    { title: 'Waiting', panels: [pending, wait] },
    { title: 'Holding', panels: [held, outcomes] },
    {
      title: 'Lives of connections',
      panels: [
        churn,
        {
          title: 'Time to open a connection',
          description: 'DNS, TLS and login included. A cold burst pays this once for each connection.',
          unit: 's',
          lines: quantiles(CREATE),
        },
      ],
    },
  ],
};

const queries: Board = {
  uid: 'enhanced-pool-queries',
  title: 'Connection pools: use and queries',
  description: 'How connections are used, and by how many at once.',
  rows: [
    {
      title: 'Work',
      panels: [
        held,
        {
          title: 'Leases a second',
          description: 'Leases that came back, and statements that shared a connection.',
          unit: 'ops',
          lines: [
            line('released', perSecond('enhanced_pool.lease.released', [POOL])),
            line('released twice', perSecond('enhanced_pool.lease.stale_releases', [POOL])),
          ],
        },
        {
          title: 'Connections busy on average',
          description:
            'By Little’s law: leases a second times the time they are held. Far below the limit: lower max.',
          unit: 'short',
          lines: [
            line(
              '{{db_client_connection_pool_name}}',
              `sum by (${POOL}) (rate(${series(USE, '_sum', { unit: 'seconds' })}[$__rate_interval])) / ` +
                `sum by (${POOL}) (rate(${series(USE, '_count', { unit: 'seconds' })}[$__rate_interval])) * ` +
                perSecond('enhanced_pool.lease.released', [POOL]),
            ),
          ],
        },
        wait,
      ],
    },
    {
      title: 'Kinds of queries',
      panels: [
        {
          title: 'Connections that each kind keeps busy',
          description:
            'What to make faster first. Session: transactions, and whoever takes a connection and says nothing.',
          unit: 'short',
          form: 'stacked',
          lines: [
            line(
              '{{enhanced_pool_query_kind}}',
              perSecond('enhanced_pool.query.time', [QUERY_KIND], { unit: 'seconds' }),
            ),
          ],
        },
        {
          title: 'Time a connection is held, by kind',
          description: 'On average. Of timed runs: all up to 1,000 a second, a sample above.',
          unit: 's',
          lines: [
            line(
              '{{enhanced_pool_query_kind}}',
              `${perSecond('enhanced_pool.query.time', [QUERY_KIND], { unit: 'seconds' })} / ` +
                perSecond('enhanced_pool.query.runs', [QUERY_KIND]),
            ),
          ],
        },
        {
          title: 'Statements prepared, and sent again',
          description:
            'prepared_hit: run under a name that was there. unprepared: given up, for it cost more. redispatched: its shared connection died.',
          unit: 'ops',
          lines: [
            line(
              '{{enhanced_pool_statement_action}}',
              perSecond('enhanced_pool.statement.actions', ['enhanced_pool_statement_action']),
            ),
          ],
        },
        {
          title: 'Acquires that share a connection',
          description: 'Short reads that were sent on a connection together with others.',
          unit: 'ops',
          lines: [
            line('{{db_client_connection_pool_name}}', perSecond('enhanced_pool.acquire.shared', [POOL])),
          ],
        },
      ],
    },
  ],
};

const health: Board = {
  uid: 'enhanced-pool-health',
  title: 'Connection pools: health',
  description: 'Are connections sound, and does the database answer?',
  rows: [
    {
      title: 'Checks',
      panels: [
        {
          title: 'Checks by outcome',
          description: 'Proofs of life before a lease, and clean-ups after one.',
          unit: 'ops',
          lines: [
            line(
              '{{enhanced_pool_health_check_kind}} {{enhanced_pool_health_check_outcome}}',
              'sum by (enhanced_pool_health_check_kind, enhanced_pool_health_check_outcome) ' +
                `(rate(${series('enhanced_pool.health_check.duration', '_count', { unit: 'seconds' })}[$__rate_interval]))`,
            ),
          ],
        },
        {
          title: 'Time a check takes',
          description: 'About one round trip. Rising: the network, or a server that is short of CPU.',
          unit: 's',
          lines: quantiles('enhanced_pool.health_check.duration'),
        },
        churn,
        {
          title: 'Nested acquires',
          description:
            'Callers who hold a connection and wait for another, while nobody else gives one back: take both at once, or raise max.',
          unit: 'ops',
          lines: [
            line('{{db_client_connection_pool_name}}', perSecond('enhanced_pool.acquire.nested', [POOL])),
          ],
        },
        {
          title: 'Turned away for their low priority',
          description:
            'While there is not enough for all, where `degradedShed` is on: others were served instead. Nothing else to do, unless it lasts.',
          unit: 'ops',
          lines: [
            line('{{db_client_connection_pool_name}}', perSecond('enhanced_pool.acquire.shed', [POOL])),
          ],
        },
        {
          title: 'Reads from a former writer',
          description:
            'After a failover, where `staleReads` is on: what was read may be old. It ends with the first write on the new writer, or after five seconds.',
          unit: 'ops',
          lines: [
            line('{{db_client_connection_pool_name}}', perSecond('enhanced_pool.acquire.stale', [POOL])),
          ],
        },
        {
          title: 'Connections cut',
          description:
            'Nothing came on them for far longer than usual, and the server was not working for them: look at the network.',
          unit: 'ops',
          lines: [
            line('{{db_client_connection_pool_name}}', perSecond('enhanced_pool.connection.severed', [POOL])),
          ],
        },
        {
          title: 'Suspected leaks',
          description: 'Leases held beyond leakThresholdMs: each has a log event with the connection.',
          unit: 'short',
          lines: [
            line(
              '{{db_client_connection_pool_name}}',
              `sum by (${POOL}) (increase(${series('enhanced_pool.lease.suspected_leaks', '_total')}[$__range]))`,
            ),
          ],
        },
      ],
    },
    {
      title: 'Circuit',
      panels: [
        {
          title: 'Pools by trust in their server',
          description:
            'Anything but closed: the server refuses, loses or does not open connections. The log events say why.',
          unit: 'short',
          form: 'stacked',
          lines: [
            line(
              '{{enhanced_pool_circuit_state}}',
              `sum by (enhanced_pool_circuit_state) (${series('enhanced_pool.circuit.status')})`,
            ),
          ],
        },
        {
          title: 'Changes of trust',
          description: 'What it came to. Back and forth without end: a server that is up but not well.',
          unit: 'short',
          lines: [
            line(
              '{{enhanced_pool_circuit_state}}',
              `sum by (enhanced_pool_circuit_state) (increase(${series('enhanced_pool.circuit.transitions', '_total')}[$__range]))`,
            ),
          ],
        },
      ],
    },
    {
      title: 'Errors',
      panels: [
        {
          title: 'Acquires that failed',
          description: 'What callers got as errors, by kind.',
          unit: 'ops',
          lines: [
            line(
              '{{enhanced_pool_acquire_outcome}}',
              perSecond('enhanced_pool.acquire.count', ['enhanced_pool_acquire_outcome'], {
                where: 'enhanced_pool_acquire_outcome!~"immediate|waited"',
              }),
            ),
          ],
        },
        {
          title: 'Timeouts',
          description: 'Any is an error of a user.',
          unit: 'ops',
          lines: [line('{{db_client_connection_pool_name}}', perSecond(TIMEOUTS, [POOL]))],
        },
      ],
    },
  ],
};

const optimisations: Board = {
  uid: 'enhanced-pool-optimisations',
  title: 'Connection pools: optimisations',
  description: 'Which optimisations act, and what they earn.',
  rows: [
    {
      title: 'What is earned',
      panels: [
        {
          title: 'Acquires served at once',
          description: 'Share of all acquires that found an idle connection.',
          unit: 'percentunit',
          lines: [
            line(
              '{{db_client_connection_pool_name}}',
              `${perSecond('enhanced_pool.acquire.count', [POOL], { where: 'enhanced_pool_acquire_outcome="immediate"' })} / ` +
                perSecond('enhanced_pool.acquire.count', [POOL]),
            ),
          ],
        },
        {
          title: 'Leases for each connection opened',
          description:
            'How often a connection is used before it is replaced; the more, the less is spent on connecting.',
          unit: 'short',
          lines: [
            line(
              '{{db_client_connection_pool_name}}',
              `sum by (${POOL}) (${series('enhanced_pool.lease.released', '_total')}) / ` +
                `sum by (${POOL}) (${series('enhanced_pool.connection.opened', '_total')})`,
            ),
          ],
        },
      ],
    },
    {
      title: 'Flags',
      panels: [
        {
          title: 'Share of the time in which each acts',
          description: 'Below 1: on trial, taken back, or one block in a minute without it. 0: off.',
          unit: 'percentunit',
          lines: [
            line(
              '{{enhanced_pool_optimization_name}}',
              `avg by (${OPTIMIZATION}) (${series('enhanced_pool.optimization.exposure', '', { unit: 'ratio' })})`,
            ),
          ],
        },
        {
          title: 'Pools by stage',
          description: 'In which stage each optimisation is, and in how many pools.',
          unit: 'short',
          form: 'stacked',
          lines: [
            line(
              '{{enhanced_pool_optimization_name}} {{enhanced_pool_optimization_stage}}',
              `${total('enhanced_pool.optimization.status', [OPTIMIZATION, 'enhanced_pool_optimization_stage'])} > 0`,
            ),
          ],
        },
        {
          title: 'Taken back',
          description: 'Within the range shown. The log event enhanced_pool.optimization.changed says why.',
          unit: 'short',
          lines: [
            line(
              '{{enhanced_pool_optimization_name}}',
              `sum by (${OPTIMIZATION}) (increase(${series('enhanced_pool.optimization.reverts', '_total')}[$__range]))`,
            ),
          ],
        },
        {
          title: 'Wait that decisions cost, or save',
          description:
            'By the reckoning of those that compare each decision with the plain one. Below 0 is saved; rising for long: turn it off.',
          unit: 's',
          lines: [
            line(
              '{{enhanced_pool_optimization_name}}',
              total('enhanced_pool.optimization.regret', [OPTIMIZATION], { unit: 'seconds' }),
            ),
          ],
        },
      ],
    },
    {
      title: 'Decisions',
      panels: [
        {
          title: 'Another than the newest connection',
          description: 'By what was dearer with the newest one.',
          unit: 'ops',
          lines: [
            line(
              '{{enhanced_pool_selection_reason}}',
              perSecond('enhanced_pool.acquire.passed_over', ['enhanced_pool_selection_reason']),
            ),
          ],
        },
        {
          title: 'Lanes',
          description: 'Fast queries that went first, and slow ones that were held back for them.',
          unit: 'ops',
          lines: [
            line('went first', perSecond('enhanced_pool.lanes.overtakings')),
            line('held back', perSecond('enhanced_pool.lanes.held_back')),
          ],
        },
        {
          title: 'Pools on the engine, and stock',
          description: 'enhance: on the engine. observe: stock, and watched.',
          unit: 'short',
          form: 'stacked',
          lines: [line('{{enhanced_pool_mode}}', total('enhanced_pool.mode.status', ['enhanced_pool_mode']))],
        },
      ],
    },
  ],
};

export const BOARDS: readonly Board[] = [overview, onePool, queries, health, optimisations];
