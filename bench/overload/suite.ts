import type { OptimizationFlags } from '../../src/index.js';
import { type Databases, startDatabases } from '../../test/servers/index.js';
import type { Chart } from '../chart.js';
import { climb } from '../climb.js';
import { SETTLED } from '../enhancement.js';
import type { Goal } from '../goals.js';
import { figures, interleave } from '../interleave.js';
import { byChance, openLoop, TOO_LATE_MS } from '../open-loop.js';
import { say } from '../progress.js';
import { ITEM, readItem } from '../reads/items.js';
import { ownPools } from '../reads/own-pool.js';
import type { Opened } from '../reads/pool.js';
import { median, middleHalf, over, paired, quantile, seeded } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { type Cell, figure, range, type Table } from '../table.js';
import { TUNED_MAX } from '../tuned.js';

const DEFAULT_MAX = 10;

interface Peer {
  readonly name: string;
  readonly max: number;
  /** Of ours; undefined for stock. */
  readonly flags?: OptimizationFlags;
}

const STOCK = 'stock';
const STOCK_AGAIN = 'stock again';
const TUNED = 'stock, tuned';
const ENHANCED = 'enhanced';
const ENHANCED_TUNED = 'enhanced, tuned';

const PEERS: readonly Peer[] = [
  { name: STOCK, max: DEFAULT_MAX },
  { name: STOCK_AGAIN, max: DEFAULT_MAX },
  { name: TUNED, max: TUNED_MAX },
  { name: ENHANCED, max: DEFAULT_MAX, flags: SETTLED },
  { name: ENHANCED_TUNED, max: TUNED_MAX, flags: SETTLED },
];

const GIVE_UP_MS = 5_000;

const FIRST_PER_SECOND = 4_000;

interface Extent {
  readonly rounds: number;
  readonly windowMs: number;
  readonly warmUpMs: number;
}

const FULL: Extent = { rounds: 7, windowMs: 500, warmUpMs: 1_500 };
const QUICK: Extent = { rounds: 1, windowMs: 100, warmUpMs: 200 };

/** What one climb showed of one peer. */
interface Climb {
  readonly peakPerSecond: number;
  /** Each load that was tried, and what one request in a hundred took longer than. */
  readonly tried: readonly (readonly [perSecond: number, p99Ms: number])[];
}

type Climbs = Readonly<Record<string, readonly Climb[]>>;

export const overload: Suite = {
  name: 'overload',
  question: `How many reads a second does each pool carry before one in a hundred takes over ${TOO_LATE_MS} ms?`,
  seconds: { full: 75, quick: 9 },
  async run({ quick, time }: Effort): Promise<Findings> {
    say('(starting a server)');
    const databases = await startDatabases({ postgres: true });
    try {
      const extent = quick ? QUICK : FULL;
      const contestants = await openAll(databases, extent);
      say('the peak');
      const measure = ({ opened, turn }: (typeof contestants)[number]) => {
        turn.round += 1;
        return climbOnce(opened, turn.round, extent);
      };
      const climbs = await interleave(contestants, extent.rounds, measure, time.partOf(1));
      for (const { opened } of contestants) await opened.close();
      return {
        tables: [tableOf(climbs)],
        goals: goalsOf(climbs),
        charts: [chartOf(climbs)],
        samples: climbs,
      };
    } finally {
      await databases.stop();
    }
  },
};

async function openAll({ postgres }: Databases<'postgres'>, { warmUpMs }: Extent) {
  const contestants = [];
  for (const { name, max, flags } of PEERS) {
    const opened = await ownPools()(postgres, max, flags);
    if (contestants.length === 0) for (const sql of ITEM) await opened.pool.query(sql);
    say(`warming up ${name}`);
    await Promise.all(Array.from({ length: max }, () => opened.pool.query('SELECT pg_sleep(0.05)')));
    await p99Ms(opened, FIRST_PER_SECOND, 0, warmUpMs);
    contestants.push({ name, opened, turn: { round: 0 } });
  }
  return contestants;
}

async function climbOnce(opened: Opened, round: number, { windowMs }: Extent): Promise<Climb> {
  const tried: [number, number][] = [];
  const peakPerSecond = await climb(FIRST_PER_SECOND, async (perSecond) => {
    const p99 = await p99Ms(opened, perSecond, round, windowMs);
    tried.push([Math.round(perSecond), p99]);
    return p99 <= TOO_LATE_MS;
  });
  return { peakPerSecond, tried };
}

/** From when a request was due. */
async function p99Ms({ pool }: Opened, perSecond: number, seed: number, windowMs: number): Promise<number> {
  const due = byChance(perSecond, windowMs, seeded(seed));
  const requests = await openLoop(due, GIVE_UP_MS, (index) => readItem(pool, index));
  const failed = requests.find(({ error }) => error !== undefined);
  if (failed !== undefined) throw failed.error;
  return quantile(
    requests.map(({ dueAt, endedAt }) => endedAt - dueAt),
    0.99,
  );
}

function tableOf(climbs: Climbs): Table {
  return {
    title: `Reads by key on PostgreSQL: the most a second with a p99 of ${TOO_LATE_MS} ms`,
    columns: ['', 'max', 'requests/s', 'middle half', 'over stock'],
    rows: PEERS.map(({ name, max }): Cell[] => [
      name,
      max,
      figure(median(figures(climbs, name, 'peakPerSecond'))),
      range(middleHalf(figures(climbs, name, 'peakPerSecond'))),
      figure(median(peaks(climbs, name, STOCK))),
    ]),
    note: 'arrivals by chance, whether or not earlier requests were answered; the client shares the machine with the server',
  };
}

function chartOf(climbs: Climbs): Chart {
  return {
    title: 'What one request in a hundred takes longer than, by load',
    x: { label: 'requests a second' },
    y: { label: 'p99 ms', logarithmic: true },
    series: PEERS.filter(({ name }) => name !== STOCK_AGAIN).map(({ name }) => ({
      name,
      points: mediansByLoad(climbs[name] ?? []),
    })),
    note: `Until the first load at which it is over ${TOO_LATE_MS} ms.`,
  };
}

function mediansByLoad(climbs: readonly Climb[]): [number, number][] {
  const byLoad = new Map<number, number[]>();
  for (const [perSecond, p99] of climbs.flatMap(({ tried }) => tried)) {
    if (Number.isFinite(p99)) byLoad.set(perSecond, [...(byLoad.get(perSecond) ?? []), p99]);
  }
  return [...byLoad]
    .sort(([one], [other]) => one - other)
    .map(([perSecond, all]) => [perSecond, median(all)]);
}

function peaks(climbs: Climbs, name: string, against: string): number[] {
  return paired(figures(climbs, name, 'peakPerSecond'), figures(climbs, against, 'peakPerSecond'), over);
}

function goalsOf(climbs: Climbs): Goal[] {
  return [
    { claim: 'peak over stock', unit: '×', atLeast: 2.5, values: peaks(climbs, ENHANCED, STOCK) },
    { claim: 'peak over tuned stock', unit: '×', atLeast: 2, values: peaks(climbs, ENHANCED_TUNED, TUNED) },
    { claim: 'A/A: stock over stock', unit: '×', straddles: 1, values: peaks(climbs, STOCK, STOCK_AGAIN) },
  ];
}
