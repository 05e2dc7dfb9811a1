import { expect } from 'chai';
import { createPool, type FlagSetting, type Pool } from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';
import { VirtualRuntime } from './virtual-runtime.js';

const CONNECTIONS = 8;
const READ_MS = 2;
const SLOWER = 10;

interface Connection {
  readonly id: number;
}

/** As many busy callers as connections, so that none can be left to rest; `isSlow` says which take ten times as long, and when. */
class World {
  readonly runtime = new VirtualRuntime(1);
  readonly pool: Pool<Connection>;
  leastUsable = Number.POSITIVE_INFINITY;
  #opened = 0;

  constructor(selection: FlagSetting, isSlow: (id: number, now: number) => boolean, max = CONNECTIONS + 2) {
    this.pool = createPool<Connection>({
      driver: {
        open: async () => {
          this.#opened += 1;
          return { id: this.#opened };
        },
        check: async () => {},
        close() {},
      },
      runtime: this.runtime,
      options: { min: CONNECTIONS, max, idleTimeoutMs: 0, checkAfterIdleMs: 0 },
      flags: { ...everyFlag('off'), selection },
    });
    for (let caller = 0; caller < CONNECTIONS; caller += 1) void this.#call(isSlow);
  }

  async live(seconds: number): Promise<void> {
    for (let step = 0; step < seconds * 20; step += 1) {
      await this.runtime.advance(50);
      const { idle, leased } = this.pool.stats();
      this.leastUsable = Math.min(this.leastUsable, idle + leased);
    }
  }

  get ids(): number[] {
    return [...this.pool.connections()].map(({ connection }) => connection.id);
  }

  get replaced(): number {
    return this.pool.counters.closed.slow;
  }

  async #call(isSlow: (id: number, now: number) => boolean): Promise<void> {
    await new Promise<void>((resolve) => this.runtime.schedule(this.runtime.random(), resolve));
    const lease = await this.pool.acquire({ sql: 'SELECT x FROM small', dialect: 'postgresql' });
    const factor = isSlow(lease.connection.id, this.runtime.now()) ? SLOWER : 1;
    this.runtime.schedule(READ_MS * factor * (0.8 + 0.4 * this.runtime.random()), () => {
      lease.release();
      void this.#call(isSlow);
    });
  }
}

describe('a connection that is far slower than the others', function () {
  this.timeout(60_000);

  it('is replaced, the other one first, and none else is', async () => {
    const world = new World('on', (id) => id === CONNECTIONS);
    await world.live(40);
    expect(world.replaced).equal(1);
    expect(world.ids).deep.equal([1, 2, 3, 4, 5, 6, 7, 9]);
    expect(world.leastUsable).equal(CONNECTIONS);
  });

  it('is replaced where there is no room for another, too', async () => {
    const world = new World('on', (id) => id === CONNECTIONS, CONNECTIONS);
    await world.live(40);
    expect(world.replaced).equal(1);
    expect(world.ids).deep.equal([1, 2, 3, 4, 5, 6, 7, 9]);
    expect(world.leastUsable).least(CONNECTIONS - 1);
  });

  it('is one of the many that share a slow server, and stays', async () => {
    const world = new World('on', (id, now) => now > 5_000 || id === CONNECTIONS + 1);
    await world.live(60);
    expect(world.replaced).equal(0);
  });

  it('is replaced more and more rarely where the next one is as slow', async () => {
    const world = new World('on', (id) => id >= CONNECTIONS);
    await world.live(150);
    expect(world.replaced).within(2, 4);
  });

  it('stays while selection only looks on', async () => {
    const world = new World('shadow', (id) => id === CONNECTIONS);
    await world.live(40);
    expect(world.replaced).equal(0);
  });
});

describe('an event loop that stands still', () => {
  it('makes no connection and no query seem slow', async () => {
    const world = new World('on', () => false);
    await world.live(5);
    const meanMs = () => world.pool.report().queries[0]!.meanMs;
    const before = meanMs();
    for (let stall = 0; stall < 50; stall += 1) {
      world.runtime.stall(400);
      await world.live(0.2);
    }
    expect(meanMs()).below(2 * before);
    for (const { slowness } of world.pool.report().connections) expect(slowness).below(1.5);
    expect(world.replaced).equal(0);
  });
});
