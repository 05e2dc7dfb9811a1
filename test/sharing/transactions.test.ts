import { expect } from 'chai';
import type { Knex } from 'knex';
import pg from 'pg';
import type { Pool } from '../../src/index.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { sharingKnex, sharingPool } from './sharing-pool.js';

const Cursor = require('pg-cursor') as new (
  text: string,
  values: unknown[],
) => { read(rows: number): Promise<unknown[]>; close(): Promise<void>; submit(): void };

/** So often that it goes by a name, and without one in between. */
const RUNS = 40;
const FLAGS = { autoPrepareInTransactions: 'on' } as const;
const BY_ID = 'select c from changed where id = $1';
const WRITE = 'update changed set c = c + $1 where id = $2';

interface Answer {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: readonly unknown[];
}

describe('statements of transactions', function () {
  this.timeout(60_000);
  let databases: Databases<'postgres'>;
  let admin: pg.Client;
  let close: (() => PromiseLike<unknown>)[] = [];

  before(async () => {
    databases = await startDatabases({ postgres: true });
    admin = new pg.Client(databases.postgres.url);
    await admin.connect();
  });
  beforeEach(async () => {
    await admin.query('drop table if exists changed; create table changed (id int primary key, c int)');
    await admin.query('insert into changed select i, i from generate_series(1, 50) i');
  });
  afterEach(async () => {
    await Promise.all(close.map((end) => end()));
    close = [];
  });
  after(async () => {
    await admin?.end();
    await databases?.stop();
  });

  function open(flags: Parameters<typeof sharingPool>[1] = FLAGS): {
    pool: pg.Pool;
    engine: () => Pool<unknown>;
  } {
    const opened = sharingPool({ connectionString: databases.postgres.url, max: 1 }, flags);
    close.push(() => opened.pool.end());
    return opened;
  }

  /** On one client, in one transaction. */
  async function within<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const given = await work(client);
      await client.query('COMMIT');
      return given;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  }

  const names = async (client: { query(text: string): Promise<{ rows: unknown[] }> }) =>
    (await client.query('select statement from pg_prepared_statements order by statement')).rows.map(
      (row) => (row as { statement: string }).statement,
    );

  /** A read and a write of each of `RUNS` transactions. */
  async function run(pool: pg.Pool): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (let id = 1; id <= RUNS; id += 1) {
      await within(pool, async (client) => {
        for (const [text, values] of [
          [BY_ID, [id]],
          [WRITE, [id, 1]],
        ] as const) {
          const { command, rowCount, rows } = await client.query(text, [...values]);
          answers.push({ command, rowCount, rows });
        }
      });
    }
    return answers;
  }

  it('have names where the application has agreed, and the answers of stock', async () => {
    const stock = new pg.Pool({ connectionString: databases.postgres.url, max: 1 });
    close.push(() => stock.end());
    const expected = await run(stock);
    await admin.query('update changed set c = id');
    const { pool, engine } = open();
    expect(await run(pool)).deep.equal(expected);
    expect(await within(pool, names)).deep.equal([BY_ID, WRITE]);
    const { prepared, preparedHits } = engine().report().statements!;
    expect(prepared).equal(2);
    // All but the first ones and the controls.
    expect(preparedHits).within(RUNS, 2 * RUNS - 12);
  });

  it('have none otherwise', async () => {
    const { pool, engine } = open({});
    await run(pool);
    expect(await within(pool, names)).deep.equal([]);
    expect(engine().report().statements).include({ prepared: 0, preparedHits: 0 });
  });

  it('have none outside of a transaction, on a client that is held', async () => {
    const { pool } = open();
    const client = await pool.connect();
    for (let id = 1; id <= RUNS; id += 1) await client.query(BY_ID, [id]);
    expect(await names(client)).deep.equal([]);
    client.release();
  });

  it('of knex have names, too', async () => {
    const opened = sharingKnex({ connection: databases.postgres.url, pool: { min: 0, max: 1 } }, FLAGS);
    const knex: Knex = opened.knex;
    close.push(() => knex.destroy());
    for (let id = 1; id <= RUNS; id += 1) {
      await knex.transaction(async (trx) => {
        expect(await trx('changed').where({ id }).select('c')).deep.equal([{ c: id }]);
        await trx('changed').where({ id }).increment('c', 1);
      });
    }
    const { rows } = await knex.transaction((trx) => trx.raw('select statement from pg_prepared_statements'));
    expect(rows).length(2);
    expect(opened.engine().report().statements!.preparedHits).at.least(RUNS);
  });

  it('by names of their own, by cursors and in several parts go as they are', async () => {
    const { pool, engine } = open();
    for (let id = 1; id <= RUNS; id += 1) {
      await within(pool, async (client) => {
        await client.query({ name: 'mine', text: BY_ID, values: [id] });
        const cursor = client.query(new Cursor('select id from changed where id <= $1 order by id', [3]));
        expect(await cursor.read(2)).deep.equal([{ id: 1 }, { id: 2 }]);
        expect(await cursor.read(2)).deep.equal([{ id: 3 }]);
        await cursor.close();
        await client.query('select 1; select 2');
      });
    }
    expect(await within(pool, names)).deep.equal([BY_ID]);
    expect(engine().report().statements!.prepared).equal(0);
  });

  it('have none where each has a comment of its own', async () => {
    const { pool, engine } = open();
    for (let id = 1; id <= RUNS; id += 1) {
      await within(pool, (client) => client.query(`${BY_ID} /*traceparent='${id}'*/`, [id]));
    }
    expect(engine().report().statements!.prepared).equal(0);
    expect(await within(pool, names)).deep.equal([]);
  });

  it('that wait for one another on their client have each its own answer', async () => {
    const { pool, engine } = open();
    for (let turn = 0; turn < RUNS; turn += 1) {
      const answers = await within(pool, (client) =>
        Promise.all(Array.from({ length: 5 }, (_, index) => client.query(BY_ID, [index + 1]))),
      );
      expect(answers.map(({ rows }) => rows)).deep.equal([1, 2, 3, 4, 5].map((c) => [{ c }]));
    }
    expect(engine().report().statements!.preparedHits).above(3 * RUNS);
  });

  it('that a changed column refuses have ended their transaction, once: the next ones go by other names', async () => {
    const { pool, engine } = open();
    await run(pool);
    await admin.query('alter table changed alter c type text');
    const failures: unknown[] = [];
    for (let id = 1; id <= RUNS; id += 1) {
      try {
        const { rows } = await within(pool, (client) => client.query(BY_ID, [id]));
        expect(typeof rows[0].c).equal('string');
      } catch (error) {
        failures.push(error);
      }
    }
    expect(failures).length(1);
    expect(failures[0]).include({ code: '0A000' });
    expect(engine().stats()).include({ leased: 0, waiting: 0 });
  });

  it('that no longer fit the types of their names have none any more', async () => {
    const { pool, engine } = open();
    const text = 'select id from changed where c = $1';
    const read = (value: unknown) => within(pool, (client) => client.query(text, [value]));
    for (let value = 1; value <= RUNS; value += 1) await read(value);
    await admin.query('alter table changed alter c type bigint');
    const big = '5000000000';
    let failures = 0;
    for (let turn = 0; turn < RUNS; turn += 1) await read(big).catch(() => (failures += 1));
    expect(failures).equal(1);
    const { preparedHits } = engine().report().statements!;
    await read(1);
    expect(engine().report().statements!.preparedHits).equal(preparedHits);
  });

  it('of which a text stands for one table after the other cost two transactions', async () => {
    await admin.query('drop schema if exists tenant cascade; create schema tenant');
    await admin.query('create table tenant.changed (id int primary key, c text, more int)');
    const { pool } = open();
    let failures = 0;
    for (let turn = 0; turn < 2 * RUNS; turn += 1) {
      await within(pool, async (client) => {
        if (turn % 2 === 1) await client.query('set local search_path = tenant');
        await client.query('select * from changed where id = $1', [1]);
      }).catch((error) => {
        expect(error).include({ code: '0A000' });
        failures += 1;
      });
    }
    expect(failures).equal(2);
  });

  it('that have a value which cannot be sent cost no later one of the same text', async () => {
    const { pool, engine } = open();
    await run(pool);
    const unsendable = {
      toPostgres() {
        throw new Error('it cannot be sent');
      },
    };
    const before = await within(pool, names);
    for (let turn = 0; turn < 8; turn += 1) {
      const error = await within(pool, (client) => client.query(BY_ID, [unsendable])).catch(
        (failure) => failure,
      );
      expect(error).include({ message: 'it cannot be sent' });
      expect((await within(pool, (client) => client.query(BY_ID, [2]))).rows).length(1);
    }
    expect(await within(pool, names)).deep.equal(before);
    expect(engine().counters).include({ opened: 1 });
  });

  it('have no names any more on a client whose holder has the server forget them', async () => {
    const { pool } = open();
    await run(pool);
    const client = await pool.connect();
    await client.query('DISCARD ALL');
    client.release();
    await run(pool);
    expect(await within(pool, names)).deep.equal([]);
  });

  it('have the errors of stock, and cost no connection', async () => {
    const { pool, engine } = open();
    await run(pool);
    for (let turn = 0; turn < RUNS; turn += 1) {
      const error = await within(pool, (client) =>
        client.query('select 1 / (c - c) from changed where id = $1', [1]),
      ).catch((failure) => failure);
      expect(error).include({ code: '22012' });
    }
    expect(await run(pool)).length(2 * RUNS);
    expect(engine().counters).include({ opened: 1 });
  });
});
