import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { FAULTY_POOLS, type FaultyPool, type Servers, startServers } from './pools.js';

/** More than the pool has connections. */
const AT_ONCE = 12;

for (const { name, server, open, sleepSql, rowsSql } of FAULTY_POOLS) {
  describe(`${name}: connections on which nothing comes any more`, function () {
    this.timeout(120_000);
    let servers: Servers;
    let pool: FaultyPool;

    before(async () => {
      servers = await startServers(server);
    });
    after(() => servers?.stop());

    beforeEach(async () => {
      pool = await open(servers.proxy.port, servers.database);
      await Promise.all(Array.from({ length: AT_ONCE }, () => pool.run(sleepSql(0.02))));
      for (let run = 0; run < 100; run += 1) await pool.run('SELECT 1');
      for (let run = 0; run < 30; run += 1) await pool.run(sleepSql(0.001));
    });
    afterEach(() => pool?.close());

    it('cost those in flight one clear error when the network goes mute; the next are served', async () => {
      servers.proxy.mute();
      const ends: Promise<Error | undefined>[] = [];
      for (let request = 0; request < 100; request += 1) {
        ends.push(
          pool.run('SELECT 1').then(
            () => undefined,
            (error: Error) => error,
          ),
        );
        await sleep(10);
      }
      const errors = (await Promise.all(ends)).filter((error) => error !== undefined);
      expect(errors.length, 'failed').most(pool.size);
      for (const error of errors) expect(error.message).contain('The connection is dead');
      await pool.run('SELECT 1');
    });

    it('are told from a statement that is merely long', async () => {
      const long = pool.run(sleepSql(4));
      for (let request = 0; request < 50; request += 1) {
        await pool.run('SELECT 1');
        await sleep(50);
      }
      await long;
    });

    it('are told from rows that are read slowly', async () => {
      const rows = pool.stream(rowsSql(3_000));
      let read = 0;
      let goOn = () => {};
      const pause = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const reading = (async () => {
        for await (const _ of rows) if (read++ === 0) await pause;
      })();
      for (let request = 0; request < 60; request += 1) {
        await pool.run('SELECT 1');
        await sleep(50);
      }
      expect(read, 'it is still paused').equal(1);
      goOn();
      await reading;
      expect(read, 'all else came').above(1);
    });

    it('are told from a server that stands still', async () => {
      servers.database.freeze();
      const ends = Array.from({ length: 2 * AT_ONCE }, () => pool.run('SELECT 1'));
      await sleep(2_000);
      servers.database.thaw();
      await Promise.all(ends);
    });
  });
}
