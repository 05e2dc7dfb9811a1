import { expect } from 'chai';
import type { Knex } from 'knex';
import pg from 'pg';
import type { Pool } from '../../src/index.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { isConnectionLost, sharingKnex, sharingPool, untilShared } from './sharing-pool.js';

const NAME = 'sharing-writes-test';
const MAX = 4;
const CALLERS = 32;
const WRITES = 12_000;
const KILL_EVERY = 1_500;
const FLAGS = { pipelinedWrites: 'on' } as const;

const nothing = () => {};

describe('writes that share connections', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres'>;
  let admin: pg.Client;
  let pool: pg.Pool | undefined;
  let knex: Knex | undefined;

  before(async () => {
    databases = await startDatabases({ postgres: true });
    admin = new pg.Client(databases.postgres.url);
    await admin.connect();
    await admin.query('alter system set synchronous_commit = off');
    await admin.query('select pg_reload_conf()');
  });
  beforeEach(() => admin.query('drop table if exists written; create table written (token int)'));
  afterEach(async () => {
    await pool?.end();
    await knex?.destroy();
    pool = undefined;
    knex = undefined;
  });
  after(async () => {
    await admin?.end();
    await databases?.stop();
  });

  function open(flags: Parameters<typeof sharingPool>[1]): { own: pg.Pool; engine: () => Pool<unknown> } {
    const opened = sharingPool(
      { connectionString: databases.postgres.url, max: MAX, application_name: NAME },
      flags,
    );
    opened.pool.on('error', nothing);
    opened.pool.on('connect', (client) => client.on('error', nothing));
    pool = opened.pool;
    return { own: opened.pool, engine: opened.engine };
  }

  const kill = async () => {
    const { rowCount } = await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = $1 order by random() limit 2`,
      [NAME],
    );
    return rowCount ?? 0;
  };
  /** How often each token was written that was written at all. */
  const written = async () => {
    const { rows } = await admin.query('select token, count(*)::int as times from written group by token');
    return new Map<number, number>(rows.map(({ token, times }) => [token, times]));
  };

  /** Writes one token after another, many at once, while connections are killed; those that were acknowledged. */
  async function writeUnderKills(write: (token: number) => PromiseLike<unknown>): Promise<Set<number>> {
    const acknowledged = new Set<number>();
    let next = 0;
    let killed = 0;
    const call = async () => {
      while (next < WRITES) {
        next += 1;
        const token = next;
        try {
          await write(token);
          acknowledged.add(token);
        } catch (error) {
          if (!isConnectionLost(error) && (error as { code?: string }).code !== 'EPIPE') throw error;
        }
        if (token % KILL_EVERY === 0) killed += await kill();
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, call));
    expect(killed).above(0);
    return acknowledged;
  }

  async function expectOnce(acknowledged: Set<number>): Promise<void> {
    const times = await written();
    for (const [token, count] of times) expect(count, `token ${token}`).equal(1);
    for (const token of acknowledged) expect(times.has(token), `token ${token}`).equal(true);
    expect(acknowledged.size).above(WRITES / 2);
  }

  it('are each run once at most, and once if their caller was told so, while connections are killed', async () => {
    const { own, engine } = open(FLAGS);
    await expectOnce(await writeUnderKills((token) => own.query('insert into written values ($1)', [token])));
    expect(engine().counters.shared, 'shared').above(0);
    expect(engine().counters.sharedDepthMost).above(1);
    expect(engine().stats()).include({ leased: 0, waiting: 0 });
  });

  it('are so with knex', async () => {
    const opened = sharingKnex(
      {
        connection: { connectionString: databases.postgres.url, application_name: NAME },
        pool: { min: 0, max: MAX },
        log: { warn: nothing },
      },
      FLAGS,
    );
    knex = opened.knex;
    const own = knex;
    await expectOnce(await writeUnderKills((token) => own('written').insert({ token })));
    expect(opened.engine().counters.shared, 'shared').above(0);
    expect(opened.engine().counters.sharedDepthMost).above(1);
  });

  it('share only where that is asked for', async () => {
    const { own, engine } = open({});
    for (let run = 0; run < 50; run += 1)
      await Promise.all(
        Array.from({ length: 10 }, () => own.query('insert into written values ($1)', [run])),
      );
    const { shared, sharedLate } = engine().counters;
    expect({ shared, sharedLate }).deep.equal({ shared: 0, sharedLate: 0 });
  });

  it('fail all of them, and are not sent again, when their connection is lost; reads among them are', async () => {
    const { own, engine } = open(FLAGS);
    const write = (token: number) => own.query('insert into written values ($1)', [token]);
    const read = () => own.query('select 7 as seven');
    for (let tries = 0; tries < 100; tries += 1) {
      await untilShared(engine, read);
      await untilShared(engine, () => write(0));
      const { redispatched } = engine().report().statements!;
      const { shared } = engine().counters;
      await admin.query('begin; lock table written in access exclusive mode');
      const writes = Promise.allSettled(Array.from({ length: 5 }, (_, at) => write(at + 1)));
      const reading = Promise.allSettled([read()]);
      const shares = engine().counters.shared - shared === 6;
      while ((await admin.query(`select from pg_locks where not granted`)).rowCount === 0);
      await admin.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
        [NAME],
      );
      const outcomes = await writes;
      await admin.query('commit');
      const [answer] = await reading;
      // Whoever is alone on a connection that is lost fails, as in stock.
      if (!shares) {
        await admin.query('truncate written');
        continue;
      }
      expect(answer)
        .property('value')
        .property('rows')
        .deep.equal([{ seven: 7 }]);
      for (const { status } of outcomes) expect(status).equal('rejected');
      expect([...(await written()).keys()]).deep.equal([0]);
      expect(engine().report().statements!.redispatched - redispatched).at.most(1);
      return;
    }
    throw new Error('the writes never shared a connection');
  });

  it('fail each alone by its SQL', async () => {
    await admin.query('alter table written add primary key (token)');
    const { own, engine } = open(FLAGS);
    let token = 0;
    await untilShared(engine, () => own.query('insert into written values ($1)', [++token]));
    const outcomes = await Promise.allSettled(
      [token + 1, token, token + 2].map((each) => own.query('insert into written values ($1)', [each])),
    );
    expect(outcomes.map(({ status }) => status)).deep.equal(['fulfilled', 'rejected', 'fulfilled']);
    expect((outcomes[1] as PromiseRejectedResult).reason).include({ code: '23505' });
  });
});
