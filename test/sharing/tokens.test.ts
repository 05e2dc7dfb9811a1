import { expect } from 'chai';
import type pg from 'pg';
import type { Pool } from '../../src/index.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { sharingPool, TOKENS, underKills } from './sharing-pool.js';

const NAME = 'sharing-test';

const nothing = () => {};

describe('statements that share connections', function () {
  this.timeout(Math.max(120_000, TOKENS * 2));
  let databases: Databases<'postgres'>;
  let pool: pg.Pool;
  let engine: () => Pool<unknown>;

  before(async () => {
    databases = await startDatabases({ postgres: true });
    const opened = sharingPool({ connectionString: databases.postgres.url, max: 8, application_name: NAME });
    pool = opened.pool;
    engine = opened.engine;
    pool.on('error', nothing);
    // A client may die between its hand-over and the caller's turn, as in stock.
    pool.on('connect', (client) => client.on('error', nothing));
    await pool.query('create table numbers (id int primary key, square int)');
    await pool.query('insert into numbers select i, i * i from generate_series(1, 1000) i');
  });

  after(async () => {
    await pool?.end();
    await databases?.stop();
  });

  it('get each the answer to its own question, while connections are killed and transactions run', async () => {
    const read = async (token: number) => {
      const id = 1 + (token % 1_000);
      const { rows } = await pool.query(
        `select id, square, $2::int as token, coalesce(current_setting('app.secret', true), '') as secret from numbers where id = $1`,
        [id, token],
      );
      // The secret is what a transaction has set for itself.
      expect(rows).deep.equal([{ id, square: id * id, token, secret: '' }]);
    };
    const literal = async (token: number) => {
      const { rows } = await pool.query(`select ${token} as token`);
      expect(rows).deep.equal([{ token }]);
    };
    const wrong = async (token: number) => {
      const error = await pool
        .query('select 1 / (id - id) from numbers where id = $1', [1 + (token % 9)])
        .catch((e) => e);
      expect(error).instanceOf(Error);
      if (error.code !== '22012') throw error;
    };
    const transact = async (token: number) => {
      const client = await pool.connect();
      try {
        await client.query('begin');
        await client.query(`select set_config('app.secret', $1, true)`, [String(token)]);
        const before = await client.query('select pg_backend_pid() as pid');
        await new Promise((resolve) => setImmediate(resolve));
        const { rows } = await client.query(
          `select pg_backend_pid() as pid, current_setting('app.secret') as secret`,
        );
        expect(rows).deep.equal([{ pid: before.rows[0].pid, secret: String(token) }]);
        await client.query('commit');
        client.release();
      } catch (error) {
        client.release(true);
        throw error;
      }
    };
    await underKills(databases.postgres.url, NAME, engine, (token) => {
      const kind = token % 50;
      return (kind === 0 ? transact : kind === 1 ? wrong : kind < 5 ? literal : read)(token);
    });
  });

  it('whose plan has become invalid are sent again unseen', async () => {
    await pool.query('create table shapes (id int primary key, kind int)');
    await pool.query('insert into shapes values (1, 7)');
    const read = async () => (await pool.query('select * from shapes where id = $1', [1])).rows[0];
    for (let run = 0; run < 200; run += 1) expect(await read()).deep.equal({ id: 1, kind: 7 });
    const before = engine().report().statements!.redispatched;
    await pool.query('alter table shapes alter column kind type text');
    for (let run = 0; run < 50; run += 1) expect(await read()).deep.equal({ id: 1, kind: '7' });
    expect(engine().report().statements!.redispatched).above(before);
  });

  it('survive a server that has forgotten their names', async () => {
    const read = async () =>
      (await pool.query('select square from numbers where id = $1', [3])).rows[0].square;
    for (let run = 0; run < 100; run += 1) await read();
    const clients = await Promise.all(Array.from({ length: 8 }, () => pool.connect()));
    for (const client of clients) await client.query('deallocate all');
    for (const client of clients) client.release();
    for (let run = 0; run < 100; run += 1) expect(await read()).equal(9);
  });

  it('leave cursors of other holders, statements with a timeout and names of the user alone', async () => {
    const named = { name: 'users own', text: 'select $1::int as n' };
    for (let run = 0; run < 40; run += 1) {
      expect((await pool.query({ ...named, values: [run] })).rows).deep.equal([{ n: run }]);
      const timed = { text: 'select $1::int as n', values: [run], query_timeout: 5_000 };
      expect((await pool.query(timed as pg.QueryConfig)).rows).deep.equal([{ n: run }]);
    }
    const { rows } = await pool.query(
      `select count(*)::int as ours from pg_prepared_statements where name like 'users%'`,
    );
    expect(rows[0].ours).within(0, 1);
  });
});
