import { expect } from 'chai';
import { withQueryHint } from '../../adapters/query-hint.js';
import { type Pool, PoolError, type Priority } from '../../src/index.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { sharingKnex, sharingMysql2, sharingPool } from '../sharing/sharing-pool.js';

const FLAGS = { degradedShed: 'on', pipelining: 'off', autoPrepare: 'off' } as const;
/** Half of it is the longest that those of low priority wait. */
const DEADLINE_MS = 8_000;

/** A pool of one connection, and somebody who holds it until `letGo`. */
interface Crowded {
  run(): Promise<unknown>;
  letGo(): void;
  close(): Promise<unknown>;
  engine(): Pool<unknown>;
}

describe('a priority in the hint of a query', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres' | 'mysql'>;
  let crowded: Crowded | undefined;

  before(async () => {
    databases = await startDatabases({ postgres: true, mysql: true });
  });
  afterEach(async () => {
    await crowded?.close();
    crowded = undefined;
  });
  after(() => databases?.stop());

  const ways: Readonly<Record<string, () => Promise<Crowded>>> = {
    async pg() {
      const { pool, engine } = sharingPool({ connectionString: databases.postgres.url, max: 1 }, FLAGS);
      const client = await pool.connect();
      return {
        run: () => pool.query('SELECT 1'),
        letGo: () => client.release(),
        close: () => pool.end(),
        engine,
      };
    },
    async mysql2() {
      const { pool, engine } = sharingMysql2({ uri: databases.mysql.url, connectionLimit: 1 }, FLAGS);
      const connection = await pool.getConnection();
      return {
        run: () => pool.query('SELECT 1'),
        letGo: () => connection.release(),
        close: () => pool.end(),
        engine,
      };
    },
    async knex() {
      const { knex, engine } = sharingKnex(
        { connection: databases.postgres.url, pool: { min: 0, max: 1 } },
        FLAGS,
      );
      const transaction = await knex.transaction();
      return {
        run: async () => knex.raw('SELECT 1'),
        letGo: () => void transaction.rollback(),
        close: () => knex.destroy(),
        engine,
      };
    },
  };

  for (const [library, open] of Object.entries(ways)) {
    it(`${library}: in a crowd the low is turned away, and the high is served before who came first`, async () => {
      crowded = await open();
      const { run, letGo, engine } = crowded;
      const ends: string[] = [];
      const ask = (priority: Priority) =>
        withQueryHint({ priority, deadlineMs: DEADLINE_MS }, run).then(
          () => ends.push(priority),
          (error: unknown) => {
            ends.push(error instanceof PoolError ? `${priority}: ${error.code}` : String(error));
            letGo();
          },
        );
      await Promise.all((['normal', 'low', 'high'] as const).map(ask));
      expect(ends).deep.equal(['low: SHED', 'high', 'normal']);
      expect(engine().counters.shed).equal(1);
    });
  }
});
