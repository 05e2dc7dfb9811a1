import { expect } from 'chai';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { enhancePool as enhanceMysql2Pool } from '../../adapters/mysql2/index.js';
import { enhancePool as enhancePgPool } from '../../adapters/pg/index.js';
import { type Databases, startDatabases } from '../servers/index.js';

/** MariaDB knows no fewer. */
const SERVER_MAX = 10;
const OTHERS = 6;
const CALLERS = 40;

/** A pool that may have far more connections than its server grants it. */
interface Subject {
  /** Holds a connection for 20 ms. */
  work(): Promise<unknown>;
  open(): number;
  end(): Promise<unknown>;
}

const subjects: Record<string, (databases: Databases<'postgres' | 'mysql'>) => Subject> = {
  pg({ postgres }) {
    const pool = enhancePgPool(new pg.Pool({ connectionString: postgres.url, max: 20 }));
    return {
      work: () => pool.query('select pg_sleep(0.02)'),
      open: () => pool.totalCount,
      end: () => pool.end(),
    };
  },
  mysql2({ mysql: { url } }) {
    const pool = enhanceMysql2Pool(mysql.createPool({ uri: url, connectionLimit: 20 }));
    const core = pool.pool as unknown as { _allConnections: { length: number } };
    return {
      work: () => pool.query('select sleep(0.02)'),
      open: () => core._allConnections.length,
      end: () => pool.end(),
    };
  },
};

describe('a server that is full', function () {
  this.timeout(60_000);
  let databases: Databases<'postgres' | 'mysql'>;
  let ends: (() => Promise<unknown>)[] = [];

  before(async () => {
    const settings = { max_connections: SERVER_MAX };
    databases = await startDatabases({
      postgres: { settings: { ...settings, superuser_reserved_connections: 0 } },
      mysql: { settings },
    });
  });

  afterEach(async () => {
    for (const end of ends) await end();
    ends = [];
  });

  after(() => databases.stop());

  /** Takes `count` of the server's connections, or all that there are, until the test lets go of them. */
  async function others(name: string, count: number): Promise<() => Promise<void>> {
    let clients: (pg.Client | mysql.Connection)[] = [];
    const leave = async () => {
      for (const client of clients.splice(0)) await client.end();
    };
    ends.push(leave);
    // What an earlier test has closed, the server may give up a moment later.
    for (let refusals = 0; clients.length < count && refusals < 5; ) {
      try {
        clients = [...clients, await connected(name)];
        refusals = 0;
      } catch (error) {
        if (count < SERVER_MAX) throw error;
        refusals += 1;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    return leave;
  }

  async function connected(name: string): Promise<pg.Client | mysql.Connection> {
    if (name === 'mysql2') return mysql.createConnection(databases.mysql.url);
    const client = new pg.Client(databases.postgres.url);
    await client.connect();
    return client;
  }

  for (const [name, newSubject] of Object.entries(subjects)) {
    it(`makes nobody fail who can wait, and is asked for more in time (${name})`, async () => {
      const leave = await others(name, OTHERS);
      const subject = newSubject(databases);
      ends.push(subject.end);
      const burst = () => Promise.all(Array.from({ length: CALLERS }, () => subject.work()));
      await burst();
      await leave();
      const openWhileFull = subject.open();
      for (const until = Date.now() + 20_000; subject.open() < SERVER_MAX - 1; ) {
        if (Date.now() > until) expect.fail(`${subject.open()} open, ${openWhileFull} while it was full`);
        await burst();
      }
    });

    it(`is waited for by a pool that never had a connection (${name})`, async () => {
      const leave = await others(name, 2 * SERVER_MAX);
      const subject = newSubject(databases);
      ends.push(subject.end);
      const work = Promise.all(Array.from({ length: 5 }, () => subject.work()));
      const waits = new Promise((resolve) => setTimeout(resolve, 500, 'waits'));
      expect(await Promise.race([waits, work])).equal('waits');
      await leave();
      await work;
    });
  }
});
