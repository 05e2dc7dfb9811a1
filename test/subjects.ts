import { dirname, join } from 'node:path';
import type createKnex from 'knex';
import type { Knex } from 'knex';
import type mysql from 'mysql2/promise';
import type pg from 'pg';
import type { Host, Library } from '../adapters/host.js';
import { patchKnex } from '../adapters/knex/patch.js';
import { patchMysql2Pool } from '../adapters/mysql2/patch.js';
import { patchPgPool } from '../adapters/pg/patch.js';
import { unload } from './own-libraries.js';
import type { Databases } from './servers/index.js';

/** The most connections of a subject. */
export const MAX = 4;

/** A pool of one library, in ordinary use. */
export interface Subject {
  /** Answers with `token`. */
  query(token: number): Promise<number>;
  /** Holds a connection for a while, and answers with `token`. */
  borrow(token: number): Promise<number>;
  end(): Promise<unknown>;
  /** Connections that stock itself counts. */
  counted(): number;
}

/** How a pool of each library is opened that runs as `host` wants it, on a copy of the library that nobody has patched. */
export const SUBJECTS: Readonly<
  Record<Library, (databases: Databases<'postgres' | 'mysql'>, host: Host) => Subject>
> = {
  pg({ postgres }, host) {
    const { Pool: PgPool } = require('pg') as typeof pg;
    patchPgPool(Object.getPrototypeOf(PgPool), host);
    const pool = new PgPool({ connectionString: postgres.url, max: MAX });
    return {
      query: async (token) => (await pool.query('select $1::int as token', [token])).rows[0].token,
      async borrow(token) {
        const client = await pool.connect();
        try {
          return (await client.query('select $1::int as token, pg_sleep(0.001)', [token])).rows[0].token;
        } finally {
          client.release();
        }
      },
      end: () => pool.end(),
      counted: () => pool.totalCount,
    };
  },
  mysql2(databases, host) {
    const library = require('mysql2/promise') as typeof mysql;
    patchMysql2Pool(require(join(dirname(require.resolve('mysql2')), 'lib/base/pool.js')), host);
    const pool = library.createPool({ uri: databases.mysql.url, connectionLimit: MAX });
    const tokenOf = ([rows]: unknown[]) => (rows as { token: number }[])[0]!.token;
    return {
      query: async (token) => tokenOf(await pool.query('select ? as token', [token])),
      async borrow(token) {
        const connection = await pool.getConnection();
        try {
          return tokenOf(await connection.query('select ? as token, sleep(0.001)', [token]));
        } finally {
          connection.release();
        }
      },
      end: () => pool.end(),
      counted: () => (pool.pool as unknown as { _allConnections: { length: number } })._allConnections.length,
    };
  },
  knex({ postgres }, host) {
    const library = require('knex') as typeof createKnex;
    const Client = require('knex/lib/client.js') as never;
    const Runner = require('knex/lib/execution/runner.js') as never;
    const Transaction = require('knex/lib/execution/transaction.js') as never;
    patchKnex({ Client, Runner, Transaction } as never, host);
    const knex: Knex = library({ client: 'pg', connection: postgres.url, pool: { min: 0, max: MAX } });
    return {
      query: async (token) => Number((await knex.select(knex.raw('?::int as token', [token])))[0].token),
      borrow: (token) =>
        knex.transaction(async (transaction) =>
          Number((await transaction.raw('select ?::int as token, pg_sleep(0.001)', [token])).rows[0].token),
        ),
      end: () => knex.destroy(),
      counted: () => knex.client.pool.numUsed() + knex.client.pool.numFree(),
    };
  },
};

/** From here on the next subject has libraries that nobody has patched. */
export function unloadLibraries(): void {
  unload('pg', 'pg-pool', 'mysql2', 'knex', 'tarn');
}
