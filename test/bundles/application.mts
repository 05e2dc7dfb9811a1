// An application that is bundled with its libraries, so that no hook sees them: it hands its pools over itself.
import knex, { type Knex } from 'knex';
import mysql from 'mysql2';
import mysqlPromises from 'mysql2/promise';
import { enhanceKnex } from 'opentelemetry-instrumentation-enhanced-pool/knex';
import { enhancePool as enhanceMysqlPool } from 'opentelemetry-instrumentation-enhanced-pool/mysql2';
import { enhancePool } from 'opentelemetry-instrumentation-enhanced-pool/pg';
import pg from 'pg';

/** What it prints. */
export interface Report {
  readonly answers: Readonly<Record<string, unknown>>;
  /** Of each pool, whether it computes what stock pools keep: the mark of one that runs on the engine. */
  readonly enhanced: Readonly<Record<string, boolean>>;
}

class Orders extends pg.Pool {}

const { PG_URL, MYSQL_URL, APP_STOCK } = process.env as {
  PG_URL: string;
  MYSQL_URL: string;
  APP_STOCK?: string;
};
const handOver = <P extends object>(enhance: (pool: P) => P, pool: P): P =>
  APP_STOCK === undefined ? enhance(pool) : pool;

const postgres = handOver(enhancePool, new Orders({ connectionString: PG_URL, max: 2 }));
const untouched = new pg.Pool({ connectionString: PG_URL, max: 2 });
const callbacks = handOver(enhanceMysqlPool, mysql.createPool({ uri: MYSQL_URL, connectionLimit: 2 }));
const promises = handOver(enhanceMysqlPool, mysqlPromises.createPool({ uri: MYSQL_URL, connectionLimit: 2 }));
const knexOf = (client: string, connection: string) =>
  handOver<Knex>(enhanceKnex, knex({ client, connection, pool: { min: 0, max: 2 } }));
const knexPostgres = knexOf('pg', PG_URL);
const knexMysql = knexOf('mysql2', MYSQL_URL);

/** More at once than a pool has connections. */
const together = <T,>(query: (n: number) => Promise<T>) => Promise.all([1, 2, 3, 4].map(query));

// CommonJS has no await outside of functions.
async function main(): Promise<void> {
  const answers = {
    postgres: await together(async (n) => (await postgres.query('select $1::int as n', [n])).rows[0]),
    untouched: (await untouched.query('select 5 as n')).rows[0],
    callbacks: await together(
      (n) =>
        new Promise((resolve, reject) => {
          callbacks.query('select ? as n', [n], (error, rows) =>
            error ? reject(error) : resolve((rows as unknown[])[0]),
          );
        }),
    ),
    promises: await together(async (n) => ((await promises.query('select ? as n', [n]))[0] as unknown[])[0]),
    knexPostgres: await together(
      async (n) => (await knexPostgres.select(knexPostgres.raw('?::int as n', n)))[0],
    ),
    knexMysql: await together(async (n) => (await knexMysql.select(knexMysql.raw('? as n', n)))[0]),
  };

  const isComputed = (pool: object, name: string) =>
    Object.getOwnPropertyDescriptor(pool, name)?.get !== undefined;
  const enhanced = {
    postgres: isComputed(postgres, '_clients'),
    untouched: isComputed(untouched, '_clients'),
    callbacks: isComputed(callbacks, '_allConnections'),
    promises: isComputed(promises.pool, '_allConnections'),
    knexPostgres: isComputed(knexPostgres.client.pool, 'used'),
    knexMysql: isComputed(knexMysql.client.pool, 'used'),
  };

  await Promise.all([
    postgres.end(),
    untouched.end(),
    new Promise((resolve) => callbacks.end(resolve)),
    promises.end(),
    knexPostgres.destroy(),
    knexMysql.destroy(),
  ]);
  console.log(JSON.stringify({ answers, enhanced } satisfies Report));
}

void main();
