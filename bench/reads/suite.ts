import { isDeepStrictEqual } from 'node:util';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { everyFlag, type OptimizationFlags } from '../../src/rollout/flags.js';
import { type Databases, startDatabases } from '../../test/servers/index.js';
import { latencyChart } from '../closed-loop.js';
import type { Goal } from '../goals.js';
import { figures, interleave, type Measure } from '../interleave.js';
import { say } from '../progress.js';
import { median, middleHalf, over, paired } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { type Cell, figure, range, type Table } from '../table.js';
import { type SharingWindow, Side } from './side.js';
import { PGBENCH, READS, type Workload } from './workloads.js';

const STOCK = 'stock';
const STOCK_AGAIN = 'stock again';
const OFF = 'enhanced, both off';
const ON = 'enhanced';

interface Peer {
  readonly name: string;
  readonly flags?: OptimizationFlags;
}

/** Stock and enhanced. */
export const COMPARED: readonly [Peer, Peer] = [
  { name: STOCK },
  { name: ON, flags: { ...everyFlag('off'), pipelining: 'on', autoPrepare: 'on' } },
];

/** What the measuring itself does, and what we cost where nothing is shared. */
const CONTROLS: readonly Peer[] = [{ name: STOCK_AGAIN }, { name: OFF, flags: everyFlag('off') }];

/** For the first load of each suite only: they take as long as the others. */
const peersOf = (workload: Workload): readonly Peer[] =>
  workload === READS[0] || workload === PGBENCH[0] ? [...COMPARED, ...CONTROLS] : COMPARED;

export const MAX = 10;
const COMPARED_TURNS = 200;
const WARM_REQUESTS = 15_000;
const MOST_WARM_UPS = 3;

interface Extent {
  readonly rounds: number;
  readonly windowMs: number;
  readonly warmUpMs: number;
}

const FULL: Extent = { rounds: 11, windowMs: 500, warmUpMs: 2_000 };
const QUICK: Extent = { rounds: 4, windowMs: 250, warmUpMs: 800 };

type Windows = Readonly<Record<string, readonly SharingWindow[]>>;

/** A goal of one workload: of which figure, against which peer. */
interface Aim {
  readonly workload: string;
  readonly claim: string;
  readonly figure: Measure<SharingWindow>;
  readonly against?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

const times = (
  workload: string,
  claim: string,
  figure: Measure<SharingWindow>,
  bound: Partial<Aim>,
): Aim => ({
  workload,
  claim,
  figure,
  against: STOCK,
  ...bound,
});

const AIMS: readonly Aim[] = [
  times('primary keys, 64 callers', 'throughput over stock', 'perSecond', { atLeast: 3 }),
  times('primary keys, 10 callers', 'throughput over stock', 'perSecond', { atLeast: 2.5 }),
  ...['primary keys, 10 callers', 'primary keys, 64 callers'].flatMap((workload) => [
    times(workload, 'p99 over stock', 'p99Microseconds', { atMost: 0.5 }),
    times(workload, 'CPU of the client over stock', 'cpuMicroseconds', { atMost: 0.5 }),
    { workload, claim: 'connections in use', figure: 'connections', atMost: 4 } as const,
  ]),
  times('five-table joins, 10 callers', 'throughput over stock', 'perSecond', { atLeast: 2.5 }),
  times('CPU-bound, 10 callers', 'throughput over stock', 'perSecond', { atLeast: 0.98 }),
  times('primary keys with one in 50 of 200 ms, 32 callers', 'throughput over stock', 'perSecond', {
    atLeast: 0.98,
  }),
  times(
    'primary keys with one in 50 of 200 ms, 32 callers',
    'p99 of the short ones over stock',
    'p99Microseconds',
    {
      atMost: 1,
    },
  ),
  times('knex, primary keys, 10 callers', 'throughput over stock', 'perSecond', { atLeast: 1.5 }),
  times('knex, primary keys, 64 callers', 'throughput over stock', 'perSecond', { atLeast: 2 }),
  times('mysql2 query, primary keys, 64 callers', 'throughput over stock', 'perSecond', { atLeast: 1 }),
  times('mysql2 execute, primary keys, 64 callers', 'throughput over stock', 'perSecond', { atLeast: 1 }),
  times('select-only, 64 clients', 'throughput over stock', 'perSecond', { atLeast: 2.5 }),
  times('TPC-B-like, 64 clients', 'throughput over stock', 'perSecond', { atLeast: 1.2 }),
];

export const reads = suiteOf(
  'reads',
  'What does one connection for many short reads win, and does it ever lose?',
  READS,
);
export const pgbench = suiteOf(
  'pgbench',
  'What do the statements of pgbench gain through an unchanged pg.Pool?',
  PGBENCH,
);

function suiteOf(name: string, question: string, workloads: readonly Workload[]): Suite {
  return {
    name,
    question,
    async run({ quick, only }: Effort): Promise<Findings> {
      say('(starting a server)');
      const databases = await startDatabases({ postgres: true, mysql: true });
      try {
        const found: Record<string, Windows> = {};
        for (const workload of workloads) {
          if (only !== undefined && !workload.name.includes(only)) continue;
          found[workload.name] = await measureWorkload(databases, workload, quick ? QUICK : FULL);
        }
        return {
          tables: Object.entries(found).map(([workload, windows]) => tableOf(workload, windows)),
          goals: goalsOf(found),
          charts: Object.entries(found).map(([workload, windows]) => latencyChart(workload, windows)),
          samples: found,
        };
      } finally {
        await databases.stop();
      }
    },
  };
}

async function measureWorkload(
  databases: Databases<'postgres' | 'mysql'>,
  workload: Workload,
  { rounds, windowMs, warmUpMs }: Extent,
): Promise<Windows> {
  say(workload.name);
  await setUp(databases, workload);
  const address = workload.library === 'mysql2' ? databases.mysql : databases.postgres;
  const sides: Side[] = [];
  try {
    for (const { name, flags } of peersOf(workload)) {
      const side = new Side(name, { workload: workload.name, address, max: MAX, flags });
      sides.push(side);
      await warmUp(side, warmUpMs);
    }
    await compareAnswers(sides);
    return await interleave(sides, rounds, (side) => side.measure(windowMs));
  } finally {
    for (const side of sides) await side.stop();
  }
}

/** Until the compiler has seen enough of it as well: on a busy machine a time alone would end with some peers cold. */
async function warmUp(side: Side, warmUpMs: number): Promise<void> {
  let requests = 0;
  for (let turn = 0; turn < MOST_WARM_UPS && requests < WARM_REQUESTS; turn += 1) {
    const { perSecond } = await side.measure(warmUpMs);
    requests += (perSecond * warmUpMs) / 1_000;
  }
}

export async function setUp(
  { postgres, mysql: mariadb }: Databases<'postgres' | 'mysql'>,
  { library, setUp: statements }: Workload,
): Promise<void> {
  const client =
    library === 'mysql2' ? await mysql.createConnection(mariadb.url) : new pg.Client(postgres.url);
  await client.connect();
  const run: (sql: string) => Promise<unknown> = client.query.bind(client);
  for (const sql of statements) await run(sql);
  await client.end();
}

/** Row by row: a fast wrong answer is worth nothing. */
async function compareAnswers(sides: readonly Side[]): Promise<void> {
  const answers: unknown[] = [];
  for (const side of sides) answers.push(await side.answers(COMPARED_TURNS));
  const wrong = sides.filter((_, index) => !isDeepStrictEqual(answers[index], answers[0]));
  if (wrong.length > 0) throw new Error(`${wrong.map(({ name }) => name)} answered otherwise than stock`);
}

function tableOf(title: string, windows: Windows): Table {
  return {
    title: `${title}, max ${MAX}`,
    columns: ['', 'requests/s', 'middle half', 'over stock', 'CPU µs', 'p99 µs', 'connections in use'],
    rows: Object.keys(windows).map((name): Cell[] => [
      name,
      figure(median(figures(windows, name, 'perSecond'))),
      range(middleHalf(figures(windows, name, 'perSecond'))),
      figure(median(paired(figures(windows, name, 'perSecond'), figures(windows, STOCK, 'perSecond'), over))),
      figure(median(figures(windows, name, 'cpuMicroseconds'))),
      figure(median(figures(windows, name, 'p99Microseconds'))),
      name === ON || name === OFF ? figure(median(figures(windows, name, 'connections'))) : '',
    ]),
    note: 'each peer in a process of its own, in turns; CPU: of that process, per request; connections in use: most that were leased at once',
  };
}

function goalsOf(found: Readonly<Record<string, Windows>>): Goal[] {
  const goals = AIMS.flatMap(({ workload, claim, figure: what, against, ...bounds }): Goal[] => {
    const windows = found[workload];
    if (windows === undefined) return [];
    const ours = figures(windows, ON, what);
    const values = against === undefined ? ours : paired(ours, figures(windows, against, what), over);
    return [{ claim: `${workload}: ${claim}`, unit: against === undefined ? '' : '×', ...bounds, values }];
  });
  const again = Object.entries(found)
    .filter(([, windows]) => windows[STOCK_AGAIN] !== undefined)
    .map(
      ([workload, windows]): Goal => ({
        claim: `A/A: ${workload}, stock over stock`,
        unit: '×',
        straddles: 1,
        values: paired(
          figures(windows, STOCK, 'perSecond'),
          figures(windows, STOCK_AGAIN, 'perSecond'),
          over,
        ),
      }),
    );
  return [...goals, ...again];
}
