// npm run bench -- [suite…] [--quick] [--only words] [--json path]
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { acquire } from './acquire/suite.js';
import { Allotment } from './allotment.js';
import { burst } from './burst/suite.js';
import { classifySuite } from './classify-suite.js';
import { faults } from './faults/suite.js';
import { goalTable, judge } from './goals.js';
import { limit } from './limit/suite.js';
import { describeMachine, printMachine } from './machine.js';
import { mixed } from './mixed/suite.js';
import { overload } from './overload/suite.js';
import { sayNothing } from './progress.js';
import { query } from './query/suite.js';
import { memory } from './reads/memory.js';
import { pgbench, reads } from './reads/suite.js';
import { keep } from './results.js';
import { rollout } from './rollout/suite.js';
import { scale } from './scale/suite.js';
import { sizing } from './sizing/suite.js';
import { statements } from './statements/suite.js';
import type { Effort, Suite } from './suite.js';
import { printTable } from './table.js';
import { telemetry } from './telemetry/suite.js';

/** Those that can do with fewer rounds come last, and make up for what the others took too long. */
const SUITES: readonly Suite[] = [
  sizing,
  limit,
  burst,
  mixed,
  memory,
  statements,
  overload,
  scale,
  rollout,
  classifySuite,
  telemetry,
  faults,
  pgbench,
  reads,
  acquire,
  query,
];

const PROJECT = join(__dirname, '../..');
const LATEST = 'bench/results/latest.json';

const HELP = `Measures stock and enhanced pools side by side in one run.

  npm run bench -- [suite…] [--quick] [--only words] [--json path]

${SUITES.map(({ name, question }) => `  ${name.padEnd(10)} ${question}`).join('\n')}

Without a suite, all of them, in 25 minutes. --quick gives a first impression in four; do not quote it.
On a busy machine there are fewer rounds, two at the least.
--only measures the rows in whose name these words occur, where a suite can (faults).
Every sample goes to ${LATEST}, or to the path given by --json, and a page with plots beside it; other suites' last runs
stay in both.`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      json: { type: 'string', default: LATEST },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const suites = positionals.length === 0 ? SUITES : positionals.map(suiteNamed);
  const machine = describeMachine();
  printMachine(machine);
  const file = resolve(values.json);
  const secondsOf = ({ seconds }: Suite) => (values.quick ? seconds.quick : seconds.full);
  const secondsFrom = (index: number) =>
    suites.slice(index).reduce((sum, suite) => sum + secondsOf(suite), 0);
  const failed: string[] = [];
  const whole = Allotment.ofSeconds(secondsFrom(0));
  for (const [index, suite] of suites.entries()) {
    const time = new Allotment(whole.partOf(secondsFrom(index) / secondsOf(suite)));
    try {
      await runSuite(suite, { ...values, time }, file, machine);
    } catch (error) {
      // What the others measure in the same 25 minutes is worth keeping.
      console.error(`\nbench: ${suite.name} failed; its figures are still those of its last run:`, error);
      failed.push(suite.name);
    }
  }
  const report = execFileSync(process.execPath, [join(PROJECT, 'scripts/bench-report.mjs'), file], {
    encoding: 'utf8',
  });
  console.log(`\nThe report: ${report.trim()}`);
  if (failed.length > 0) throw new Error(`failed: ${failed.join(', ')}`);
}

async function runSuite(
  suite: Suite,
  effort: Effort,
  file: string,
  machine: ReturnType<typeof describeMachine>,
): Promise<void> {
  const { quick } = effort;
  console.log(`\n━━ ${suite.name}: ${suite.question}${quick ? ' (quick: do not quote)' : ''}`);
  const ranAt = new Date();
  const { tables, goals, charts, samples, against } = await suite.run(effort);
  sayNothing();
  const judged = goals.map(judge);
  for (const table of tables) printTable(table);
  printTable(goalTable(judged));
  const tookSeconds = Math.round((Date.now() - ranAt.getTime()) / 1_000);
  keep(file, suite.name, {
    ranAt: ranAt.toISOString(),
    tookSeconds,
    quick,
    machine,
    question: suite.question,
    tables,
    ...(charts === undefined ? {} : { charts }),
    ...(against === undefined ? {} : { against }),
    goals: judged,
    samples,
  });
  const missed = judged.filter(({ met }) => !met).length;
  console.log(`\n${judged.length - missed} of ${judged.length} goals met, in ${tookSeconds} s. → ${file}`);
}

function suiteNamed(name: string): Suite {
  const suite = SUITES.find((known) => known.name === name);
  if (suite !== undefined) return suite;
  const known = SUITES.map((each) => each.name).join(', ');
  throw new Error(`There is no suite '${name}'. There are: ${known}. (--help tells more)`);
}

/** The timers of most pools let a process end that waits for nothing else. */
const awake = setInterval(() => {}, 1_000);

main()
  .catch((error: unknown) => {
    console.error(`bench: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  })
  .finally(() => clearInterval(awake));
