import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { withQueryHint } from '../../adapters/query-hint.js';
import { TcpProxy } from '../../bench/faults/proxy.js';
import { loginOf, type Stage, type Stages, setUpStages } from '../../bench/faults/stage.js';
import type { Pool } from '../../src/index.js';
import { findFreePort } from '../servers/free-port.js';
import { sharingKnex, sharingMysql2, sharingPool } from '../sharing/sharing-pool.js';

const FLAGS = { staleReads: 'on', learnedValidation: 'off' } as const;
/** A connection that would have to be checked is not kept, and a machine may stand still for as long as that takes. */
const SETUP = { options: { checkAfterIdleMs: 0 } };
const READ = 'SELECT price FROM item WHERE id = 1';
const WRITE = 'UPDATE item SET price = price + 1 WHERE id = 1';
const SIZE = 4;

interface Application {
  run(sql: string): Promise<unknown>;
  /** Takes a connection for more than one statement, and gives it back. */
  session(): Promise<unknown>;
  close(): Promise<unknown>;
  engine(): Pool<unknown>;
  /** What the stock pool lists as in use, and how many it says there are. */
  used?(): readonly [number, number];
}

describe('reads after a failover of a real server', function () {
  this.timeout(120_000);
  let stages: Stages;
  let proxy: TcpProxy | undefined;
  let application: Application | undefined;

  before(async () => {
    stages = await setUpStages();
  });
  after(() => stages?.stop());
  afterEach(async () => {
    await application?.close();
    await proxy?.close();
    application = undefined;
    proxy = undefined;
  });

  const ways: Readonly<
    Record<string, { server: 'postgres' | 'mysql'; open(port: number, stage: Stage): Application }>
  > = {
    pg: {
      server: 'postgres',
      open(port, { database }) {
        const { pool, engine } = sharingPool(
          { host: '127.0.0.1', port, ...loginOf(0), database, max: SIZE },
          FLAGS,
          SETUP,
        );
        pool.on('error', () => {});
        const session = async () => (await pool.connect()).release();
        return { run: (sql) => pool.query(sql), session, close: () => pool.end(), engine };
      },
    },
    mysql2: {
      server: 'mysql',
      open(port, { database }) {
        const { pool, engine } = sharingMysql2(
          { host: '127.0.0.1', port, ...loginOf(0), database, connectionLimit: SIZE },
          FLAGS,
          SETUP,
        );
        const session = async () => (await pool.getConnection()).release();
        return { run: (sql) => pool.query(sql), session, close: () => pool.end(), engine };
      },
    },
    knex: {
      server: 'postgres',
      open(port, { database }) {
        const connection = { host: '127.0.0.1', port, ...loginOf(0), database };
        const { knex, engine } = sharingKnex({ connection, pool: { min: 0, max: SIZE } }, FLAGS, SETUP);
        return {
          run: (sql) =>
            sql === READ
              ? withQueryHint({ readOnly: true }, async () => knex.raw(sql))
              : (async () => knex.raw(sql))(),
          session: async () => (await knex.transaction()).rollback(),
          close: () => knex.destroy(),
          used: () => [knex.client.pool.used.length, knex.client.pool.numUsed()],
          engine,
        };
      },
    },
  };

  for (const [library, { server, open }] of Object.entries(ways)) {
    it(`${library}: go on while the new writer is away, until it has written`, async () => {
      const stage = stages[server];
      proxy = await TcpProxy.before(stage.first.port);
      application = open(proxy.port, stage);
      const { run, session, engine } = application;
      await Promise.all(Array.from({ length: SIZE }, () => run(stage.slowSql)));
      for (let request = 0; request < 5; request += 1) {
        await run(WRITE);
        await run(READ);
      }
      try {
        // The new writer's name leads to where nobody listens yet.
        proxy.target = await findFreePort();
        await stage.refuseWrites();
        // Sessions read the server's new setting when they next look for it.
        while (
          await run(WRITE).then(
            () => true,
            () => false,
          )
        )
          await sleep(10);
        const write = run(WRITE);
        let isWritten = false;
        write.then(
          () => {
            isWritten = true;
          },
          () => {},
        );
        // A hint's text is not what they will run.
        const hint = { sql: READ, dialect: server === 'mysql' ? 'mysql' : 'postgresql' } as const;
        const misnamed = withQueryHint({ ...hint, readOnly: true }, () => session());
        const misnamedWrite = withQueryHint(hint, () => run(WRITE));
        const { staleReads } = engine().counters;
        for (let request = 0; request < 20; request += 1) await run(READ);
        expect(engine().counters.staleReads - staleReads).equal(20);
        expect(isWritten, 'the write waits').equal(false);
        expect(engine().stats().stale).above(0);
        const [listed, counted] = application.used?.() ?? [0, 0];
        expect(listed).equal(counted);
        proxy.target = stage.second.port;
        await Promise.all([write, misnamed, misnamedWrite]);
        await run(WRITE);
        await run(READ);
        expect(engine().counters.staleReads - staleReads, 'the new writer is there').equal(20);
        expect(engine().stats().stale).equal(0);
      } finally {
        await stage.heal();
      }
    });
  }
});
