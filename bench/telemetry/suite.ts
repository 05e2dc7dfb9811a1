import type { Address } from '../../test/servers/database.js';
import { startDatabases } from '../../test/servers/index.js';
import type { Allotment } from '../allotment.js';
import type { Window } from '../closed-loop.js';
import type { Goal } from '../goals.js';
import { figures, interleave } from '../interleave.js';
import { say } from '../progress.js';
import { prepare } from '../query/suite.js';
import { above, median, middleHalf, over, paired } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { type Cell, figure, range, type Table } from '../table.js';
import { PoolsProcess, type PoolWish } from './pools-process.js';

interface Peer extends PoolWish {
  /** The peer without that telemetry, whose CPU is taken off. */
  readonly against?: string;
}

const SILENT = { metrics: false, acquireSpans: 'none', connectSpans: false, checkSpans: false } as const;
const SPANS = { ...SILENT, acquireSpans: 'waited', connectSpans: true, querySpans: true } as const;

const ENGINE_SAMPLED = 'engine, silent, in a sampled trace';
const ENGINE = 'engine, silent, in a trace that is not';
const ENGINE_AGAIN = 'engine, silent, again';
const METRICS = 'engine, all metrics';
const SPANS_SAMPLED = 'engine, query spans, sampled';
const SPANS_NOT = 'engine, query spans, not sampled';
const EVERYTHING = 'engine, everything, sampled';
const STOCK_SAMPLED = 'stock pool, sampled';
const STOCK = 'stock pool, not sampled';
const STOCK_INSTRUMENTED = 'stock pool and instrumentation, sampled';
const STOCK_INSTRUMENTED_NOT = 'stock pool and instrumentation, not sampled';

const PEERS: readonly Peer[] = [
  { name: ENGINE_SAMPLED, telemetry: SILENT, sampled: true },
  { name: ENGINE, telemetry: SILENT, sampled: false },
  { name: ENGINE_AGAIN, telemetry: SILENT, sampled: false, against: ENGINE },
  { name: METRICS, telemetry: { ...SILENT, metrics: true }, sampled: false, against: ENGINE },
  { name: SPANS_SAMPLED, telemetry: SPANS, sampled: true, against: ENGINE_SAMPLED },
  { name: SPANS_NOT, telemetry: SPANS, sampled: false, against: ENGINE },
  { name: EVERYTHING, telemetry: { querySpans: true }, sampled: true, against: ENGINE_SAMPLED },
  { name: STOCK_SAMPLED, sampled: true },
  { name: STOCK, sampled: false },
  { name: STOCK_INSTRUMENTED, stockInstrumentation: true, sampled: true, against: STOCK_SAMPLED },
  { name: STOCK_INSTRUMENTED_NOT, stockInstrumentation: true, sampled: false, against: STOCK },
];

const CALLERS = 10;
const CONNECTIONS = 10;

const FULL = { launches: 3, rounds: 14, windowMs: 80, warmUpMs: 1_400 };
const QUICK = { launches: 1, rounds: 6, windowMs: 60, warmUpMs: 400 };

/** A pool that learns how long its queries take while nothing is compiled would go by that for minutes: this one does, and is not measured. */
const COLD = 'cold';

type Extent = typeof FULL;

/** What shares a process. */
const PROCESSES: readonly (readonly Peer[])[] = [
  PEERS.filter(({ telemetry }) => telemetry !== undefined),
  PEERS.filter(({ telemetry, stockInstrumentation }) => telemetry === undefined && !stockInstrumentation),
  ...PEERS.filter(({ stockInstrumentation }) => stockInstrumentation).map((peer) => [peer]),
];

type Windows = Readonly<Record<string, readonly Window[]>>;

export const telemetry: Suite = {
  name: 'telemetry',
  question:
    'What does it cost a query on a real server to be observed, by us and by the stock instrumentation?',
  seconds: { full: 60, quick: 14 },
  async run({ quick, time }: Effort): Promise<Findings> {
    say('(starting servers)');
    const databases = await startDatabases({
      postgres: { settings: { max_connections: 2 * PEERS.length * CONNECTIONS } },
      mysql: true,
    });
    try {
      const against = await prepare(databases);
      const windows = await measureLaunches(databases.postgres, quick ? QUICK : FULL, time);
      return { tables: [tableOf(windows)], goals: goalsOf(windows), samples: windows, against };
    } finally {
      await databases.stop();
    }
  },
};

/** In several processes of each kind, for each compiles its code in its own way, and half as fast as another. */
async function measureLaunches(address: Address, extent: Extent, time: Allotment): Promise<Windows> {
  const windows: Record<string, Window[]> = Object.fromEntries(PEERS.map(({ name }) => [name, []]));
  for (let launch = 0; launch < extent.launches; launch += 1) {
    say(`launch ${launch + 1} of ${extent.launches}`);
    const shown = await measureLaunch(address, extent, launch, time.partOf(extent.launches - launch));
    for (const { name } of PEERS) windows[name]!.push(...shown[name]!);
  }
  return windows;
}

async function measureLaunch(
  address: Address,
  { rounds, windowMs, warmUpMs }: Extent,
  launch: number,
  endsAt: number,
): Promise<Windows> {
  const processes = PROCESSES.map((peers) => {
    const pools = rotated(peers, launch);
    const coldOnes = pools.length > 1 ? [{ ...pools[0]!, name: COLD }] : [];
    return {
      pools,
      process: new PoolsProcess({ address, size: CONNECTIONS, pools: [...coldOnes, ...pools] }),
    };
  });
  try {
    for (const { pools, process } of processes) {
      await process.measure(pools.length > 1 ? COLD : pools[0]!.name, CALLERS, warmUpMs);
      for (const { name } of pools) await process.measure(name, CALLERS, warmUpMs / 4);
    }
    const contestants = processes.flatMap(({ pools, process }) =>
      pools.map(({ name }) => ({ name, process })),
    );
    return await interleave(
      contestants,
      rounds,
      ({ name, process }) => process.measure(name, CALLERS, windowMs),
      endsAt,
    );
  } finally {
    await Promise.allSettled(processes.map(({ process }) => process.stop()));
  }
}

/** Nobody is to be the first of all in every launch. */
function rotated<T>(items: readonly T[], by: number): T[] {
  return items.map((_, index) => items[(index + by) % items.length]!);
}

function tableOf(windows: Windows): Table {
  return {
    title: `${CALLERS} callers, at most ${CONNECTIONS} connections, pg, each query in a span of its application`,
    columns: ['', 'queries/s', 'CPU µs', 'of telemetry', 'middle half', 'p50 µs', 'p99 µs'],
    rows: PEERS.map(({ name, against }): Cell[] => {
      const surplus = against === undefined ? [] : cpuOver(windows, name, against);
      return [
        name,
        figure(median(figures(windows, name, 'perSecond'))),
        figure(median(figures(windows, name, 'cpuMicroseconds'))),
        against === undefined ? '' : figure(median(surplus)),
        against === undefined ? '' : range(middleHalf(surplus)),
        figure(median(figures(windows, name, 'p50Microseconds'))),
        figure(median(figures(windows, name, 'p99Microseconds'))),
      ];
    }),
    note: 'of telemetry: µs of CPU a query more than the same pool without it in the same round',
  };
}

function goalsOf(windows: Windows): Goal[] {
  const cost = (claim: string, atMost: number, name: string, against: string): Goal => ({
    claim,
    unit: 'µs',
    atMost,
    values: cpuOver(windows, name, against),
  });
  // Round by round it would be a quotient of two small differences.
  const lostToStock = median(lost(windows, STOCK_INSTRUMENTED, STOCK_SAMPLED));
  return [
    cost('all metrics', 1.5, METRICS, ENGINE),
    cost('query spans, sampled', 6, SPANS_SAMPLED, ENGINE_SAMPLED),
    cost('query spans, not sampled', 3, SPANS_NOT, ENGINE),
    {
      claim: 'throughput lost to everything, over what stock loses',
      unit: '×',
      atMost: 0.33,
      values: lost(windows, EVERYTHING, ENGINE_SAMPLED).map((share) => share / lostToStock),
    },
    {
      claim: 'A/A: engine, silent, over itself: CPU',
      unit: '×',
      straddles: 1,
      values: paired(
        figures(windows, ENGINE_AGAIN, 'cpuMicroseconds'),
        figures(windows, ENGINE, 'cpuMicroseconds'),
        over,
      ),
    },
  ];
}

function lost(windows: Windows, name: string, against: string): number[] {
  return paired(
    figures(windows, name, 'perSecond'),
    figures(windows, against, 'perSecond'),
    (one, other) => 1 - one / other,
  );
}

function cpuOver(windows: Windows, name: string, against: string): number[] {
  return paired(
    figures(windows, name, 'cpuMicroseconds'),
    figures(windows, against, 'cpuMicroseconds'),
    above,
  );
}
