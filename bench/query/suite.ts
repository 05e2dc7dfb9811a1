import mysql from 'mysql2/promise';
import pg from 'pg';
import { type Databases, startDatabases } from '../../test/servers/index.js';
import { Allotment } from '../allotment.js';
import { latencyChart, type Window } from '../closed-loop.js';
import type { Goal } from '../goals.js';
import { figures, interleave } from '../interleave.js';
import { say } from '../progress.js';
import { above, median, middleHalf, over, paired } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { type Cell, figure, range, type Table } from '../table.js';
import { ClientProcess, ROWS } from './client-process.js';
import type { ClientWish } from './peer.js';

type Windows = Readonly<Record<string, readonly Window[]>>;

const SERVERS = ['postgres', 'mysql'] as const;

interface Peer {
  readonly name: string;
  readonly server: (typeof SERVERS)[number];
  /** In `peers/`, and what of it. */
  readonly file: string;
  readonly way: string;
  readonly enhanced?: boolean;
  /** Whom it is compared with. */
  readonly against?: string;
}

/** A peer about to be measured. */
interface Contestant {
  readonly name: string;
  readonly server: Peer['server'];
  readonly client: ClientProcess;
}

const PG_FIXED = 'pg, no pool';
const PG_STOCK = 'pg.Pool stock';
const PG_STOCK_AGAIN = 'pg.Pool stock again';
const PG = 'pg.Pool enhanced';
const MYSQL2_FIXED = 'mysql2, no pool';

const PEERS: readonly Peer[] = [
  { name: PG_FIXED, server: 'postgres', file: 'pg', way: 'fixed' },
  { name: PG_STOCK, server: 'postgres', file: 'pg', way: 'pool', against: PG_FIXED },
  { name: PG_STOCK_AGAIN, server: 'postgres', file: 'pg', way: 'pool', against: PG_FIXED },
  { name: PG, server: 'postgres', file: 'pg', way: 'pool', enhanced: true, against: PG_FIXED },
  ...pair('knex-pg', { server: 'postgres', file: 'knex', way: 'pg', against: PG_FIXED }),
  { name: MYSQL2_FIXED, server: 'mysql', file: 'mysql2', way: 'fixed' },
  ...pair('mysql2 query', { server: 'mysql', file: 'mysql2', way: 'query', against: MYSQL2_FIXED }),
  ...pair('mysql2 execute', { server: 'mysql', file: 'mysql2', way: 'execute', against: MYSQL2_FIXED }),
  ...pair('knex-mysql2', { server: 'mysql', file: 'knex', way: 'mysql2', against: MYSQL2_FIXED }),
];

function pair(name: string, peer: Omit<Peer, 'name'>): Peer[] {
  return [
    { ...peer, name: `${name} stock` },
    { ...peer, name: `${name} enhanced`, enhanced: true },
  ];
}

const CONCURRENCIES = [1, 10, 64];
const CONNECTIONS = 10;

interface Extent {
  readonly rounds: number;
  readonly windowMs: number;
  readonly warmUpMs: number;
}

const FULL: Extent = { rounds: 40, windowMs: 150, warmUpMs: 700 };
const QUICK: Extent = { rounds: 2, windowMs: 80, warmUpMs: 80 };

export const query: Suite = {
  name: 'query',
  question: 'What does the pool cost a primary-key read on a real server, and what does ours save?',
  seconds: { full: 75, quick: 15 },
  async run({ quick, time }: Effort): Promise<Findings> {
    say('(starting servers)');
    const databases = await startDatabases({ postgres: true, mysql: true });
    const contestants: Contestant[] = [];
    try {
      const against = await prepare(databases);
      const extent = quick ? QUICK : FULL;
      await openAll(contestants, databases, extent.warmUpMs);
      const byConcurrency: Record<number, Windows> = {};
      for (const [done, concurrency] of CONCURRENCIES.entries()) {
        say(`${concurrency} callers`);
        byConcurrency[concurrency] = await measureServers(
          contestants,
          concurrency,
          extent,
          time.partOf(CONCURRENCIES.length - done),
        );
      }
      return {
        tables: Object.entries(byConcurrency).map(([callers, windows]) => tableOf(Number(callers), windows)),
        goals: goalsOf(byConcurrency),
        charts: Object.entries(byConcurrency).map(([callers, windows]) =>
          latencyChart(`${callers} callers`, windows),
        ),
        samples: byConcurrency,
        against,
      };
    } finally {
      await Promise.allSettled(contestants.map(({ client }) => client.stop()));
      await databases.stop();
    }
  },
};

/** A table to read from, the same on both servers; gives the servers' versions. */
export async function prepare({
  postgres,
  mysql: maria,
}: Databases<'postgres' | 'mysql'>): Promise<Record<string, string>> {
  const toPostgres = new pg.Client(postgres.url);
  await toPostgres.connect();
  const toMysql = await mysql.createConnection(maria.url);
  const create = 'CREATE TABLE item (id int PRIMARY KEY, name varchar(100), price numeric(10, 2))';
  const values = Array.from({ length: ROWS }, (_, id) => `(${id}, 'item number ${id}', ${id}.50)`).join();
  for (const run of [
    (sql: string): Promise<unknown> => toPostgres.query(sql),
    (sql: string): Promise<unknown> => toMysql.query(sql),
  ]) {
    await run('DROP TABLE IF EXISTS item');
    await run(create);
    await run(`INSERT INTO item VALUES ${values}`);
  }
  const [[ofMysql]] = (await toMysql.query('SELECT version() AS version')) as unknown as [
    [{ version: string }],
  ];
  const { rows } = await toPostgres.query<{ version: string }>('SHOW server_version');
  await toPostgres.end();
  await toMysql.end();
  return { postgres: Object.values(rows[0] ?? {}).join(), mysql: ofMysql.version };
}

/** Every peer's client, warm: until the compiler is done with it, its work is most of what there is to measure. */
async function openAll(
  contestants: Contestant[],
  databases: Databases<'postgres' | 'mysql'>,
  warmUpMs: number,
): Promise<void> {
  for (const { name, server, file, way, enhanced = false } of PEERS) {
    say(`nothing yet, warming up ${name}`);
    const wish: ClientWish = { address: databases[server], size: CONNECTIONS, enhanced };
    const client = new ClientProcess({ file: require.resolve(`./peers/${file}.js`), way, wish });
    contestants.push({ name, server, client });
    for (const concurrency of CONCURRENCIES) await client.measure(concurrency, warmUpMs);
  }
}

/** One server after the other: the nearer in time two peers are measured, the more their comparison is worth. */
async function measureServers(
  contestants: readonly Contestant[],
  concurrency: number,
  { rounds, windowMs }: Extent,
  endsAt: number,
): Promise<Windows> {
  const time = new Allotment(endsAt);
  const windows: Record<string, Window[]> = {};
  for (const [done, server] of SERVERS.entries()) {
    const peers = contestants.filter((contestant) => contestant.server === server);
    const measure = ({ client }: Contestant) => client.measure(concurrency, windowMs);
    const measured = await interleave(peers, rounds, measure, time.partOf(SERVERS.length - done));
    Object.assign(windows, measured);
  }
  return windows;
}

function tableOf(callers: number, windows: Windows): Table {
  return {
    title: `${callers} callers, at most ${CONNECTIONS} connections`,
    columns: ['', 'queries/s', 'middle half', 'CPU µs', 'over no pool', 'middle half', 'p50 µs', 'p99 µs'],
    rows: PEERS.map(({ name, against }): Cell[] => {
      const rates = figures(windows, name, 'perSecond');
      const surplus = against === undefined ? [] : extraCpu(windows, name, against);
      return [
        name,
        figure(median(rates)),
        range(middleHalf(rates)),
        figure(median(figures(windows, name, 'cpuMicroseconds'))),
        against === undefined ? '' : figure(median(surplus)),
        against === undefined ? '' : range(middleHalf(surplus)),
        figure(median(figures(windows, name, 'p50Microseconds'))),
        figure(median(figures(windows, name, 'p99Microseconds'))),
      ];
    }),
    note: 'CPU: of the client process, per query; over no pool: µs more than fixed clients in the same round',
  };
}

/** The figure that issue 2 asks for, at each concurrency, and what it can be compared with. */
function goalsOf(byConcurrency: Readonly<Record<number, Windows>>): Goal[] {
  return Object.entries(byConcurrency).flatMap(([callers, windows]): Goal[] => [
    {
      claim: `pg.Pool enhanced over no pool, ${callers} callers: CPU`,
      unit: 'µs',
      atMost: 1,
      values: extraCpu(windows, PG, PG_FIXED),
    },
    {
      claim: `A/A: pg.Pool stock over stock, ${callers} callers: CPU`,
      unit: '×',
      straddles: 1,
      values: paired(
        figures(windows, PG_STOCK, 'cpuMicroseconds'),
        figures(windows, PG_STOCK_AGAIN, 'cpuMicroseconds'),
        over,
      ),
    },
  ]);
}

function extraCpu(windows: Windows, name: string, against: string): number[] {
  return paired(
    figures(windows, name, 'cpuMicroseconds'),
    figures(windows, against, 'cpuMicroseconds'),
    above,
  );
}
