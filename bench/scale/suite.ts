import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolInfo } from '../../adapters/host.js';
import { createPool, type Pool } from '../../src/index.js';
import { observedHost } from '../enhancement.js';
import type { Goal } from '../goals.js';
import { interleave } from '../interleave.js';
import { say } from '../progress.js';
import { median, middleHalf } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { figure, range, type Table } from '../table.js';

const COUNTS = [1, 10, 100, 1_000];
/** Connections that each pool has, idle. */
const CONNECTIONS = 2;
/** After which a pool that is not used has no timer. */
const REST_MS = 500;

type Host = ReturnType<typeof observedHost>['host'];

interface Extent {
  readonly rounds: number;
  readonly windowMs: number;
}

const FULL: Extent = { rounds: 5, windowMs: 1_500 };
const QUICK: Extent = { rounds: 1, windowMs: 200 };

/** What so many pools of one process cost. */
interface Cost {
  /** Metrics on. */
  readonly bytesPerPool: number;
  /** Of a core's time, for one collection of the metrics of all. */
  readonly collectionMs: number;
  /** Of one core, while nobody uses them, over a process without pools. */
  readonly idleCorePercent: number;
  /** While each is used once a second. */
  readonly usedCorePercent: number;
}

type Costs = Readonly<Record<number, readonly Cost[]>>;

export const scale: Suite = {
  name: 'scale',
  question: 'What do up to a thousand pools in one process cost while they have little to do?',
  seconds: { full: 58, quick: 8 },
  async run({ quick, time }: Effort): Promise<Findings> {
    const extent = quick ? QUICK : FULL;
    const contestants = COUNTS.map((count) => ({ name: `${count}`, count }));
    const one = ({ count }: (typeof contestants)[number]) => {
      say(`${count} pools`);
      return measure(count, extent);
    };
    const costs: Costs = await interleave(contestants, extent.rounds, one, time.partOf(1));
    return {
      tables: [tableOf(costs)],
      goals: goalsOf(costs),
      charts: [
        {
          title: 'A core’s time, by the number of pools',
          x: { label: 'pools', logarithmic: true },
          y: { label: '% of one core' },
          series: [
            { name: 'idle', points: pointsOf(costs, 'idleCorePercent') },
            { name: 'each used once a second', points: pointsOf(costs, 'usedCorePercent') },
          ],
        },
      ],
      samples: costs,
    };
  },
};

async function measure(count: number, extent: Extent): Promise<Cost> {
  return { ...(await measureObserved(count)), ...(await measureIdle(count, extent)) };
}

async function measureObserved(count: number): Promise<Pick<Cost, 'bytesPerPool' | 'collectionMs'>> {
  const { host, collect, stop } = observedHost();
  const bytesBefore = heapBytes();
  const pools = await openAll(count, host);
  await collect();
  const bytesPerPool = (heapBytes() - bytesBefore) / count;
  const cpuBefore = process.cpuUsage();
  await collect();
  const collectionMs = milliseconds(process.cpuUsage(cpuBefore));
  await closeAll(pools);
  await stop();
  return { bytesPerPool, collectionMs };
}

async function measureIdle(
  count: number,
  { windowMs }: Extent,
): Promise<Pick<Cost, 'idleCorePercent' | 'usedCorePercent'>> {
  const { host, stop } = observedHost({ telemetry: { metrics: false } });
  await stop();
  const before = await corePercent(windowMs);
  const pools = await openAll(count, host);
  const idle = await corePercent(windowMs);
  const timers = pools.map((pool, index) => every(1_000, index / count, () => hold(pool)));
  await sleep(1_000);
  const used = await corePercent(windowMs);
  for (const cancel of timers) cancel();
  await closeAll(pools);
  return { idleCorePercent: idle - before, usedCorePercent: used - before };
}

/** With their connections open, and at rest. */
async function openAll(count: number, host: Host): Promise<Pool<object>[]> {
  const pools = Array.from({ length: count }, (_, index) => open(host, index));
  await Promise.all(pools.flatMap((pool) => Array.from({ length: CONNECTIONS }, () => hold(pool))));
  await sleep(REST_MS);
  return pools;
}

async function closeAll(pools: readonly Pool<object>[]): Promise<void> {
  await Promise.all(pools.map((pool) => pool.drain({ deadlineMs: 0 })));
}

function open(host: Host, index: number): Pool<object> {
  const info: PoolInfo = {
    library: 'pg',
    pool: {},
    system: 'postgresql',
    database: `bench-${index}`,
    serverAddress: 'localhost',
    serverPort: 5432,
  };
  const observer = host.setUp(info)?.observer;
  const pool = createPool<object>({
    driver: { open: async () => ({}), check: async () => {}, close: () => {} },
    options: { max: 10, idleTimeoutMs: 0 },
    observer,
  });
  host.adopted(info, pool as Pool<unknown>);
  return pool;
}

async function hold(pool: Pool<object>): Promise<void> {
  const lease = await pool.acquire();
  await sleep(1);
  lease.release();
}

/** Begins within the first interval, at the share `phase` of it. */
function every(intervalMs: number, phase: number, run: () => unknown): () => void {
  let timer = setTimeout(() => {
    timer = setInterval(run, intervalMs);
  }, intervalMs * phase);
  return () => clearInterval(timer);
}

async function corePercent(windowMs: number): Promise<number> {
  const cpuBefore = process.cpuUsage();
  const begin = performance.now();
  await sleep(windowMs);
  return (100 * milliseconds(process.cpuUsage(cpuBefore))) / (performance.now() - begin);
}

function milliseconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1_000;
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function figuresOf(costs: Costs, count: number, what: keyof Cost): number[] {
  return (costs[count] ?? []).map((cost) => cost[what]);
}

function pointsOf(costs: Costs, what: keyof Cost): [number, number][] {
  return COUNTS.map((count) => [count, median(figuresOf(costs, count, what))]);
}

function tableOf(costs: Costs): Table {
  const middle = (count: number, what: keyof Cost) => figure(median(figuresOf(costs, count, what)));
  return {
    title: `Pools of ${CONNECTIONS} idle connections`,
    columns: [
      'pools',
      'bytes each',
      'a collection, ms',
      'idle, % of a core',
      'middle half',
      'used, % of a core',
    ],
    rows: COUNTS.map((count) => [
      count,
      middle(count, 'bytesPerPool'),
      middle(count, 'collectionMs'),
      middle(count, 'idleCorePercent'),
      range(middleHalf(figuresOf(costs, count, 'idleCorePercent'))),
      middle(count, 'usedCorePercent'),
    ]),
    note: 'bytes and collection: with metrics; collections come once a minute by default. idle and used (each once a second): without metrics, over the same process before',
  };
}

function goalsOf(costs: Costs): Goal[] {
  const times = (what: keyof Cost, of: number, over: number) =>
    figuresOf(costs, of, what).map((cost, round) => cost / costs[over]![round]![what]);
  return [
    {
      claim: '1,000 idle pools',
      unit: '% of a core',
      atMost: 1,
      values: figuresOf(costs, 1_000, 'idleCorePercent'),
    },
    {
      claim: '1,000 idle pools: collections of their metrics, once a minute',
      unit: '% of a core',
      atMost: 1,
      values: figuresOf(costs, 1_000, 'collectionMs').map((ms) => (100 * ms) / 60_000),
    },
    {
      claim: 'memory of a pool, of 1,000 over of 100',
      unit: '×',
      atMost: 1.1,
      values: times('bytesPerPool', 1_000, 100),
    },
  ];
}
