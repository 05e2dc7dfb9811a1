import { expect } from 'chai';
import { createClient } from 'redis';
import { RedisLeases } from '../../adapters/redis/leases.js';
import { resolveBudget } from '../../src/fleet/budget.js';
import type { LeaseNews } from '../../src/index.js';
import { type Redis, startRedis } from '../servers/redis.js';
import { VirtualRuntime } from '../simulation/virtual-runtime.js';
import { LeaseTable } from './lease-table.js';

const NEVER = new AbortController().signal;

const LONG_MS = 600_000;

describe('leases in Redis', function () {
  this.timeout(60_000);
  let redis: Redis;
  let members: RedisLeases[] = [];
  let fleets = 0;

  before(async () => {
    redis = await startRedis();
  });

  afterEach(async () => {
    for (const member of members.splice(0)) await member.leave();
  });

  after(() => redis.stop());

  function newFleet(budget: { maxConnections: number; members: number; leaseMs?: number }) {
    fleets += 1;
    const name = `fleet ${fleets}`;
    return () => {
      const member = new RedisLeases(redis.url, name, budget);
      members = [...members, member];
      return member;
    };
  }

  /** As when the server and the fleet have long been there. */
  async function endGrace(): Promise<void> {
    const client = createClient({ url: redis.url });
    await client.connect();
    const [, run] = /run_id:(\w+)/.exec(await client.info('server'))!;
    const [seconds] = (await client.sendCommand(['TIME'])) as unknown as [string];
    await client.hSet(`enhanced-pool:{fleet ${fleets}}`, '#', `${run} ${seconds}000 0`);
    await client.close();
  }

  const request = (number: number, asked: number, ceiling = 0) => ({ number, ceiling, asked, want: asked });

  it('grant what the simulated table grants, for any requests', async () => {
    const chance = new VirtualRuntime(1);
    const upTo = (most: number) => Math.floor(chance.random() * (most + 1));
    for (let fleet = 0; fleet < 20; fleet += 1) {
      // So long a lease that it does not matter how long the test takes.
      const budget = { members: 1 + upTo(4), maxConnections: 5 + upTo(20), leaseMs: LONG_MS };
      const join = newFleet(budget);
      const table = new LeaseTable(resolveBudget(budget));
      for (const now of [0, 0.4, 0.8, 1.2]) table.renew('first', request(1 + now, 1), now * LONG_MS);
      table.leave('first');
      await endGrace();
      const all = Array.from({ length: budget.members + upTo(2) }, () => ({ leases: join(), reserved: 0 }));
      for (let step = 1; step <= 30; step += 1) {
        const member = all[upTo(all.length - 1)]!;
        const ceiling = Math.min(member.reserved, upTo(9));
        const wish = { number: step, asked: 1 + upTo(9), want: 1 + upTo(9), ceiling };
        const granted = await member.leases.renew(wish, NEVER);
        const expected = table.renew(member.leases.member, wish, 1.2 * LONG_MS);
        expect(granted.granted, `fleet ${fleet}, step ${step}`).equal(expected.granted);
        expect(granted.graceMs).equal(expected.graceMs);
        expect(sorted(granted.others)).deep.equal(sorted(expected.others));
        member.reserved = Math.max(granted.granted, ceiling);
      }
    }
  });

  it('refuse a request that was overtaken by a newer one', async () => {
    const member = newFleet({ maxConnections: 10, members: 2 })();
    await member.renew(request(2, 3), NEVER);
    expect(await rejection(member.renew(request(1, 3), NEVER))).match(/STALE/);
  });

  it('end for the dead, and go on for the frozen, who still listen', async () => {
    const join = newFleet({ maxConnections: 10, members: 1, leaseMs: 500 });
    const [frozen, other] = [join(), join()];
    const ask = async (number: number) => other.renew(request(number, 10), NEVER);
    let number = 0;
    await frozen.renew(request(1, 7, 7), NEVER);
    for (const until = performance.now() + 1_500; performance.now() < until; ) {
      number += 1;
      expect((await ask(number)).granted).most(3);
    }
    expect((await ask(number + 1)).others).deep.equal([{ reserved: 10, want: 7 }]);
    await frozen.leave();
    await sleepUntil(async () => {
      number += 1;
      return (await ask(number + 1)).granted === 10;
    });
  });

  it('end for those whose process is gone', async () => {
    const join = newFleet({ maxConnections: 10, members: 1, leaseMs: 500 });
    const [dying, other] = [join(), join()];
    await dying.renew(request(1, 7, 7), NEVER);
    // As when a process is killed: its connections close, and nobody says goodbye.
    const killer = createClient({ url: redis.url });
    await killer.connect();
    await killer.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
    await killer.close();
    let number = 0;
    await sleepUntil(async () => {
      number += 1;
      return (await other.renew(request(number, 10), NEVER)).granted === 10;
    });
  });

  it('tell the others that somebody is short, once', async () => {
    const join = newFleet({ maxConnections: 4, members: 2, leaseMs: LONG_MS });
    const [rich, poor] = [join(), join()];
    const heard: LeaseNews[] = [];
    rich.onNews = (news) => heard.push(news);
    await endGrace();
    await poor.renew(request(1, 1), NEVER);
    await rich.renew(request(1, 3, 3), NEVER);
    for (const number of [2, 3, 4]) await poor.renew(request(number, 4), NEVER);
    await sleepUntil(async () => heard.length > 0);
    await rich.renew(request(2, 3, 3), NEVER);
    expect(heard).deep.equal(['short']);
  });

  it('give nobody more than it has while others may still hold what was granted before Redis lost everything', async () => {
    const join = newFleet({ maxConnections: 10, members: 2, leaseMs: 500 });
    const [one, other] = [join(), join()];
    let number = 0;
    await sleepUntil(async () => {
      number += 1;
      return (await one.renew(request(number, 8), NEVER)).granted === 5;
    });
    const lost = new Promise((resolve) => {
      one.onNews = resolve;
    });
    await redis.halt({ mode: 'kill' });
    expect(await lost).equal('lost');
    expect(await rejection(one.renew(request(number + 1, 5), NEVER))).match(/ECONNREFUSED|closed/i);
    await redis.resume();
    expect((await other.renew(request(1, 9), NEVER)).granted).equal(1);
    const back = await one.renew(request(number + 2, 9, 5), NEVER);
    expect(back.granted).equal(5);
    expect(back.graceMs).greaterThan(0);
    await sleepUntil(async () => {
      number += 1;
      await one.renew(request(number + 2, 5, 5), NEVER);
      return (await other.renew(request(number, 9), NEVER)).granted === 5;
    });
  });

  it('take a client of the application, which they leave alone', async () => {
    const client = createClient({ url: redis.url });
    const member = new RedisLeases(client as never, 'by client', { maxConnections: 3, members: 1 });
    expect((await member.renew(request(1, 3), NEVER)).granted).equal(1);
    await member.leave();
    expect(client.isOpen).equal(false);
  });

  it('let go of a server that does not answer', async () => {
    const member = newFleet({ maxConnections: 3, members: 1 })();
    await member.renew(request(1, 3), NEVER);
    redis.freeze();
    const waits = new AbortController();
    const answer = rejection(member.renew(request(2, 3), waits.signal));
    waits.abort();
    expect(await answer).not.equal(undefined);
    redis.thaw();
    expect((await member.renew(request(3, 3), NEVER)).granted).equal(1);
  });
});

function sorted(others: readonly { reserved: number; want: number }[]) {
  return [...others].sort((one, other) => one.reserved - other.reserved || one.want - other.want);
}

async function rejection(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return String(error);
  }
}

async function sleepUntil(isSo: () => Promise<boolean>): Promise<void> {
  for (const until = performance.now() + 20_000; !(await isSo()); ) {
    if (performance.now() > until) throw new Error('it never came to be so');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
