import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { TcpProxy } from '../../bench/faults/proxy.js';
import { loginOf, type Stages, setUpStages } from '../../bench/faults/stage.js';
import { FAULTY_POOLS, type FaultyPool } from './pools.js';

const WRITE = 'UPDATE item SET price = price + 1 WHERE id = 1';

/** The error that `run` meets at last; undefined when it does not within a second. */
async function refusalOf(run: () => Promise<unknown>): Promise<unknown> {
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      await run();
    } catch (error) {
      return error;
    }
    await sleep(10);
  }
  return undefined;
}

describe('sessions that are lost', function () {
  this.timeout(120_000);
  let stages: Stages;
  let proxy: TcpProxy;
  let pool: FaultyPool;

  before(async () => {
    stages = await setUpStages();
  });
  after(() => stages?.stop());
  afterEach(async () => {
    await pool?.close();
    await proxy?.close();
  });

  for (const { name, server, open, sleepSql } of FAULTY_POOLS) {
    const begin = async () => {
      const stage = stages[server];
      proxy = await TcpProxy.before(stage.first.port);
      pool = await open(proxy.port, { ...loginOf(0), database: stage.database });
      await Promise.all(Array.from({ length: pool.size }, () => pool.run(sleepSql(0.02))));
      return stage;
    };

    it(`${name}: of ended sessions only those in flight fail`, async () => {
      const stage = await begin();
      const opened = proxy.attempts.length;
      const inFlight = [pool.run(sleepSql(60)), pool.run(sleepSql(60))];
      const ends = Promise.allSettled(inFlight);
      await sleep(100);
      await stage.terminate();
      const failed = (await ends).filter(({ status }) => status === 'rejected');
      expect(failed.length, 'in flight').equal(2);
      // A server that is told to end sessions takes a moment for it.
      while (proxy.attempts.length - proxy.open < opened) await sleep(5);
      for (let request = 0; request < 20; request += 1) await pool.run('SELECT 1');
    });

    it(`${name}: a connection whose session has ended is not handed out again`, async () => {
      const stage = await begin();
      const ends = Promise.allSettled(
        Array.from({ length: 3 * pool.size }, (_, at) =>
          at < pool.size ? pool.run(sleepSql(60)) : pool.run('SELECT 1'),
        ),
      );
      await sleep(100);
      await stage.terminate();
      const failed = (await ends).filter(({ status }) => status === 'rejected');
      expect(failed.length, 'failed').most(pool.size);
    });

    it(`${name}: a login that is no longer accepted is told at once, and not tried again`, async () => {
      const stage = await begin();
      try {
        // One who waits from the first loss on, while others are still served.
        const ends = Promise.allSettled(Array.from({ length: 2 * pool.size }, () => pool.run(sleepSql(0.3))));
        await stage.rotatePassword();
        await stage.terminate();
        await ends;
        while (proxy.open > 0) await sleep(5);
        const before = proxy.attempts.length;
        for (let request = 0; request < 20; request += 1)
          expect(await refusalOf(() => pool.run('SELECT 1'))).match(/password authentication|Access denied/);
        expect(proxy.attempts.length - before, 'attempts').most(1);
        expect(before, 'attempts until the last session was gone').most(pool.size + 3);
      } finally {
        await stage.heal();
      }
    });

    it(`${name}: after a failover one write is refused, and the next ones reach the new writer`, async () => {
      const stage = await begin();
      try {
        await pool.run(WRITE);
        proxy.target = stage.second.port;
        await stage.refuseWrites();
        // Sessions read the server's new setting when they next look for it.
        const refused = await refusalOf(() => pool.run(WRITE));
        expect(refused, 'the refusal').instanceOf(Error);
        for (let request = 0; request < 2 * pool.size; request += 1) await pool.run(WRITE);
      } finally {
        await stage.heal();
      }
    });
  }
});
