import dns from 'node:dns';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { TcpProxy } from '../../bench/faults/proxy.js';
import { loginOf, type Stage, type Stages, setUpStages } from '../../bench/faults/stage.js';
import { FAULTY_POOLS, type FaultyPoolKind } from './pools.js';

const FORMER = '127.0.0.1';
const LATTER = '127.0.0.2';
const NOTICED_MS = 120_000;

/** Leads those who look a name up, drivers and the engine alike, to what `addresses` says of it; other names as ever. */
function leadNames(addresses: ReadonlyMap<string, string>): () => void {
  const stock = dns.lookup as (...given: unknown[]) => void;
  dns.lookup = ((host: string, options: { all?: boolean }, done: (...told: unknown[]) => void) => {
    const address = addresses.get(host);
    if (address === undefined) return stock(host, options, done);
    process.nextTick(() =>
      options.all === true ? done(null, [{ address, family: 4 }]) : done(null, address, 4),
    );
  }) as unknown as typeof dns.lookup;
  return () => {
    dns.lookup = stock as unknown as typeof dns.lookup;
  };
}

/** The same port on both addresses. */
async function proxiesBefore({ first, second }: Stage): Promise<[TcpProxy, TcpProxy]> {
  for (;;) {
    const former = await TcpProxy.before(first.port, FORMER);
    try {
      return [former, await TcpProxy.before(second.port, LATTER, former.port)];
    } catch {
      await former.close();
    }
  }
}

const KILL_OWN = {
  postgres: 'SELECT pg_terminate_backend(pg_backend_pid())',
  mysql: 'KILL CONNECTION_ID()',
} as const;

describe("a server's name that leads to another server", function () {
  this.timeout(240_000);
  let stages: Stages;

  before(async () => {
    stages = await setUpStages();
  });
  after(() => stages?.stop());

  async function follow({ name, server, open, sleepSql }: FaultyPoolKind, addresses: Map<string, string>) {
    const stage = stages[server];
    const host = `${name.replaceAll(' ', '-')}.test`;
    addresses.set(host, FORMER);
    const [former, latter] = await proxiesBefore(stage);
    const pool = await open(former.port, { host, ...loginOf(0), database: stage.database });
    try {
      await Promise.all(Array.from({ length: pool.size }, () => pool.run(sleepSql(0.05))));
      expect([former.open, latter.open], name).deep.equal([pool.size, 0]);
      addresses.set(host, LATTER);
      // As in a failover, somebody's session ends: the name is looked up at once.
      await pool.run(KILL_OWN[server]).catch(() => {});
      while (former.open === pool.size) await sleep(5);
      const failures: unknown[] = [];
      const giveUpAt = performance.now() + NOTICED_MS;
      while (former.open > 0 && performance.now() < giveUpAt) {
        await pool.run('SELECT 1').catch((error: unknown) => failures.push(error));
        await sleep(20);
      }
      expect(former.open, `${name}: connections to the former server`).equal(0);
      expect(failures, `${name}: requests that failed`).deep.equal([]);
      expect(former.attempts.length, `${name}: opened to the former server`).equal(pool.size);
      expect(latter.attempts.length, `${name}: opened to the new server`).within(1, pool.size);
    } finally {
      await pool.close();
      await Promise.all([former.close(), latter.close()]);
    }
  }

  it('is followed by every library, one connection after another, and no request fails', async () => {
    const addresses = new Map<string, string>();
    const restore = leadNames(addresses);
    try {
      await Promise.all(FAULTY_POOLS.map((kind) => follow(kind, addresses)));
    } finally {
      restore();
    }
  });
});
