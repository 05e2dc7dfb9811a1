import type { JudgedGoal } from '../goals.js';
import type { Results } from '../results.js';
import { figure, type Table } from '../table.js';

/** Which stock pool a figure is compared with: one that nobody touched, or fixed, warmed and of the right size. */
type Baseline = 'defaults' | 'tuned' | 'either';

/** One measured figure that speaks for a row. */
interface Evidence {
  readonly against: Baseline;
  readonly suite: string;
  readonly claim: string;
  /** How the row's percentage follows from the measured ratio of enhanced to stock. */
  readonly reads: keyof typeof READINGS;
}

/** A row of the plan that began this project, and what we measure for it. */
interface Row {
  readonly name: string;
  readonly expected: string;
  /** What is measured, and where it holds. */
  readonly definition: string;
  readonly evidence: readonly Evidence[];
}

const READINGS = {
  /** Ours over stock's, of what should be small. */
  less: (ratio: number) => ratio - 1,
  /** Stock's over ours, of what should be small. */
  faster: (ratio: number) => 1 / ratio - 1,
  /** Ours over stock's, of what should be large. */
  more: (ratio: number) => ratio - 1,
  /** What was measured as a gain in percent already. */
  gain: (percent: number) => percent / 100,
} as const;

const ROWS: readonly Row[] = [
  {
    name: 'acquisition time',
    expected: '−30 to −50 %',
    definition:
      'time from asking for a connection to having it: warm and alone (overhead; defaults and tuned are one), and in a burst after quiet',
    evidence: [
      {
        against: 'either',
        suite: 'acquire',
        claim: 'pg.Pool#connect and release: stock over enhanced',
        reads: 'faster',
      },
      {
        against: 'either',
        suite: 'acquire',
        claim: 'knex acquire and release: stock over enhanced',
        reads: 'faster',
      },
      {
        against: 'either',
        suite: 'acquire',
        claim: 'mysql2 getConnection and release: stock over enhanced',
        reads: 'faster',
      },
      { against: 'defaults', suite: 'burst', claim: 'burst p50: enhanced over stock pg-pool', reads: 'less' },
      { against: 'defaults', suite: 'burst', claim: 'burst p99: enhanced over stock pg-pool', reads: 'less' },
      { against: 'tuned', suite: 'burst', claim: 'burst p50: enhanced over stock kept warm', reads: 'less' },
      { against: 'tuned', suite: 'burst', claim: 'burst p99: enhanced over stock kept warm', reads: 'less' },
    ],
  },
  {
    name: 'query throughput',
    expected: '+15 to +30 %',
    definition:
      'answers a second of callers who each ask again as soon as they are answered, on one PostgreSQL',
    evidence: [
      {
        against: 'defaults',
        suite: 'reads',
        claim: 'primary keys, 64 callers: throughput over stock',
        reads: 'more',
      },
      {
        against: 'defaults',
        suite: 'reads',
        claim: 'five-table joins, 10 callers: throughput over stock',
        reads: 'more',
      },
      {
        against: 'defaults',
        suite: 'pgbench',
        claim: 'TPC-B-like, 64 clients: throughput over stock',
        reads: 'more',
      },
      {
        against: 'tuned',
        suite: 'reads',
        claim: 'primary keys, 64 callers: throughput over tuned stock',
        reads: 'more',
      },
      {
        against: 'tuned',
        suite: 'reads',
        claim: 'five-table joins, 10 callers: throughput over tuned stock',
        reads: 'more',
      },
      {
        against: 'tuned',
        suite: 'pgbench',
        claim: 'TPC-B-like, 64 clients: throughput over tuned stock',
        reads: 'more',
      },
    ],
  },
  {
    name: 'resource utilization',
    expected: '+20 to +40 %',
    definition:
      'busy over open connection seconds, above those of pg-pool, and of the fixed pool of the same p99 wait, on a virtual clock',
    evidence: [
      {
        against: 'defaults',
        suite: 'sizing',
        claim: 'use gained over pg-pool at its defaults, diurnal',
        reads: 'gain',
      },
      {
        against: 'defaults',
        suite: 'sizing',
        claim: 'use gained over pg-pool at its defaults, periodic',
        reads: 'gain',
      },
      {
        against: 'tuned',
        suite: 'sizing',
        claim: 'use gained over the fixed pool of the same p99 wait, diurnal',
        reads: 'gain',
      },
      {
        against: 'tuned',
        suite: 'sizing',
        claim: 'use gained over the fixed pool of the same p99 wait, periodic',
        reads: 'gain',
      },
    ],
  },
  {
    name: 'error rate',
    expected: '−30 to −60 %',
    definition:
      'requests that failed or were never answered, over nine faults on real servers; the stock pools, at their defaults, have all their connections open before, as tuned ones do',
    evidence: [
      {
        against: 'either',
        suite: 'faults',
        claim: 'requests failed or hung, over stock',
        reads: 'less',
      },
    ],
  },
  {
    name: 'connection stability',
    expected: '+40 to +60 %',
    definition: 'connections attempted from the fault on, over the same nine faults',
    evidence: [
      { against: 'either', suite: 'faults', claim: 'connection attempts, over stock', reads: 'less' },
    ],
  },
  {
    name: 'peak performance',
    expected: '+20 to +30 %',
    definition: 'reads by key a second, arriving by chance, at which one in a hundred takes over 50 ms',
    evidence: [
      { against: 'defaults', suite: 'overload', claim: 'peak over stock', reads: 'more' },
      { against: 'tuned', suite: 'overload', claim: 'peak over tuned stock', reads: 'more' },
    ],
  },
];

/** The plan's expectations beside what was measured for them. Rows without a measurement are shown like the others. */
export function seedTable(results: Results): Table {
  return {
    title: 'What was expected, and what was measured',
    columns: ['', 'expected', 'against stock at its defaults', 'against tuned stock', 'of'],
    rows: ROWS.flatMap(({ name, expected, definition, evidence }) =>
      evidence.map((one, index) => [
        index === 0 ? name : '',
        index === 0 ? expected : '',
        ...measured(
          results[one.suite]?.goals.find(({ claim }) => claim === one.claim),
          one,
        ),
        index === 0 ? `${definition}; ${one.suite}: ${one.claim}` : `${one.suite}: ${one.claim}`,
      ]),
    ),
    note: 'stock: at its defaults; tuned: twice the cores and one, all opened beforehand, both sides alike',
  };
}

/** Of both columns. */
function measured(goal: JudgedGoal | undefined, { reads, against }: Evidence): [string, string] {
  const read = goal === undefined ? 'not measured' : percentage(goal, READINGS[reads]);
  return [against === 'tuned' ? '' : read, against === 'defaults' ? '' : read];
}

function percentage({ median, interval }: JudgedGoal, reading: (typeof READINGS)['less']): string {
  const [from, to] = interval.map(reading).sort((one, other) => one - other);
  return `${percent(reading(median))} [${percent(from!)} … ${percent(to!)}]`;
}

function percent(share: number): string {
  return `${share < 0 ? '−' : '+'}${figure(Math.abs(share) * 100)} %`;
}
