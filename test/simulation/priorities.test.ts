import { expect } from 'chai';
import { createPool, type Hint, type OptimizationFlags, PoolError, type Priority } from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';
import { type FakeConnection, FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const REFUSED = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

/** Callers by name, and how each ended, in order. */
class World {
  readonly runtime = new VirtualRuntime(1);
  readonly driver = new FakeDriver(this.runtime);
  readonly ends: string[] = [];
  readonly errors = new Map<string, PoolError>();
  isDown = false;
  readonly pool;

  constructor(flags: OptimizationFlags, max = 1) {
    const { driver } = this;
    this.pool = createPool<FakeConnection>({
      driver: {
        open: async () => {
          if (this.isDown) throw REFUSED;
          return driver.open();
        },
        check: (connection) => driver.check(connection),
        close: (connection) => driver.close(connection),
        isBroken: (connection) => driver.isBroken(connection),
      },
      runtime: this.runtime,
      options: { max, acquireTimeoutMs: 4_000, checkAfterIdleMs: 0 },
      flags: { ...everyFlag('off'), errorClassify: 'on', breaker: 'on', ...flags },
    });
  }

  /** Holds what it gets for `heldMs`. */
  ask(name: string, priority?: Priority, heldMs = 10, hint: Hint = {}): void {
    this.pool.acquire({ ...hint, ...(priority === undefined ? {} : { priority }) }).then(
      (lease) => {
        this.ends.push(name);
        this.runtime.schedule(heldMs, () => lease.release());
      },
      (error: PoolError) => {
        this.ends.push(`${name}: ${error.code}`);
        this.errors.set(name, error);
      },
    );
  }

  askAll(): void {
    this.ask('a low', 'low');
    this.ask('b');
    this.ask('c high', 'high');
    this.ask('d low', 'low');
    this.ask('e high', 'high');
    this.ask('f odd', 'urgent' as Priority);
  }

  /** A server that had worked goes away, with the one connection. */
  async goDown(): Promise<void> {
    this.ask('first');
    await this.runtime.advance(500);
    this.isDown = true;
    this.ends.length = 0;
    const lease = this.pool.tryAcquire()!;
    this.pool.heed(Object.assign(new Error('gone'), { code: 'ECONNRESET' }), lease.connection);
    lease.release('broken');
  }
}

describe('priorities', () => {
  it('turn the low away while the server is away, and the high are served first once it is back', async () => {
    const world = new World({ degradedShed: 'on' });
    await world.goDown();
    world.askAll();
    await world.runtime.advance(300);
    expect(world.ends).deep.equal(['a low: SHED', 'd low: SHED']);
    world.isDown = false;
    await world.runtime.advance(2_000);
    expect(world.ends.slice(2)).deep.equal(['c high', 'e high', 'b', 'f odd']);
    const error = world.errors.get('a low')!;
    expect(error).instanceOf(PoolError).include({ phase: 'wait', cause: REFUSED });
    expect(error.message).match(
      /^Turned away: its priority is low, and the server is in trouble \(circuit \w+\)/,
    );
    expect(error.message).match(/Try again later/);
    expect(world.pool.counters).include({ shed: 2, rejected: 2, timedOut: 0 });
  });

  it('turn the low away at once who come while the server is away', async () => {
    const world = new World({ degradedShed: 'on' });
    await world.goDown();
    world.ask('b');
    await world.runtime.advance(300);
    world.ask('late low', 'low');
    await world.runtime.advance(0);
    expect(world.ends).deep.equal(['late low: SHED']);
  });

  it('turn the low away once the first in the queue has waited for half of its time, and serve the high first', async () => {
    const world = new World({ degradedShed: 'on' });
    world.ask('holder', undefined, 2_500);
    await world.runtime.advance(10);
    world.askAll();
    await world.runtime.advance(1_900);
    expect(world.ends).deep.equal(['holder']);
    await world.runtime.advance(200);
    expect(world.ends.slice(1)).deep.equal(['a low: SHED', 'd low: SHED']);
    expect(world.errors.get('d low')!.message).match(
      /faster than they are served \(the first has waited for \d+ ms\)/,
    );
    await world.runtime.advance(1_000);
    expect(world.ends.slice(3)).deep.equal(['c high', 'e high', 'b', 'f odd']);
  });

  it('mean nothing while there is enough for all', async () => {
    const world = new World({ degradedShed: 'on' });
    world.ask('holder', undefined, 500);
    await world.runtime.advance(10);
    world.askAll();
    await world.runtime.advance(1_000);
    expect(world.ends.slice(1)).deep.equal(['a low', 'b', 'c high', 'd low', 'e high', 'f odd']);
    expect(world.pool.counters.shed).equal(0);
  });

  it('cost nobody anything for whom there is an idle connection', async () => {
    const world = new World({ degradedShed: 'on' }, 4);
    for (const name of ['one', 'two', 'three', 'four']) world.ask(name, undefined, 10);
    await world.runtime.advance(100);
    const lost = [world.pool.tryAcquire()!, world.pool.tryAcquire()!];
    for (const lease of lost)
      world.pool.heed(Object.assign(new Error('gone'), { code: 'ECONNRESET' }), lease.connection);
    for (const lease of lost) lease.release('broken');
    await world.runtime.advance(1_500);
    expect(world.pool.stats().circuit).equal('degraded');
    world.ask('low', 'low');
    await world.runtime.advance(50);
    expect(world.ends.at(-1)).equal('low');
  });

  for (const setting of ['off', 'shadow'] as const) {
    it(`mean nothing while the flag is ${setting}`, async () => {
      const world = new World({ degradedShed: setting });
      await world.goDown();
      world.askAll();
      await world.runtime.advance(300);
      world.isDown = false;
      await world.runtime.advance(2_000);
      expect(world.ends).deep.equal(['a low', 'b', 'c high', 'd low', 'e high', 'f odd']);
    });
  }

  it('mean nothing any more once the flag is set to off, and nobody is forgotten', async () => {
    const world = new World({ degradedShed: 'on' });
    await world.goDown();
    world.ask('b');
    world.ask('c high', 'high');
    await world.runtime.advance(300);
    world.pool.setFlag('degradedShed', 'off');
    world.ask('d low', 'low');
    world.isDown = false;
    await world.runtime.advance(2_000);
    expect(world.ends).deep.equal(['b', 'c high', 'd low']);
  });
});
