import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { everyFlag, type OptimizationFlags } from '../../src/rollout/flags.js';
import type { Address } from '../../test/servers/database.js';
import { startDatabases } from '../../test/servers/index.js';
import type { Goal } from '../goals.js';
import { figures, interleave, type Measure } from '../interleave.js';
import { say } from '../progress.js';
import { ownPools } from '../reads/own-pool.js';
import { open } from '../reads/pool.js';
import { JOIN, SHOP } from '../reads/workloads.js';
import { median, over, paired, seeded } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { figure, type Table } from '../table.js';

const STOCK = 'stock';
const LIFO = 'enhanced, affinity off';
const AFFINE = 'enhanced, affinity on';

const PEERS: readonly { readonly name: string; readonly flags?: OptimizationFlags }[] = [
  { name: STOCK },
  { name: LIFO, flags: everyFlag('off') },
  { name: AFFINE, flags: { ...everyFlag('off'), affinity: 'on' } },
];

const MAX = 20;
const CALLERS = 12;
const STATEMENTS = 200;
const CUSTOMERS = 1_000;
const KIB = 1_024;

interface Extent {
  readonly rounds: number;
  readonly runMs: number;
}

const FULL: Extent = { rounds: 3, runMs: 7_000 };
const QUICK: Extent = { rounds: 1, runMs: 2_000 };
/** The last part of a run is warm. */
const WARM_SHARE = 0.4;

/** One life of a pool. */
interface Run {
  /** Of the whole run, warm-up included. */
  readonly perSecond: number;
  readonly warmPerSecond: number;
  /** Private memory of all its backends at the end. */
  readonly backendBytes: number;
  /** Statements that its connections have prepared at the end, each connection's own. */
  readonly prepared: number;
}

type Runs = Readonly<Record<string, readonly Run[]>>;

export const statements: Suite = {
  name: 'statements',
  question: 'Does it pay to send a named statement where it is prepared already?',
  seconds: { full: 45, quick: 9 },
  async run({ quick, time }: Effort): Promise<Findings> {
    say('(starting a server)');
    const { postgres, stop } = await startDatabases({ postgres: true });
    try {
      const admin = open(postgres, 1, undefined);
      for (const sql of SHOP) await admin.pool.query(sql);
      const { rounds, runMs } = quick ? QUICK : FULL;
      const contestants = PEERS.map(({ name, flags }) => {
        const openPool = ownPools();
        return { name, open: () => openPool(postgres, MAX, flags), round: 0 };
      });
      const run = async (contestant: (typeof contestants)[number]) => {
        contestant.round += 1;
        say(`${contestant.name}, round ${contestant.round}`);
        const opened = await contestant.open();
        try {
          return await live(opened.pool, admin.pool, postgres, contestant.round, runMs);
        } finally {
          await opened.close();
        }
      };
      const runs = await interleave(contestants, rounds, run, time.partOf(1));
      await admin.close();
      return { tables: [tableOf(runs)], goals: goalsOf(runs), samples: runs };
    } finally {
      await stop();
    }
  },
};

/** From the first connection on, with all of them open. */
async function live(
  pool: pg.Pool,
  admin: pg.Pool,
  { database }: Address,
  seed: number,
  runMs: number,
): Promise<Run> {
  const clients = await Promise.all(Array.from({ length: MAX }, () => pool.connect()));
  for (const client of clients) client.release();
  const random = seeded(seed);
  const pick = zipf(STATEMENTS, random);
  const begin = performance.now();
  const warmAt = begin + runMs * (1 - WARM_SHARE);
  let answers = 0;
  let warmAnswers = 0;
  const call = async () => {
    for (let now = begin; now < begin + runMs; now = performance.now()) {
      const number = pick();
      // Texts of their own, for each has a plan of its own.
      const text = `${JOIN} HAVING count(*) > ${-1 - number}`;
      await pool.query({ name: `report ${number}`, text, values: [Math.floor(random() * CUSTOMERS)] });
      answers += 1;
      if (now >= warmAt) warmAnswers += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
  const tookMs = performance.now() - begin;
  const { rows } = await admin.query<{ pid: number }>(
    'SELECT pid FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
    [database],
  );
  const prepared = (client: pg.PoolClient) =>
    Object.keys(
      (client as unknown as { connection: { parsedStatements: object } }).connection.parsedStatements,
    ).length;
  return {
    perSecond: (answers * 1_000) / tookMs,
    warmPerSecond: (warmAnswers * 1_000) / (runMs * WARM_SHARE),
    backendBytes: rows.reduce((sum, { pid }) => sum + privateBytes(pid), 0),
    prepared: clients.reduce((sum, client) => sum + prepared(client), 0),
  };
}

/** The first is twice as frequent as the second, three times as frequent as the third, and so on. */
function zipf(count: number, random: () => number): () => number {
  const cumulative: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= count; rank += 1) {
    sum += 1 / rank;
    cumulative.push(sum);
  }
  return () => {
    const drawn = random() * sum;
    return cumulative.findIndex((upTo) => drawn < upTo);
  };
}

/** Memory that a process shares with no other, from Linux. */
function privateBytes(pid: number): number {
  const lines = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').matchAll(/^Private_\w+:\s+(\d+) kB$/gm);
  return [...lines].reduce((sum, [, kibibytes]) => sum + Number(kibibytes) * KIB, 0);
}

function tableOf(runs: Runs): Table {
  const middle = (name: string, what: Measure<Run>) => median(figures(runs, name, what));
  return {
    title: `${STATEMENTS} named statements of five tables, Zipf, ${CALLERS} callers, ${MAX} connections`,
    columns: ['', 'requests/s', 'warm', 'warm over affinity off', 'backends MiB', 'prepared'],
    rows: PEERS.map(({ name }) => [
      name,
      figure(middle(name, 'perSecond')),
      figure(middle(name, 'warmPerSecond')),
      figure(median(ratios(runs, name, 'warmPerSecond'))),
      figure(middle(name, 'backendBytes') / KIB ** 2),
      figure(middle(name, 'prepared')),
    ]),
    note: 'requests/s: of a run, warm-up included; warm: of its last part; backends: their private memory at the end',
  };
}

function ratios(runs: Runs, name: string, what: Measure<Run>): number[] {
  return paired(figures(runs, name, what), figures(runs, LIFO, what), over);
}

function goalsOf(runs: Runs): Goal[] {
  const times = (claim: string, what: Measure<Run>, bound: Partial<Goal>): Goal => ({
    claim,
    unit: '×',
    ...bound,
    values: ratios(runs, AFFINE, what),
  });
  return [
    times('affinity on over off: throughput, warm', 'warmPerSecond', { atLeast: 0.98 }),
    times('affinity on over off: throughput, warm-up included', 'perSecond', { atLeast: 1 }),
    times('affinity on over off: memory of the backends', 'backendBytes', { atMost: 0.75 }),
  ];
}
