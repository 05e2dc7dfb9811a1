import { expect } from 'chai';
import { createPool, type Lease, type OpenReason, type Pool, type PoolOptions } from '../../src/index.js';
import { type FakeConnection, FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const STEP_MS = 20;
const CONNECT_MS = 30;

/** A pool whose connections come of age, looked at every 20 ms. */
class World {
  readonly runtime = new VirtualRuntime(1);
  readonly driver = new FakeDriver(this.runtime);
  readonly pool: Pool<FakeConnection>;
  readonly openedAt: number[] = [];
  readonly openedFor = new Set<OpenReason>();
  readonly closedAt: number[] = [];
  readonly waits: number[] = [];
  /** Of those that can be leased or are. */
  leastLive = Number.POSITIVE_INFINITY;
  mostSlots = 0;

  constructor(options: PoolOptions) {
    this.driver.onOpen = () => ({ afterMs: CONNECT_MS, ends: 'well' });
    this.pool = createPool({
      driver: this.driver,
      runtime: this.runtime,
      options: { idleTimeoutMs: 0, checkAfterIdleMs: 0, ...options },
      flags: { forecaster: 'off', lanes: 'off', learnedValidation: 'off' },
      observer: {
        onOpening: (_, __, reason) => {
          this.openedAt.push(this.runtime.now());
          this.openedFor.add(reason);
        },
        onClosed: (_, reason) => {
          expect(reason).equal('lifetime');
          this.closedAt.push(this.runtime.now());
        },
      },
    });
  }

  async live(ms: number, eachStep = () => {}): Promise<void> {
    for (const until = this.runtime.now() + ms; this.runtime.now() < until; ) {
      eachStep();
      await this.runtime.advance(STEP_MS);
      const { idle, leased, open, closing } = this.pool.stats();
      this.leastLive = Math.min(this.leastLive, idle + leased);
      this.mostSlots = Math.max(this.mostSlots, open + closing);
    }
  }

  /** Forgets the beginning. */
  async settle(): Promise<void> {
    await this.live(1_000);
    this.leastLive = Number.POSITIVE_INFINITY;
    this.openedAt.length = 0;
    this.openedFor.clear();
  }

  ask(heldMs: number): void {
    const asked = this.runtime.now();
    this.pool.acquire().then((lease: Lease<FakeConnection>) => {
      this.waits.push(this.runtime.now() - asked);
      this.runtime.schedule(heldMs, () => lease.release());
    });
  }
}

/** The most within any second. */
function mostInASecond(times: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [last, at] of times.entries()) {
    while (at - times[first]! >= 1_000) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

describe('connections whose lifetime ends', function () {
  this.timeout(60_000);

  it('are replaced in turn, the other one first, though a thousand were born at one moment', async () => {
    const world = new World({ min: 1_000, max: 1_200, maxLifetimeMs: 120_000, lifetimeJitter: 0.001 });
    await world.settle();
    await world.live(118_000);
    expect(world.closedAt).deep.equal([]);
    await world.live(16_000);
    expect(world.closedAt.length).equal(1_000);
    expect(world.leastLive, 'nobody misses one').least(1_000);
    expect(
      [...world.pool.slots()].filter(({ replaces }) => replaces !== undefined),
      'are remembered by none',
    ).deep.equal([]);
    expect(mostInASecond(world.openedAt), 'logins in a second').most(110);
    expect(mostInASecond(world.closedAt), 'ends in a second').most(110);
    expect(world.mostSlots).most(1_100);
    expect([...world.openedFor]).deep.equal(['replacement']);
  });

  it('go one at a time where there is no room for another', async () => {
    const world = new World({ min: 20, max: 20, maxLifetimeMs: 60_000, lifetimeJitter: 0.001 });
    await world.settle();
    await world.live(90_000);
    expect(world.closedAt.length).equal(20);
    expect(world.leastLive).equal(19);
    expect([...world.openedFor]).deep.equal(['replacement']);
    expect(world.mostSlots).equal(20);
    expect(world.pool.stats().open).equal(20);
  });

  it('cost no caller a wait while there is room for another', async () => {
    const world = new World({ min: 0, max: 10, maxLifetimeMs: 5_000 });
    const load = () => world.ask(60);
    await world.live(1_000, load);
    world.waits.length = 0;
    await world.live(30_000, load);
    expect(world.closedAt.length).least(10);
    expect(Math.max(...world.waits)).equal(0);
  });

  it('are not replaced where nobody has used them for long', async () => {
    const world = new World({ min: 0, max: 10, maxLifetimeMs: 30_000 });
    for (let caller = 0; caller < 8; caller += 1) world.ask(50);
    await world.settle();
    await world.live(60_000);
    expect(world.closedAt.length).equal(8);
    expect(world.openedAt).deep.equal([]);
  });

  it('stay while the server is in trouble, those that were on their way out, too', async () => {
    const world = new World({ min: 10, max: 20, maxLifetimeMs: 10_000 });
    await world.settle();
    const held = Array.from({ length: 10 }, () => world.pool.tryAcquire()!);
    await world.live(9_500);
    expect(world.closedAt, 'they are held').deep.equal([]);
    const gone = Object.assign(new Error('gone'), { code: 'ECONNRESET' });
    for (const { connection } of held.slice(0, 4)) world.pool.heed(gone, connection);
    expect(world.pool.stats().circuit).equal('degraded');
    await world.live(200);
    for (const lease of held) lease.release();
    await world.live(3_000);
    expect(world.closedAt).deep.equal([]);
    await world.live(20_000);
    expect(world.pool.stats().circuit).equal('closed');
    expect(world.closedAt.length).least(10);
  });

  it('stay where no other one can be opened in their place', async () => {
    const world = new World({ min: 5, max: 10, maxLifetimeMs: 10_000 });
    await world.settle();
    world.driver.onOpen = () => ({ afterMs: CONNECT_MS, ends: 'badly' });
    await world.live(30_000);
    expect(world.closedAt).deep.equal([]);
    expect(world.leastLive).equal(5);
    expect(world.openedAt.length, 'tries').below(40);
    world.driver.onOpen = () => ({ afterMs: CONNECT_MS, ends: 'well' });
    await world.live(15_000);
    expect(world.closedAt.length).least(5);
    expect(world.leastLive).equal(5);
  });

  it('end to the millisecond where lifetimeJitter is 0', async () => {
    const world = new World({ min: 0, max: 10, maxLifetimeMs: 5_000, lifetimeJitter: 0 });
    for (let caller = 0; caller < 8; caller += 1) world.ask(50);
    await world.live(5_000 + CONNECT_MS + STEP_MS);
    expect(world.closedAt).deep.equal(Array.from({ length: 8 }, () => 5_000 + CONNECT_MS));
  });
});
