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
  /** The share that we aim at: at most so much of what should be small, at least so much of what should be large. */
  readonly goal: number;
  /** Told where the goal was missed. */
  readonly why?: string;
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
  less: { share: (ratio: number) => ratio - 1, shouldBe: 'small' },
  /** Stock's over ours, of what should be small. */
  faster: { share: (ratio: number) => 1 / ratio - 1, shouldBe: 'small' },
  /** Ours over stock's, of what should be large. */
  more: { share: (ratio: number) => ratio - 1, shouldBe: 'large' },
  /** What was measured as a gain in percent already. */
  gain: { share: (percent: number) => percent / 100, shouldBe: 'large' },
} as const;

const DEFAULTS = { against: 'defaults' } as const;
const TUNED = { against: 'tuned' } as const;
const EITHER = { against: 'either' } as const;

const ADAPTED = 'what the library itself does around its pool, and promises its users, is in both';
const WARMING_UP = 'until some crowds have come, a part of the connections is opened while they wait';
const ONE_AT_A_TIME =
  'its protocol answers one statement at a time on a connection, so there is nothing to share; and who queues costs our engine more';
const ARRIVALS = 'the arrivals set it: no pool answers more than is asked';

const ROWS: readonly Row[] = [
  {
    name: 'acquisition time',
    expected: '−30 to −50 %',
    definition:
      'time from asking for a connection to having it: warm and alone (overhead; defaults and tuned are one), in a burst after quiet, and in crowds that come by the clock (virtual); of a mix with slow queries, until the short ones are answered',
    evidence: [
      ...['pg.Pool#connect and', 'knex acquire and', 'mysql2 getConnection and'].map(
        (what): Evidence => ({
          ...EITHER,
          suite: 'acquire',
          claim: `${what} release: stock over enhanced`,
          reads: 'faster',
          goal: -0.8,
          why: ADAPTED,
        }),
      ),
      ...['burst p50', 'burst p99'].flatMap((what): Evidence[] => [
        {
          ...DEFAULTS,
          suite: 'burst',
          claim: `${what}: enhanced over stock pg-pool`,
          reads: 'less',
          goal: -0.6,
        },
        {
          ...TUNED,
          suite: 'burst',
          claim: `${what}: enhanced over stock kept warm`,
          reads: 'less',
          goal: 0.02,
          why: WARMING_UP,
        },
      ]),
      {
        ...DEFAULTS,
        suite: 'sizing',
        claim: 'mean wait over pg-pool at its defaults, cron',
        reads: 'less',
        goal: -0.6,
      },
      {
        ...TUNED,
        suite: 'sizing',
        claim: 'mean wait over the best fixed pool, cron',
        reads: 'less',
        goal: 0.02,
        why: WARMING_UP,
      },
      { ...EITHER, suite: 'mixed', claim: 'lanes over stock: mean of the reads', reads: 'less', goal: -0.6 },
    ],
  },
  {
    name: 'query throughput',
    expected: '+15 to +30 %',
    definition:
      'answers a second of callers who each ask again as soon as they are answered; of the mix, of requests that come by chance at 0.8 of what keeps all connections in use',
    evidence: [
      ...reads('reads', 'primary keys, 64 callers', 1.5, 1),
      ...reads('reads', 'five-table joins, 10 callers', 1.5, 0.1),
      ...reads('reads', 'CPU-bound, 10 callers', -0.02, undefined, {
        why: 'the processors of the server are what it waits for',
      }),
      ...['query', 'execute'].flatMap((way) =>
        reads('reads', `mysql2 ${way}, primary keys, 64 callers`, 0.3, undefined, { why: ONE_AT_A_TIME }),
      ),
      ...reads('pgbench', 'TPC-B-like, 64 clients', 0.2, 0.1, {
        why: 'names win it, but after a column has changed its type they may cost a transaction: the application has to agree, below',
      }),
      ...reads('pgbench', 'TPC-B-like, 64 clients', 0.2, 0.1, { how: ', with names in transactions' }),
      {
        ...EITHER,
        suite: 'mixed',
        claim: 'lanes over stock: throughput',
        reads: 'more',
        goal: 0.3,
        why: ARRIVALS,
      },
    ],
  },
  {
    name: 'resource utilization',
    expected: '+20 to +40 %',
    definition:
      'busy over open connection seconds, above those of pg-pool (as we model it), and of the fixed pool of the same p99 wait, on a virtual clock',
    evidence: ['diurnal', 'periodic'].flatMap((load): Evidence[] => [
      {
        ...DEFAULTS,
        suite: 'sizing',
        claim: `use gained over pg-pool at its defaults, ${load}`,
        reads: 'gain',
        goal: 0.5,
        why: 'pg-pool, too, closes what was idle for ten seconds, and so follows a slow wave',
      },
      {
        ...TUNED,
        suite: 'sizing',
        claim: `use gained over the fixed pool of the same p99 wait, ${load}`,
        reads: 'gain',
        goal: 0.2,
      },
    ]),
  },
  {
    name: 'error rate',
    expected: '−30 to −60 %',
    definition:
      'requests that failed or were never answered, over eight faults on real servers (a changed password, the ninth, fails all of them on either side); the stock pools have all their connections open before, as tuned ones do, but for the full server, which grants six of ten and has four',
    evidence: [
      {
        ...EITHER,
        suite: 'faults',
        claim: 'requests failed or hung, over stock',
        reads: 'less',
        goal: -0.9,
      },
    ],
  },
  {
    name: 'connection stability',
    expected: '+40 to +60 %',
    definition: 'connections attempted from the fault on, over these and the changed password',
    evidence: [
      { ...EITHER, suite: 'faults', claim: 'connection attempts, over stock', reads: 'less', goal: -0.8 },
    ],
  },
  {
    name: 'peak performance',
    expected: '+20 to +30 %',
    definition:
      'requests a second, arriving by chance, at which one read by key in a hundred takes over 50 ms: reads alone, and with one in ten of 200 ms, of which none may take over a second (on pools of one size, warmed: either baseline)',
    evidence: [
      { ...DEFAULTS, suite: 'overload', claim: 'peak over stock', reads: 'more', goal: 1.5 },
      { ...TUNED, suite: 'overload', claim: 'peak over tuned stock', reads: 'more', goal: 1 },
      {
        ...EITHER,
        suite: 'mixed',
        claim: 'peak of the mix: lanes and shared reads over stock',
        reads: 'more',
        goal: 0.5,
      },
    ],
  },
];

/** Of a suite's load, over stock at its defaults and, where that is measured, over tuned stock; `how` ends the claim. */
function reads(
  suite: string,
  load: string,
  goal: number,
  overTuned: number | undefined,
  { why, how = '' }: { readonly why?: string; readonly how?: string } = {},
): Evidence[] {
  const of = { suite, reads: 'more', ...(why === undefined ? {} : { why }) } as const;
  const defaults: Evidence = { ...of, ...DEFAULTS, claim: `${load}: throughput over stock${how}`, goal };
  if (overTuned === undefined) return [defaults];
  return [
    defaults,
    { ...of, ...TUNED, claim: `${load}: throughput over tuned stock${how}`, goal: overTuned },
  ];
}

/** The plan's expectations beside what was measured for them. Rows without a measurement are shown like the others. */
export function seedTable(results: Results): Table {
  return {
    title: 'What was expected, and what was measured',
    columns: ['', 'expected', 'against stock at its defaults', 'against tuned stock', 'our goal', '', 'of'],
    rows: ROWS.flatMap(({ name, expected, definition, evidence }) =>
      evidence.map((one, index) => {
        const goal = results[one.suite]?.goals.find(({ claim }) => claim === one.claim);
        const told = goal === undefined ? 'not measured' : percentage(goal, READINGS[one.reads].share);
        const met = goal === undefined ? '' : isMet(goal, one) ? 'met' : 'not met';
        const why = met === 'not met' && one.why !== undefined ? ` (${one.why})` : '';
        return [
          index === 0 ? name : '',
          index === 0 ? expected : '',
          one.against === 'tuned' ? '' : told,
          one.against === 'defaults' ? '' : told,
          percent(one.goal),
          met,
          `${index === 0 ? `${definition}; ` : ''}${one.suite}: ${one.claim}${why}`,
        ];
      }),
    ),
    note: 'stock: at its defaults; tuned: twice the cores and one, all opened beforehand, both sides alike',
  };
}

function isMet({ median }: JudgedGoal, { reads: how, goal }: Evidence): boolean {
  const { share, shouldBe } = READINGS[how];
  return shouldBe === 'small' ? share(median) <= goal : share(median) >= goal;
}

function percentage({ median, interval }: JudgedGoal, share: (ratio: number) => number): string {
  const [from, to] = interval.map(share).sort((one, other) => one - other);
  return `${percent(share(median))} [${percent(from!)} … ${percent(to!)}]`;
}

function percent(share: number): string {
  return `${share < 0 ? '−' : '+'}${figure(Math.abs(share) * 100)} %`;
}
