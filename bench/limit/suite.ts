import type { Pool as EnginePool } from '../../src/index.js';
import { everyFlag, type OptimizationFlags } from '../../src/rollout/flags.js';
import { type Databases, startDatabases } from '../../test/servers/index.js';
import type { Goal } from '../goals.js';
import { figures, interleave } from '../interleave.js';
import { say } from '../progress.js';
import { ownPools } from '../reads/own-pool.js';
import type { Opened } from '../reads/pool.js';
import { median, middleHalf, over, paired } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { figure, range, type Table } from '../table.js';

const MAX = 64;
const SMALL_MAX = 8;
const CALLERS = 128;
/** Of those on the small pool: so many connections would be enough for all. */
const FEWER_CALLERS = 64;

const A_THIRD = 0.334;

const FIXED = 'fixed pool';
const PROBED = 'enhanced, limit probe';
const SMALL = 'enhanced, limit probe, small max';
const LARGE = 'enhanced, all off, the max that was foretold';

/** Each query has its connection to itself: connections are what is counted. */
const PROBING: OptimizationFlags = { ...everyFlag('off'), forecaster: 'on', limitProbe: 'on' };

interface Load {
  readonly name: string;
  readonly sql: string;
}

const COMPUTES: Load = { name: 'queries that compute', sql: 'SELECT sum(n) FROM generate_series(1, 5000) n' };
/** What one row that all update makes of a database: whatever else is done on the machine changes little of it. */
const TAKES_TURNS: Load = {
  name: 'queries that take turns at one lock',
  sql: 'SELECT pg_advisory_xact_lock(1), pg_sleep(0.001)',
};
const WAITS: Load = { name: 'queries that wait for 5 ms', sql: 'SELECT pg_sleep(0.005)' };

interface Extent {
  readonly learningMs: number;
  readonly rounds: number;
  readonly windowMs: number;
}

const FULL: Extent = { learningMs: 45_000, rounds: 10, windowMs: 2_500 };
const QUICK: Extent = { learningMs: 1_500, rounds: 2, windowMs: 250 };

/** What one window showed of one peer. */
interface Window {
  readonly perSecond: number;
  /** How long a query had its connection, on average: its time in the database. */
  readonly heldMs: number;
  readonly connections: number;
}

type Windows = Readonly<Record<string, readonly Window[]>>;

export const limit: Suite = {
  name: 'limit',
  question: `How many of ${MAX} connections does the limit probe use for ${CALLERS} callers, and what do they lose by it?`,
  seconds: { full: 200, quick: 16 },
  async run({ quick, time }: Effort): Promise<Findings> {
    const extent = quick ? QUICK : FULL;
    say('(starting a server)');
    const databases = await startDatabases({ postgres: { settings: { max_connections: 3 * MAX } } });
    try {
      // Three comparisons, and what was foretold for half as long as one of them: its windows are half as long.
      const computes = await compare(databases, COMPUTES, extent, time.partOf(3.5));
      const takesTurns = await compare(databases, TAKES_TURNS, extent, time.partOf(2.5));
      const waits = await compare(databases, WAITS, extent, time.partOf(1.5));
      const raised = await foretold(databases, extent, time.partOf(1));
      return {
        tables: [
          tableOf(COMPUTES, computes),
          tableOf(TAKES_TURNS, takesTurns),
          tableOf(WAITS, waits),
          adviceTable(raised, [
            [COMPUTES, computes],
            [TAKES_TURNS, takesTurns],
          ]),
        ],
        goals: [
          ...goalsOfKnee(COMPUTES, computes.windows),
          ...goalsOfKnee(TAKES_TURNS, takesTurns.windows),
          ...goalsOfWaiting(waits.windows, raised),
        ],
        samples: {
          computes: computes.windows,
          takesTurns: takesTurns.windows,
          waits: waits.windows,
          raised,
        },
      };
    } finally {
      await databases.stop();
    }
  },
};

interface Compared {
  readonly windows: Windows;
  readonly advice: string | undefined;
}

/** The fixed pool, which is stock, and the probed one, in turns, once the probe has had its time. */
async function compare(
  { postgres }: Databases<'postgres'>,
  load: Load,
  extent: Extent,
  endsAt: number,
): Promise<Compared> {
  const peers: { name: string; flags?: OptimizationFlags }[] = [
    { name: FIXED },
    { name: PROBED, flags: PROBING },
  ];
  const contestants = [];
  for (const { name, flags } of peers) {
    const opened = await ownPools()(postgres, MAX, flags);
    say(`${load.name}: ${name} begins`);
    await crowd(opened, load, CALLERS, flags === undefined ? extent.windowMs : extent.learningMs);
    contestants.push({ name, opened });
  }
  say(load.name);
  const windows = await interleave(
    contestants,
    extent.rounds,
    ({ opened }) => crowd(opened, load, CALLERS, extent.windowMs),
    endsAt,
  );
  const advice = contestants.at(-1)!.opened.engine()?.report().limit?.advice;
  for (const { opened } of contestants) await opened.close();
  return { windows, advice };
}

interface Foretold {
  readonly gain: number;
  readonly measured: readonly number[];
  readonly advice: string | undefined;
}

/** What the report of a small pool foretells of a larger one, and what the larger one does. */
async function foretold(
  { postgres }: Databases<'postgres'>,
  extent: Extent,
  endsAt: number,
): Promise<Foretold> {
  const small = await ownPools()(postgres, SMALL_MAX, PROBING);
  say(`${SMALL} begins`);
  await crowd(small, WAITS, FEWER_CALLERS, extent.learningMs / 3);
  const { better, advice } = (small.engine() as EnginePool<unknown>).report().limit ?? {};
  const large = await ownPools()(postgres, better?.max ?? SMALL_MAX, everyFlag('off'));
  await crowd(large, WAITS, FEWER_CALLERS, extent.windowMs);
  const contestants = [
    { name: SMALL, opened: small },
    { name: LARGE, opened: large },
  ];
  const windows = await interleave(
    contestants,
    extent.rounds,
    ({ opened }) => crowd(opened, WAITS, FEWER_CALLERS, extent.windowMs / 2),
    endsAt,
  );
  for (const { opened } of contestants) await opened.close();
  return { gain: better?.throughputRatio ?? 1, measured: ratios(windows, LARGE, SMALL, 'perSecond'), advice };
}

/** Callers who each ask again as soon as they are answered. */
async function crowd({ pool }: Opened, { sql }: Load, callers: number, durationMs: number): Promise<Window> {
  let queries = 0;
  let heldMs = 0;
  const begin = performance.now();
  const end = begin + durationMs;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end) {
        const client = await pool.connect();
        const since = performance.now();
        await client.query(sql);
        heldMs += performance.now() - since;
        queries += 1;
        client.release();
      }
    }),
  );
  return {
    perSecond: (1_000 * queries) / (performance.now() - begin),
    heldMs: heldMs / queries,
    connections: pool.totalCount,
  };
}

function ratios(windows: Windows, one: string, other: string, what: keyof Window): number[] {
  return paired(figures(windows, one, what), figures(windows, other, what), over);
}

function tableOf({ name }: Load, { windows }: Compared): Table {
  const cells = (peer: string, what: keyof Window) => {
    const values = figures(windows, peer, what);
    return [figure(median(values)), range(middleHalf(values))];
  };
  return {
    title: `${CALLERS} callers, max ${MAX}, ${name}`,
    columns: [
      '',
      'queries/s',
      'middle half',
      'ms in the database',
      'middle half',
      'connections',
      'middle half',
    ],
    rows: [FIXED, PROBED].map((peer) => [
      peer,
      ...cells(peer, 'perSecond'),
      ...cells(peer, 'heldMs'),
      ...cells(peer, 'connections'),
    ]),
    note: 'each caller asks again as soon as it is answered; the client shares the machine with the server',
  };
}

function adviceTable(raised: Foretold, large: readonly (readonly [Load, Compared])[]): Table {
  return {
    title: 'What report() advises',
    columns: ['pool', 'advice'],
    rows: [
      ...large.map(([{ name }, { advice }]) => [`max ${MAX}, ${name}`, advice ?? 'nothing']),
      [`max ${SMALL_MAX}, ${WAITS.name}`, raised.advice ?? 'nothing'],
    ],
    note: `the larger pool then did ${figure(median(raised.measured))} times as much as the small one`,
  };
}

/** Where a few connections do as much as all. */
function goalsOfKnee({ name }: Load, windows: Windows): Goal[] {
  return [
    {
      claim: `${name}: throughput over the fixed pool's`,
      unit: '×',
      atLeast: 0.98,
      values: ratios(windows, PROBED, FIXED, 'perSecond'),
    },
    ...(['connections', 'heldMs'] as const).map((what) => ({
      claim: `${name}: ${what === 'heldMs' ? 'time in the database' : what} over the fixed pool's`,
      unit: '×',
      atMost: A_THIRD,
      values: ratios(windows, PROBED, FIXED, what),
    })),
  ];
}

function goalsOfWaiting(windows: Windows, { gain, measured }: Foretold): Goal[] {
  return [
    {
      claim: `${WAITS.name}: throughput over the fixed pool's`,
      unit: '×',
      atLeast: 0.99,
      values: ratios(windows, PROBED, FIXED, 'perSecond'),
    },
    {
      claim: `gain of a larger max foretold over the gain measured, from max ${SMALL_MAX}`,
      unit: '×',
      atLeast: 0.8,
      atMost: 1.5,
      values: measured.map((each) => gain / each),
    },
  ];
}
