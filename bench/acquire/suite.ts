import { interleave } from '../interleave.js';
import { say } from '../progress.js';
import type { Effort, Findings, Suite } from '../suite.js';
import type { Table } from '../table.js';
import { crowdChart, footprintTable, goalsOf, sizeTable, stormTable, timeTable } from './findings.js';
import { type Footprint, measureFootprints } from './footprint.js';
import type { TimeoutStorm } from './loops.js';
import type { PeerPool } from './peer.js';
import * as peers from './peers.js';

/** Nanoseconds per operation, a value for each round, by peer. */
export type Times = Readonly<Record<string, readonly number[]>>;

/** Everything the suite measures. */
export interface Measurements {
  readonly uncontended: Times;
  readonly tried: Times;
  /** By the number of callers. */
  readonly contended: Readonly<Record<number, Times>>;
  /** By peer; the names in it are those of `occupancyName`. */
  readonly bySize: Readonly<Record<string, Times>>;
  readonly storms: Readonly<Record<string, readonly TimeoutStorm[]>>;
  readonly footprints: Readonly<Record<string, Footprint>>;
}

interface Extent {
  readonly rounds: number;
  readonly sizeRounds: number;
  /** Of so many callers. */
  readonly crowds: readonly number[];
  /** Whose pools are measured at every size. */
  readonly sized: readonly string[];
  readonly windowMs: number;
  readonly warmUpMs: number;
  /** In a crowd, operations for each caller, so that its gathering and parting weigh little. */
  readonly operationsPerCaller: number;
  readonly storms: number;
  readonly footprintSamples: number;
}

const FULL: Extent = {
  rounds: 25,
  sizeRounds: 15,
  crowds: [64, 512, 4_096],
  // A thousand mysql2 connections take ten seconds to open, and their pool is a list like pg's.
  sized: peers.PEERS.filter(({ file }) => file !== 'floor' && file !== 'mysql2').map(({ name }) => name),
  windowMs: 30,
  warmUpMs: 300,
  operationsPerCaller: 16,
  storms: 9,
  footprintSamples: 9,
};
const QUICK: Extent = {
  rounds: 5,
  sizeRounds: 5,
  crowds: [4_096],
  // Of whom a goal speaks.
  sized: [peers.ENGINE],
  windowMs: 6,
  warmUpMs: 40,
  operationsPerCaller: 6,
  storms: 2,
  footprintSamples: 2,
};

const SLOTS = 10;
const LEAD_IN_OPERATIONS = 2_000;
export const SIZES = [10, 100, 1_000];
export const OCCUPANCIES = ['all idle', 'one idle'] as const;
export type Occupancy = (typeof OCCUPANCIES)[number];

const STORM_CALLERS = 10_000;
const STORM_TIMEOUT_MS = 100;
const STORM_PAUSE_MS = 50;
/** Those that have a timeout, and take so many callers. */
const STORM_PEERS = [
  peers.ENGINE,
  peers.PG,
  peers.PG_STOCK,
  peers.KNEX,
  peers.KNEX_STOCK,
  peers.TARN,
  peers.GENERIC_POOL,
];

export const acquire: Suite = {
  name: 'acquire',
  question: 'What does a warm acquire and release cost, by itself and with many waiting?',
  seconds: { full: 100, quick: 16 },
  async run({ quick, time }: Effort): Promise<Findings> {
    const extent = quick ? QUICK : FULL;
    const contended: Record<number, Times> = {};
    const sized = peers.PEERS.filter(({ name }) => extent.sized.includes(name));
    // Uncontended, tries, timeouts and footprints are a part each.
    let parts = 4 + extent.crowds.length + sized.length;
    const partEndsAt = () => {
      parts -= 1;
      return time.partOf(parts + 1);
    };
    say('uncontended');
    const uncontended = await measureUncontended(extent, partEndsAt());
    const tried = await measureTries(extent, partEndsAt());
    for (const callers of extent.crowds) {
      say(`${callers} callers`);
      contended[callers] = await measureCrowd(callers, extent, partEndsAt());
    }
    const bySize: Record<string, Times> = {};
    for (const peer of sized) {
      say(`${peer.name} by size`);
      bySize[peer.name] = await measureSizes(peer, extent, partEndsAt());
    }
    say('timeouts');
    const storms = await measureStorms(extent, partEndsAt());
    say('bytes and promises');
    const footprints = await measureFootprints(extent.footprintSamples);
    const measurements: Measurements = { uncontended, tried, contended, bySize, storms, footprints };
    return {
      tables: tablesOf(measurements),
      goals: goalsOf(measurements),
      charts: [crowdChart(contended)],
      samples: { ...measurements },
    };
  },
};

function tablesOf({ uncontended, tried, contended, bySize, storms, footprints }: Measurements): Table[] {
  return [
    timeTable('Uncontended, pool of 10 (ns per acquire and release)', { ...uncontended, ...tried }),
    ...Object.entries(contended).map(([callers, times]) =>
      timeTable(`${callers} callers on ${SLOTS} connections (ns per acquire, yield and release)`, times),
    ),
    sizeTable(bySize),
    stormTable(`${STORM_CALLERS} callers time out at once`, storms),
    footprintTable(footprints),
  ];
}

/** A peer about to be measured. */
interface Contestant {
  readonly name: string;
  readonly pool: PeerPool;
  /** Another pool's worth of `pool`'s peer runs `operations` times. */
  readonly run: (operations: number) => Promise<void>;
  operations: number;
}

function measureUncontended(extent: Extent, endsAt: number): Promise<Times> {
  const all = [...peers.PEERS, { name: peers.TARN_AGAIN, file: 'tarn' }];
  return measureAll(all, extent.rounds, endsAt, extent, async (peer) => {
    const { loops, open } = peers.load(peer);
    const pool = await open({ size: SLOTS });
    await loops.fill(pool, SLOTS);
    return {
      name: peer.name,
      pool,
      run: (operations) => loops.sequence(pool, operations),
      operations: 1_000,
    };
  });
}

function measureTries(extent: Extent, endsAt: number): Promise<Times> {
  const able = peers.PEERS.filter(({ file }) => file === 'engine');
  return measureAll(able, extent.rounds, endsAt, extent, async (peer) => {
    const { loops, open } = peers.load(peer);
    const pool = await open({ size: SLOTS });
    await loops.fill(pool, SLOTS);
    const run = (operations: number) => loops.tries(pool, operations);
    return { name: tryName(peer.name), pool, run, operations: 10_000 };
  });
}

export function tryName(peer: string): string {
  return `${peer}: tryAcquire`;
}

function measureCrowd(callers: number, extent: Extent, endsAt: number): Promise<Times> {
  const pools = peers.PEERS.filter(({ name }) => name !== peers.FLOOR);
  return measureAll(pools, extent.rounds, endsAt, extent, async (peer) => {
    const { loops, open } = peers.load(peer);
    const pool = await open({ size: SLOTS });
    await loops.fill(pool, SLOTS);
    const run = (operations: number) => loops.crowd(pool, callers, operations);
    return { name: peer.name, pool, run, operations: callers * extent.operationsPerCaller };
  });
}

/** One peer at every size and occupancy, so that its sizes are paired with each other. */
async function measureSizes(peer: peers.Peer, extent: Extent, endsAt: number): Promise<Times> {
  const { loops, open } = peers.load(peer);
  const pools = SIZES.flatMap((size) =>
    OCCUPANCIES.map((occupancy) => ({ name: occupancyName(size, occupancy), size, occupancy })),
  );
  return measureAll(pools, extent.sizeRounds, endsAt, extent, async ({ name, size, occupancy }) => {
    const pool = await open({ size });
    await loops.fill(pool, size);
    if (occupancy === 'one idle') await loops.hold(pool, size - 1);
    return { name, pool, run: (operations) => loops.sequence(pool, operations), operations: 1_000 };
  });
}

export function occupancyName(size: number, occupancy: Occupancy): string {
  return `${size}, ${occupancy}`;
}

/** Opens, warms up, measures in turn and closes. */
async function measureAll<Of>(
  all: readonly Of[],
  rounds: number,
  endsAt: number,
  { windowMs, warmUpMs }: Extent,
  open: (of: Of) => Promise<Contestant>,
): Promise<Times> {
  const contestants: Contestant[] = [];
  for (const one of all) contestants.push(await open(one));
  for (const contestant of contestants) await warmUp(contestant, windowMs, warmUpMs);
  const times = await interleave(contestants, rounds, nanosecondsPerOperation, endsAt);
  for (const { pool } of contestants) await pool.close();
  return times;
}

/** Runs until the compiler has made up its mind; afterwards `operations` fill a window, or are as many as at first. */
async function warmUp(contestant: Contestant, windowMs: number, warmUpMs: number): Promise<void> {
  const least = contestant.operations;
  const begin = performance.now();
  for (;;) {
    const runAt = performance.now();
    await contestant.run(contestant.operations);
    const tookMs = Math.max(performance.now() - runAt, 0.01);
    const wanted = Math.round((contestant.operations * windowMs) / tookMs);
    contestant.operations = Math.max(least, Math.min(wanted, contestant.operations * 2));
    if (runAt - begin > warmUpMs) return;
  }
}

/** A short run first, untimed: a pool that rested while others were measured wakes up, and checks what rested in it. */
async function nanosecondsPerOperation({ run, operations }: Contestant): Promise<number> {
  await run(LEAD_IN_OPERATIONS);
  const begin = performance.now();
  await run(operations);
  return ((performance.now() - begin) * 1e6) / operations;
}

async function measureStorms({ storms }: Extent, endsAt: number): Promise<Record<string, TimeoutStorm[]>> {
  const contestants = [];
  for (const peer of peers.PEERS.filter(({ name }) => STORM_PEERS.includes(name))) {
    const { loops, open } = peers.load(peer);
    const pool = await open({ size: SLOTS, acquireTimeoutMs: STORM_TIMEOUT_MS });
    await loops.hold(pool, SLOTS);
    contestants.push({ name: peer.name, loops, pool });
  }
  const measured = await interleave(
    contestants,
    storms + 1,
    async ({ loops, pool }) => {
      await new Promise((resolve) => setTimeout(resolve, STORM_PAUSE_MS));
      return loops.timeOutTogether(pool, STORM_CALLERS, STORM_TIMEOUT_MS);
    },
    endsAt,
  );
  for (const { pool } of contestants) await pool.close();
  // The first storm finds cold code.
  return Object.fromEntries(Object.entries(measured).map(([name, all]) => [name, all.slice(1)]));
}
