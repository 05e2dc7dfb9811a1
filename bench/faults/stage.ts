import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { type Database, startDatabases } from '../../test/servers/index.js';

/** The applications' logins: not an administrator's, whom neither a read-only server nor a full one keeps out. */
const LOGINS = 'bench_';
const PASSWORD = 'first';
const ROTATED = 'second';

/** Of one application: what a server limits by login it limits each of them by. */
export function loginOf(application: number): { readonly user: string; readonly password: string } {
  return { user: `${LOGINS}${application}`, password: PASSWORD };
}

/** So many applications may use a server at once. */
const APPLICATIONS = 2;
const USERS = Array.from({ length: APPLICATIONS }, (_, application) => loginOf(application).user);

const POLL_MS = 5;
const ROWS = 100;

/** A kind of server, and what can be done to one. */
export interface Stage {
  readonly kind: 'postgres' | 'mysql';
  /** Where the application begins. */
  readonly first: Database;
  /** Where a failover leads. */
  readonly second: Database;
  readonly database: string;
  readonly slowSql: string;
  /** Kills one server process with SIGKILL; settles when the server takes connections again. */
  crash(): Promise<void>;
  /** Ends every session of the applications. */
  terminate(): Promise<void>;
  /** From now on the first server takes no writes. */
  refuseWrites(): Promise<void>;
  /** From now on each application may have so many connections. */
  limitConnections(most: number): Promise<void>;
  /** From now on the applications' password is another. */
  rotatePassword(): Promise<void>;
  /** Everything as it was at the beginning. */
  heal(): Promise<void>;
}

export interface Stages {
  readonly postgres: Stage;
  readonly mysql: Stage;
  stop(): Promise<void>;
}

export async function setUpStages(): Promise<Stages> {
  const wanted = { postgres: { auth: 'scram-sha-256' }, mysql: true } as const;
  const [one, other] = [await startDatabases(wanted), await startDatabases(wanted)];
  const postgres = postgresStage(one.postgres, other.postgres);
  const maria = mysqlStage(one.mysql, other.mysql);
  for (const server of [one.postgres, other.postgres]) await furnishPostgres(server);
  for (const server of [one.mysql, other.mysql]) await furnishMysql(server);
  return {
    postgres,
    mysql: maria,
    stop: async () => {
      await Promise.all([one.stop(), other.stop()]);
    },
  };
}

function postgresStage(first: Database, second: Database): Stage {
  const tell = (sql: string) => tellPostgres(first, sql);
  return {
    kind: 'postgres',
    first,
    second,
    database: first.database,
    slowSql: 'SELECT pg_sleep(0.02)',
    async crash() {
      const [{ pid } = { pid: undefined }] = await tell(
        `SELECT pid FROM pg_stat_activity WHERE usename LIKE '${LOGINS}%' LIMIT 1`,
      );
      process.kill(Number(pid), 'SIGKILL');
      await sleep(50);
      await until(() => tell('SELECT 1'));
    },
    async terminate() {
      await tell(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE '${LOGINS}%'`);
    },
    async refuseWrites() {
      await tell('ALTER SYSTEM SET default_transaction_read_only = on');
      await tell('SELECT pg_reload_conf()');
    },
    async limitConnections(most) {
      for (const user of USERS) await tell(`ALTER ROLE ${user} CONNECTION LIMIT ${most}`);
    },
    async rotatePassword() {
      for (const user of USERS) await tell(`ALTER ROLE ${user} PASSWORD '${ROTATED}'`);
    },
    async heal() {
      await tell('ALTER SYSTEM RESET default_transaction_read_only');
      await tell('SELECT pg_reload_conf()');
      for (const user of USERS)
        await until(() => tell(`ALTER ROLE ${user} CONNECTION LIMIT -1 PASSWORD '${PASSWORD}'`));
    },
  };
}

function mysqlStage(first: Database, second: Database): Stage {
  const tell = (sql: string) => tellMysql(first, sql);
  const accounts = USERS.map((user) => `${user}@'%'`);
  return {
    kind: 'mysql',
    first,
    second,
    database: first.database,
    slowSql: 'SELECT SLEEP(0.02)',
    crash: () => first.restart({ mode: 'kill' }),
    async terminate() {
      const sessions = await tell(
        `SELECT id FROM information_schema.processlist WHERE user LIKE '${LOGINS}%'`,
      );
      for (const { id } of sessions) await tell(`KILL ${id}`).catch(() => {});
    },
    async refuseWrites() {
      await tell('SET GLOBAL read_only = 1');
    },
    async limitConnections(most) {
      for (const account of accounts) await tell(`ALTER USER ${account} WITH MAX_USER_CONNECTIONS ${most}`);
    },
    async rotatePassword() {
      for (const account of accounts) await tell(`ALTER USER ${account} IDENTIFIED BY '${ROTATED}'`);
    },
    async heal() {
      await tell('SET GLOBAL read_only = 0');
      for (const account of accounts)
        await tell(`ALTER USER ${account} IDENTIFIED BY '${PASSWORD}' WITH MAX_USER_CONNECTIONS 0`);
    },
  };
}

async function furnishPostgres(server: Database): Promise<void> {
  await tellPostgres(server, 'CREATE TABLE item (id int PRIMARY KEY, price int)');
  await tellPostgres(server, `INSERT INTO item SELECT id, 0 FROM generate_series(1, ${ROWS}) AS id`);
  for (const user of USERS) {
    await tellPostgres(server, `CREATE ROLE ${user} LOGIN PASSWORD '${PASSWORD}'`);
    await tellPostgres(server, `GRANT ALL ON item TO ${user}`);
  }
}

async function furnishMysql(server: Database): Promise<void> {
  const { database } = server;
  await tellMysql(server, `CREATE TABLE item (id int PRIMARY KEY, price int)`);
  const values = Array.from({ length: ROWS }, (_, index) => `(${index + 1}, 0)`).join();
  await tellMysql(server, `INSERT INTO item VALUES ${values}`);
  for (const user of USERS) {
    await tellMysql(server, `CREATE USER ${user}@'%' IDENTIFIED BY '${PASSWORD}'`);
    await tellMysql(server, `GRANT SELECT, INSERT, UPDATE, DELETE ON ${database}.* TO ${user}@'%'`);
  }
}

async function tellPostgres({ url }: Database, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function tellMysql({ url }: Database, sql: string): Promise<Record<string, unknown>[]> {
  const connection = await mysql.createConnection(url);
  try {
    const [rows] = await connection.query(sql);
    return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
  } finally {
    await connection.end();
  }
}

/** Asks until there is an answer. */
async function until(ask: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await ask();
      return;
    } catch {
      await sleep(POLL_MS);
    }
  }
}
