import { setTimeout as sleep } from 'node:timers/promises';
import type { OptimizationFlags } from '../../src/rollout/flags.js';
import { startDatabases } from '../../test/servers/index.js';
import type { Goal } from '../goals.js';
import { say } from '../progress.js';
import { ownPools } from '../reads/own-pool.js';
import type { Opened } from '../reads/pool.js';
import { median, middleHalf, over, paired, quantile } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { figure, range, type Table } from '../table.js';

const STOCK = 'stock pg-pool';
const WARM = 'stock, kept warm';
const PLAIN = 'enhanced, no forecast';
const OURS = 'enhanced';

interface Contestant {
  readonly name: string;
  readonly flags?: OptimizationFlags;
  /** Never closes what it once opened. */
  readonly keepsWarm?: boolean;
}

const PEERS: readonly Contestant[] = [
  { name: STOCK },
  { name: WARM, keepsWarm: true },
  { name: PLAIN, flags: { forecaster: 'off', seasonal: 'off' } },
  { name: OURS, flags: { forecaster: 'on', seasonal: 'on' } },
];

const MAX = 20;
const CALLERS = 50;
/** Longer than pg-pool's idle timeout of 10 s, so that its connections are gone. */
const PERIOD_MS = 12_000;
/** The first burst finds every pool cold; one has to be seen. */
const LEAD_IN = 1;

/** How long the callers of one burst waited for their connections. */
interface Burst {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

type Bursts = Readonly<Record<string, readonly Burst[]>>;

export const burst: Suite = {
  name: 'burst',
  question: `How long do ${CALLERS} callers wait who come at once, every ${PERIOD_MS / 1_000} s, to a pool of at most ${MAX}?`,
  seconds: { full: 98, quick: 26 },
  async run({ quick, time }: Effort): Promise<Findings> {
    say('(starting a server)');
    const { postgres, stop } = await startDatabases({
      postgres: { settings: { max_connections: PEERS.length * MAX + 10 } },
    });
    try {
      const contestants = [];
      for (const { name, flags, keepsWarm } of PEERS) {
        const opened = await ownPools()(postgres, MAX, flags);
        if (keepsWarm)
          Object.assign(opened.pool, { options: { ...optionsOf(opened), idleTimeoutMillis: 0 } });
        contestants.push({ name, opened, bursts: [] as Burst[] });
      }
      const rounds = quick ? 1 : 10;
      const endsAt = time.partOf(1);
      for (let round = -LEAD_IN; round < rounds; round += 1) {
        const startedAt = performance.now();
        if (round > 0 && startedAt + PERIOD_MS > endsAt) break;
        for (const [turn, { name, opened, bursts }] of contestants.entries()) {
          await sleep(startedAt + (turn * PERIOD_MS) / PEERS.length - performance.now());
          say(`${name}: burst ${round + LEAD_IN + 1}`);
          const found = await crowd(opened);
          if (round >= 0) bursts.push(found);
        }
        await sleep(startedAt + PERIOD_MS - performance.now());
      }
      for (const { opened } of contestants) await opened.close();
      const found = Object.fromEntries(contestants.map(({ name, bursts }) => [name, bursts]));
      return { tables: [tableOf(found)], goals: goalsOf(found), samples: found };
    } finally {
      await stop();
    }
  },
};

function optionsOf({ pool }: Opened): object {
  return (pool as unknown as { options: object }).options;
}

/** All at once: each takes a connection, asks one short thing, and gives it back. */
async function crowd({ pool }: Opened): Promise<Burst> {
  const waits = await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      const askedAt = performance.now();
      const client = await pool.connect();
      const waitedMs = performance.now() - askedAt;
      await client.query('SELECT 1');
      client.release();
      return waitedMs;
    }),
  );
  return { p50Ms: quantile(waits, 0.5), p99Ms: quantile(waits, 0.99) };
}

function tableOf(found: Bursts): Table {
  const cells = (bursts: readonly Burst[], what: keyof Burst) => {
    const values = bursts.map((each) => each[what]);
    return [figure(median(values)), range(middleHalf(values))];
  };
  return {
    title: `${CALLERS} callers at once, once one such crowd was seen: time to a connection`,
    columns: ['', 'p50 ms', 'middle half', 'p99 ms', 'middle half'],
    rows: Object.entries(found).map(([name, bursts]) => [
      name,
      ...cells(bursts, 'p50Ms'),
      ...cells(bursts, 'p99Ms'),
    ]),
    note: 'mysql2 closes no connection at its defaults: its crowds find it warm from the second one on, as "kept warm" here',
  };
}

function goalsOf(found: Bursts): Goal[] {
  const ratios = (one: string, other: string, what: keyof Burst) =>
    paired(
      found[one]!.map((each) => each[what]),
      found[other]!.map((each) => each[what]),
      over,
    );
  return (['p50Ms', 'p99Ms'] as const).flatMap((what) => [
    {
      claim: `burst ${what.slice(0, 3)}: enhanced over stock pg-pool`,
      unit: '×',
      atMost: 0.5,
      values: ratios(OURS, STOCK, what),
    },
    {
      claim: `burst ${what.slice(0, 3)}: enhanced over stock kept warm`,
      unit: '×',
      atMost: 1.5,
      values: ratios(OURS, WARM, what),
    },
  ]);
}
