import { everyFlag, type OptimizationFlags } from '../../src/rollout/flags.js';
import { startDatabases } from '../../test/servers/index.js';
import { climb } from '../climb.js';
import { closedLoop, type Window } from '../closed-loop.js';
import type { Goal } from '../goals.js';
import { figures, inRounds, interleave, type Measure } from '../interleave.js';
import { byChance, openLoop, TOO_LATE_MS } from '../open-loop.js';
import { say } from '../progress.js';
import { ITEM, readItem } from '../reads/items.js';
import { ownPools } from '../reads/own-pool.js';
import type { Opened } from '../reads/pool.js';
import { mean, median, middleHalf, over, paired, quantile, seeded } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { type Cell, figure, range, type Table } from '../table.js';

const STOCK = 'stock';
const STOCK_AGAIN = 'stock again';
const OFF = 'enhanced, lanes off';
const ON = 'enhanced, lanes on';
const SHARING = 'enhanced, lanes and shared reads';

const PEERS: readonly { readonly name: string; readonly flags?: OptimizationFlags }[] = [
  { name: STOCK },
  { name: STOCK_AGAIN },
  { name: OFF, flags: everyFlag('off') },
  { name: ON, flags: { ...everyFlag('off'), lanes: 'on' } },
  { name: SHARING, flags: { ...everyFlag('off'), lanes: 'on', pipelining: 'on', autoPrepare: 'on' } },
];

const MAX = 10;
const SLOW_SHARE = 0.1;
const SLOW_MS = 200;
/** What a read keeps its connection for, near enough: the slow ones are most of the load. */
const READ_MS = 1;
const UTILISATION = 0.8;
/** What would keep every connection in use all the time. */
const FULL_PER_SECOND = (1_000 * MAX) / (SLOW_SHARE * SLOW_MS + (1 - SLOW_SHARE) * READ_MS);
const PER_SECOND = UTILISATION * FULL_PER_SECOND;
/** The slow ones are carried, too, as long as the slowest of them (of some dozens) waits no longer than for four others. */
const SLOW_TOO_LATE_MS = 5 * SLOW_MS;
/** Climbs begin where every peer is at ease. */
const FIRST_UTILISATION = 0.3;
const READS_ONLY_CALLERS = 32;
/** Of the time, for reads only; and of what is left, for the mixed load: the rest is for its peak. */
const READS_SHARE = 0.15;
const MIX_SHARE = 0.5;

interface Extent {
  readonly rounds: number;
  readonly windowMs: number;
  /** The first part of a window, in which the queues come to be what they then are; its requests do not count. */
  readonly leadInMs: number;
  readonly climbs: number;
  readonly climbMs: number;
  readonly readsOnlyRounds: number;
  readonly readsOnlyMs: number;
}

const FULL: Extent = {
  rounds: 5,
  windowMs: 12_000,
  leadInMs: 2_000,
  climbs: 5,
  climbMs: 3_000,
  readsOnlyRounds: 40,
  readsOnlyMs: 150,
};
const QUICK: Extent = {
  rounds: 1,
  windowMs: 2_000,
  leadInMs: 400,
  climbs: 1,
  climbMs: 300,
  readsOnlyRounds: 4,
  readsOnlyMs: 50,
};

/** What one window of mixed load showed of one peer. */
interface MixedWindow {
  readonly fastMeanMs: number;
  readonly fastP99Ms: number;
  readonly slowMeanMs: number;
  readonly slowP99Ms: number;
  readonly perSecond: number;
}

type MixedWindows = Readonly<Record<string, readonly MixedWindow[]>>;

/** The most a second that one climb found carried. */
interface Peak {
  readonly perSecond: number;
}

type Peaks = Readonly<Record<string, readonly Peak[]>>;
type ReadsOnly = Readonly<Record<string, readonly Window[]>>;

export const mixed: Suite = {
  name: 'mixed',
  question: 'Do short queries still wait behind long ones, and what do the long ones pay for it?',
  seconds: { full: 145, quick: 16 },
  async run({ quick, time }: Effort): Promise<Findings> {
    say('(starting a server)');
    const { postgres, stop } = await startDatabases({ postgres: true });
    try {
      const extent = quick ? QUICK : FULL;
      const contestants = [];
      for (const { name, flags } of PEERS) {
        const opened = await ownPools()(postgres, MAX, flags);
        contestants.push({ name, opened });
      }
      for (const sql of ITEM) await contestants[0]!.opened.pool.query(sql);
      for (const { name, opened } of contestants) {
        say(`warming up ${name}`);
        await readsOnly(opened, quick ? 200 : 1_000);
      }
      say(`${READS_ONLY_CALLERS} callers, reads only`);
      const reads = await interleave(
        contestants,
        extent.readsOnlyRounds,
        ({ opened }) => readsOnly(opened, extent.readsOnlyMs),
        time.partOf(1 / READS_SHARE),
      );
      const half = { ...extent, windowMs: extent.windowMs / 2 };
      await together(contestants, 1, ({ opened }, round) => measure(opened, PER_SECOND, round, half));
      say(`${Math.round(PER_SECOND)} requests a second`);
      const found = await together(
        contestants,
        extent.rounds,
        ({ opened }, round) => measure(opened, PER_SECOND, round, extent),
        time.partOf(1 / MIX_SHARE),
      );
      say('the peak');
      const peaks = await together(
        contestants,
        extent.climbs,
        ({ opened }, round) => peak(opened, round, extent),
        time.partOf(1),
      );
      for (const { opened } of contestants) await opened.close();
      return {
        tables: [tableOf(found), peakTable(peaks), readsTable(reads)],
        goals: goalsOf(found, peaks, reads),
        samples: { mixed: found, peaks, reads },
      };
    } finally {
      await stop();
    }
  },
};

/**
 * All peers at once, of one load with the same arrivals: the load sleeps, and leaves the machine nearly idle. In turns their windows would be too
 * short for the queues to come to rest, and what a round lasts for its last slow query would count for what it bears.
 */
async function together<Peer extends { readonly name: string }, Figures>(
  peers: readonly Peer[],
  rounds: number,
  measureOne: (peer: Peer, round: number) => Promise<Figures>,
  endsAt?: number,
): Promise<Record<string, Figures[]>> {
  const all = await inRounds(
    rounds,
    (round) => Promise.all(peers.map((peer) => measureOne(peer, round))),
    endsAt,
  );
  return Object.fromEntries(peers.map(({ name }, at) => [name, all.map((windows) => windows[at]!)]));
}

/** Up to the first load under which one read in a hundred takes over `TOO_LATE_MS`, or a slow query over `SLOW_TOO_LATE_MS`; each peer climbs at its own pace. */
async function peak(opened: Opened, round: number, extent: Extent): Promise<Peak> {
  const window = { windowMs: extent.climbMs, leadInMs: extent.climbMs / 5 };
  const perSecond = await climb(FIRST_UTILISATION * FULL_PER_SECOND, async (load) => {
    const { fastP99Ms, slowP99Ms } = await measure(opened, load, round, window);
    return fastP99Ms <= TOO_LATE_MS && slowP99Ms <= SLOW_TOO_LATE_MS;
  });
  return { perSecond };
}

/** The same arrivals for every peer of a round. */
async function measure(
  { pool }: Opened,
  perSecond: number,
  round: number,
  { windowMs, leadInMs }: Pick<Extent, 'windowMs' | 'leadInMs'>,
): Promise<MixedWindow> {
  const random = seeded(round);
  const due = byChance(perSecond, windowMs, random);
  const slow = due.map(() => random() < SLOW_SHARE);
  const requests = await openLoop(due, 10_000, (index) =>
    slow[index] ? pool.query('SELECT pg_sleep($1)', [SLOW_MS / 1_000]) : readItem(pool, index),
  );
  const failed = requests.find(({ error }) => error !== undefined);
  if (failed !== undefined) throw failed.error;
  const latencies = (kind: boolean) =>
    requests
      .filter((_, index) => slow[index] === kind && due[index]! >= leadInMs)
      .map(({ dueAt, endedAt }) => endedAt - dueAt);
  const [fast, long] = [latencies(false), latencies(true)];
  const begunAt = requests[0]!.dueAt - due[0]!;
  const inWindow = requests.filter(
    ({ endedAt }) => endedAt >= begunAt + leadInMs && endedAt < begunAt + windowMs,
  );
  return {
    fastMeanMs: mean(fast),
    fastP99Ms: quantile(fast, 0.99),
    slowMeanMs: mean(long),
    slowP99Ms: quantile(long, 0.99),
    perSecond: (inWindow.length * 1_000) / (windowMs - leadInMs),
  };
}

function readsOnly({ pool }: Opened, windowMs: number): Promise<Window> {
  let turn = 0;
  return closedLoop(READS_ONLY_CALLERS, windowMs, () => {
    turn += 1;
    return readItem(pool, turn);
  });
}

function tableOf(found: MixedWindows): Table {
  const columns = [
    '',
    'reads ms',
    'over stock',
    'p99',
    'over stock',
    'slow ms',
    'over stock',
    'p99',
    'req/s',
  ];
  const rows = PEERS.map(({ name }): Cell[] => {
    const middle = (what: keyof MixedWindow) => figure(median(figures(found, name, what)));
    const overStock = (what: keyof MixedWindow) => figure(median(ratios(found, name, what)));
    return [
      name,
      middle('fastMeanMs'),
      overStock('fastMeanMs'),
      middle('fastP99Ms'),
      overStock('fastP99Ms'),
      middle('slowMeanMs'),
      overStock('slowMeanMs'),
      middle('slowP99Ms'),
      middle('perSecond'),
    ];
  });
  const title = `${100 * (1 - SLOW_SHARE)} % reads by key, ${100 * SLOW_SHARE} % of ${SLOW_MS} ms, ${Math.round(PER_SECOND)} a second by chance, max ${MAX}`;
  return {
    title,
    columns,
    rows,
    note: 'From when a request was due. All peers at once, with the same arrivals. ms: mean of a window; median of windows',
  };
}

function peakTable(peaks: Peaks): Table {
  return {
    title: `The same mix: the most a second with a p99 of ${TOO_LATE_MS} ms of the reads, and hardly a slow one over ${SLOW_TOO_LATE_MS}`,
    columns: ['', 'requests/s', 'middle half', 'over stock'],
    rows: PEERS.map(({ name }) => [
      name,
      figure(median(figures(peaks, name, 'perSecond'))),
      range(middleHalf(figures(peaks, name, 'perSecond'))),
      figure(median(ratios(peaks, name, 'perSecond'))),
    ]),
    note: `${Math.round(FULL_PER_SECOND)} a second would keep every connection in use all the time`,
  };
}

function readsTable(reads: ReadsOnly): Table {
  return {
    title: `Reads by key only, ${READS_ONLY_CALLERS} callers, max ${MAX}`,
    columns: ['', 'reads/s', 'middle half', 'over lanes off'],
    rows: PEERS.map(({ name }) => [
      name,
      figure(median(figures(reads, name, 'perSecond'))),
      range(middleHalf(figures(reads, name, 'perSecond'))),
      figure(median(paired(figures(reads, name, 'perSecond'), figures(reads, OFF, 'perSecond'), over))),
    ]),
  };
}

function ratios<Figures>(
  found: Readonly<Record<string, readonly Figures[]>>,
  name: string,
  what: Measure<Figures>,
): number[] {
  return paired(figures(found, name, what), figures(found, STOCK, what), over);
}

function goalsOf(found: MixedWindows, peaks: Peaks, reads: ReadsOnly): Goal[] {
  const times = (claim: string, what: keyof MixedWindow, bound: Partial<Goal>): Goal => ({
    claim,
    unit: '×',
    ...bound,
    values: ratios(found, ON, what),
  });
  return [
    times('lanes over stock: mean of the reads', 'fastMeanMs', { atMost: 1 / 8 }),
    times('lanes over stock: p99 of the reads', 'fastP99Ms', { atMost: 1 / 5 }),
    times('lanes over stock: mean of the slow', 'slowMeanMs', { atMost: 1.15 }),
    times('lanes over stock: throughput', 'perSecond', { atLeast: 0.99 }),
    {
      claim: 'peak of the mix: lanes and shared reads over stock',
      unit: '×',
      atLeast: 1.5,
      values: ratios(peaks, SHARING, 'perSecond'),
    },
    {
      claim: 'lanes and shared reads over lanes alone: p99 of the reads',
      unit: '×',
      atMost: 1,
      values: paired(figures(found, SHARING, 'fastP99Ms'), figures(found, ON, 'fastP99Ms'), over),
    },
    {
      claim: 'reads only: lanes on over off, throughput',
      unit: '×',
      atLeast: 0.99,
      values: paired(figures(reads, ON, 'perSecond'), figures(reads, OFF, 'perSecond'), over),
    },
    {
      claim: 'A/A: mean of the reads, stock over stock',
      unit: '×',
      straddles: 1,
      values: ratios(found, STOCK_AGAIN, 'fastMeanMs'),
    },
  ];
}
