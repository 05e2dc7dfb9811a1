import type { Readable } from 'node:stream';
import knex from 'knex';
import mysql from 'mysql2';
import pg from 'pg';
import { enhanceKnex } from '../../adapters/knex/index.js';
import { enhancePool as enhanceMysql } from '../../adapters/mysql2/index.js';
import { enhancePool as enhancePg } from '../../adapters/pg/index.js';
import { TcpProxy } from '../../bench/faults/proxy.js';
import { type Database, startDatabases } from '../servers/index.js';

// The package has no types.
const { to: copyTo } = require('pg-copy-streams') as {
  to(sql: string): Readable & pg.Submittable;
};

const SIZE = 6;

/** An enhanced pool behind a network that can be made to fail. */
export interface FaultyPool {
  readonly size: number;
  run(sql: string): Promise<unknown>;
  /** Its rows, or their bytes, as they come. */
  stream(sql: string): Readable;
  close(): Promise<void>;
}

export interface Servers {
  readonly database: Database;
  readonly proxy: TcpProxy;
  stop(): Promise<void>;
}

type Login = Pick<Database, 'user' | 'password' | 'database'> & { readonly host?: string };

export interface FaultyPoolKind {
  readonly name: string;
  readonly server: 'postgres' | 'mysql';
  open(port: number, login: Login): Promise<FaultyPool>;
  sleepSql(seconds: number): string;
  /** A thousand bytes in each of so many rows. */
  rowsSql(rows: number): string;
}

export async function startServers(kind: 'postgres' | 'mysql'): Promise<Servers> {
  const databases = await startDatabases(
    kind === 'postgres' ? { postgres: true, mysql: false } : { mysql: true, postgres: false },
  );
  const database = (databases as unknown as Record<string, Database>)[kind]!;
  const proxy = await TcpProxy.before(database.port);
  return {
    database,
    proxy,
    async stop() {
      await proxy.close();
      await databases.stop();
    },
  };
}

function addressOf(port: number, { host = '127.0.0.1', user, password, database }: Login) {
  return { host, port, user, password, database };
}

function openKnex(client: string, port: number, login: Login): FaultyPool {
  const db = knex({ client, connection: addressOf(port, login), pool: { min: 0, max: SIZE } });
  db.client.logger.warn = () => {};
  enhanceKnex(db);
  return {
    size: SIZE,
    run: async (sql) => db.raw(sql),
    stream: (sql) => db.raw(sql).stream({ highWaterMark: 10 }),
    close: () => db.destroy(),
  };
}

const pgSleep = (seconds: number) => `SELECT pg_sleep(${seconds})`;
const pgRows = (rows: number) => `SELECT repeat('x', 1000) AS text FROM generate_series(1, ${rows})`;
const mysqlRows = (rows: number) => `SELECT repeat('x', 1000) AS text FROM seq_1_to_${rows}`;
const mysqlSleep = (seconds: number) => `SELECT SLEEP(${seconds})`;

export const FAULTY_POOLS: readonly FaultyPoolKind[] = [
  {
    name: 'pg',
    server: 'postgres',
    sleepSql: pgSleep,
    rowsSql: pgRows,
    async open(port, login) {
      const pool = new pg.Pool({ ...addressOf(port, login), max: SIZE });
      pool.on('error', () => {});
      enhancePg(pool);
      const stream = (sql: string) => {
        // A cursor's reader stops the server; that of a COPY stops the socket.
        const rows = copyTo(`COPY (${sql}) TO STDOUT`);
        pool.connect().then((client) => {
          client.query(rows);
          rows.once('close', () => client.release());
        });
        return rows;
      };
      return { size: SIZE, run: (sql) => pool.query(sql), stream, close: () => pool.end() };
    },
  },
  {
    name: 'mysql2',
    server: 'mysql',
    sleepSql: mysqlSleep,
    rowsSql: mysqlRows,
    async open(port, login) {
      const pool = mysql.createPool({ ...addressOf(port, login), connectionLimit: SIZE });
      enhanceMysql(pool);
      return {
        size: SIZE,
        run: (sql) => pool.promise().query(sql),
        stream: (sql) => pool.query(sql).stream({ highWaterMark: 10 }),
        close: () => pool.promise().end(),
      };
    },
  },
  {
    name: 'knex on pg',
    server: 'postgres',
    sleepSql: pgSleep,
    rowsSql: pgRows,
    open: async (port, login) => openKnex('pg', port, login),
  },
  {
    name: 'knex on mysql2',
    server: 'mysql',
    sleepSql: mysqlSleep,
    rowsSql: mysqlRows,
    open: async (port, login) => openKnex('mysql2', port, login),
  },
];
