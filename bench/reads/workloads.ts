import type { Pool as CorePool } from 'mysql2';
import type { Clients, Library } from './client.js';
import { ITEM, ITEM_OF_MYSQL, itemOf, readItem } from './items.js';

/** One kind of load on the pool of a library, the same for every peer. */
interface WorkloadOf<L extends Library> {
  readonly library: L;
  readonly name: string;
  readonly callers: number;
  /** Makes its tables. */
  readonly setUp: readonly string[];
  /** One request of caller `caller`; `turn` counts through. Gives what must be equal for all peers. */
  run(pool: Clients[L], turn: number, caller: number): Promise<unknown>;
  /**
   * What a process runs before it is measured, where `run` takes so long that the compiler would have seen little of it: the same calls,
   * with next to nothing for the server to do. Undefined: `run`.
   */
  warmUp?(pool: Clients[L], turn: number): Promise<unknown>;
  /** For so long, then, all peers run it at once: the compilers are at work until each has run some thousands of slow ones. */
  readonly settleMs?: number;
  /** Requests whose latencies count; undefined for all. */
  counts?(turn: number): boolean;
  /** Whether a quick run looks at it, stock and enhanced only. */
  readonly quick?: boolean;
  /** Whether it is measured only where it is asked for by name, for others tell nearly the same. */
  readonly seldom?: boolean;
  /** Whether it is compared with pools set up by the book as well. */
  readonly tuned?: boolean;
  /** Whether it consists of transactions, in which nothing has a name unless the application agrees. */
  readonly transactions?: boolean;
  /**
   * Whether its peers take short turns in one process, where they hardly differ, and in a new one each round: what the luck of compiler and heap
   * makes of two processes, and of two copies in one, is more than that.
   */
  readonly together?: boolean;
}

export type Workload = WorkloadOf<'pg'> | WorkloadOf<'knex'> | WorkloadOf<'mysql2'>;

const byKey = (callers: number): Workload => ({
  library: 'pg',
  name: `primary keys, ${callers} callers`,
  callers,
  setUp: ITEM,
  run: readItem,
});

export const JOIN = `SELECT c.name, r.name AS region, sum(l.amount) AS total, count(DISTINCT p.id) AS products
  FROM customer c JOIN region r ON r.id = c.region_id JOIN purchase o ON o.customer_id = c.id
  JOIN line l ON l.purchase_id = o.id JOIN product p ON p.id = l.product_id
  WHERE c.id = $1 GROUP BY c.name, r.name`;

/** The tables of the join. */
export const SHOP: readonly string[] = [
  'DROP TABLE IF EXISTS line, purchase, product, customer, region',
  'CREATE TABLE region (id int PRIMARY KEY, name text)',
  'CREATE TABLE customer (id int PRIMARY KEY, region_id int, name text)',
  'CREATE TABLE product (id int PRIMARY KEY, name text)',
  'CREATE TABLE purchase (id int PRIMARY KEY, customer_id int)',
  'CREATE TABLE line (id int PRIMARY KEY, purchase_id int, product_id int, amount int)',
  `INSERT INTO region SELECT i, 'region ' || i FROM generate_series(0, 9) i`,
  `INSERT INTO customer SELECT i, i % 10, 'customer ' || i FROM generate_series(0, 999) i`,
  `INSERT INTO product SELECT i, 'product ' || i FROM generate_series(0, 99) i`,
  'INSERT INTO purchase SELECT i, i % 1000 FROM generate_series(0, 2999) i',
  'INSERT INTO line SELECT i, i % 3000, i % 100, i % 7 FROM generate_series(0, 8999) i',
  'CREATE INDEX ON purchase (customer_id)',
  'CREATE INDEX ON line (purchase_id)',
  'ANALYZE',
];

const joins: Workload = {
  library: 'pg',
  name: 'five-table joins, 10 callers',
  callers: 10,
  setUp: SHOP,
  run: async (pool, turn) => (await pool.query(JOIN, [(turn * 31) % 1_000])).rows,
  quick: true,
  tuned: true,
};

/** About five milliseconds of the server's processor. */
const BUSY = 'SELECT sum(sqrt(i + $1::int)) AS sum FROM generate_series(1, 25000) i';

const busy: Workload = {
  library: 'pg',
  name: 'CPU-bound, 10 callers',
  callers: 10,
  setUp: [],
  run: async (pool, turn) => (await pool.query(BUSY, [turn % 10])).rows,
  warmUp: (pool, turn) => pool.query('SELECT $1::int AS turn', [turn]),
  settleMs: 15_000,
};

const SLOW_SHARE = 50;

const mixed: Workload = {
  library: 'pg',
  name: 'primary keys with one in 50 of 200 ms, 32 callers',
  callers: 32,
  setUp: ITEM,
  run: async (pool, turn) =>
    turn % SLOW_SHARE === 0 ? (await pool.query('SELECT pg_sleep(0.2)')).rowCount : readItem(pool, turn),
  counts: (turn) => turn % SLOW_SHARE !== 0,
  quick: true,
};

const throughKnex = (callers: number): Workload => ({
  library: 'knex',
  name: `knex, primary keys, ${callers} callers`,
  callers,
  setUp: ITEM,
  run: (knex, turn) =>
    knex('item')
      .select('id', 'name', 'price')
      .where({ id: itemOf(turn) }),
});

const READ_OF_MYSQL = 'SELECT id, name, price FROM item WHERE id = ?';

const mysql2Query: WorkloadOf<'mysql2'> = {
  library: 'mysql2',
  name: 'mysql2 query, primary keys, 64 callers',
  callers: 64,
  setUp: ITEM_OF_MYSQL,
  run: async (pool, turn) => (await pool.query(READ_OF_MYSQL, [itemOf(turn)]))[0],
  together: true,
};

const mysql2Execute: WorkloadOf<'mysql2'> = {
  ...mysql2Query,
  name: 'mysql2 execute, primary keys, 64 callers',
  run: async (pool, turn) => (await pool.execute(READ_OF_MYSQL, [itemOf(turn)]))[0],
  quick: true,
};

/** The same by a callback, as the pool below a promise pool is asked. */
const byCallback = (
  method: string,
  ask: (pool: CorePool, id: number, done: (error: unknown, rows: unknown) => void) => unknown,
): WorkloadOf<'mysql2'> => ({
  ...mysql2Query,
  name: `mysql2 ${method} with a callback, primary keys, 64 callers`,
  seldom: true,
  run: ({ pool }, turn) =>
    new Promise((resolve, reject) => {
      ask(pool, itemOf(turn), (error, rows) => (error ? reject(error) : resolve(rows)));
    }),
});

export const READS: readonly Workload[] = [
  byKey(10),
  { ...byKey(64), quick: true, tuned: true },
  joins,
  busy,
  mixed,
  throughKnex(10),
  throughKnex(64),
  mysql2Query,
  mysql2Execute,
  byCallback('query', (pool, id, done) => pool.query(READ_OF_MYSQL, [id], done)),
  byCallback('execute', (pool, id, done) => pool.execute(READ_OF_MYSQL, [id], done)),
];

/** For memory: all connections busy, and so many callers that most of them wait. */
export const CROWDS: readonly Workload[] = [byKey(64), byKey(512)];

const BRANCHES = 10;
const ACCOUNTS = 10_000 * BRANCHES;

const BANK = [
  'DROP TABLE IF EXISTS accounts, tellers, branches, history',
  'CREATE TABLE branches (bid int PRIMARY KEY, bbalance int, filler char(88))',
  'CREATE TABLE tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84))',
  'CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))',
  'CREATE TABLE history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))',
  `INSERT INTO branches SELECT i, 0, '' FROM generate_series(1, ${BRANCHES}) i`,
  `INSERT INTO tellers SELECT i, 1 + i % ${BRANCHES}, 0, '' FROM generate_series(1, ${10 * BRANCHES}) i`,
  `INSERT INTO accounts SELECT i, 1 + i % ${BRANCHES}, 0, '' FROM generate_series(1, ${ACCOUNTS}) i`,
  'ANALYZE',
];

/** The statements of pgbench's two standard scripts, through the pool. */
export const PGBENCH: readonly Workload[] = [
  {
    library: 'pg',
    name: 'select-only, 64 clients',
    callers: 64,
    setUp: BANK,
    run: async (pool, turn) =>
      (await pool.query('SELECT abalance FROM accounts WHERE aid = $1', [1 + ((turn * 7_919) % ACCOUNTS)]))
        .rowCount,
  },
  {
    library: 'pg',
    name: 'TPC-B-like, 64 clients',
    callers: 64,
    setUp: BANK,
    async run(pool, turn) {
      const aid = 1 + ((turn * 7_919) % ACCOUNTS);
      const tid = 1 + ((turn * 31) % (10 * BRANCHES));
      const bid = 1 + ((turn * 17) % BRANCHES);
      const delta = (turn % 100) - 50;
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await client.query('UPDATE accounts SET abalance = abalance + $1 WHERE aid = $2', [delta, aid]);
        const { rowCount } = await client.query('SELECT abalance FROM accounts WHERE aid = $1', [aid]);
        await client.query('UPDATE tellers SET tbalance = tbalance + $1 WHERE tid = $2', [delta, tid]);
        await client.query('UPDATE branches SET bbalance = bbalance + $1 WHERE bid = $2', [delta, bid]);
        await client.query(
          'INSERT INTO history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)',
          [tid, bid, aid, delta],
        );
        await client.query('END');
        return rowCount;
      } finally {
        client.release();
      }
    },
    async warmUp(pool, turn) {
      const client = await pool.connect();
      try {
        await client.query('SELECT $1::int AS turn', [turn]);
      } finally {
        client.release();
      }
    },
    quick: true,
    tuned: true,
    transactions: true,
  },
];

/** By which a process finds the load that it is told to run. */
export const WORKLOADS: readonly Workload[] = [...READS, ...PGBENCH, ...CROWDS];
