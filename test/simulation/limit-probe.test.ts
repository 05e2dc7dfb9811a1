import { expect } from 'chai';
import { createPool, type FlagSetting, type Lease, type Pool } from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';
import { LimitProbe } from '../../src/sizing/limit-probe.js';
import { type FakeConnection, FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const MAX = 64;
const CALLERS = 128;

/** How long a query takes, so many being at work with it. */
type Server = (inFlight: number) => number;

/** Two cores and a quarter of a per cent that each further query costs all others: it does most with few, and no less with eight than with 64. */
const cpuBound: Server = (inFlight) => 2 * Math.max(1, inFlight / 2) * (1 + 0.0025 * inFlight);
/** Does what it is asked in the time that it takes, for as many as ask. */
const waiting: Server = () => 5;

/** Callers who each ask again as soon as they are answered, on a pool and a server of one clock. */
class World {
  readonly runtime: VirtualRuntime;
  readonly pool: Pool<FakeConnection>;
  readonly resized: string[] = [];
  server: Server = cpuBound;
  /** On whose behalf a connection is asked for now. */
  task: string | undefined = undefined;
  done = 0;
  heldMs = 0;
  /** What a statement is expected to cost a connection that others share; undefined where each has its own. */
  costMs: number | undefined = undefined;
  #inFlight = 0;
  #callers = 0;
  readonly #chance: VirtualRuntime;

  constructor(seed: number, limitProbe: FlagSetting, max = MAX) {
    this.runtime = new VirtualRuntime(seed);
    this.#chance = new VirtualRuntime(seed + 1_000);
    this.pool = createPool({
      driver: new FakeDriver(this.runtime),
      runtime: this.runtime,
      options: { max, acquireTimeoutMs: 0, idleTimeoutMs: 10_000, checkAfterIdleMs: 0 },
      flags: { ...everyFlag('off'), forecaster: 'on', breaker: 'on', errorClassify: 'on', limitProbe },
      callers: { current: () => this.task, taskOf: (task) => task, describe: () => undefined },
      observer: { onResized: (from, to) => this.resized.push(`${from} → ${to}`) },
    });
  }

  /** From now on there are so many of them. */
  callers(count: number): void {
    const begin = this.#callers;
    this.#callers = count;
    for (let caller = begin; caller < count; caller += 1) this.#call(caller);
  }

  #call(caller: number): void {
    if (caller >= this.#callers) return;
    void this.#acquire().then((lease) => {
      this.#inFlight += 1;
      const durationMs = this.server(this.#inFlight) * (0.5 + this.#chance.random()) * this.#disturbance();
      this.runtime.schedule(durationMs, () => {
        this.#inFlight -= 1;
        this.done += 1;
        this.heldMs += durationMs;
        lease.release();
        this.#call(caller);
      });
    });
  }

  #acquire(): Promise<Lease<FakeConnection>> {
    return new Promise((resolve, reject) => {
      this.pool.request(resolve, reject, undefined, this.costMs);
    });
  }

  /** A machine that others use, too: up to a fifth slower, for half a second, now and then. */
  #disturbance(): number {
    const spell = Math.sin(this.runtime.now() / 500) + Math.sin(this.runtime.now() / 137);
    return spell > 1 ? 1.2 : 1;
  }

  /** What is done a second, how long each is held, and how many connections there are at the end. */
  async over(seconds: number): Promise<{ perSecond: number; holdMs: number; open: number }> {
    const { done, heldMs } = this;
    await this.runtime.advance(seconds * 1_000);
    const completed = this.done - done;
    return {
      perSecond: completed / seconds,
      holdMs: (this.heldMs - heldMs) / completed,
      open: this.pool.stats().open,
    };
  }
}

async function settled(seed: number, setting: FlagSetting, server: Server, afterSeconds = 50) {
  const world = new World(seed, setting);
  world.server = server;
  world.callers(CALLERS);
  await world.over(afterSeconds);
  return { world, found: await world.over(20) };
}

describe('the limit probe', function () {
  this.timeout(120_000);

  for (const seed of [1, 2, 3]) {
    it(`takes a third of the connections where more do not make the database faster (seed ${seed})`, async () => {
      const plain = await settled(seed, 'off', cpuBound);
      const { world, found } = await settled(seed, 'on', cpuBound);
      expect(found.perSecond).at.least(0.98 * plain.found.perSecond);
      expect(found.open).at.most(MAX / 3);
      expect(found.holdMs).at.most(plain.found.holdMs / 3);
      expect(world.pool.report().limit?.advice).match(
        /^max 64 is large: with \d+ connections the database did as much/,
      );
      expect(world.pool.report().sizing?.whatIf?.advice ?? '').not.match(/is small/);
      expect(plain.found.open).equal(MAX);
    });

    it(`leaves as many as there may be where each does its part (seed ${seed})`, async () => {
      const plain = await settled(seed, 'off', waiting, 10);
      const { world, found } = await settled(seed, 'on', waiting, 10);
      expect(found.perSecond).at.least(0.99 * plain.found.perSecond);
      expect(found.open).equal(MAX);
      expect(world.resized).deep.equal([]);
      expect(world.pool.report().limit?.advice).match(
        /^max 64 is small: .* with 128 it would do up to [12]\.\d times as much/,
      );
    });
  }

  it('says what a larger max would gain where each connection does its part', async () => {
    const world = new World(1, 'on', 8);
    world.server = waiting;
    world.callers(64);
    await world.over(20);
    expect(world.pool.report().limit?.advice).match(
      /^max 8 is small: .* with 64 it would do up to [78]\.\d times as much/,
    );
  });

  it('goes back to all connections at once when the queries wait and no longer compute', async () => {
    const { world } = await settled(1, 'on', cpuBound);
    expect(world.pool.stats().limit).at.most(MAX / 3);
    world.server = waiting;
    await world.over(2);
    expect(world.pool.stats()).include({ limit: MAX, open: MAX });
  });

  it('decides and tells in shadow, and does nothing', async () => {
    const world = new World(1, 'shadow');
    for (const callers of [2, 4, 8, 16, 32, CALLERS]) {
      world.callers(callers);
      await world.over(5);
    }
    const { open } = await world.over(20);
    expect(open).equal(MAX);
    expect(world.resized).deep.equal([]);
    const { limit, flags } = world.pool.report();
    expect(limit?.enough).at.most(8);
    expect(limit?.advice).match(/^max 64 is large/);
    expect(flags.find(({ name }) => name === 'limitProbe')?.regret).below(0);
  });

  it('lets go when all who hold a connection wait for a second one', async () => {
    const { world } = await settled(1, 'on', cpuBound);
    const { limit } = world.pool.stats();
    expect(limit).at.most(MAX / 3);
    world.callers(0);
    let done = 0;
    const pause = () => new Promise<void>((resolve) => world.runtime.schedule(5, resolve));
    const nested = () =>
      world.pool.use(undefined, async () => {
        await pause();
        await world.pool.use(undefined, pause);
        done += 1;
      });
    for (let caller = 0; caller < MAX - 1; caller += 1) void nested();
    await world.runtime.advance(1_000);
    expect(done).equal(MAX - 1);
    expect(world.pool.report().limit?.reason).equal('callers waited and no lease came back');
  });

  it('lets go at once for a task that holds a connection and wants another', async () => {
    const { world } = await settled(1, 'on', cpuBound);
    const first = world.pool.acquire();
    await world.over(1);
    const lease = await first;
    world.task = 'nested';
    world.pool.noteHolder(lease);
    const second = world.pool.acquire();
    world.task = undefined;
    expect(world.pool.stats().limit).equal(MAX);
    expect(world.pool.report().limit?.reason).equal('a caller who held a connection waited for another');
    await world.over(1);
    lease.release();
    (await second).release();
  });

  it('lets go for those who have no time to wait, and says so', async () => {
    const { world } = await settled(1, 'on', cpuBound);
    expect(world.pool.stats().limit).at.most(MAX / 3);
    for (let caller = 0; caller < CALLERS; caller += 1)
      void world.pool.acquire({ deadlineMs: 900 }).then((lease) => lease.release());
    await world.over(0.3);
    expect(world.pool.stats().limit).equal(MAX);
    expect(world.pool.report().limit?.reason).equal('a caller had no time for it');
    await world.over(10);
    expect(world.pool.counters.timedOut).equal(0);
  });

  it('tries nothing, and learns nothing, where statements share connections', async () => {
    const world = new World(1, 'on', 8);
    world.server = waiting;
    world.costMs = 0.1;
    world.callers(160);
    await world.over(15);
    expect(world.pool.counters.sharedLate).above(10_000);
    expect(world.pool.stats()).include({ open: 8 });
    expect(world.pool.stats().waiting).above(0);
    expect(world.pool.report().limit).include({ size: 8, trials: 0, enough: undefined, advice: undefined });
  });

  it('holds nobody back when it throws', async () => {
    const { world } = await settled(1, 'on', cpuBound);
    const { step } = LimitProbe.prototype;
    try {
      LimitProbe.prototype.step = () => {
        throw new Error('sabotaged');
      };
      await world.over(1);
      expect(world.pool.stats().limit).equal(MAX);
      expect((await world.over(1)).perSecond).at.least(500);
    } finally {
      LimitProbe.prototype.step = step;
    }
  });

  it('holds nobody back once the crowd is gone', async () => {
    const { world } = await settled(1, 'on', cpuBound);
    world.callers(1);
    await world.over(15);
    expect(world.pool.stats().limit).equal(MAX);
  });

  it('serves whoever waits when the pool is closed meanwhile', async () => {
    const world = new World(1, 'on');
    world.callers(CALLERS);
    await world.over(4);
    world.callers(0);
    const drained = world.pool.drain();
    await world.over(2);
    await drained;
    expect(world.pool.stats()).include({ open: 0, waiting: 0 });
  });
});
