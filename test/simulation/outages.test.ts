import { expect } from 'chai';
import { type CircuitState, createPool, type Lease, type Pool } from '../../src/index.js';
import { type FakeConnection, FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const SEEDS = Number(process.env.OUTAGE_SEEDS ?? 50);
const STEP_MS = 20;

/** An application that asks 50 times a second, and a server that goes away at random. */
class World {
  readonly runtime: VirtualRuntime;
  readonly driver: FakeDriver;
  readonly pool: Pool<FakeConnection>;
  readonly attempts: number[] = [];
  readonly states: CircuitState[] = [];
  unsettled = 0;
  failed = 0;
  up = true;

  /** How long callers hold a connection. */
  readonly #workMs: number;

  constructor(seed: number, workMs = 5) {
    this.#workMs = workMs;
    this.runtime = new VirtualRuntime(seed);
    this.driver = new FakeDriver(this.runtime);
    this.driver.onOpen = () => {
      this.attempts.push(this.runtime.now());
      return { afterMs: 2, ends: this.up ? 'well' : 'badly' };
    };
    this.pool = createPool({
      driver: this.driver,
      runtime: this.runtime,
      options: { max: 8, acquireTimeoutMs: 0 },
      classifyError: (error) => (/refused|gone/.test((error as Error).message) ? 'refused' : undefined),
      observer: { onCircuitChanged: ({ to }) => this.states.push(to) },
    });
  }

  async step(sqlErrors = 0, lastsMs = STEP_MS): Promise<void> {
    this.unsettled += 1;
    this.pool.acquire().then(
      (lease) => this.#work(lease, sqlErrors),
      () => {
        this.unsettled -= 1;
        this.failed += 1;
      },
    );
    await this.runtime.advance(lastsMs);
  }

  /** Callers who wait with no socket on its way to them, in a process that may end. */
  get forsaken(): boolean {
    const { waiting, opening, checking, leased, closing } = this.pool.stats();
    return waiting > 0 && opening + checking + leased + closing === 0 && this.runtime.keptAlive === 0;
  }

  /** The server goes, and every connection with it. */
  strike(): void {
    this.up = false;
    for (const connection of this.driver.live) {
      connection.broken = true;
      this.pool.heed(new Error('gone'), connection);
    }
  }

  #work(lease: Lease<FakeConnection>, sqlErrors: number): void {
    this.unsettled -= 1;
    this.runtime.schedule(this.#workMs, () => {
      const { connection } = lease;
      const fails = this.runtime.random() < sqlErrors;
      if (fails) this.pool.heed(Object.assign(new Error('duplicate'), { errno: 1062 }), connection);
      lease.release(connection.broken ? 'broken' : fails ? 'failed' : 'ok');
    });
  }
}

/** The most of these instants within any one second. */
function peakOf(times: readonly number[]): number {
  return Math.max(0, ...times.map((at) => times.filter((other) => other >= at && other < at + 1_000).length));
}

describe('outages at random', function () {
  this.timeout(240_000);

  it(`end with the circuit closed, the queue empty and the server never stormed, for each of ${SEEDS} seeds`, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const world = new World(seed);
      for (let step = 0; step < 50; step += 1) await world.step();
      for (let outage = 0; outage < 3; outage += 1) {
        world.strike();
        const lasts = 20 + Math.floor(300 * world.runtime.random());
        const begins = world.runtime.now();
        for (let step = 0; step < lasts; step += 1) {
          await world.step();
          expect(world.forsaken, `seed ${seed}: the process lives on for those who wait`).equal(false);
        }
        const probes = world.attempts.filter((at) => at >= begins);
        expect(peakOf(probes), `seed ${seed}: attempts a second`).most(10);
        expect(world.failed, `seed ${seed}: whoever waits less than ten seconds is served`).equal(0);
        expect(world.states, `seed ${seed}: it was noticed`).to.include('open');
        world.up = true;
        const back = world.runtime.now();
        while (world.unsettled > 1) await world.step();
        expect(world.runtime.now() - back, `seed ${seed}: time until the queue is empty`).most(2_500);
        for (let step = 0; step < 100 * world.runtime.random(); step += 1) await world.step();
      }
      for (let step = 0; step < 500; step += 1) await world.step();
      const before = world.states.length;
      for (let step = 0; step < 3_000; step += 1) await world.step();
      expect(world.states.length - before, `seed ${seed}: changes in a quiet minute`).most(2);
      expect(world.pool.stats().circuit, `seed ${seed}`).equal('closed');
      expect(world.pool.waiting).equal(0);
      expect(world.runtime.keptAlive).equal(0);
    }
  });

  it('are followed by no more openings than will do for those who wait', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const peaks: number[] = [];
      for (const workMs of [0.5, 50]) {
        const world = new World(seed, workMs);
        for (let step = 0; step < 50; step += 1) await world.step();
        world.strike();
        const begins = world.runtime.now();
        for (let step = 0; step < 100; step += 1) await world.step();
        world.up = true;
        while (world.unsettled > 1) await world.step();
        peaks.push(peakOf(world.attempts.filter((at) => at >= begins)));
      }
      expect(peaks[0], `seed ${seed}: short work`).most(10);
      expect(peaks[1], `seed ${seed}: work for all connections, at once`).above(10);
    }
  });

  it('leave nobody to wait in vain for the first connection, which its holder keeps, while others could be opened', async () => {
    const world = new World(1);
    for (let step = 0; step < 50; step += 1) await world.step();
    world.strike();
    const kept = world.pool.acquire();
    await world.runtime.advance(2_000);
    let served = 0;
    for (let caller = 0; caller < 4; caller += 1)
      world.pool.acquire({ deadlineMs: 200 }).then(
        (lease) => {
          served += 1;
          lease.release();
        },
        () => {},
      );
    await world.runtime.advance(20);
    world.up = true;
    await world.runtime.advance(600);
    expect(served).equal(4);
    (await kept).release();
  });

  it('are not seen in 3 % of failed statements over 24 hours', async () => {
    const world = new World(7);
    for (let second = 0; second < 86_400; second += 1) await world.step(0.03, 1_000);
    expect(world.states).deep.equal([]);
    expect(world.failed).equal(0);
  });
});

describe('a login that is no longer accepted', () => {
  const REJECTED = Object.assign(new Error('Access denied'), { errno: 1045 });

  it('is tried twice a minute and told at once, also where connections are lost one after another', async () => {
    const world = new World(1);
    for (let step = 0; step < 50; step += 1) await world.step();
    const { pool, driver, runtime } = world;
    const acquiring = Promise.all(Array.from({ length: 8 }, () => pool.acquire()));
    await runtime.advance(100);
    const held = await acquiring;
    let isRejected = true;
    const attempts: number[] = [];
    const open = driver.open.bind(driver);
    driver.open = async () => {
      attempts.push(runtime.now());
      if (isRejected) throw REJECTED;
      return open();
    };
    const told: unknown[] = [];
    let served = 0;
    const ask = () =>
      pool.acquire().then(
        (lease) => {
          served += 1;
          lease.release();
        },
        (error: unknown) => told.push(error),
      );
    // Somebody waits from the first loss on: an opening is refused while the others still work.
    for (const lease of held) {
      void ask();
      pool.heed(new Error('gone'), lease.connection);
      lease.release('broken');
      await runtime.advance(30);
    }
    await runtime.advance(200);
    expect(told, 'those who waited for connections that are gone').deep.equal(Array(8).fill(REJECTED));
    for (let second = 0; second < 65; second += 1) {
      void ask();
      await runtime.advance(1_000);
    }
    expect(told.length).equal(8 + 65);
    expect(attempts.length).within(2, 4);
    isRejected = false;
    for (let second = 0; second < 35; second += 1) {
      void ask();
      await runtime.advance(1_000);
    }
    expect(served).above(0);
    expect(pool.stats().circuit).equal('closed');
  });
});
