import { isDeepStrictEqual } from 'node:util';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { everyFlag, type OptimizationFlags } from '../../src/rollout/flags.js';
import { type Databases, startDatabases } from '../../test/servers/index.js';
import { latencyChart } from '../closed-loop.js';
import { SETTLED } from '../enhancement.js';
import type { Goal } from '../goals.js';
import { figures, inRounds, interleave, type Measure, shuffled } from '../interleave.js';
import { say } from '../progress.js';
import { median, middleHalf, over, paired, seeded } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { type Cell, figure, range, type Table } from '../table.js';
import { TUNED_MAX } from '../tuned.js';
import { type PeerPart, type SharingWindow, Side } from './side.js';
import { PGBENCH, READS, type Workload } from './workloads.js';

const STOCK = 'stock';
const STOCK_AGAIN = 'stock again';
const OFF = 'enhanced, both off';
const ON = 'enhanced';
const TUNED = 'stock, tuned';
const ON_TUNED = 'enhanced, tuned';
const NAMING = 'enhanced, names in transactions';
const NAMING_TUNED = 'enhanced, tuned, names in transactions';

interface Peer {
  readonly name: string;
  readonly flags?: OptimizationFlags;
  /** `MAX` where nothing else is said. */
  readonly max?: number;
}

/** Stock and enhanced. */
export const COMPARED: readonly [Peer, Peer] = [{ name: STOCK }, { name: ON, flags: SETTLED }];

/** What the measuring itself does, and what we cost where nothing is shared. */
const CONTROLS: readonly Peer[] = [{ name: STOCK_AGAIN }, { name: OFF, flags: everyFlag('off') }];

/** Both by the book; what is opened while they warm up stays open. */
const BY_THE_BOOK: readonly Peer[] = [
  { name: TUNED, max: TUNED_MAX },
  { name: ON_TUNED, max: TUNED_MAX, flags: SETTLED },
];

/** What the application has to agree to. */
const AGREED: OptimizationFlags = { ...SETTLED, autoPrepareInTransactions: 'on' };
const WITH_NAMES: readonly Peer[] = [
  { name: NAMING, flags: AGREED },
  { name: NAMING_TUNED, max: TUNED_MAX, flags: AGREED },
];

/** Nothing is shared on mysql2: what there is to see is what the engine costs. */
const TOGETHER: readonly Peer[] = [...COMPARED, { name: STOCK_AGAIN }];

/** Controls for the first load of each suite only: they take as long as the others. */
const peersOf = (workload: Workload): readonly Peer[] => {
  if (workload.together) return TOGETHER;
  return [
    ...COMPARED,
    ...(workload === READS[0] || workload === PGBENCH[0] ? CONTROLS : []),
    ...(workload.tuned ? BY_THE_BOOK : []),
    ...(workload.transactions ? WITH_NAMES : []),
  ];
};

export const MAX = 10;
const COMPARED_TURNS = 200;
const WARM_REQUESTS = 50_000;
const MOST_WARM_UPS = 4;

interface Extent {
  readonly rounds: number;
  readonly windowMs: number;
  readonly warmUpMs: number;
}

const FULL: Extent = { rounds: 11, windowMs: 500, warmUpMs: 1_200 };
const QUICK: Extent = { rounds: 2, windowMs: 150, warmUpMs: 250 };

/** Turns in one process are so many times as short: the nearer in time two are, the more their comparison is worth. */
const SHORTER = 15;
const TURNS_TOGETHER = 30;

type Windows = Readonly<Record<string, readonly SharingWindow[]>>;

/** A goal of one workload: of which figure, against which peer. */
interface Aim {
  readonly workload: string;
  readonly claim: string;
  readonly figure: Measure<SharingWindow>;
  /** `enhanced` where nothing else is said. */
  readonly of?: string;
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
  ...READS.filter(({ together }) => together).map(({ name }) =>
    times(name, 'throughput over stock', 'perSecond', { atLeast: 1 }),
  ),
  times('select-only, 64 clients', 'throughput over stock', 'perSecond', { atLeast: 2.5 }),
  times('TPC-B-like, 64 clients', 'throughput over stock', 'perSecond', { atLeast: 1.2 }),
  times('TPC-B-like, 64 clients', 'throughput over stock, with names in transactions', 'perSecond', {
    of: NAMING,
    atLeast: 1.2,
  }),
  times('TPC-B-like, 64 clients', 'throughput over tuned stock, with names in transactions', 'perSecond', {
    of: NAMING_TUNED,
    against: TUNED,
    atLeast: 1.1,
  }),
  ...[...READS, ...PGBENCH]
    .filter(({ tuned }) => tuned)
    .map(({ name }) =>
      times(name, 'throughput over tuned stock', 'perSecond', {
        of: ON_TUNED,
        against: TUNED,
        atLeast: name.startsWith('primary') ? 2 : 1.1,
      }),
    ),
];

export const reads = suiteOf(
  'reads',
  'What does one connection for many short reads win, and does it ever lose?',
  READS,
  { full: 175, quick: 18 },
);
export const pgbench = suiteOf(
  'pgbench',
  'What do the statements of pgbench gain through an unchanged pg.Pool?',
  PGBENCH,
  { full: 50, quick: 8 },
);

function suiteOf(
  name: string,
  question: string,
  workloads: readonly Workload[],
  seconds: Suite['seconds'],
): Suite {
  return {
    name,
    question,
    seconds,
    async run({ quick, only, time }: Effort): Promise<Findings> {
      say('(starting a server)');
      const databases = await startDatabases({ postgres: true, mysql: true });
      try {
        const found: Record<string, Windows> = {};
        const isWanted = (load: Workload) =>
          only === undefined ? (quick ? load.quick === true : !load.seldom) : load.name.includes(only);
        const wanted = workloads.filter(isWanted);
        for (const [done, workload] of wanted.entries()) {
          const endsAt = time.partOf(wanted.length - done);
          found[workload.name] = await measureWorkload(
            databases,
            workload,
            quick && !workload.together ? COMPARED : peersOf(workload),
            quick ? QUICK : FULL,
            endsAt,
          );
        }
        return {
          tables: wanted.map((workload) => tableOf(workload, found[workload.name]!)),
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
  peers: readonly Peer[],
  { rounds, windowMs, warmUpMs }: Extent,
  endsAt: number,
): Promise<Windows> {
  say(workload.name);
  await setUp(databases, workload);
  const address = workload.library === 'mysql2' ? databases.mysql : databases.postgres;
  const parts = peers.map(({ name, flags, max = MAX }): PeerPart => ({ name, max, flags }));
  const start = (together: readonly PeerPart[]) =>
    Side.start({ workload: workload.name, address, peers: together });
  if (!workload.together) {
    return withSides(
      parts.map((part) => () => start([part])),
      warmUpMs,
      async (sides) => {
        const { settleMs } = workload;
        if (settleMs !== undefined) await Promise.all(sides.map((side) => side.measure(settleMs)));
        return interleave(sides, rounds, (side) => side.measure(windowMs), endsAt);
      },
    );
  }
  const random = seeded(rounds);
  const found = await inRounds(
    rounds,
    () =>
      withSides([() => start(shuffled(parts, random))], warmUpMs, (sides) =>
        interleave(sides, TURNS_TOGETHER, (side) => side.measure(windowMs / SHORTER)),
      ),
    endsAt,
  );
  return Object.fromEntries(parts.map(({ name }) => [name, found.map((turns) => middle(turns[name]!))]));
}

/** The one whose throughput is the median. */
function middle(windows: readonly SharingWindow[]): SharingWindow {
  const sorted = [...windows].sort((one, other) => one.perSecond - other.perSecond);
  return sorted[Math.floor(sorted.length / 2)]!;
}

async function withSides<Found>(
  processes: readonly (() => Side[])[],
  warmUpMs: number,
  work: (sides: readonly Side[]) => Promise<Found>,
): Promise<Found> {
  const sides: Side[] = [];
  try {
    for (const start of processes) {
      const started = start();
      sides.push(...started);
      await warmUp(started, warmUpMs);
    }
    await compareAnswers(sides);
    return await work(sides);
  } finally {
    for (const side of sides) await side.stop();
  }
}

/**
 * Until the compiler has seen enough of it as well: on a busy machine a time alone would end with some peers cold. In turns, for what several
 * peers of a process share is compiled for all of them.
 */
async function warmUp(sides: readonly Side[], warmUpMs: number): Promise<void> {
  const enough = WARM_REQUESTS * Math.min(1, warmUpMs / 1_000);
  let fewest = 0;
  for (let turn = 0; turn < MOST_WARM_UPS && fewest < enough; turn += 1) {
    const requests: number[] = [];
    for (const side of sides) requests.push(((await side.warmUp(warmUpMs)).perSecond * warmUpMs) / 1_000);
    fewest += Math.min(...requests);
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

function tableOf({ name: title, together }: Workload, windows: Windows): Table {
  return {
    title: `${title}, max ${MAX}; tuned: ${TUNED_MAX}`,
    columns: ['', 'requests/s', 'middle half', 'over stock', 'CPU µs', 'p99 µs', 'connections in use'],
    rows: Object.keys(windows).map((name): Cell[] => [
      name,
      figure(median(figures(windows, name, 'perSecond'))),
      range(middleHalf(figures(windows, name, 'perSecond'))),
      figure(median(paired(figures(windows, name, 'perSecond'), figures(windows, STOCK, 'perSecond'), over))),
      figure(median(figures(windows, name, 'cpuMicroseconds'))),
      figure(median(figures(windows, name, 'p99Microseconds'))),
      name.startsWith(ON) ? figure(median(figures(windows, name, 'connections'))) : '',
    ]),
    note: `${together ? 'all in one process, a new one for each round' : 'each peer in a process of its own'}, in turns; CPU: of that process, per request; connections in use: most that were leased at once`,
  };
}

function goalsOf(found: Readonly<Record<string, Windows>>): Goal[] {
  const goals = AIMS.flatMap(({ workload, claim, figure: what, of = ON, against, ...bounds }): Goal[] => {
    const windows = found[workload];
    if (windows === undefined) return [];
    const ours = figures(windows, of, what);
    if (ours.length === 0) return [];
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
