import { expect } from 'chai';
import type { Knex } from 'knex';
import type { Pool } from '../../src/index.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { onceShared, sharingKnex, TOKENS, underKills, untilShared } from './sharing-pool.js';

const NAME = 'sharing-knex-test';

const nothing = () => {};

describe('builders that share connections', function () {
  this.timeout(Math.max(120_000, TOKENS * 2));
  let databases: Databases<'postgres'>;
  let knex: Knex;
  let engine: () => Pool<unknown>;

  const open = (max: number) =>
    sharingKnex({
      connection: { connectionString: databases.postgres.url, application_name: NAME },
      pool: { min: 0, max },
      log: { warn: nothing },
    });
  const read = (id: number) => knex('numbers').select('id', 'square').where({ id });

  before(async () => {
    databases = await startDatabases({ postgres: true });
    ({ knex, engine } = open(8));
    await knex.raw('create table numbers (id int primary key, square int)');
    await knex.raw('insert into numbers select i, i * i from generate_series(1, 1000) i');
  });

  after(async () => {
    await knex?.destroy();
    await databases?.stop();
  });

  it('get each the answer to its own question, while connections are killed and transactions run', async () => {
    const ask = async (token: number) => {
      const id = 1 + (token % 1_000);
      const secret = knex.raw(`coalesce(current_setting('app.secret', true), '') as secret`);
      const rows = await knex('numbers')
        .select('id', 'square', knex.raw('?::int as token', [token]), secret)
        .where({ id });
      expect(rows).deep.equal([{ id, square: id * id, token, secret: '' }]);
    };
    const askRaw = async (token: number) => {
      const { rows } = await knex.raw('select ?::int as token', [token]);
      expect(rows).deep.equal([{ token }]);
    };
    const first = async (token: number) => {
      const id = 1 + (token % 1_000);
      expect(await knex('numbers').where({ id }).first('square')).deep.equal({ square: id * id });
    };
    const wrong = async (token: number) => {
      const error = await knex('numbers')
        .select(knex.raw('1 / (id - id) as wrong'))
        .where({ id: 1 + (token % 9) })
        .catch((e) => e);
      expect(error).instanceOf(Error);
      if (error.code !== '22012') throw error;
    };
    /** The same kind of builder as a read, to the pool. */
    const change = async (token: number) => {
      const rows = await knex('numbers')
        .select(knex.raw('set_config(?, ?, false) as set', ['app.told', String(token)]))
        .where({ id: 1 });
      expect(rows).deep.equal([{ set: String(token) }]);
    };
    const transact = (token: number) =>
      knex.transaction(async (trx) => {
        await trx.raw('select set_config(?, ?, true)', ['app.secret', String(token)]);
        const before = await trx.raw('select pg_backend_pid() as pid');
        await new Promise((resolve) => setImmediate(resolve));
        const { rows } = await trx.raw(
          `select pg_backend_pid() as pid, current_setting('app.secret') as secret`,
        );
        expect(rows).deep.equal([{ pid: before.rows[0].pid, secret: String(token) }]);
      });
    const kinds: Readonly<Record<number, (token: number) => Promise<unknown>>> = {
      0: transact,
      1: wrong,
      2: change,
      3: askRaw,
      4: first,
    };
    await underKills(databases.postgres.url, NAME, engine, (token) => (kinds[token % 50] ?? ask)(token));
  });

  it('run alone what turns out not to be a read, with one connection as well', async () => {
    const { knex: narrow, engine: its } = open(1);
    try {
      const pid = () => narrow('numbers').first(narrow.raw('pg_backend_pid() as pid')).where({ id: 1 });
      const taught = () => narrow('numbers').first('id').where({ id: 1 });
      // Taken for a read at first, for it looks like one.
      const set = await onceShared(its, taught, () =>
        narrow('numbers').first(narrow.raw(`set_config('app.x', 'y', false) as x`)).where({ id: 1 }),
      );
      expect(set).deep.equal({ x: 'y' });
      expect(await pid())
        .property('pid')
        .a('number');
      expect(its().stats()).include({ leased: 0, waiting: 0, open: 1 });
    } finally {
      await narrow.destroy();
    }
  });

  it('give their place back when their SQL cannot be compiled, or their values not be sent', async () => {
    await untilShared(engine, () => read(1));
    const mistaken = await knex('numbers')
      .select('id', 'square')
      .where({ id: undefined })
      .catch((error: Error) => error);
    expect((mistaken as Error).message).match(/Undefined binding/);
    const unsendable = {
      toPostgres() {
        throw new Error('cannot be sent');
      },
    };
    await untilShared(engine, () => read(1));
    const refused = await read(unsendable as never).catch((error: Error) => error);
    expect((refused as Error).message).match(/cannot be sent/);
    expect(await read(7)).deep.equal([{ id: 7, square: 49 }]);
    expect(engine().stats()).include({ leased: 0, waiting: 0 });
  });

  it('tell the same events, of one builder and of the pool', async () => {
    const { pool } = knex.client;
    const told = await untilShared(engine, async () => {
      const events: string[] = [];
      for (const event of ['acquireRequest', 'acquireSuccess', 'release'])
        pool.on(event, () => events.push(event));
      const builder = read(3);
      for (const event of ['start', 'query', 'query-response', 'end'])
        builder.on(event, () => events.push(event));
      expect(await builder).deep.equal([{ id: 3, square: 9 }]);
      pool.emitter.removeAllListeners();
      return events;
    });
    const [request, success, start, query, response, ...rest] = told;
    expect([request, success, start, query, response]).deep.equal([
      'acquireRequest',
      'acquireSuccess',
      'start',
      'query',
      'query-response',
    ]);
    expect(rest).deep.equal(['release', 'end']);
  });

  it('leave a transaction the driver as it is in stock', async () => {
    await untilShared(engine, () => read(1));
    const reads = Array.from({ length: 20 }, (_, at) => read(at + 1));
    await knex.transaction(async (trx) => {
      const connection = await trx.client.acquireConnection();
      expect(connection.pipeline).equal(false);
      expect(connection.connection.stream.writableCorked).equal(0);
    });
    expect((await Promise.all(reads)).flat()).length(20);
  });

  it('time out as in stock', async () => {
    await untilShared(engine, () => read(1));
    const error = await knex('numbers')
      .select(knex.raw('pg_sleep(5)'))
      .where({ id: 1 })
      .timeout(50, { cancel: true })
      .catch((e) => e);
    expect(error.name).equal('KnexTimeoutError');
    expect(await read(2)).deep.equal([{ id: 2, square: 4 }]);
  });
});
