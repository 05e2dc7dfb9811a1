import { expect } from 'chai';
import type { Knex } from 'knex';
import type pg from 'pg';
import { PipelinedClient } from '../../adapters/pg/pipelined.js';
import { PgPooler } from '../../adapters/pg/pooler.js';
import type { PgClient, QueryCallback } from '../../adapters/pg/shapes.js';
import { type PgStatement, PgStatements } from '../../adapters/pg/statements.js';
import type { Pool, SharedLease } from '../../src/index.js';
import { QueryProfiles } from '../../src/query/profiles.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { sharingKnex, sharingPool, untilShared } from './sharing-pool.js';

const ANSWER = { rows: ['first'] };
const OTHER_ANSWER = { rows: ['second'] };
const TIMED_OUT = new Error('timeout exceeded when trying to connect');
const LOST = new Error('Connection terminated unexpectedly');
const SQL_ERROR = serverError('22012');
const NAME_UNKNOWN = serverError('26000');
const UNREADABLE = serverError('22P02');

function serverError(code: string): Error {
  return Object.assign(new Error(`SQLSTATE ${code}`), { code, severity: 'ERROR' });
}

describe('the second sending of a statement', () => {
  let statements: PgStatements<unknown>;
  let statement: PgStatement;
  let seconds: PgStatement[];
  let told: unknown[];
  let isEnding: boolean;
  /** What the connection that is shared says to the first sending. */
  let answerFirst: QueryCallback;

  beforeEach(() => {
    seconds = [];
    told = [];
    isEnding = false;
    const engine = {
      profiles: new QueryProfiles(),
      rollout: { acting: { pipelining: true, autoPrepare: false } },
      tripFlag: (_flag: string, error: unknown) => expect.fail(String(error)),
    };
    const home = {
      get isEnding() {
        return isEnding;
      },
      giveBackShared() {},
      resend: (second: PgStatement) => seconds.push(second),
    };
    statements = new PgStatements<unknown>(engine as never, home as never, new PgPooler(), false);
    statement = share('select 1');
    statements.sendElsewhere(statement);
    expect(seconds).length(1);
  });

  function share(sql: string): PgStatement {
    const sent = statements.of(sql, undefined, (error, result) => told.push(error ?? result))!;
    const client = {
      connection: { on() {} },
      query(_query: unknown, _values: unknown, done: QueryCallback) {
        answerFirst = done;
      },
    };
    const lease = { released: false, servedMs: 1, fellSilent: false };
    const pipelined = new PipelinedClient(client as unknown as PgClient);
    pipelined.hearBinds();
    statements.share(sent, lease as unknown as SharedLease<unknown>, pipelined);
    return sent;
  }

  /** As a connection of its own does. */
  function answerSecond(error: unknown, result?: unknown): void {
    const second = seconds.at(-1)!;
    second.sentAt = performance.now();
    second.tell(error, result);
  }

  it('gets no connection: the answer to the first counts', () => {
    seconds[0]!.tell(TIMED_OUT);
    expect(told).deep.equal([]);
    answerFirst(undefined, ANSWER);
    expect(told).deep.equal([ANSWER]);
  });

  it('gets no connection, and the first fails by its SQL: that error counts', () => {
    seconds[0]!.tell(TIMED_OUT);
    answerFirst(SQL_ERROR);
    expect(told).deep.equal([SQL_ERROR]);
  });

  it('gets no connection, and the first loses its own: it is sent once more', () => {
    seconds[0]!.tell(TIMED_OUT);
    answerFirst(LOST);
    expect(told).deep.equal([]);
    expect(seconds).length(2);
    answerSecond(undefined, OTHER_ANSWER);
    expect(told).deep.equal([OTHER_ANSWER]);
  });

  it('gets no connection twice, when the first has lost its own: the caller is told what stock tells', () => {
    seconds[0]!.tell(TIMED_OUT);
    answerFirst(LOST);
    seconds[1]!.tell(TIMED_OUT);
    expect(told).deep.equal([TIMED_OUT]);
    expect(seconds).length(2);
  });

  it('gets no connection: while the silence lasts it is sent once more', () => {
    seconds[0]!.tell(TIMED_OUT);
    statements.sendElsewhere(statement);
    statements.sendElsewhere(statement);
    expect(seconds).length(2);
    answerSecond(undefined, OTHER_ANSWER);
    answerFirst(undefined, ANSWER);
    expect(told).deep.equal([OTHER_ANSWER]);
  });

  it('runs and loses its connection: the answer to the first counts, and it is not sent again', () => {
    answerSecond(LOST);
    statements.sendElsewhere(statement);
    expect(seconds).length(1);
    expect(told).deep.equal([]);
    answerFirst(undefined, ANSWER);
    expect(told).deep.equal([ANSWER]);
  });

  it('runs and loses its connection, as the first does: the caller is told, once', () => {
    answerSecond(LOST);
    answerFirst(new Error('read ECONNRESET'));
    expect(told).deep.equal([LOST]);
    expect(seconds).length(1);
  });

  it('fails by its SQL: what the server says is an answer', () => {
    answerSecond(SQL_ERROR);
    answerFirst(SQL_ERROR);
    expect(told).deep.equal([SQL_ERROR]);
  });

  it('is answered after the first: nobody is told twice', () => {
    answerFirst(undefined, ANSWER);
    answerSecond(undefined, OTHER_ANSWER);
    expect(told).deep.equal([ANSWER]);
  });

  it('waits for a connection while the first fails by its SQL: the caller is told at once', () => {
    answerFirst(SQL_ERROR);
    expect(told).deep.equal([SQL_ERROR]);
    seconds[0]!.tell(TIMED_OUT);
    expect(told).deep.equal([SQL_ERROR]);
  });

  for (const error of [LOST, NAME_UNKNOWN]) {
    it(`waits for a connection while the first fails as in stock it does not (${error.message}): it is the answer`, () => {
      statement.name = 'ours';
      answerFirst(error);
      expect(told).deep.equal([]);
      expect(seconds).length(1);
      answerSecond(undefined, OTHER_ANSWER);
      expect(told).deep.equal([OTHER_ANSWER]);
    });
  }

  it('gets no connection after the first has lost its own: it is sent once more, and no more', () => {
    answerFirst(LOST);
    seconds[0]!.tell(TIMED_OUT);
    expect(told).deep.equal([]);
    expect(seconds).length(2);
    seconds[1]!.tell(TIMED_OUT);
    expect(told).deep.equal([TIMED_OUT]);
    expect(seconds).length(2);
  });

  for (const [how, failSecond] of [
    ['gets no connection', () => seconds[0]!.tell(TIMED_OUT)],
    ['loses its connection', () => answerSecond(LOST)],
  ] as const) {
    it(`${how} after the first was refused for what may be its name's fault: that the caller is told`, () => {
      seconds.length = 0;
      const write = share('insert into t values (2)');
      write.name = 'ours';
      write.wasPrepared = true;
      answerFirst(UNREADABLE);
      expect(told).deep.equal([]);
      expect(seconds).length(1);
      failSecond();
      expect(told).deep.equal([UNREADABLE]);
      expect(seconds).length(1);
    });
  }

  it('loses its connection before the first is refused for what may be its name’s fault: that the caller is told', () => {
    statement.name = 'ours';
    statement.wasPrepared = true;
    answerSecond(LOST);
    answerFirst(UNREADABLE);
    expect(told).deep.equal([UNREADABLE]);
  });

  it('of a write does not exist: nobody knows whether the first ran', () => {
    seconds.length = 0;
    const write = share('insert into t values (1)');
    statements.sendElsewhere(write);
    expect(seconds).length(0);
    answerFirst(LOST);
    expect(told).deep.equal([LOST]);
    expect(seconds).length(0);
  });

  it('of a write is of one only that the server refused by its name, before it ran', () => {
    seconds.length = 0;
    const write = share('insert into t values (1)');
    write.name = 'ours';
    answerFirst(NAME_UNKNOWN);
    expect(told).deep.equal([]);
    expect(seconds).length(1);
    answerSecond(LOST);
    expect(told).deep.equal([LOST]);
    expect(seconds).length(1);
  });

  it('is not begun while the pool ends', () => {
    seconds[0]!.tell(TIMED_OUT);
    isEnding = true;
    statements.sendElsewhere(statement);
    expect(seconds).length(1);
    answerFirst(LOST);
    expect(told).deep.equal([LOST]);
  });
});

describe('a statement behind one that waits for a lock, where no other connection comes in time', function () {
  this.timeout(60_000);
  const TIMEOUT_MS = 150;
  /** In a full pool it cuts a silent connection that is shared: then there is room for another. */
  const FLAGS = { stallWatchdog: 'off' } as const;
  let databases: Databases<'postgres'>;
  let pool: pg.Pool | undefined;
  let knex: Knex | undefined;
  let admin: pg.Client;

  before(async () => {
    databases = await startDatabases({ postgres: true });
    const { Client } = require('pg') as typeof pg;
    admin = new Client(databases.postgres.url);
    await admin.connect();
    await admin.query('create table locked as select 1 as id; create table others as select 2 as id');
  });
  after(async () => {
    await admin?.end();
    await databases?.stop();
  });
  afterEach(async () => {
    await pool?.end();
    await knex?.destroy();
    pool = undefined;
    knex = undefined;
  });

  /** Both read at once, on the only connection that is free: somebody has the other for longer than anybody may wait. */
  async function behindALock(
    engine: () => Pool<unknown>,
    reads: readonly [() => PromiseLike<unknown>, () => PromiseLike<unknown>],
    hold: () => Promise<() => unknown>,
  ): Promise<unknown[]> {
    // So that both connections are open.
    const held = await Promise.all([hold(), hold()]);
    for (const giveBack of held) await giveBack();
    const giveBack = await hold();
    try {
      // Each may know a shorter way to the server than the other did when it last shared: then one is alone, and it is tried again.
      for (let tries = 0; tries < 100; tries += 1) {
        for (const read of reads) await untilShared(engine, read);
        const answers = await whileLocked(engine, reads);
        if (answers !== undefined) return answers;
      }
      throw new Error('the reads never shared the connection');
    } finally {
      await giveBack();
    }
  }

  /** What the reads are answered that one behind the other share a connection; undefined when they did not. */
  async function whileLocked(
    engine: () => Pool<unknown>,
    reads: readonly (() => PromiseLike<unknown>)[],
  ): Promise<unknown[] | undefined> {
    const { redispatched } = engine().report().statements!;
    const { shared, timedOut, secondsTimedOut } = engine().counters;
    await admin.query('begin; lock table locked in access exclusive mode');
    const answers = Promise.allSettled(reads.map((read) => read()));
    try {
      const someoneTimedOut = () =>
        engine().counters.secondsTimedOut > secondsTimedOut || engine().counters.timedOut > timedOut;
      for (let look = 0; look < 1_000 && !someoneTimedOut(); look += 1)
        await new Promise((resolve) => setTimeout(resolve, 5));
      if (engine().counters.shared - shared < reads.length) return undefined;
      expect(engine().counters.secondsTimedOut, 'got no connection').above(secondsTimedOut);
      expect(engine().counters.timedOut, 'of which a caller knows').equal(timedOut);
      expect(engine().report().statements!.redispatched, 'sent elsewhere').above(redispatched);
    } finally {
      await admin.query('rollback');
      await answers;
    }
    return (await answers).map((outcome) =>
      outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as Error).message,
    );
  }

  it('is answered all the same by pg', async () => {
    const opened = sharingPool(
      { connectionString: databases.postgres.url, max: 2, connectionTimeoutMillis: TIMEOUT_MS },
      FLAGS,
    );
    pool = opened.pool;
    const own = pool;
    const read = (table: string) => async () => (await own.query(`select id from ${table}`)).rows;
    const outcomes = await behindALock(opened.engine, [read('locked'), read('others')], async () => {
      const client = await own.connect();
      return () => client.release();
    });
    expect(outcomes).deep.equal([[{ id: 1 }], [{ id: 2 }]]);
    expect(opened.engine().stats()).include({ waiting: 0 });
  });

  it('is answered all the same by knex', async () => {
    const opened = sharingKnex(
      {
        connection: databases.postgres.url,
        pool: { min: 0, max: 2 },
        acquireConnectionTimeout: TIMEOUT_MS,
        log: { warn() {} },
      },
      FLAGS,
    );
    knex = opened.knex;
    const own = knex;
    const read = (table: string) => () => own(table).select('id');
    const outcomes = await behindALock(opened.engine, [read('locked'), read('others')], async () => {
      const trx = await own.transaction();
      return () => trx.rollback();
    });
    expect(outcomes).deep.equal([[{ id: 1 }], [{ id: 2 }]]);
    expect(opened.engine().stats()).include({ waiting: 0 });
  });
});
