import { expect } from 'chai';
import { createPool, type Lease, type Pool, type PoolOptions, SharedLease } from '../../src/index.js';
import { Lanes } from '../../src/selection/lanes.js';
import { type FakeConnection, FakeDriver } from '../simulation/fake-driver.js';
import { settle, VirtualRuntime } from '../simulation/virtual-runtime.js';

type FakeLease = Lease<FakeConnection>;

let runtime: VirtualRuntime;
let driver: FakeDriver;

beforeEach(() => {
  runtime = new VirtualRuntime(1);
  driver = new FakeDriver(runtime);
});

/** A pool whose `idle` connections are open. */
async function warmPool(idle: number, options: PoolOptions = {}): Promise<Pool<FakeConnection>> {
  const it = createPool({ driver, runtime, options: { max: 10, ...options } });
  const acquires = Array.from({ length: idle }, () => it.acquire());
  await runtime.advance(0);
  for (const acquire of acquires) (await acquire).release();
  return it;
}

describe('shared leases', () => {
  it('put short statements on one connection, and leave the others idle', async () => {
    const it = await warmPool(3);
    const leases = Array.from({ length: 20 }, () => it.tryShare(0.01)!);
    expect(new Set(leases.map(({ connection }) => connection)).size).equal(1);
    expect(it.stats()).include({ open: 3, leased: 1, idle: 2 });
    for (const lease of leases) expect(lease.release()).equal(true);
    expect(it.stats()).include({ leased: 0, idle: 3 });
    expect(it.counters).include({ shared: 20, spread: 1, sharedDepthMost: 20 });
  });

  it('take one more connection where the work in flight would make the newcomer wait', async () => {
    const it = await warmPool(3);
    const leases = Array.from({ length: 6 }, () => it.tryShare(0.5)!);
    expect(new Set(leases.map(({ connection }) => connection)).size).equal(3);
    expect(it.counters.spread).equal(3);
  });

  it('never stand on the connection of an exclusive lease', async () => {
    const it = await warmPool(2);
    const alone = it.tryAcquire()!;
    const shared = it.tryShare(0.1)!;
    expect(shared.connection).not.equal(alone.connection);
    const next = it.tryAcquire();
    expect(next, 'all connections are in use').equal(undefined);
    shared.release();
    expect(it.tryAcquire()!.connection).equal(shared.connection);
  });

  it('do not starve who waits for a connection of his own: the shared one comes free for him', async () => {
    const it = await warmPool(1, { max: 1 });
    const [first, second] = [it.tryShare(0.1)!, it.tryShare(0.1)!];
    let lease: FakeLease | undefined;
    it.acquire().then((given) => {
      lease = given;
    });
    expect(it.tryShare(0.1), 'a newcomer').equal(undefined);
    first.release();
    await settle();
    expect(lease, 'while one is in flight').equal(undefined);
    second.release();
    await settle();
    expect(lease!.connection).equal(first.connection);
    expect(lease).not.instanceOf(SharedLease);
    expect(it.tryShare(0.1), 'while it is held').equal(undefined);
    lease!.release();
    expect(it.tryShare(0.1)).instanceOf(SharedLease);
  });

  it('are given to whom the lanes had named, also if they name another as soon as the slot is his', async () => {
    const { next, tick } = Lanes.prototype;
    Lanes.prototype.tick = function mixed() {
      this.mixed = true;
    };
    try {
      const it = createPool({ driver, runtime, options: { max: 1 }, flags: { lanes: 'on' } });
      const acquiring = it.acquire();
      await runtime.advance(200);
      const held = await acquiring;
      let shared: FakeLease | undefined;
      it.request(
        (lease) => {
          shared = lease;
        },
        (error) => expect.fail(String(error)),
        undefined,
        0.1,
      );
      const names: ('fast' | undefined)[] = ['fast'];
      Lanes.prototype.next = () => names.shift();
      held.release();
      expect(names).deep.equal([]);
      expect(shared).instanceOf(SharedLease);
      Lanes.prototype.next = next;
      shared!.release();
      expect(it.stats()).include({ leased: 0, waiting: 0, idle: 1 });
    } finally {
      Object.assign(Lanes.prototype, { next, tick });
    }
  });

  it('are refused by a driver that cannot pipeline, and by a connection that is dirty', async () => {
    const it = await warmPool(1);
    driver.canShare = () => false;
    expect(it.tryShare(0.1)).equal(undefined);
    expect(it.stats()).include({ leased: 0, idle: 1 });
  });

  it('find no place on a connection that is to be closed, and it closes when the last one ends', async () => {
    const it = await warmPool(1, { max: 1 });
    const [first, second] = [it.tryShare(0.1)!, it.tryShare(0.1)!];
    first.release('broken');
    expect(it.tryShare(0.1)).equal(undefined);
    expect(it.stats()).include({ leased: 1, closing: 0 });
    second.release();
    expect(it.stats()).include({ leased: 0, closing: 1 });
  });

  it('avoid a connection that has died', async () => {
    const it = await warmPool(2);
    const first = it.tryShare(0.1)!;
    first.connection.broken = true;
    expect(it.tryShare(0.1)).equal(undefined);
    expect(it.tryShare(0.1)!.connection).not.equal(first.connection);
  });

  it('avoid a connection that has been silent for long', async () => {
    const it = await warmPool(2);
    const first = it.tryShare(0.1)!;
    await runtime.advance(60);
    expect(it.tryShare(0.1)!.connection).not.equal(first.connection);
  });

  it('tell how long the connection was busy with each', async () => {
    const it = await warmPool(1);
    const [first, second] = [it.tryShare(0.1)!, it.tryShare(0.1)!];
    await runtime.advance(30);
    first.release();
    await runtime.advance(2);
    second.release();
    expect([first.servedMs, second.servedMs]).eql([30, 2]);
  });

  it('retire their connection after its last use', async () => {
    const it = await warmPool(1, { maxUses: 3 });
    const leases = [it.tryShare(0.1)!, it.tryShare(0.1)!];
    expect(it.tryShare(0.1), 'beyond the last use').equal(undefined);
    for (const lease of leases) lease.release();
    expect(it.counters.closed.uses).equal(1);
  });

  it('are awaited by a drain, and outlive its deadline harmlessly', async () => {
    const it = await warmPool(1);
    const [first, second] = [it.tryShare(0.1)!, it.tryShare(0.1)!];
    let drained = false;
    it.drain({ deadlineMs: 100 }).then(() => {
      drained = true;
    });
    expect(() => it.tryShare(0.1)).throw('The pool is closed');
    first.release();
    await runtime.advance(50);
    expect(drained).equal(false);
    await runtime.advance(60);
    expect(drained).equal(true);
    expect(second.release()).equal(true);
  });

  it('are suspected as leaks only when no answer comes', async () => {
    const it = await warmPool(1, { leakThresholdMs: 100 });
    let lease = it.tryShare(0.1)!;
    for (let turn = 0; turn < 10; turn += 1) {
      const next = it.tryShare(0.1)!;
      await runtime.advance(30);
      lease.release();
      lease = next;
    }
    expect(it.counters.leaksSuspected).equal(0);
    await runtime.advance(200);
    expect(it.counters.leaksSuspected).equal(1);
  });
});
