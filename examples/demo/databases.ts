import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { type Database, startDatabases } from '../../test/servers/index.js';
import { type Phase, POOLS, type PoolName } from './phases.js';
import { type ForEachKind, forEachKind, KINDS, type Kind } from './service.js';

/** Connections that the servers have seen so far, by pool. Undefined where the server is not ours alone. */
export type ConnectionCounts = Record<PoolName, number | undefined>;

/** The databases of the orders service, filled. Each pool has one of its own, so their names tell them apart. */
export class DemoDatabases {
  readonly postgres: Database;
  readonly mysql: Database;
  readonly #stopServers: () => Promise<void>;
  #onMysql!: Connection;

  static async start(): Promise<DemoDatabases> {
    // Passwords as in real life, so that opening a connection costs what it costs there.
    const { postgres, mysql, stop } = await startDatabases({
      postgres: { auth: 'scram-sha-256', settings: { log_connections: 'on' } },
      mysql: { settings: { userstat: 1 } },
    });
    const databases = new DemoDatabases(postgres, mysql, stop);
    try {
      await databases.#create();
    } catch (error) {
      await stop();
      throw error;
    }
    return databases;
  }

  private constructor(postgres: Database, mysql: Database, stopServers: () => Promise<void>) {
    this.postgres = postgres;
    this.mysql = mysql;
    this.#stopServers = stopServers;
  }

  /** What an application is told of its databases. It comes under its kind's name, by which servers can count. */
  environmentFor(kind: Kind): NodeJS.ProcessEnv {
    const { host, port, user, password } = this.postgres;
    const catalogue = new URL(urlOf(this.mysql, 'catalogue'));
    if (this.mysql.owned) catalogue.username = kind;
    return {
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      PGAPPNAME: kind,
      CATALOGUE_URL: catalogue.href,
    };
  }

  /** By the servers' own account, as not every pool counts its connections. */
  async connectionCounts(): Promise<ForEachKind<ConnectionCounts>> {
    const log = this.postgres.owned ? this.postgres.log().split('\n') : undefined;
    const opened = (kind: Kind, database: PoolName) =>
      log
        ?.map((line) => AUTHORIZED.exec(line))
        .filter((found) => found?.[1] === database && found[2] === kind).length;
    const onMysql = await this.#mysqlConnections();
    return forEachKind((kind) => ({
      orders: opened(kind, 'orders'),
      catalogue: onMysql?.[kind],
      reports: opened(kind, 'reports'),
    }));
  }

  /** PostgreSQL goes away and comes back. */
  async takeAway({ fromMs, untilMs }: NonNullable<Phase['outage']>, signal: AbortSignal): Promise<void> {
    await sleep(fromMs, undefined, { signal });
    const backAt = performance.now() + untilMs - fromMs;
    await this.postgres.halt();
    await sleep(Math.max(0, backAt - performance.now()), undefined, { signal });
    await this.postgres.resume();
  }

  async stop(): Promise<void> {
    if (!this.postgres.owned) {
      await this.#onPostgres(this.postgres.database, 'drop database orders', 'drop database reports');
    }
    if (!this.mysql.owned) await this.#onMysql.query('drop database catalogue');
    await this.#onMysql.end();
    await this.#stopServers();
  }

  async #create(): Promise<void> {
    this.#onMysql = await createConnection({ uri: this.mysql.url, multipleStatements: true });
    if (this.mysql.owned) {
      for (const kind of KINDS)
        await this.#onMysql.query('create user ? identified by ?', [kind, this.mysql.password]);
    }
    await Promise.all([
      this.#onMysql.query(
        `create database catalogue; use catalogue;
        create table products (id int auto_increment primary key, name varchar(40), cents int);
        insert into products (name, cents) select concat('product ', seq), 100 * seq from seq_1_to_100;
        ${this.mysql.owned ? KINDS.map((kind) => `grant all on catalogue.* to ${kind}`).join(';') : ''}`,
      ),
      this.#onPostgres(this.postgres.database, 'create database orders', 'create database reports').then(() =>
        Promise.all([
          this.#onPostgres('orders', TABLE('orders'), ROWS('orders')),
          this.#onPostgres('reports', TABLE('sales'), ROWS('sales')),
        ]),
      ),
    ]);
  }

  async #onPostgres(database: string, ...statements: string[]): Promise<void> {
    const client = new Client({ connectionString: urlOf(this.postgres, database) });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  }

  async #mysqlConnections(): Promise<ForEachKind<number> | undefined> {
    if (!this.mysql.owned) return undefined;
    const [rows] = await this.#onMysql.query(
      'select user, total_connections as total from information_schema.user_statistics',
    );
    const totals = new Map(
      (rows as { user: string; total: number }[]).map(({ user, total }) => [user, total]),
    );
    return forEachKind((kind) => Number(totals.get(kind) ?? 0));
  }
}

/** PostgreSQL's log, one line for each new connection. */
const AUTHORIZED = /connection authorized: .*database=(\w+) application_name=(\w+)/;

const TABLE = (name: string) =>
  `create table ${name} (id serial primary key, product_id int not null, quantity int not null)`;

const ROWS = (name: string) =>
  `insert into ${name} (product_id, quantity) select 1 + n % 100, 1 + n % 5 from generate_series(1, 5000) n`;

function urlOf({ url }: Database, database: string): string {
  const other = new URL(url);
  other.pathname = database;
  return other.href;
}

export function countedBetween(before: ConnectionCounts, after: ConnectionCounts): ConnectionCounts {
  const difference = (pool: PoolName) => {
    const [from, to] = [before[pool], after[pool]];
    return from === undefined || to === undefined ? undefined : to - from;
  };
  return Object.fromEntries(POOLS.map((pool) => [pool, difference(pool)])) as ConnectionCounts;
}
