import { dirname, join } from 'node:path';
import { expect } from 'chai';
import type createKnex from 'knex';
import type { Knex } from 'knex';
import type mysql from 'mysql2/promise';
import type pg from 'pg';
import type { Host, PoolControl } from '../../adapters/host.js';
import { patchKnex } from '../../adapters/knex/patch.js';
import { patchMysql2Pool } from '../../adapters/mysql2/patch.js';
import { patchPgPool } from '../../adapters/pg/patch.js';
import type { Pool } from '../../src/index.js';
import { Slots } from '../../src/slots.js';
import { hostOf } from '../contract/hosts.js';
import { unload } from '../own-libraries.js';
import { type Databases, startDatabases } from '../servers/index.js';

const MAX = 4;
const FEW_OPERATIONS = 2_500;
const MANY_OPERATIONS = 10_000;

/** A pool of one library, in ordinary use. */
interface Subject {
  /** Answers with `token`. */
  query(token: number): Promise<number>;
  /** Holds a connection for a while, and answers with `token`. */
  borrow(token: number): Promise<number>;
  end(): Promise<unknown>;
  /** Connections that stock itself counts. */
  counted(): number;
}

let control: PoolControl | undefined;
let engine: Pool<unknown> | undefined;
let fallen: string[];
let closed: number;

const host: Host = {
  ...hostOf({}),
  adopted: (_info, adopted, given) => {
    engine = adopted;
    control = given;
  },
  fellBack: (_info, reason) => fallen.push(reason),
  closed: () => {
    closed += 1;
  },
};

const subjects: Record<string, (databases: Databases<'postgres' | 'mysql'>) => Subject> = {
  pg({ postgres }) {
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
  mysql2(databases) {
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
  knex({ postgres }) {
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

describe('falling back to the stock pool', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres' | 'mysql'>;

  before(async () => {
    databases = await startDatabases({ postgres: true, mysql: true });
  });
  after(() => databases?.stop());
  beforeEach(() => {
    unload('pg', 'pg-pool', 'mysql2', 'knex', 'tarn');
    control = undefined;
    engine = undefined;
    fallen = [];
    closed = 0;
  });

  for (const [name, open] of Object.entries(subjects)) {
    describe(`of ${name}`, () => {
      /** Many operations at once, with `midway` in the midst of them. Every answer must be that to its question. */
      async function rush(subject: Subject, many: number, midway: () => void): Promise<void> {
        let done = 0;
        const operations = Array.from({ length: many }, async (_, token) => {
          const answer = await (token % 5 === 0 ? subject.borrow(token) : subject.query(token));
          done += 1;
          if (done === many / 5) midway();
          return answer;
        });
        const answers = await Promise.all(operations);
        expect(answers).deep.equal(Array.from({ length: many }, (_, token) => token));
      }

      it('on demand loses no caller and no connection, and stock serves from then on', async () => {
        const subject = open(databases);
        await rush(subject, FEW_OPERATIONS, () => control!.fallBack('the test says so'));
        expect(fallen).deep.equal(['the test says so']);
        expect(engine!.stats()).include({ open: 0, leased: 0, waiting: 0 });
        expect(closed).equal(1);
        expect(subject.counted()).within(1, MAX);
        expect(await subject.query(7)).equal(7);
        await subject.end();
      });

      it('after a fault of the engine loses no caller and no connection, and stock serves from then on', async () => {
        const subject = open(databases);
        const { move } = Slots.prototype;
        await rush(subject, MANY_OPERATIONS, () => {
          Slots.prototype.move = function sabotaged() {
            Slots.prototype.move = move;
            throw new Error('bug: sabotage');
          };
        });
        expect(fallen).deep.equal(['the engine failed: bug: sabotage']);
        expect(engine!.stats()).include({ leased: 0, waiting: 0 });
        expect(await subject.query(7)).equal(7);
        await subject.end();
      });

      it('leaves a pool that was never used alone until it is', async () => {
        const subject = open(databases);
        expect(await subject.borrow(1)).equal(1);
        control!.fallBack('early');
        control!.fallBack('again');
        expect(fallen).deep.equal(['early']);
        expect(await subject.borrow(2)).equal(2);
        await subject.end();
      });
    });
  }
});
