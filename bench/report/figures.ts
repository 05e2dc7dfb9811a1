import { bound, INTERVAL, type JudgedGoal } from '../goals.js';
import type { Machine } from '../machine.js';
import type { Results, SuiteRecord } from '../results.js';
import { figure, range, type Table } from '../table.js';
import { seedTable } from './seed.js';

/** What the README says of speed: of which suite, which goal, in which words. */
const HEADLINES: readonly (readonly [suite: string, claim: string, words: string])[] = [
  [
    'acquire',
    'engine, metrics on, over the floor',
    'a warm acquire and release in the engine, over awaiting a resolved promise',
  ],
  ['acquire', 'pg-pool over engine', 'what it takes in pg-pool, over the engine'],
  ['acquire', 'tarn over engine', 'what it takes in tarn, over the engine'],
  ['acquire', "mysql2's pool over engine", "what it takes in mysql2's pool, over the engine"],
  [
    'reads',
    'primary keys, 64 callers: throughput over stock',
    'short reads through `pg.Pool`, 64 callers: throughput over stock',
  ],
  ['reads', 'five-table joins, 10 callers: throughput over stock', 'five-table joins: throughput over stock'],
  ['faults', 'requests failed or hung, over stock', 'requests lost over eight faults, over stock'],
  ['faults', 'connection attempts, over stock', 'connection attempts over nine faults, over stock'],
];

/** A run without what only a program would read. */
export function published(results: Results): Results {
  return Object.fromEntries(
    Object.entries(results).map(([suite, record]) => [suite, { ...record, samples: {} }]),
  );
}

/** The generated sections of the pages that quote figures. */
export function quotedSections(results: Results): {
  readonly readme: Readonly<Record<string, string>>;
  readonly performance: Readonly<Record<string, string>>;
} {
  return {
    readme: { figures: headlines(results) },
    performance: {
      seed: markdown(seedTable(results)),
      figures: Object.entries(results)
        .map(([suite, record]) => chapter(suite, record))
        .join('\n\n'),
    },
  };
}

function headlines(results: Results): string {
  const rows = HEADLINES.flatMap(([suite, claim, words]) => {
    const goal = results[suite]?.goals.find((one) => one.claim === claim);
    return goal === undefined ? [] : [[words, ...told(goal)]];
  });
  return markdown({ title: '', columns: ['', 'measured', 'goal', ''], rows });
}

function chapter(suite: string, { question, ranAt, machine, goals }: SuiteRecord): string {
  const rows = goals.map((goal) => {
    const [measured, ...verdict] = told(goal);
    return [goal.claim, measured!, goal.values.length, ...verdict];
  });
  return `### ${suite}

${question} Run on ${ranAt.slice(0, 10)}: ${machineOf(machine)}.

${markdown({ title: '', columns: ['claim', `measured, ${INTERVAL}`, 'rounds', 'goal', ''], rows })}`;
}

function told(goal: JudgedGoal): string[] {
  const { unit, median, interval, met } = goal;
  return [
    [figure(median), unit, range(interval)].filter(Boolean).join(' '),
    `${bound(goal)} ${unit}`.trim(),
    met ? 'met' : 'not met',
  ];
}

function machineOf({ cpu, cores, memoryGiB, node, load, commit }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, load ${figure(load)} at the start, commit ${commit}`;
}

function markdown({ columns, rows }: Table): string {
  const lines = [columns, columns.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
