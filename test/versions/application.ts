// What an application does with pools, from making them to ending them; the versions matrix runs it stock and enhanced.
//
//   APP_MODULES=folder node application.js pg|mysql2|knex
//
// APP_MODULES is where its libraries are. The last line it prints is a `Seen`.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Telemetry } from '../instrumentation/apps/work.js';

export interface Seen {
  /** Every step and what came of it. */
  readonly steps: Readonly<Record<string, unknown>>;
  /** Of each pool, whether it computes what stock pools keep: the mark of one that runs on the engine. */
  readonly enhanced: Readonly<Record<string, boolean>>;
  readonly telemetry?: Telemetry;
}

type Steps = Record<string, unknown>;
// The libraries of ten years have no types in common.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;

const load: (name: string) => Any = createRequire(join(process.env.APP_MODULES!, 'application.js'));
const { PG_URL, MYSQL_URL } = process.env as Record<string, string>;

const applications: Readonly<Record<string, () => Promise<Seen>>> = {
  async pg() {
    const { Pool, Query } = load('pg');
    const pool = new Pool({ connectionString: PG_URL, max: 2, connectionTimeoutMillis: 1500 });
    const steps: Steps = {};
    steps.query = (await pool.query('select 1 as one')).rows;
    steps.parameters = (await pool.query('select $1::int + 1 as two', [1])).rows;
    steps.callback = await new Promise((resolve) => {
      pool.query('select 3 as three', (error: unknown, result: Any) => resolve(error ?? result.rows));
    });
    steps.counts = [pool.totalCount, pool.idleCount, pool.waitingCount];

    const client = await pool.connect();
    await client.query('create temp table kept (n int)');
    await client.query('begin');
    await client.query('insert into kept values (1)');
    await client.query('rollback');
    await client.query('begin');
    await client.query('insert into kept values (2)');
    await client.query('commit');
    steps.transaction = (await client.query('select n from kept')).rows;
    steps.stream = await rowsOf(client.query(new Query('select generate_series(1, 3) as n')), 'row');
    const other = await pool.connect();
    steps.timeout = await failure(pool.connect());
    steps.exhausted = [pool.totalCount, pool.idleCount, pool.waitingCount];
    other.release();
    client.release();

    steps.together = await Promise.all(
      [1, 2, 3, 4].map(async (n) => (await pool.query(`select ${n} as n`)).rows),
    );
    steps.failure = await failure(pool.query('select 1 / 0'));
    steps.afterFailure = (await pool.query('select 4 as four')).rows;
    const telemetry = await collected();
    const enhanced = { pool: isComputed(pool, '_clients') };
    await pool.end();
    steps.afterEnd = await failure(pool.query('select 5'));
    steps.secondEnd = await failure(pool.end());
    return { steps, enhanced, ...telemetry };
  },

  async mysql2() {
    const pool = load('mysql2/promise').createPool({ uri: MYSQL_URL, connectionLimit: 2, queueLimit: 1 });
    const steps: Steps = {};
    steps.query = (await pool.query('select 1 as one'))[0];
    steps.parameters = (await pool.query('select ? + 1 as two', [1]))[0];
    steps.execute = (await pool.execute('select ? as three', ['3']))[0];

    const connection = await pool.getConnection();
    await connection.query('create temporary table kept (n int)');
    await connection.beginTransaction();
    await connection.query('insert into kept values (1)');
    await connection.rollback();
    await connection.beginTransaction();
    await connection.query('insert into kept values (2)');
    await connection.commit();
    steps.transaction = (await connection.query('select n from kept'))[0];
    const other = await pool.getConnection();
    const queued = pool.query('select 4 as four');
    steps.queueLimit = await failure(pool.query('select 5'));
    other.release();
    steps.queued = (await queued)[0];
    connection.release();
    steps.failure = await failure(pool.query('select from nowhere'));

    const callbacks = load('mysql2').createPool({
      uri: MYSQL_URL,
      connectionLimit: 1,
      waitForConnections: false,
    });
    steps.callback = await new Promise((resolve) => {
      callbacks.query('select 6 as six', (error: unknown, rows: unknown) => resolve(error ?? rows));
    });
    steps.stream = await rowsOf(callbacks.query('select 1 as n union all select 2').stream(), 'data');
    const only: Any = await new Promise((resolve, reject) => {
      callbacks.getConnection((error: unknown, it: unknown) => (error ? reject(error) : resolve(it)));
    });
    steps.noWaiting = await new Promise((resolve) => {
      callbacks.getConnection((error: Error) => resolve(error?.message));
    });
    only.release();

    const telemetry = await collected();
    const enhanced = {
      promises: isComputed(pool.pool, '_allConnections'),
      callbacks: isComputed(callbacks, '_allConnections'),
    };
    await pool.end();
    await new Promise((resolve) => callbacks.end(resolve));
    steps.afterEnd = await failure(pool.getConnection());
    return { steps, enhanced, ...telemetry };
  },

  async knex() {
    const [pg, mysql] = await Promise.all([useKnex('pg', PG_URL!), useKnex('mysql2', MYSQL_URL!)]);
    const telemetry = await collected();
    await Promise.all([pg.knex.destroy(), mysql.knex.destroy()]);
    const afterDestroy = await Promise.all([
      failure(pg.knex.raw('select 1')),
      failure(mysql.knex.raw('select 1')),
    ]);
    return {
      steps: { pg: pg.steps, mysql2: mysql.steps, afterDestroy },
      enhanced: { pg: pg.enhanced, mysql2: mysql.enhanced },
      ...telemetry,
    };
  },
};

async function useKnex(client: string, connection: string) {
  const knex = load('knex')({ client, connection, pool: { min: 0, max: 2 }, acquireConnectionTimeout: 1500 });
  const table = `kept_${process.pid}`;
  const steps: Steps = {};
  await knex.schema.createTable(table, (columns: Any) => columns.integer('n'));
  try {
    steps.insert = await failure(knex(table).insert([{ n: 1 }, { n: 2 }]));
    steps.query = await knex.select('n').from(table).where('n', '>', 1);
    steps.callback = await new Promise((resolve) => {
      knex(table)
        .count('* as many')
        .asCallback((error: unknown, rows: Any) => resolve(error ?? String(rows[0].many)));
    });
    steps.rollback = await failure(
      knex.transaction(async (trx: Any) => {
        await trx(table).insert({ n: 3 });
        throw new Error('called off');
      }),
    );
    await knex.transaction(async (trx: Any) => {
      await trx(table).insert({ n: 4 });
      steps.savepoint = await failure(trx.transaction((inner: Any) => inner.raw('select from nowhere')));
    });
    steps.transaction = await knex.select('n').from(table).orderBy('n');
    // In PostgreSQL it needs pg-query-stream.
    if (client === 'mysql2')
      steps.stream = await rowsOf(knex.select('n').from(table).orderBy('n').stream(), 'data');
    steps.failure = await failure(knex.select('nothing').from(table));

    const held = [await knex.transaction(), await knex.transaction()];
    steps.timeout = await failure(knex.select('n').from(table));
    steps.exhausted = [knex.client.pool.numUsed(), knex.client.pool.numFree()];
    await Promise.all(held.map((trx) => trx.rollback()));
    steps.together = await Promise.all([1, 2, 3, 4].map((n) => knex(table).where({ n }).select('n')));
  } finally {
    await knex.schema.dropTable(table);
  }
  return { knex, steps, enhanced: isComputed(knex.client.pool, 'used') };
}

/** The code or the kind of an error, and its text without what differs from run to run. */
async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    const { name, code, message } = error as Error & { code?: unknown };
    return [name, code ?? null, message.replaceAll(`kept_${process.pid}`, 'kept')];
  }
}

function rowsOf(stream: Any, event: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const rows: unknown[] = [];
    stream.on(event, (row: unknown) => rows.push(row));
    stream.on('end', () => resolve(rows));
    stream.on('error', reject);
  });
}

/** Connections that nobody needs any more may still be on their way. */
async function collected(): Promise<Pick<Seen, 'telemetry'>> {
  await setTimeout(20);
  const telemetry = await globalThis.collectTelemetry?.();
  return telemetry === undefined ? {} : { telemetry };
}

function isComputed(pool: object, name: string): boolean {
  return Object.getOwnPropertyDescriptor(pool, name)?.get !== undefined;
}

applications[process.argv[2]!]!().then((seen) => console.log(JSON.stringify(seen)));
