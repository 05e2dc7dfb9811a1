import { expect } from 'chai';
import type { Knex } from 'knex';
import pg from 'pg';
import { facadeOf } from '../../adapters/pg/patch.js';
import type { PgPool } from '../../adapters/pg/shapes.js';
import type { Pool } from '../../src/index.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { sharingKnex, sharingPool, untilShared } from './sharing-pool.js';

const RUNS = 20;
/** Its hours differ from those of the process, so that it shows who read a moment without its zone. */
const OPTIONS = '-c timezone=Asia/Tokyo';

/** A statement that recurs, and what becomes of its table in the midst of it. */
interface Change {
  readonly what: string;
  readonly setUp: readonly string[];
  readonly text: string;
  readonly before: unknown;
  readonly change: readonly string[];
  readonly after: unknown;
  /** Whether it may share no connection. */
  readonly isAlone?: boolean;
  /** Whether its value is of a kind that goes by no name. */
  readonly isNameless?: boolean;
}

const INSERT = 'insert into changed (c) values ($1)';
const tableOf = (type: string) => [`create table changed (id serial, c ${type})`];
const retyped = (type: string, using = `c::${type}`) => [
  `alter table changed alter c type ${type} using ${using}`,
];

const CHANGES: readonly Change[] = [
  {
    what: 'a write of a number that only the new type holds',
    setUp: tableOf('int'),
    text: INSERT,
    before: 1,
    change: retyped('bigint'),
    after: 3_000_000_000,
  },
  {
    what: 'an update found by such a number',
    setUp: [...tableOf('int'), 'insert into changed (c) values (1)'],
    text: 'update changed set id = id where c = $1',
    before: 1,
    change: retyped('bigint'),
    after: 3_000_000_000,
  },
  {
    what: 'a read found by such a number',
    setUp: [...tableOf('int'), 'insert into changed (c) values (1)'],
    text: 'select id from changed where c = $1',
    before: 1,
    change: [...retyped('bigint'), 'insert into changed (c) values (3000000000)'],
    after: 3_000_000_000,
  },
  {
    what: 'a write whose number stands for a truth now',
    setUp: tableOf('int'),
    text: INSERT,
    before: 1,
    change: retyped('boolean', 'c = 1'),
    after: 1,
  },
  {
    what: 'a write of a word into what was a number',
    setUp: tableOf('int'),
    text: INSERT,
    before: 1,
    change: retyped('text'),
    after: 'a word',
  },
  {
    what: 'a write of what is a document now',
    setUp: tableOf('text'),
    text: INSERT,
    before: '{}',
    change: retyped('jsonb'),
    after: '{"a": 1}',
  },
  {
    what: 'a write of what is a UUID now',
    setUp: tableOf('varchar(40)'),
    text: INSERT,
    before: '8d2e7f60-1111-4a4a-9b9b-000000000001',
    change: retyped('uuid'),
    after: '8d2e7f60-1111-4a4a-9b9b-000000000002',
  },
  {
    what: 'a write of a moment that has a time zone now',
    setUp: tableOf('timestamp'),
    text: INSERT,
    before: new Date('2020-01-01T00:00:00Z'),
    change: retyped('timestamptz', `c at time zone 'UTC'`),
    after: new Date('2020-06-01T12:00:00Z'),
    isNameless: true,
  },
  {
    what: 'a write of the text of such a moment',
    setUp: tableOf('timestamp'),
    text: INSERT,
    before: '2020-01-01T00:00:00.000Z',
    change: retyped('timestamptz', `c at time zone 'UTC'`),
    after: '2020-06-01T12:00:00.000Z',
    isNameless: true,
  },
  {
    what: 'a read by a moment that has a time zone now',
    setUp: [...tableOf('timestamp'), "insert into changed (c) values ('2020-06-01 12:00')"],
    text: 'select id from changed where c >= $1',
    before: new Date('2020-01-01T00:00:00Z'),
    change: retyped('timestamptz', `c at time zone 'UTC'`),
    after: new Date('2020-06-01T15:00:00Z'),
    isNameless: true,
  },
  {
    what: 'a read by one of several such moments',
    setUp: [...tableOf('timestamp'), "insert into changed (c) values ('2020-06-01 12:00')"],
    text: 'select id from changed where c = any($1)',
    before: [new Date('2020-01-01T00:00:00Z')],
    change: retyped('timestamptz', `c at time zone 'UTC'`),
    after: [new Date('2020-06-01T12:00:00Z')],
    isNameless: true,
  },
  {
    what: 'a read by a range of such moments',
    setUp: [...tableOf('tsrange'), "insert into changed (c) values ('[2020-06-01 12:00,2020-06-02)')"],
    text: 'select id from changed where c = $1',
    before: '["2020-06-01 12:00+00","2020-06-02 00:00+00")',
    change: retyped('tstzrange', `tstzrange(lower(c) at time zone 'UTC', upper(c) at time zone 'UTC')`),
    after: '["2020-06-01 12:00+00","2020-06-02 00:00+00")',
    isNameless: true,
  },
  {
    what: 'a write into a table that was made anew',
    setUp: tableOf('int'),
    text: INSERT,
    before: 1,
    change: ['drop table changed', ...tableOf('numeric')],
    after: 1.5,
  },
  {
    what: 'a write into a column that was made anew',
    setUp: tableOf('int'),
    text: INSERT,
    before: 1,
    change: ['alter table changed drop c', 'alter table changed add c text'],
    after: 'a word',
  },
  {
    what: 'a write into a column whose enumeration was made anew',
    setUp: ["create type mood as enum ('sad')", ...tableOf('mood')],
    text: INSERT,
    before: 'sad',
    change: [
      'alter table changed alter c type text',
      'drop type mood',
      "create type mood as enum ('sad', 'glad')",
      ...retyped('mood'),
    ],
    after: 'glad',
  },
  {
    what: 'a write into a column that is no more',
    setUp: tableOf('int'),
    text: INSERT,
    before: 1,
    change: ['alter table changed drop c'],
    after: 1,
  },
  {
    what: 'a read of a column that is of another type now',
    setUp: [...tableOf('int'), 'insert into changed (c) values (7)'],
    text: 'select c from changed where id = $1',
    before: 1,
    change: retyped('text', `'seven'`),
    after: 1,
  },
  {
    what: 'a read by a function that takes another type now',
    setUp: [
      ...tableOf('int'),
      "create function twice(int) returns text language sql as 'select ($1 * 2)::text'",
    ],
    text: 'select twice($1) as twice',
    before: 1,
    change: [
      'drop function twice(int)',
      "create function twice(text) returns text language sql as 'select $1 || $1'",
    ],
    after: 'a word',
    isAlone: true,
  },
  {
    what: 'a read of a table that is no more',
    setUp: tableOf('int'),
    text: 'select id from changed where c = $1',
    before: 1,
    change: ['drop table changed'],
    after: 1,
  },
  {
    what: 'a value that no type of before or now can read',
    setUp: tableOf('int'),
    text: 'select id from changed where c = $1',
    before: 1,
    change: [],
    after: 'no number',
  },
];

type Run = (text: string, value: unknown) => PromiseLike<unknown>;

describe('statements under names of ours, when their tables change', function () {
  this.timeout(240_000);
  let databases: Databases<'postgres'>;
  let admin: pg.Client;
  let stock: pg.Pool;
  const open: (() => PromiseLike<unknown>)[] = [];

  before(async () => {
    databases = await startDatabases({ postgres: true });
    admin = new pg.Client({ connectionString: databases.postgres.url, options: OPTIONS });
    await admin.connect();
    // Those who find that there was nothing to drop are told so.
    admin.on('notice', () => {});
    stock = new pg.Pool({ connectionString: databases.postgres.url, options: OPTIONS, max: 1 });
  });
  afterEach(async () => {
    for (const close of open.splice(0)) await close();
  });
  after(async () => {
    await stock?.end();
    // Stock says so before its connection is closed, and a server that ends meanwhile is heard on it, by nobody.
    const others =
      "select from pg_stat_activity where application_name = '' and backend_type = 'client backend'";
    while ((await admin?.query(`${others} and pid <> pg_backend_pid()`))?.rowCount)
      await new Promise((next) => setTimeout(next, 5));
    await admin?.end();
    await databases?.stop();
  });

  async function administer(statements: readonly string[]): Promise<void> {
    for (const sql of statements) await admin.query(sql);
  }

  const RESET = [
    'drop table if exists changed',
    'drop type if exists mood',
    'drop function if exists twice(int), twice(text), fails(int)',
    'drop sequence if exists runs',
  ];

  /** What the runs after the change gave, and what stands in the table then. */
  async function outcomes(
    { setUp, text, change, after }: Change,
    run: Run,
    warmUp: () => PromiseLike<unknown>,
  ): Promise<unknown> {
    await administer([...RESET, ...setUp]);
    await warmUp();
    await administer(text === INSERT ? ['delete from changed', ...change] : change);
    const settled = await Promise.allSettled(Array.from({ length: RUNS }, () => run(text, after)));
    const told = settled.map((outcome) => {
      if (outcome.status === 'fulfilled') return outcome.value;
      const { code, message } = outcome.reason;
      // knex writes the statement into it.
      return { code, message: String(message).split(' - ').at(-1) };
    });
    const { rows } = await admin
      .query("select coalesce(jsonb_agg(c), '[]') as written from changed")
      .catch(() => ({ rows: [] }));
    return { told, rows };
  }

  const inPool =
    (pool: pg.Pool): Run =>
    async (text, value) => {
      const { command, rowCount, rows } = await pool.query(text, [value]);
      return { command, rowCount, rows };
    };
  const inKnex =
    (knex: Knex): Run =>
    async (text, value) => {
      const { command, rowCount, rows } = await knex.raw(text.replace('$1', '?'), [value] as never);
      return { command, rowCount, rows };
    };

  function openPool(flags: Parameters<typeof sharingPool>[1]): { run: Run; engine: () => Pool<unknown> } {
    const { pool, engine } = sharingPool(
      { connectionString: databases.postgres.url, options: OPTIONS, max: 1 },
      flags,
    );
    open.push(() => pool.end());
    return { run: inPool(pool), engine };
  }

  function openKnex(): { run: Run; engine: () => Pool<unknown> } {
    const { knex, engine } = sharingKnex({
      connection: { connectionString: databases.postgres.url, options: OPTIONS },
      pool: { min: 0, max: 1 },
    });
    open.push(() => knex.destroy());
    return { run: inKnex(knex), engine };
  }

  const counters = (engine: () => Pool<unknown>) => engine().report().statements!;

  /** Runs it so often that it goes by a name. */
  async function untilNamed(engine: () => Pool<unknown>, run: () => PromiseLike<unknown>): Promise<void> {
    // There is no engine before it is used.
    await run();
    const before = counters(engine).preparedHits;
    for (let runs = 0; runs < 40; runs += 1) await run();
    expect(counters(engine).preparedHits).above(before + 10);
  }

  for (const change of CHANGES) {
    const { what, text, before, isAlone = false, isNameless = false } = change;

    it(`${what}: as in stock`, async () => {
      const expected = await outcomes(change, inPool(stock), () => inPool(stock)(text, before));
      const opened = {
        'pg, one at a time': openPool({ pipelining: 'off' }),
        'pg, shared': openPool({ pipelinedWrites: 'on' }),
        knex: openKnex(),
      };
      for (const [how, { run, engine }] of Object.entries(opened)) {
        const given = await outcomes(change, run, async () => {
          const runOnce = () => run(text, before);
          if (isNameless) for (let runs = 0; runs < 2 * RUNS; runs += 1) await runOnce();
          else await untilNamed(engine, runOnce);
          if (how === 'pg, shared' && !isAlone)
            await untilShared(engine, () => Promise.all(Array.from({ length: RUNS }, runOnce)));
        });
        expect(given, how).deep.equal(expected);
        if (isNameless) expect(counters(engine).prepared, how).equal(0);
        expect(engine().stats(), how).include({ leased: 0, waiting: 0 });
      }
    });
  }

  it('once one is refused for it, the others have other names, too: what they ask is not read by types of before', async () => {
    const byId = 'select c from changed where id = $1';
    const byNumber = 'select id from changed where c = $1';
    // As a `real` it is not what it is with more digits.
    const number = 0.1;
    await administer([...RESET, ...tableOf('real'), `insert into changed (c) values (${number})`]);
    const { run, engine } = openPool({ pipelining: 'off' });
    await untilNamed(engine, () => run(byId, 1));
    for (let runs = 0; runs < 40; runs += 1) await run(byNumber, number);
    await administer(retyped('double precision', 'c::text::double precision'));
    const { redispatched } = counters(engine);
    for (let runs = 0; runs < 40 && counters(engine).redispatched === redispatched; runs += 1)
      await run(byId, 1);
    expect(counters(engine).redispatched).equal(redispatched + 1);
    const expected = await inPool(stock)(byNumber, number);
    expect(expected).include({ rowCount: 1 });
    for (let runs = 0; runs < RUNS; runs += 1) expect(await run(byNumber, number)).deep.equal(expected);
  });

  it('what fails as it runs is not run twice', async () => {
    await administer([
      ...RESET,
      'create table changed (c int, quotient int)',
      'insert into changed (c) values (5)',
      'create sequence runs',
    ]);
    const text = "update changed set quotient = 1 / (c - $1::int) where nextval('runs') > 0";
    const { run, engine } = openPool({ pipelining: 'off' });
    await untilNamed(engine, () => run(text, 0));
    const ran = async () => Number((await admin.query('select last_value from runs')).rows[0].last_value);
    const before = await ran();
    const { redispatched } = counters(engine);
    for (let runs = 0; runs < RUNS; runs += 1) {
      const error = await Promise.resolve(run(text, 5)).catch((failure) => failure);
      expect(error).include({ code: '22012' });
    }
    expect(await ran()).equal(before + RUNS);
    expect(counters(engine).redispatched).equal(redispatched);
  });

  for (const code of ['42P05', '26000', '22P02']) {
    it(`nor what fails as it runs as a refused name does (${code})`, async () => {
      await administer([
        ...RESET,
        'create sequence runs',
        `create function fails(int) returns bigint language plpgsql as $$
         begin
           if nextval('runs') > 0 and $1 > 0 then raise exception using errcode = '${code}'; end if;
           return 0;
         end $$`,
      ]);
      const { run, engine } = openPool({ pipelining: 'off' });
      await untilNamed(engine, () => run('select fails($1)', 0));
      const ran = async () => Number((await admin.query('select last_value from runs')).rows[0].last_value);
      const before = await ran();
      const { redispatched } = counters(engine);
      for (let runs = 0; runs < RUNS; runs += 1) {
        const error = await Promise.resolve(run('select fails($1)', 1)).catch((failure) => failure);
        expect(error).include({ code });
      }
      expect(await ran()).equal(before + RUNS);
      expect(counters(engine).redispatched).equal(redispatched);
    });
  }

  const ENDS = {
    'the pool is ended': (pool: pg.Pool) => pool.end(),
    'the pool falls back to stock': (pool: pg.Pool) => {
      facadeOf(pool as unknown as PgPool, undefined)!.fallBack('to see what becomes of it');
      open.push(() => pool.end());
    },
  };
  for (const [what, end] of Object.entries(ENDS)) {
    const toldOf = (given: PromiseLike<unknown>) =>
      Promise.resolve(given).then(
        () => 'answered',
        ({ code }) => code,
      );

    it(`what is refused while ${what} is answered on the connection that it has`, async () => {
      await administer([...RESET, ...tableOf('int')]);
      const { pool, engine } = sharingPool(
        { connectionString: databases.postgres.url, max: 1 },
        { pipelining: 'off' },
      );
      const run = inPool(pool);
      await untilNamed(engine, () => run(INSERT, 1));
      await administer(retyped('bigint'));
      const { redispatched } = counters(engine);
      const told = toldOf(run(INSERT, 3_000_000_000));
      const ended = end(pool);
      expect(await told).equal('answered');
      await ended;
      expect(counters(engine).redispatched).equal(redispatched + 1);
    });

    it(`who is refused on a shared connection while ${what} is told why`, async () => {
      await administer([...RESET, ...tableOf('int')]);
      const text = 'select id from changed where c = $1';
      const { pool, engine } = sharingPool({ connectionString: databases.postgres.url, max: 1 });
      const run = inPool(pool);
      const together = (value: unknown) => Array.from({ length: RUNS }, () => toldOf(run(text, value)));
      await untilNamed(engine, () => run(text, 1));
      await untilShared(engine, () => Promise.all(together(1)), RUNS / 2);
      const told = together('no number');
      const ended = end(pool);
      expect(await Promise.all(told)).deep.equal(told.map(() => '22P02'));
      await ended;
    });
  }

  it('what is refused in a full pool waits for nobody', async () => {
    await administer([...RESET, ...tableOf('int')]);
    const text = 'select id from changed where c = $1';
    const { pool, engine } = sharingPool(
      { connectionString: databases.postgres.url, max: 1, connectionTimeoutMillis: 1_000 },
      { pipelining: 'off' },
    );
    open.push(() => pool.end());
    const run = inPool(pool);
    await untilNamed(engine, () => run(text, 1));
    const { redispatched } = counters(engine);
    const error = Promise.resolve(run(text, 'no number')).catch((failure) => failure);
    // On a machine that stands still he may wait too long himself.
    const next = pool.query('select pg_sleep(2)').catch(() => {});
    expect(await error).include({ code: '22P02' });
    expect(counters(engine).redispatched).equal(redispatched + 1);
    await next;
  });

  it('a table that is gone for a while costs nobody the names', async () => {
    await administer([...RESET, ...tableOf('int')]);
    const known = 'select id from changed where c = $1';
    const anew = 'select id  from changed where c = $1';
    const { run, engine } = openPool({});
    const together = (text: string) =>
      Promise.allSettled(Array.from({ length: RUNS }, async () => run(text, 1)));
    await untilShared(engine, () => together(known), RUNS / 2);
    await administer(['alter table changed rename to elsewhere']);
    const { shared } = engine().counters;
    const haveShared = () => engine().counters.shared - shared >= RUNS;
    for (let runs = 0; runs < 20 || (!haveShared() && runs < 1_000); runs += 1) {
      for (const outcome of await together(anew)) {
        if (outcome.status === 'fulfilled') expect.fail('it found a table that is not there');
        expect(outcome.reason).include({ code: '42P01' });
      }
    }
    expect(haveShared()).equal(true);
    await administer(['alter table elsewhere rename to changed']);
    await untilNamed(engine, () => run(anew, 1));
    const { preparedHits } = counters(engine);
    await untilNamed(engine, () => run(anew, 1));
    expect(counters(engine).preparedHits).above(preparedHits);
  });

  it('values that cannot be read cost nobody his name', async () => {
    await administer([...RESET, ...tableOf('int')]);
    const text = 'select id from changed where c = $1';
    const { run, engine } = openPool({ pipelining: 'off' });
    await untilNamed(engine, () => run(text, 1));
    const { prepared, redispatched } = counters(engine);
    for (let runs = 0; runs < RUNS; runs += 1) {
      const error = await Promise.resolve(run(text, 'no number')).catch((failure) => failure);
      expect(error).include({ code: '22P02' });
    }
    expect(counters(engine).redispatched).within(redispatched + 1, redispatched + RUNS);
    const { preparedHits } = counters(engine);
    await untilNamed(engine, () => run(text, 1));
    expect(counters(engine).preparedHits).above(preparedHits);
    expect(counters(engine).prepared).equal(prepared);
  });
});
