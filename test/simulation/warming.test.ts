import { expect } from 'chai';
import type { FleetParts } from '../../src/fleet/member.js';
import {
  createPool,
  type Lease,
  type Pool,
  PoolError,
  type PoolOptions,
  SlotState,
} from '../../src/index.js';
import { type FakeConnection, FakeDriver, type Reply } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const CONNECT_MS = 30;
const WARM_MS = 100;

/** A pool whose connections take a while to open, and another to be made ready. */
class World {
  readonly runtime = new VirtualRuntime(1);
  readonly driver = new FakeDriver(this.runtime);
  readonly pool: Pool<FakeConnection>;
  /** Ids of the connections whose warm-up began. */
  readonly warmed: number[] = [];
  /** What was told of the ends of warm-ups. */
  readonly told: unknown[] = [];
  readonly closed: string[] = [];
  readonly waits: number[] = [];
  readonly faults: unknown[] = [];
  /** Whether the next warm-ups leave off when they are asked to. */
  heeds = true;
  onWarm: () => Reply = () => ({ afterMs: WARM_MS, ends: 'well' });

  constructor(options: PoolOptions, fleet?: FleetParts) {
    // As with pg, what is not the server's own word means a lost connection.
    this.driver.isBroken = ({ broken }: FakeConnection, error?: unknown) => broken || error !== undefined;
    this.driver.onOpen = () => ({ afterMs: CONNECT_MS, ends: 'well' });
    this.driver.onWarm = ({ id }, signal) => {
      this.warmed.push(id);
      return this.heeds ? this.#untilAborted(this.onWarm(), signal) : this.onWarm();
    };
    this.pool = createPool({
      driver: this.driver,
      runtime: this.runtime,
      fleet,
      options: { idleTimeoutMs: 0, checkAfterIdleMs: 0, ...options },
      flags: { forecaster: 'off', lanes: 'off', learnedValidation: 'off' },
      onFault: (fault) => this.faults.push(fault),
      observer: {
        onWarmed: (_slot, _tookMs, error) => this.told.push(error),
        onClosed: (_slot, reason) => this.closed.push(reason),
      },
    });
  }

  #untilAborted({ afterMs, ends }: Reply, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      if (ends === 'never') return;
      const end = ends === 'well' ? resolve : () => reject(new Error('warm-up failed'));
      this.runtime.schedule(afterMs, end);
    });
  }

  /** Somebody who keeps what he gets. */
  async ask(): Promise<Lease<FakeConnection>> {
    const asked = this.runtime.now();
    const lease = await this.pool.acquire();
    this.waits.push(this.runtime.now() - asked);
    return lease;
  }

  /** As far as connections for nobody are open, and being warmed. */
  async warming(count: number): Promise<void> {
    await this.runtime.advance(CONNECT_MS);
    expect(this.pool.stats()).include({ warming: count, opening: 0 });
  }
}

describe('a connection that nobody waits for', () => {
  it('is warmed before it goes idle, and nobody has held it yet', async () => {
    const world = new World({ min: 3, max: 5 });
    await world.warming(3);
    expect(world.pool.stats()).include({ open: 3, idle: 0, leased: 0 });
    await world.runtime.advance(WARM_MS);
    expect(world.pool.stats()).include({ open: 3, idle: 3, warming: 0 });
    expect(world.warmed).deep.equal([1, 2, 3]);
    expect(world.told).deep.equal([undefined, undefined, undefined]);
    expect([...world.pool.slots()].map(({ uses }) => uses)).deep.equal([0, 0, 0]);
    await world.ask();
    expect(world.waits).deep.equal([0]);
    expect(world.pool.counters).include({ warmed: 3, warmFailed: 0, opened: 3 });
  });

  it('is not held up where there is nothing to do', async () => {
    const world = new World({ min: 1, max: 1 });
    world.driver.onWarm = () => undefined;
    await world.runtime.advance(CONNECT_MS);
    expect(world.pool.stats()).include({ idle: 1, warming: 0 });
    expect(world.told).deep.equal([]);
  });

  it('is warmed, too, where whoever had it opened was served by another', async () => {
    const world = new World({ min: 0, max: 2 });
    const first = await Promise.all([world.ask(), world.runtime.advance(CONNECT_MS)]);
    const second = world.ask();
    await world.runtime.advance(CONNECT_MS / 2);
    first[0].release();
    await second;
    expect(world.warmed, 'both were waited for').deep.equal([]);
    await world.warming(1);
  });

  it('is used as it is when its warm-up fails, and that is told', async () => {
    const world = new World({ min: 1, max: 1 });
    world.onWarm = () => ({ afterMs: WARM_MS, ends: 'badly' });
    await world.runtime.advance(CONNECT_MS + WARM_MS);
    expect(world.pool.stats()).include({ idle: 1, open: 1 });
    expect(world.told.map(String)).deep.equal(['Error: warm-up failed']);
    expect(world.pool.counters).include({ warmed: 1, warmFailed: 1, opened: 1 });
  });

  it('is used as it is when the hook throws at once', async () => {
    const world = new World({ min: 1, max: 1 });
    world.driver.onWarm = () => {
      throw new Error('at once');
    };
    await world.runtime.advance(CONNECT_MS);
    expect(world.pool.stats()).include({ idle: 1, open: 1 });
    expect(world.told.map(String)).deep.equal(['Error: at once']);
  });

  it('is replaced when its warm-up broke it, by one that is not warmed', async () => {
    const world = new World({ min: 1, max: 1 });
    await world.warming(1);
    for (const connection of world.driver.live) connection.broken = true;
    await world.runtime.advance(WARM_MS);
    expect(world.closed).deep.equal(['broken']);
    await world.runtime.advance(CONNECT_MS + WARM_MS);
    expect(world.pool.stats()).include({ idle: 1, open: 1 });
    expect(world.warmed).deep.equal([1]);
  });

  it('is replaced by one that is not warmed, too, where it cannot be made clean', async () => {
    const world = new World({ min: 1, max: 1 });
    world.driver.onReset = () => ({ afterMs: 0, ends: 'badly' });
    await world.warming(1);
    for (const connection of world.driver.live) connection.dirty = true;
    await world.runtime.advance(2 * (WARM_MS + CONNECT_MS));
    expect(world.closed).deep.equal(['dirty']);
    expect(world.pool.stats()).include({ idle: 1, open: 1 });
    expect(world.warmed).deep.equal([1]);
  });

  it('is checked before anybody has it, where another was lost meanwhile', async () => {
    const world = new World({ min: 0, max: 20 });
    const asked = Array.from({ length: 10 }, () => world.ask());
    await world.runtime.advance(CONNECT_MS);
    const [{ connection }] = (await Promise.all(asked)) as [Lease<FakeConnection>];
    world.pool.resize({ min: 11, max: 20 });
    await world.warming(1);
    await world.runtime.advance(WARM_MS / 2);
    world.pool.heed(Object.assign(new Error('gone'), { code: 'ECONNRESET' }), connection);
    world.driver.onCheck = () => ({ afterMs: 5, ends: 'well' });
    await world.runtime.advance(WARM_MS / 2);
    expect(world.pool.stats()).include({ checking: 1, idle: 0 });
    await world.runtime.advance(5);
    expect(world.pool.stats()).include({ checking: 0, idle: 1 });
    expect(world.driver.checks).equal(1);
  });

  it('makes room before those that callers hold where the pool shrinks', async () => {
    const world = new World({ min: 0, max: 4 });
    const asked = [world.ask(), world.ask()];
    await world.runtime.advance(CONNECT_MS);
    const leases = await Promise.all(asked);
    world.pool.resize({ min: 4, max: 4 });
    await world.warming(2);
    world.pool.resize({ min: 0, max: 2 });
    expect(world.closed).deep.equal(['shrink', 'shrink']);
    for (const lease of leases) lease.release();
    await world.runtime.advance(WARM_MS);
    expect(world.pool.stats()).include({ idle: 2, open: 2 });
  });

  it('is made clean of what its warm-up left', async () => {
    const world = new World({ min: 1, max: 1 });
    await world.warming(1);
    const [connection] = world.driver.live;
    connection!.dirty = true;
    await world.runtime.advance(WARM_MS);
    expect(world.pool.stateOf(connection!)).equal(SlotState.idle);
    expect(connection!.dirty).equal(false);
    expect(world.pool.counters.resets).equal(1);
  });

  it('is not warmed while the server is not trusted', async () => {
    const world = new World({ min: 0, max: 20 });
    const asked = Array.from({ length: 10 }, () => world.ask());
    await world.runtime.advance(CONNECT_MS);
    const held = await Promise.all(asked);
    const gone = Object.assign(new Error('gone'), { code: 'ECONNRESET' });
    for (const { connection } of held.slice(0, 4)) world.pool.heed(gone, connection);
    const impatient = world.pool.acquire({ deadlineMs: CONNECT_MS / 2 }).catch((error) => error);
    await world.runtime.advance(CONNECT_MS);
    expect((await impatient).code).equal('ACQUIRE_TIMEOUT');
    expect(world.pool.stats()).include({ circuit: 'degraded', idle: 1, leased: 10 });
    expect(world.warmed).deep.equal([]);
  });
});

describe('a caller who comes', () => {
  it('is not held up by the warming of the connection that is opened for him', async () => {
    const world = new World({ min: 0, max: 5 });
    const served = world.ask();
    await world.runtime.advance(CONNECT_MS);
    await served;
    expect(world.waits).deep.equal([CONNECT_MS]);
    expect(world.warmed).deep.equal([]);
  });

  it('while one is being warmed gets that at once where it leaves off', async () => {
    const world = new World({ min: 2, max: 5 });
    await world.warming(2);
    const lease = await world.ask();
    expect(world.waits).deep.equal([0]);
    expect(lease.connection.id).equal(1);
    expect(world.pool.stats(), 'the other is warmed on').include({ warming: 1, opening: 0, open: 2 });
    expect(world.told, 'nothing went wrong').deep.equal([undefined]);
    await world.runtime.advance(WARM_MS);
    expect(world.pool.stats()).include({ warming: 0, idle: 1, leased: 1 });
  });

  it('has another opened after a moment where it does not', async () => {
    const world = new World({ min: 1, max: 5 });
    world.heeds = false;
    await world.warming(1);
    const served = world.ask();
    await world.runtime.advance(9);
    expect(world.pool.stats()).include({ opening: 0, waiting: 1 });
    await world.runtime.advance(1);
    expect(world.pool.stats()).include({ opening: 1, waiting: 1 });
    await world.runtime.advance(CONNECT_MS);
    expect((await served).connection.id).equal(2);
    expect(world.waits).deep.equal([10 + CONNECT_MS]);
  });

  it('waits for its end where there may be no other, if that is near', async () => {
    const world = new World({ min: 1, max: 1 });
    world.heeds = false;
    await world.warming(1);
    await world.runtime.advance(WARM_MS - 20);
    const served = world.ask();
    await world.runtime.advance(20);
    expect((await served).connection.id).equal(1);
    expect(world.waits).deep.equal([20]);
  });

  for (const warmTimeoutMs of [0, 5_000]) {
    it(`has it closed for him after as long as an opening takes, else (warmTimeoutMs ${warmTimeoutMs})`, async () => {
      const world = new World({ min: 3, max: 3, warmTimeoutMs });
      world.heeds = false;
      world.onWarm = () => ({ afterMs: 0, ends: 'never' });
      await world.warming(3);
      const served = world.ask();
      await world.runtime.advance(2 * CONNECT_MS);
      expect((await served).connection.id).equal(4);
      expect(world.waits).deep.equal([2 * CONNECT_MS]);
      expect(world.closed, 'no more than he needs').deep.equal(['warm']);
      expect(world.warmed).deep.equal([1, 2, 3]);
      expect(world.pool.stats()).include({ warming: 2, leased: 1, open: 3 });
    });
  }
});

describe('a warm-up that meddles with the pool in the same stack', () => {
  const asked = (world: World) => world.pool.acquire().then(({ connection }) => connection.id);
  const steps: Record<string, (world: World, connection: FakeConnection) => unknown> = {
    'closes its connection': ({ pool }, connection) => pool.evict(connection, 'broken'),
    'isolates it': ({ pool }) => pool.isolate(),
    'shrinks it': ({ pool }) => pool.resize({ min: 0, max: 1 }),
    'closes it': ({ pool }) => pool.drain(),
  };
  for (const [what, step] of Object.entries(steps)) {
    for (const ends of ['never', 'at once', 'with nothing'] as const) {
      it(`${what}, and ends ${ends}`, async () => {
        const world = new World({ min: 2, max: 2 });
        const warm = world.driver.onWarm;
        world.driver.onWarm = (connection, signal) => {
          void step(world, connection);
          if (ends === 'never') return warm(connection, signal);
          if (ends === 'at once') return Promise.reject(new Error('at once'));
          return undefined;
        };
        await world.runtime.advance(10_000);
        expect(world.faults).deep.equal([]);
        const { open, idle } = world.pool.stats();
        expect(idle, 'none is left in between').equal(open);
        expect(world.driver.live.size).equal(open);
      });
    }
  }

  it('closes its connection when it is called off, for its time is over or somebody waits', async () => {
    for (const somebodyWaits of [false, true]) {
      const world = new World({ min: 1, max: 2, warmTimeoutMs: 1_000 });
      world.driver.onWarm = (connection, signal) => {
        signal.addEventListener('abort', () => world.pool.evict(connection, 'broken'));
        return new Promise(() => {});
      };
      await world.warming(1);
      const served = somebodyWaits ? asked(world) : undefined;
      await world.runtime.advance(1_000 + CONNECT_MS);
      expect(world.faults).deep.equal([]);
      expect(world.closed).deep.equal([somebodyWaits ? 'broken' : 'warm']);
      if (somebodyWaits) expect(await served).equal(2);
      expect(world.pool.stats()).include({ open: 1, waiting: 0 });
      expect(world.driver.opens).equal(2);
    }
  });

  it('calls for a connection, and is called off for that', async () => {
    const world = new World({ min: 1, max: 1 });
    const warm = world.driver.onWarm;
    let served: Promise<number> | undefined;
    world.driver.onWarm = (connection, signal) => {
      served = asked(world);
      return signal.aborted ? Promise.reject(signal.reason) : warm(connection, signal);
    };
    await world.runtime.advance(CONNECT_MS + 1);
    expect(await served).equal(1);
    expect(world.pool.stats()).include({ leased: 1, waiting: 0 });
  });
});

describe('a pool whose share of a fleet is below its min', () => {
  it('rests once it has what it may have', async () => {
    const world = new World({ min: 20, max: 20 }, { budget: { maxConnections: 8, members: 2 } });
    await world.runtime.advance(5_000);
    expect(world.pool.stats()).include({ open: 4, idle: 4 });
    let scheduled = 0;
    const schedule = world.runtime.schedule.bind(world.runtime);
    world.runtime.schedule = (delayMs, run) => {
      scheduled += 1;
      return schedule(delayMs, run);
    };
    await world.runtime.advance(10_000);
    expect(scheduled).at.most(2);
  });
});

describe('a warm-up without end', () => {
  it('costs its connection, and the next ones are not warmed for a while, ever longer', async () => {
    const world = new World({ min: 2, max: 5, warmTimeoutMs: 1_000 });
    world.heeds = false;
    world.onWarm = () => ({ afterMs: 0, ends: 'never' });
    await world.warming(2);
    await world.runtime.advance(1_000 + CONNECT_MS);
    expect(world.closed).deep.equal(['warm', 'warm']);
    expect(world.told.every((error) => error instanceof PoolError && error.code === 'WARM_TIMEOUT')).equal(
      true,
    );
    expect(world.pool.stats()).include({ idle: 2, open: 2, warming: 0 });
    expect(world.warmed).deep.equal([1, 2]);
    world.pool.resize({ min: 3, max: 5 });
    await world.runtime.advance(5_000);
    expect(world.warmed, 'it rests').deep.equal([1, 2]);
    await world.runtime.advance(5_000);
    world.pool.resize({ min: 4, max: 5 });
    await world.runtime.advance(1_000 + 2 * CONNECT_MS);
    expect(world.warmed, 'it is tried again').deep.equal([1, 2, 6]);
    expect(world.pool.stats()).include({ idle: 4, open: 4 });
    await world.runtime.advance(15_000);
    world.pool.resize({ min: 5, max: 5 });
    await world.runtime.advance(1_000);
    expect(world.warmed, 'it rests for longer').deep.equal([1, 2, 6]);
  });

  it('is called off when the pool closes', async () => {
    const world = new World({ min: 2, max: 5 });
    world.onWarm = () => ({ afterMs: 0, ends: 'never' });
    await world.warming(2);
    const drained = world.pool.drain();
    await world.runtime.advance(1);
    await drained;
    expect(world.closed).deep.equal(['drain', 'drain']);
    expect(world.driver.live.size).equal(0);
  });

  it('has no limit where warmTimeoutMs is 0', async () => {
    const world = new World({ min: 1, max: 5, warmTimeoutMs: 0 });
    world.onWarm = () => ({ afterMs: 3_600_000, ends: 'well' });
    await world.warming(1);
    await world.runtime.advance(3_600_000);
    expect(world.pool.stats()).include({ idle: 1, open: 1 });
    expect(world.closed).deep.equal([]);
  });
});

describe('a connection whose lifetime is over', () => {
  const options = { min: 1, max: 2, maxLifetimeMs: 5_000 };
  /** Until the other one is there and being warmed. */
  const untilReplaced = async (world: World) => {
    await world.runtime.advance(CONNECT_MS + WARM_MS);
    for (let step = 0; step < 10_000 && world.pool.stats().warming === 0; step += 1) {
      world.runtime.schedule(0, () => world.pool.tryAcquire()?.release());
      await world.runtime.advance(1);
    }
    expect(world.pool.stats()).include({ warming: 1, idle: 1 });
  };

  it('leaves once the other one is warm', async () => {
    const world = new World(options);
    await untilReplaced(world);
    expect(world.closed).deep.equal([]);
    await world.runtime.advance(WARM_MS);
    expect(world.closed).deep.equal(['lifetime']);
    expect(world.pool.stats()).include({ idle: 1, open: 1 });
  });

  it('stays until there is another, where the first is lost while it is warmed', async () => {
    const world = new World(options);
    await untilReplaced(world);
    const [, other] = world.driver.live;
    world.pool.evict(other!);
    await world.runtime.advance(1);
    expect(world.closed).deep.equal(['evicted']);
    expect(world.pool.stats()).include({ idle: 1, open: 1 });
    await untilReplaced(world);
    await world.runtime.advance(WARM_MS);
    expect(world.closed).deep.equal(['evicted', 'lifetime']);
  });
});
