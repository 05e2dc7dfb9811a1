import { expect } from 'chai';
import { type CheckReason, createPool, type Pool } from '../../src/index.js';
import { type FakeConnection, FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

/** What ends every connection on which nothing passed for so long. */
const KILLED_AT_MS = 60_000;
const SECOND = 1_000;

/** A server, or a firewall before it, that ends idle connections. */
class World {
  readonly runtime = new VirtualRuntime(3);
  readonly pool: Pool<FakeConnection>;
  readonly #usedAt = new Map<FakeConnection, number>();
  deaths = 0;
  /** Why connections were checked for which nobody waited. */
  readonly checked = new Set<CheckReason>();
  /** Of their age, not of the fault that strikes all. */
  readonly driver = new FakeDriver(this.runtime);

  constructor(setting: 'on' | 'off') {
    const { driver, runtime } = this;
    const check = driver.check.bind(driver);
    driver.check = async (connection) => {
      await check(connection);
      this.#usedAt.set(connection, runtime.now());
    };
    this.pool = createPool({
      driver,
      runtime,
      options: { max: 4, idleTimeoutMs: 0 },
      flags: { learnedValidation: setting },
      observer: { onChecking: (_, reason) => this.checked.add(reason) },
    });
  }

  async use(held: number): Promise<void> {
    const leases = Promise.all(Array.from({ length: held }, () => this.pool.acquire()));
    await this.runtime.advance(5);
    for (const lease of await leases) {
      this.#usedAt.set(lease.connection, this.runtime.now());
      lease.release();
    }
  }

  /** Second by second; whoever is idle for too long dies, and the driver hears of it. */
  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      await this.runtime.advance(SECOND);
      for (const connection of [...this.driver.live]) {
        if (this.runtime.now() - (this.#usedAt.get(connection) ?? 0) < KILLED_AT_MS) continue;
        this.deaths += 1;
        connection.broken = true;
        this.pool.evict(connection, 'broken');
      }
    }
  }
}

/** A busy moment now and then, between which one connection is used and the others are idle. */
async function liveFor(world: World, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    await world.use(4);
    await world.pass(3);
    await world.use(3);
    await world.pass(100);
  }
}

describe('something that ends idle connections', () => {
  it('is learned, and they are kept alive from then on', async () => {
    const world = new World('on');
    await liveFor(world, 2);
    const learnedAfter = world.deaths;
    await liveFor(world, 20);
    expect(learnedAfter).above(1);
    expect(world.deaths, 'none since').equal(learnedAfter);
    expect([...world.checked]).deep.equal(['quiet']);
    expect(world.pool.stats()).include({ open: 4, idle: 4 });
  });

  it('goes on ending them where nothing is learned', async () => {
    const world = new World('off');
    await liveFor(world, 22);
    expect(world.deaths).above(60);
    expect([...world.checked]).deep.equal([]);
  });

  it('does not keep those from timing out that nobody needs', async () => {
    const world = new World('on');
    await liveFor(world, 4);
    world.pool.setFlag('learnedValidation', 'on');
    const idle = [...world.pool.slots()].map(({ idleSince }) => idleSince);
    await world.pass(200);
    expect([...world.pool.slots()].map(({ idleSince }) => idleSince)).deep.equal(idle);
  });

  it('has more connections asked than may be at once, one after another, without a spinning timer', async () => {
    const runtime = new VirtualRuntime(3);
    const driver = new FakeDriver(runtime);
    driver.onCheck = () => ({ afterMs: 2_000, ends: 'well' });
    const pool = createPool({
      driver,
      runtime,
      options: { max: 10, idleTimeoutMs: 0, checkTimeoutMs: 10_000 },
      flags: { learnedValidation: 'on' },
      classifyError: () => 'idle_killed',
    });
    const leases = Promise.all(Array.from({ length: 10 }, () => pool.acquire()));
    await runtime.advance(10);
    for (const lease of await leases) lease.release();
    await runtime.advance(30_000);
    const [one] = pool.idleConnections();
    pool.heed(new Error('ended for being idle'), one);
    pool.evict(one!, 'broken');
    // A timer that is due at once again and again ends the test (`VirtualRuntime#advance`).
    await runtime.advance(20_000);
    expect(driver.checks, 'each of the others').at.least(9);
    expect(pool.stats()).include({ open: 9 });
  });

  it('is of no consequence from the moment in which that is switched off', async () => {
    const runtime = new VirtualRuntime(3);
    const driver = new FakeDriver(runtime);
    const pool = createPool({
      driver,
      runtime,
      options: { max: 1, idleTimeoutMs: 0, checkAfterIdleMs: 500 },
      flags: { learnedValidation: 'on' },
    });
    const use = async () => {
      const acquired = pool.acquire();
      await runtime.advance(5);
      (await acquired).release();
    };
    for (let run = 0; run < 1_100; run += 1) {
      await runtime.advance(600);
      await use();
    }
    const before = driver.checks;
    await runtime.advance(700);
    await use();
    expect(driver.checks, 'it has learned to wait for longer').equal(before);
    pool.setFlag('learnedValidation', 'off');
    await runtime.advance(700);
    await use();
    expect(driver.checks).equal(before + 1);
  });
});
