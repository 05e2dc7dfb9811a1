import { startDatabases } from '../../test/servers/index.js';
import type { Window } from '../closed-loop.js';
import type { Goal } from '../goals.js';
import { figures, interleave } from '../interleave.js';
import { say } from '../progress.js';
import { ClientProcess } from '../query/client-process.js';
import { prepare } from '../query/suite.js';
import { above, median, middleHalf, over, paired } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { type Cell, figure, range, type Table } from '../table.js';
import type { PoolWish } from './peers/pg.js';

interface Peer extends Omit<PoolWish, 'address' | 'size'> {
  readonly name: string;
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

const FULL = { rounds: 40, windowMs: 150, warmUpMs: 1_200 };
const QUICK = { rounds: 6, windowMs: 60, warmUpMs: 200 };

type Windows = Readonly<Record<string, readonly Window[]>>;

export const telemetry: Suite = {
  name: 'telemetry',
  question:
    'What does it cost a query on a real server to be observed, by us and by the stock instrumentation?',
  seconds: { full: 70, quick: 11 },
  async run({ quick, time }: Effort): Promise<Findings> {
    say('(starting servers)');
    const databases = await startDatabases({
      postgres: { settings: { max_connections: 2 * PEERS.length * CONNECTIONS } },
      mysql: true,
    });
    const contestants: { name: string; client: ClientProcess }[] = [];
    try {
      const against = await prepare(databases);
      const extent = quick ? QUICK : FULL;
      for (const { name, against: _against, ...signals } of PEERS) {
        say(`nothing yet, warming up ${name}`);
        const wish: PoolWish = { ...signals, address: databases.postgres, size: CONNECTIONS };
        const client = new ClientProcess({ file: require.resolve('./peers/pg.js'), way: 'open', wish });
        contestants.push({ name, client });
        await client.measure(CALLERS, extent.warmUpMs);
      }
      const measure = ({ client }: (typeof contestants)[number]) => client.measure(CALLERS, extent.windowMs);
      const windows = await interleave(contestants, extent.rounds, measure, time.partOf(1));
      return { tables: [tableOf(windows)], goals: goalsOf(windows), samples: windows, against };
    } finally {
      await Promise.allSettled(contestants.map(({ client }) => client.stop()));
      await databases.stop();
    }
  },
};

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
  return [
    cost('all metrics', 1.5, METRICS, ENGINE),
    cost('query spans, sampled', 6, SPANS_SAMPLED, ENGINE_SAMPLED),
    cost('query spans, not sampled', 3, SPANS_NOT, ENGINE),
    {
      claim: 'throughput lost to everything, over what stock loses',
      unit: '×',
      atMost: 0.33,
      values: paired(
        lost(windows, EVERYTHING, ENGINE_SAMPLED),
        lost(windows, STOCK_INSTRUMENTED, STOCK_SAMPLED),
        over,
      ),
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
