import { expect } from 'chai';
import type { Knex } from 'knex';
import type pg from 'pg';
import type { Pool } from '../../src/index.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { sharingKnex, sharingMysql2, sharingPool } from './sharing-pool.js';

const HOT = 'select square from numbers where id = $1';
const COLD = 'select id from numbers where square = $1';
const NAMES = "select statement from pg_prepared_statements where name like 'enhanced_pool_%' order by 1";

/** A client of pg below an engine. */
interface Pooled {
  readonly client: pg.Client;
}

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !holds(); turn += 1) await new Promise((next) => setTimeout(next, 5));
  expect(holds(), 'it came to that').equal(true);
}

/** A connection that nobody ever held, opened now because `min` was raised. */
async function openedAhead<C>(engine: Pool<unknown>): Promise<C> {
  const { open, max } = engine.stats();
  const known = new Set([...engine.connections()].map(({ connection }) => connection));
  engine.resize({ min: open + 1, max });
  await until(() => engine.stats().idle === open + 1);
  const [added] = [...engine.slots()].filter(({ connection }) => !known.has(connection));
  expect(added!.uses).equal(0);
  return added!.connection as C;
}

/** Takes every connection but `left`, so that it serves whoever comes next. */
async function whileOthersAreHeld(engine: Pool<unknown>, left: unknown, work: () => Promise<void>) {
  const leases = Array.from({ length: engine.stats().idle }, () => engine.tryAcquire()!);
  leases.find(({ connection }) => connection === left)!.release();
  await work();
  for (const lease of leases) if (!lease.released) lease.release();
}

describe('statements prepared ahead on PostgreSQL', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres'>;

  before(async () => {
    databases = await startDatabases({ postgres: true });
    const { pool } = sharingPool({ connectionString: databases.postgres.url });
    await pool.query('create table numbers (id int primary key, square int)');
    await pool.query('insert into numbers select i, i * i from generate_series(1, 100) i');
    await pool.end();
  });

  after(() => databases?.stop());

  const open = (max = 4, setup: Parameters<typeof sharingPool>[2] = {}, flags = {}) =>
    sharingPool(
      { connectionString: databases.postgres.url, max, min: 1 },
      { forecaster: 'off', ...flags },
      setup,
    );

  it('are there on a connection that nobody has leased, and the first caller runs by them', async () => {
    const { pool, engine } = open();
    for (let run = 0; run < 40; run += 1) await pool.query(HOT, [1 + run]);
    for (let run = 0; run < 10; run += 1) await pool.query(COLD, [run * run]);
    const added = await openedAhead<Pooled>(engine());
    expect(engine().report().statements!.preparedAhead).equal(2);
    expect(engine().counters).include({ warmed: 1, warmFailed: 0 });
    const { rows } = await added.client.query(NAMES);
    expect(rows.map(({ statement }) => statement)).deep.equal([COLD, HOT]);

    const { prepared, preparedHits } = engine().report().statements!;
    await whileOthersAreHeld(engine(), added, async () => {
      // One run in sixteen goes without its name, for comparison.
      for (let run = 1; run <= 3; run += 1)
        expect((await pool.query(HOT, [run])).rows).deep.equal([{ square: run * run }]);
    });
    const after = engine().report().statements!;
    expect(after.prepared, 'nothing is prepared anew').equal(prepared);
    expect(after.preparedHits - preparedHits).within(2, 3);
    await pool.end();
  });

  it('are no more than sixteen, the hottest', async () => {
    const { pool, engine } = open();
    for (let text = 0; text < 40; text += 1) {
      for (let run = 0; run < 8; run += 1)
        await pool.query(`select square + ${text} as s from numbers where id = $1`, [run]);
    }
    const added = await openedAhead<Pooled>(engine());
    expect(engine().report().statements!.preparedAhead).equal(16);
    const { rows } = await added.client.query(NAMES);
    expect(rows).have.length(16);
    const numbers = rows.map(({ statement }) => Number(/\+ (\d+)/.exec(statement)![1]));
    expect(Math.min(...numbers), 'those of just now').equal(24);
    await pool.end();
  });

  it('go by the names of now, and none of before is left where they do', async () => {
    const { pool, engine } = open();
    await pool.query('create table changing as select 1 as id, 1 as c');
    const text = 'select c from changing where id = $1';
    const runOften = async () => {
      for (let run = 0; run < 40; run += 1) await pool.query(text, [1]);
    };
    await runOften();
    const held = engine().tryAcquire()!;
    await runOften();
    held.release();
    await pool.query('alter table changing alter c type text');
    await runOften();
    expect(engine().report().statements!.redispatched).above(0);
    const added = await openedAhead<Pooled>(engine());
    const { rows } = await added.client.query(
      "select name from pg_prepared_statements where name like 'enhanced_pool_%'",
    );
    expect(rows.map(({ name }) => name.replace(/^.*_/, ''))).deep.equal(['1']);
    await pool.end();
  });

  it('leave out what the server does not take, and the connection is as good as any', async () => {
    const { pool, engine } = open();
    await pool.query('create table fleeting (id int)');
    const GONE = 'select id from fleeting where id = $1';
    for (let run = 0; run < 40; run += 1) await pool.query(HOT, [1]);
    for (let run = 0; run < 20; run += 1) await pool.query(GONE, [1]);
    await pool.query('drop table fleeting');
    const first = await openedAhead<Pooled>(engine());
    expect(engine().counters).include({ warmed: 1, warmFailed: 0 });
    expect((await first.client.query(NAMES)).rows, 'the gone one was the hottest').deep.equal([]);
    const second = await openedAhead<Pooled>(engine());
    expect((await second.client.query(NAMES)).rows).deep.equal([{ statement: HOT }]);
    await whileOthersAreHeld(engine(), second, async () => {
      expect((await pool.query(HOT, [3])).rows).deep.equal([{ square: 9 }]);
      const error = await pool.query(GONE, [1]).catch((thrown) => thrown);
      expect(error.code).equal('42P01');
    });
    await pool.end();
  });

  it('cost the connection where the server does not answer in the time that queries have', async () => {
    const { pool, engine } = sharingPool(
      { connectionString: databases.postgres.url, max: 4, min: 1, query_timeout: 1_000 },
      { forecaster: 'off' },
    );
    const { pool: other } = sharingPool({ connectionString: databases.postgres.url, max: 1 });
    for (let run = 0; run < 40; run += 1) await pool.query(HOT, [1 + run]);
    const locker = await other.connect();
    await locker.query('begin');
    await locker.query('lock table numbers in access exclusive mode');
    const { open, max } = engine().stats();
    engine().resize({ min: open + 1, max });
    await until(() => engine().counters.warmed === 1 && engine().stats().idle === open + 1);
    expect(engine().counters).include({ warmFailed: 1 });
    expect(engine().counters.closed.broken).equal(1);
    await locker.query('commit');
    locker.release();
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((id) => pool.query(HOT, [id])));
    expect(answers.map(({ rows }) => rows[0].square)).deep.equal([1, 4, 9, 16, 25, 36]);
    await pool.end();
    await other.end();
  });

  it('are none while autoPrepare is off', async () => {
    const { pool, engine } = open(4, {}, { autoPrepare: 'off' });
    for (let run = 0; run < 40; run += 1) await pool.query(HOT, [1]);
    const added = await openedAhead<Pooled>(engine());
    expect(engine().counters.warmed).equal(0);
    expect((await added.client.query(NAMES)).rows).deep.equal([]);
    await pool.end();
  });

  it('are there for the builders of knex, too', async () => {
    const { knex, engine } = sharingKnex(
      { connection: databases.postgres.url, pool: { min: 0, max: 4 } },
      { forecaster: 'off' },
    );
    const read = (id: number): Knex.QueryBuilder => knex('numbers').select('square').where({ id });
    for (let run = 0; run < 60; run += 1) await read(run);
    const added = await openedAhead<{ readonly connection: pg.Client }>(engine());
    const { rows } = await added.connection.query(NAMES);
    expect(rows.map(({ statement }) => statement)).deep.equal([read(1).toSQL().toNative().sql]);
    await knex.destroy();
  });
});

describe('what the application does on a connection that nobody waits for', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres' | 'mysql'>;

  before(async () => {
    databases = await startDatabases({ postgres: true, mysql: true });
  });

  after(() => databases?.stop());

  it('has the client of pg, after the statements are prepared, and only of one opened ahead', async () => {
    const seen: string[][] = [];
    const warm = async (client: pg.Client) => {
      await client.query("set application_name = 'warm'");
      const { rows } = await client.query(NAMES);
      seen.push(rows.map(({ statement }) => statement));
      await client.query('begin');
    };
    const { pool, engine } = sharingPool(
      { connectionString: databases.postgres.url, max: 4, min: 0 },
      { forecaster: 'off' },
      { warm },
    );
    for (let run = 0; run < 40; run += 1) await pool.query('select $1::int as one', [1]);
    expect(seen, 'it was waited for').deep.equal([]);
    const added = await openedAhead<Pooled>(engine());
    expect(seen).deep.equal([['select $1::int as one']]);
    expect((await added.client.query('show application_name')).rows[0]).deep.equal({
      application_name: 'warm',
    });
    const status = (added.client as unknown as { getTransactionStatus(): string }).getTransactionStatus();
    expect(status, 'what it left open is rolled back').equal('I');
    await pool.end();
  });

  it('has the connection of mysql2, and what execute needs can be prepared there', async () => {
    interface Native {
      prepare(sql: string, done: (error: Error | null) => void): void;
    }
    const SQL = 'select ? + 1 as more';
    const warm = (connection: Native) =>
      new Promise<void>((resolve, reject) => {
        connection.prepare(SQL, (error) => (error ? reject(error) : resolve()));
      });
    const { pool, engine } = sharingMysql2(
      { uri: databases.mysql.url, connectionLimit: 4 },
      { forecaster: 'off' },
      { warm },
    );
    await pool.query('select 1');
    const added = await openedAhead<{ readonly connection: unknown }>(engine());
    expect(engine().counters).include({ warmed: 1, warmFailed: 0 });
    const prepares = async () => {
      const [rows] = await pool.query("show session status like 'Com_stmt_prepare'");
      return Number((rows as { Value: string }[])[0]!.Value);
    };
    await whileOthersAreHeld(engine(), added, async () => {
      expect(await prepares()).equal(1);
      const [rows] = await pool.execute(SQL, [1]);
      expect(Number((rows as { more: unknown }[])[0]!.more)).equal(2);
      expect(await prepares(), 'it was there').equal(1);
    });
    await pool.end();
  });

  it("has knex's raw connection, after pool.afterCreate, which runs for all", async () => {
    const seen: string[] = [];
    const { knex, engine } = sharingKnex(
      {
        connection: databases.postgres.url,
        pool: {
          min: 0,
          max: 4,
          afterCreate: (_connection: unknown, done: (error: null) => void) => {
            seen.push('created');
            done(null);
          },
        },
      },
      { forecaster: 'off' },
      {
        warm: async (connection: pg.Client) => {
          await connection.query('select 1');
          seen.push('warmed');
          throw new Error('it is told, and of no consequence');
        },
      },
    );
    await knex.raw('select 1');
    await openedAhead(engine());
    expect(seen).deep.equal(['created', 'created', 'warmed']);
    expect(engine().counters).include({ warmed: 1, warmFailed: 1 });
    await knex.destroy();
  });
});
