import { expect } from 'chai';
import { type CheckReason, createPool, type Lease, type Pool } from '../../src/index.js';
import type { FakeConnection, Reply } from './fake-driver.js';
import { MuteDriver } from './mute-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const MAX = 6;
const STATEMENT = { sql: 'SELECT 1', dialect: 'postgresql' } as const;

class World {
  readonly runtime = new VirtualRuntime(1);
  readonly driver = new MuteDriver(this.runtime);
  readonly pool: Pool<FakeConnection>;
  readonly errors: Error[] = [];
  readonly checked = new Set<CheckReason>();
  askedAbout = 0;
  opening: Reply = { afterMs: 10, ends: 'well' };
  sent = 0;
  answered = 0;
  most = 0;

  constructor(setting: 'on' | 'off' = 'on') {
    this.driver.onOpen = () => this.opening;
    this.pool = createPool({
      driver: this.driver,
      runtime: this.runtime,
      options: { max: MAX, acquireTimeoutMs: 0, checkTimeoutMs: 60_000 },
      flags: { stallWatchdog: setting, lanes: 'shadow', pipelining: 'off' },
      observer: {
        onChecking: (_, reason, about = []) => {
          this.checked.add(reason);
          this.askedAbout += about.length;
        },
      },
    });
  }

  /** One statement of `takesMs` every `everyMs`. */
  async live(lastsMs: number, everyMs = 5, takesMs = 1): Promise<void> {
    for (let passed = 0; passed < lastsMs; passed += everyMs) {
      this.sent += 1;
      this.pool.acquire(STATEMENT).then((lease) => this.#work(lease, takesMs));
      await this.runtime.advance(everyMs);
      this.most = Math.max(this.most, this.pool.stats().open + this.pool.stats().closing);
    }
  }

  /** From now on nothing passes on the connections that are open. */
  silence(): void {
    for (const connection of this.driver.live) this.driver.mute.add(connection);
  }

  #work(lease: Lease<FakeConnection>, takesMs: number): void {
    const { connection } = lease;
    const answered = this.driver.owe(connection, (error) => {
      this.errors.push(error);
      this.pool.heed(error, connection);
      lease.release('broken');
    });
    if (this.driver.mute.has(connection)) return;
    this.runtime.schedule(takesMs, () => {
      if (this.driver.mute.has(connection) || lease.released) return;
      answered();
      this.answered += 1;
      lease.release();
    });
  }
}

/** All connections opened and the work known. */
async function begun(setting?: 'on' | 'off'): Promise<World> {
  const world = new World(setting);
  await world.live(20, 1, 30);
  await world.live(2_000);
  await world.runtime.advance(100);
  expect(world.pool.open).equal(MAX);
  return world;
}

describe('a network that goes mute', () => {
  it('costs those in flight their answer, and nobody else', async () => {
    const world = await begun();
    world.silence();
    await world.live(1_000);
    await world.runtime.advance(1_000);
    expect(world.errors.length).above(0).and.most(MAX);
    expect(world.errors[0]).property('code', 'ETIMEDOUT');
    expect(world.answered + world.errors.length, 'all have an answer').equal(world.sent);
    expect(world.most, 'never above max').most(MAX);
    expect(world.pool.counters.severed).above(0);
    expect(world.askedAbout).least(world.errors.length);
    expect([...world.checked]).include('silence');
  });

  it('says nothing against the server, which was asked: all are replaced at once', async () => {
    const world = await begun();
    await world.live(100, 5, 20);
    world.silence();
    await world.live(600, 5, 20);
    expect(world.errors.length, 'several were in flight').above(1);
    expect(world.pool.counters.circuit.degraded).equal(0);
    expect(world.pool.stats()).include({ circuit: 'closed', open: MAX });
  });

  it('costs nobody else who takes his time with each of two questions', async () => {
    const world = await begun();
    world.driver.questionMs = 100;
    world.driver.mute.add([...world.pool.idleConnections()].at(-1)!);
    await world.live(5_000);
    expect(world.driver.questions).least(2);
    expect(world.pool.counters.severed).equal(1);
    expect(world.errors).length(1);
  });

  it('is over within half a second', async () => {
    const world = await begun();
    world.silence();
    await world.live(500);
    const { answered } = world;
    await world.live(100);
    expect(world.answered - answered, 'answers in the sixth tenth of a second').least(20);
    expect(world.pool.waiting).most(1);
  });

  it('hangs everybody where the watch is off', async () => {
    const world = await begun('off');
    world.silence();
    await world.live(1_000);
    await world.runtime.advance(5_000);
    expect(world.answered + world.errors.length).below(world.sent);
    expect(world.pool.counters.severed).equal(0);
  });

  it('is told from statements that are merely long', async () => {
    const world = await begun();
    const { questions } = world.driver;
    await world.live(60, 20, 20_000);
    await world.live(5_000);
    await world.runtime.advance(15_500);
    expect(world.driver.questions - questions, 'it was asked').above(0);
    expect(world.errors).deep.equal([]);
    expect(world.answered).equal(world.sent);
  });

  it('is told from a server that stands still: whoever waits is served when it goes on', async () => {
    const world = await begun();
    const opened = world.driver.opens;
    world.silence();
    world.opening = { afterMs: 3_000, ends: 'well' };
    await world.live(3_000);
    expect(world.errors, 'while it stands').deep.equal([]);
    expect(world.driver.opens - opened, 'attempts while it stands').most(2);
    expect(world.most).most(MAX);
  });

  it('is found by the next caller after a pause, who is served by a new connection', async () => {
    const world = await begun();
    await world.runtime.advance(10_000);
    world.silence();
    const { answered } = world;
    await world.live(1, 1);
    await world.runtime.advance(800);
    expect(world.answered - answered).equal(1);
    expect(world.errors).deep.equal([]);
    expect(world.most).most(MAX);
  });

  it('opens nothing to ask over while the pool is drained', async () => {
    const world = new World();
    const acquired = world.pool.acquire(STATEMENT);
    await world.runtime.advance(50);
    const lease = await acquired;
    const answered = world.driver.owe(lease.connection, () => {});
    const { opens } = world.driver;
    const drained = world.pool.drain();
    await world.runtime.advance(5_000);
    expect(world.driver.opens).equal(opens);
    answered();
    lease.release();
    await world.runtime.advance(100);
    await drained;
  });

  it('asks nothing of a driver that cannot tell', async () => {
    const world = await begun();
    Object.assign(world.driver, { findDead: undefined });
    world.silence();
    await world.live(2_000);
    expect(world.errors).deep.equal([]);
  });
});
