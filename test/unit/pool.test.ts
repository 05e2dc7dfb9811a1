import { expect } from 'chai';
import {
  createPool,
  type Observer,
  type Pool,
  PoolError,
  type PoolOptions,
  SlotState,
} from '../../src/index.js';
import { TrackRecord } from '../../src/selection/track-record.js';
import { type FakeConnection, FakeDriver } from '../simulation/fake-driver.js';
import { settle, VirtualRuntime } from '../simulation/virtual-runtime.js';
import { type FakeLease, follow, leaseOf as leaseNow } from './follow.js';

let runtime: VirtualRuntime;
let driver: FakeDriver;

beforeEach(() => {
  runtime = new VirtualRuntime(1);
  driver = new FakeDriver(runtime);
});

function pool(options: PoolOptions = {}, observer?: Observer<FakeConnection>): Pool<FakeConnection> {
  return createPool({ driver, runtime, options, observer });
}

const leaseOf = (of: Pool<FakeConnection>) => leaseNow(of, runtime);

describe('the timing of leases', () => {
  it('is not thinned out by a few leases in the moment before an early upkeep', async () => {
    const it = pool({ max: 4 });
    const held: FakeLease[] = [];
    for (let count = 0; count < 4; count += 1) held.push(await leaseOf(it));
    follow(it.acquire({ deadlineMs: 1 }));
    await runtime.advance(1);
    for (const lease of held) lease.release();
    for (let count = 0; count < 8; count += 1) it.tryAcquire()!.release();
    expect(it.report().wait.count).equal(12);
  });
});

describe('acquire', () => {
  it('opens a connection when none is idle, and keeps it when it comes back', async () => {
    const it = pool();
    const lease = await leaseOf(it);
    expect(it.stats()).include({ open: 1, leased: 1, idle: 0 });
    lease.release();
    expect(it.stats()).include({ open: 1, leased: 0, idle: 1 });
    expect(it.tryAcquire()!.connection).equal(lease.connection);
    expect(driver.opens).equal(1);
  });

  it('hands out the connection that came back last', async () => {
    const it = pool();
    const [first, second] = [await leaseOf(it), await leaseOf(it)];
    first.release();
    second.release();
    expect(it.tryAcquire()!.connection).equal(second.connection);
  });

  it('serves waiters first come, first served, and lets nobody barge', async () => {
    const it = pool({ max: 1 });
    const held = await leaseOf(it);
    const waiters = [follow(it.acquire()), follow(it.acquire())];
    expect(it.tryAcquire()).equal(undefined);
    held.release();
    expect(it.tryAcquire()).equal(undefined);
    await settle();
    expect(waiters.map(({ lease }) => lease !== undefined)).deep.equal([true, false]);
  });

  it('binds late: a release serves the caller for whom a connection is being opened, and the opened one idles', async () => {
    driver.onOpen = () => ({ afterMs: driver.opens === 1 ? 0 : 50, ends: 'well' });
    const it = pool();
    const held = await leaseOf(it);
    const waiting = follow(it.acquire());
    await runtime.advance(10);
    held.release();
    await settle();
    expect(waiting.lease!.connection).equal(held.connection);
    await runtime.advance(50);
    expect(it.stats()).include({ open: 2, idle: 1, leased: 1 });
  });

  it('opens only what is needed beyond what is already on its way', async () => {
    driver.onOpen = () => ({ afterMs: 50, ends: 'well' });
    const it = pool({ max: 10 });
    const callers = [follow(it.acquire()), follow(it.acquire()), follow(it.acquire())];
    expect(driver.opens).equal(3);
    await runtime.advance(50);
    expect(callers.every(({ lease }) => lease !== undefined)).equal(true);
  });

  it('never opens above max', async () => {
    const it = pool({ max: 2 });
    const callers = Array.from({ length: 5 }, () => follow(it.acquire()));
    await runtime.advance(10);
    expect(driver.opens).equal(2);
    expect(callers.filter(({ lease }) => lease !== undefined)).length(2);
    expect(it.stats()).include({ open: 2, leased: 2, waiting: 3, target: 2 });
  });

  it('times out at its deadline with the numbers of the pool, and leaves the others waiting', async () => {
    const it = pool({ max: 1, acquireTimeoutMs: 100 });
    await leaseOf(it);
    const early = follow(it.acquire());
    await runtime.advance(50);
    const late = follow(it.acquire());
    await runtime.advance(50);
    expect(early.error).instanceOf(PoolError);
    expect(early.error).include({ code: 'ACQUIRE_TIMEOUT', phase: 'wait' });
    expect(early.error!.message).contain('100 ms').and.contain('1 leased').and.contain('raise max');
    expect(early.error!.stats).include({ leased: 1, max: 1 });
    expect(late).deep.equal({});
  });

  it('heeds a deadline of its own, also one that is earlier than those before it', async () => {
    const it = pool({ max: 1, acquireTimeoutMs: 1_000 });
    await leaseOf(it);
    const patient = follow(it.acquire());
    const hasty = follow(it.acquire({ deadlineMs: 20 }));
    await runtime.advance(20);
    expect(hasty.error?.code).equal('ACQUIRE_TIMEOUT');
    expect(patient).deep.equal({});
  });

  for (const deadlineMs of [Number.NaN, -1, '20', null] as never[]) {
    it(`takes a deadline of ${JSON.stringify(deadlineMs)} for none of its own`, async () => {
      const it = pool({ max: 1, acquireTimeoutMs: 100 });
      await leaseOf(it);
      const odd = follow(it.acquire({ deadlineMs }));
      await runtime.advance(99);
      expect(odd).deep.equal({});
      await runtime.advance(1);
      expect(odd.error?.code).equal('ACQUIRE_TIMEOUT');
    });
  }

  it('waits for ever when the timeout is 0', async () => {
    const it = pool({ max: 1, acquireTimeoutMs: 0 });
    const held = await leaseOf(it);
    const waiting = follow(it.acquire());
    await runtime.advance(1e9);
    held.release();
    await settle();
    expect(waiting.lease).not.equal(undefined);
  });

  it('gives replies that sit in their sockets one turn after the event loop stood still, and says so in the error', async () => {
    const it = pool({ max: 1, acquireTimeoutMs: 100 });
    const held = await leaseOf(it);
    const lucky = follow(it.acquire());
    const unlucky = follow(it.acquire());
    runtime.stall(500);
    const polled = runtime.advance(0);
    // What the poll phase brings: the holder's reply, after the timer fired and before its callers are failed.
    runtime.afterPoll = (run) => {
      held.release();
      run();
    };
    await polled;
    expect(lucky.lease).not.equal(undefined);
    expect(unlucky.error!.message).contain('stood still');
  });

  it('times out a crowd in portions, so that the loop can breathe', async () => {
    const it = pool({ max: 1, acquireTimeoutMs: 100 });
    await leaseOf(it);
    const crowd = Array.from({ length: 1_000 }, () => follow(it.acquire()));
    const turns: number[] = [];
    const { afterPoll } = runtime;
    runtime.afterPoll = (run) => {
      turns.push(it.stats().waiting);
      afterPoll.call(runtime, run);
    };
    await runtime.advance(100);
    expect(turns).deep.equal([750, 500, 250, 0]);
    expect(crowd.every(({ error }) => error?.code === 'ACQUIRE_TIMEOUT')).equal(true);
  });

  it('is called off by its signal, before, while and after it waits', async () => {
    const it = pool({ max: 1 });
    const held = await leaseOf(it);
    const before = follow(it.acquire({ signal: AbortSignal.abort('too late') }));
    const abort = new AbortController();
    const meanwhile = follow(it.acquire({ signal: abort.signal }));
    abort.abort('enough');
    await settle();
    expect(before.error).include({ code: 'ABORTED', cause: 'too late' });
    expect(meanwhile.error).include({ code: 'ABORTED', cause: 'enough' });
    const after = new AbortController();
    const served = follow(it.acquire({ signal: after.signal }));
    held.release();
    after.abort();
    await settle();
    expect(served.lease).not.equal(undefined);
    expect(it.counters).include({ aborted: 2 });
  });

  it('refuses a caller when the queue is full', async () => {
    const it = pool({ max: 1, maxWaiters: 1 });
    await leaseOf(it);
    follow(it.acquire());
    const refused = follow(it.acquire());
    await settle();
    expect(refused.error).include({ code: 'QUEUE_FULL', phase: 'admit' });
    expect(it.counters.rejected).equal(1);
  });

  it('passes a failed open on to one waiter, untouched, and only when the other opens are too few for all', async () => {
    driver.onOpen = () => ({ afterMs: driver.opens * 10, ends: driver.opens === 1 ? 'badly' : 'well' });
    const it = pool();
    const held = [follow(it.acquire()), follow(it.acquire())];
    await runtime.advance(10);
    expect((held[0]!.error as unknown as Error).message).equal('connect refused');
    await runtime.advance(10);
    expect(held[1]!.lease).not.equal(undefined);
  });

  it('keeps the process alive while it holds an opening back from a caller, and no longer', async () => {
    driver.onOpen = () => ({ afterMs: 0, ends: 'badly' });
    const it = pool({ max: 1, openRetryMs: 200 });
    const impatient = new AbortController();
    const first = follow(it.acquire({ signal: impatient.signal }));
    await runtime.advance(10);
    expect(runtime.keptAlive).equal(1);
    impatient.abort();
    await runtime.advance(0);
    expect(first.error?.code).equal('ABORTED');
    expect(runtime.keptAlive).equal(0);

    const second = follow(it.acquire());
    await runtime.advance(10);
    expect(runtime.keptAlive).equal(1);
    driver.onOpen = () => ({ afterMs: 0, ends: 'well' });
    it.drain();
    await runtime.advance(200);
    second.lease!.release();
    await runtime.advance(0);
    expect(it.stats().open).equal(0);
    expect(runtime.keptAlive).equal(0);
  });

  it('does not keep the process alive for a caller who waits for what others have', async () => {
    const it = pool({ max: 1 });
    await leaseOf(it);
    const waiting = follow(it.acquire());
    await runtime.advance(1_000);
    expect(waiting).deep.equal({});
    expect(runtime.keptAlive).equal(0);
  });

  it('keeps waiters and tries again after openRetryMs, when that is asked for', async () => {
    driver.onOpen = () => ({ afterMs: 0, ends: driver.opens < 3 ? 'badly' : 'well' });
    const it = pool({ openRetryMs: 200 });
    const waiting = follow(it.acquire());
    await runtime.advance(350);
    expect(waiting).deep.equal({});
    await runtime.advance(100);
    expect(waiting.lease).not.equal(undefined);
  });

  it('names the cause when connections could not be opened in time', async () => {
    driver.onOpen = () => ({ afterMs: 0, ends: 'badly' });
    const it = pool({ openRetryMs: 30, acquireTimeoutMs: 100 });
    const waiting = follow(it.acquire());
    await runtime.advance(100);
    expect(waiting.error!.message).contain('connect refused');
    expect((waiting.error!.cause as Error).message).equal('connect refused');
  });
});

describe('release', () => {
  it('counts once: a second one returns false and does not touch the next holder', async () => {
    const told: FakeLease[] = [];
    const it = pool({ max: 1 }, { onStaleRelease: (lease) => told.push(lease) });
    const first = await leaseOf(it);
    first.release();
    const second = it.tryAcquire()!;
    expect(first.release()).equal(false);
    expect(it.stats()).include({ leased: 1, idle: 0 });
    expect(told).deep.equal([first]);
    expect(second.release()).equal(true);
  });

  it('keeps the connection after failed work, closes it when it is broken', async () => {
    const it = pool();
    const failed = await leaseOf(it);
    failed.release('failed');
    expect(it.stats()).include({ open: 1, idle: 1 });
    it.tryAcquire()!.release('broken');
    expect(failed.connection.closed).equal(true);
    expect(it.counters.closed.broken).equal(1);
  });

  it('lets a statement that its holder did not await take its time, and only then counts the time of the reset', async () => {
    driver.onUnanswered = () => ({ afterMs: 60_000, ends: 'well' });
    driver.onReset = () => ({ afterMs: 900, ends: 'well' });
    const it = pool({ max: 1, checkTimeoutMs: 1_000, acquireTimeoutMs: 0 });
    const slow = await leaseOf(it);
    slow.connection.dirty = true;
    const waiting = follow(it.acquire());
    slow.release();
    await runtime.advance(60_890);
    expect(waiting.lease).equal(undefined);
    await runtime.advance(20);
    expect(waiting.lease!.connection).equal(slow.connection);

    driver.onReset = () => ({ afterMs: 0, ends: 'never' });
    slow.connection.dirty = true;
    waiting.lease!.release();
    await runtime.advance(60_990);
    expect(it.stats().checking).equal(1);
    await runtime.advance(20);
    expect(slow.connection.closed).equal(true);
  });

  it('rolls a dirty connection back before anybody else has it, and closes it when that fails', async () => {
    const it = pool({ max: 1 });
    const dirty = await leaseOf(it);
    dirty.connection.dirty = true;
    const waiting = follow(it.acquire());
    dirty.release();
    expect(it.stats()).include({ checking: 1 });
    await runtime.advance(0);
    expect(waiting.lease!.connection).equal(dirty.connection);
    expect(dirty.connection.dirty).equal(false);

    driver.onReset = () => ({ afterMs: 0, ends: 'badly' });
    dirty.connection.dirty = true;
    waiting.lease!.release();
    await runtime.advance(0);
    expect(dirty.connection.closed).equal(true);
    expect(it.counters.closed.dirty).equal(1);
  });

  it('checks a connection that it has cleaned, where every lease asks for that, at once and for each who waits', async () => {
    Object.assign(driver, { mustCheck: () => true });
    driver.onCheck = () => ({ afterMs: 5, ends: 'well' });
    for (const callers of [1, 2]) {
      const it = pool({ max: 1 });
      const first = follow(it.acquire());
      await runtime.advance(10);
      const dirty = first.lease!;
      dirty.connection.dirty = true;
      const waiting = Array.from({ length: callers }, () => follow(it.acquire()));
      const { checks } = driver;
      dirty.release();
      await runtime.advance(5);
      expect(waiting[0]!.lease!.connection).equal(dirty.connection);
      expect(dirty.connection.dirty).equal(false);
      expect(driver.checks).equal(checks + 1);
    }
  });

  it('retires a connection after maxUses', async () => {
    const it = pool({ maxUses: 2 });
    const first = await leaseOf(it);
    first.release();
    it.tryAcquire()!.release();
    expect(first.connection.closed).equal(true);
    expect(it.counters.closed.uses).equal(1);
  });

  it('retires a connection whose lifetime ended while it was leased', async () => {
    const it = pool({ maxLifetimeMs: 1_000 });
    const lease = await leaseOf(it);
    await runtime.advance(1_000);
    expect(lease.connection.closed).equal(false);
    expect(it.pastLifetime()).equal(1);
    lease.release();
    expect(lease.connection.closed).equal(true);
  });

  it('calls a leased connection expired only once its release would close it', async () => {
    const it = pool({ maxLifetimeMs: 1_000 });
    const lease = await leaseOf(it);
    runtime.stall(1_000);
    expect(it.pastLifetime()).equal(0);
    await runtime.advance(0);
    expect(it.pastLifetime()).equal(1);
    lease.release();
    expect(lease.connection.closed).equal(true);
  });
});

describe('use', () => {
  it('returns what the work returns and gives the connection back', async () => {
    const it = pool();
    const used = it.use({ sql: 'select 1' }, async (connection) => connection.id);
    await runtime.advance(0);
    expect(await used).equal(1);
    expect(it.stats()).include({ idle: 1, leased: 0 });
  });

  it('goes on when what it learns from a lease cannot be learned, and when a text is none', async () => {
    const pool = createPool({
      driver: { open: async () => ({}), check: async () => {}, close: () => {} },
      options: { max: 1 },
    });
    const { learn } = TrackRecord.prototype;
    TrackRecord.prototype.learn = () => {
      throw new TypeError('sabotage');
    };
    try {
      const lease = await pool.acquire();
      expect(lease.release()).equal(true);
      expect(pool.stats()).include({ leased: 0, idle: 1 });
    } finally {
      TrackRecord.prototype.learn = learn;
    }
    (await pool.acquire({ sql: 5 as never })).release();
    expect(pool.stats()).include({ leased: 0, idle: 1 });
    const flags = pool.rollout.report();
    expect(flags.find(({ name }) => name === 'selection')?.stage).equal('reverted');
  });

  it('throws what the work throws, and asks the driver whether the connection survived it', async () => {
    const it = pool();
    const spoil = it.use(undefined, async (connection) => {
      connection.broken = true;
      throw new Error('server went away');
    });
    const caught = spoil.catch((error: Error) => error.message);
    await runtime.advance(0);
    expect(await caught).equal('server went away');
    expect(it.stats().open).equal(0);
  });
});

describe('the life of a connection', () => {
  it('is checked before a lease once it was idle for longer than the bypass window', async () => {
    const it = pool({ checkAfterIdleMs: 500 });
    (await leaseOf(it)).release();
    await runtime.advance(499);
    it.tryAcquire()!.release();
    expect(driver.checks).equal(0);
    await runtime.advance(500);
    expect(it.tryAcquire()).equal(undefined);
    const checked = follow(it.acquire());
    await runtime.advance(0);
    expect(checked.lease).not.equal(undefined);
    expect(driver.checks).equal(1);
  });

  it('ends when it fails its check, and its waiter gets another one', async () => {
    const it = pool();
    const dead = await leaseOf(it);
    dead.release();
    driver.onCheck = () => ({ afterMs: 5, ends: 'badly' });
    await runtime.advance(1_000);
    const waiting = follow(it.acquire());
    await runtime.advance(10);
    expect(dead.connection.closed).equal(true);
    expect(waiting.lease!.connection).not.equal(dead.connection);
    expect(it.counters).include({ checks: 1, checksFailed: 1 });
  });

  it('ends when its check does not end, after checkTimeoutMs', async () => {
    const it = pool({ checkTimeoutMs: 100 });
    (await leaseOf(it)).release();
    driver.onCheck = () => ({ afterMs: 0, ends: 'never' });
    await runtime.advance(1_000);
    const waiting = follow(it.acquire());
    await runtime.advance(100);
    expect(waiting.lease!.connection.id).equal(2);
  });

  it('ends unseen when the driver knows it to be dead', async () => {
    const it = pool();
    const lease = await leaseOf(it);
    lease.release();
    lease.connection.broken = true;
    const waiting = follow(it.acquire());
    await runtime.advance(0);
    expect(waiting.lease!.connection.id).equal(2);
    expect(driver.checks).equal(0);
  });

  it('ends when it was idle for idleTimeoutMs, the longest idle first, down to min', async () => {
    const it = pool({ min: 1, idleTimeoutMs: 1_000, keepMin: false });
    const leases = [await leaseOf(it), await leaseOf(it), await leaseOf(it)];
    for (const lease of leases) {
      lease.release();
      await runtime.advance(100);
    }
    await runtime.advance(750);
    expect(leases.map(({ connection }) => connection.closed)).deep.equal([true, false, false]);
    await runtime.advance(5_000);
    expect(leases.map(({ connection }) => connection.closed)).deep.equal([true, true, false]);
  });

  it('ends within its lifetime, up to a tenth earlier, and not all at once', async () => {
    const it = pool({ maxLifetimeMs: 10_000, idleTimeoutMs: 0 });
    const leases = await Promise.all(Array.from({ length: 10 }, () => leaseOf(it)));
    for (const lease of leases) lease.release();
    await runtime.advance(8_990);
    expect(it.counters.closed.lifetime).equal(0);
    await runtime.advance(500);
    expect(it.counters.closed.lifetime).greaterThan(0).and.lessThan(10);
    await runtime.advance(3_000);
    expect(it.counters.closed.lifetime).equal(10);
  });

  it('ends with its lifetime to the millisecond when lifetimeJitter is 0', async () => {
    const it = pool({ maxLifetimeMs: 10_000, lifetimeJitter: 0, idleTimeoutMs: 0 });
    const leases = await Promise.all(Array.from({ length: 10 }, () => leaseOf(it)));
    for (const lease of leases) lease.release();
    await runtime.advance(9_990);
    expect(it.stats().open).equal(10);
    await runtime.advance(20);
    expect(it.counters.closed.lifetime).equal(10);
  });

  it('is reported once when it is leased for longer than leakThresholdMs', async () => {
    const suspected: number[] = [];
    const it = pool({ leakThresholdMs: 300 }, { onLeakSuspected: (slot) => suspected.push(slot.id) });
    await leaseOf(it);
    await runtime.advance(299);
    expect(suspected).deep.equal([]);
    await runtime.advance(10_000);
    expect(suspected).deep.equal([1]);
  });

  it('counts against max until it has closed, at most closeTimeoutMs', async () => {
    driver.onClose = () => ({ afterMs: 0, ends: 'never' });
    const it = pool({ max: 1, closeTimeoutMs: 100 });
    (await leaseOf(it)).release('broken');
    const waiting = follow(it.acquire());
    await runtime.advance(99);
    expect(waiting).deep.equal({});
    await runtime.advance(1);
    await runtime.advance(0);
    expect(waiting.lease).not.equal(undefined);
  });

  it('that arrives after its open deadline is closed, and its waiter was told', async () => {
    driver.onOpen = () => ({ afterMs: 120, ends: 'well' });
    const it = pool({ openTimeoutMs: 100 });
    const waiting = follow(it.acquire());
    await runtime.advance(100);
    expect(waiting.error).include({ code: 'OPEN_TIMEOUT', phase: 'open' });
    await runtime.advance(20);
    expect(driver.live.size).equal(0);
    expect(it.counters).include({ lateArrivals: 1, opened: 0 });
    expect(it.stats()).include({ open: 0, closing: 0 });
  });

  it('can be ended from outside: at once when idle, on release when leased', async () => {
    const it = pool();
    const [idle, leased] = [await leaseOf(it), await leaseOf(it)];
    idle.release();
    expect(it.evict(idle.connection)).equal(true);
    expect(idle.connection.closed).equal(true);
    expect(it.evict(leased.connection)).equal(true);
    expect(leased.connection.closed).equal(false);
    leased.release();
    expect(leased.connection.closed).equal(true);
    expect(it.evict(leased.connection)).equal(false);
  });

  it('is asked before a lease where the driver says so, and serves who waits once it has answered', async () => {
    const it = pool({ max: 1 });
    (await leaseOf(it)).release();
    Object.assign(driver, { mustCheck: () => true });
    expect(it.tryAcquire()).equal(undefined);
    driver.onCheck = () => ({ afterMs: 5, ends: 'well' });
    const waiting = follow(it.acquire());
    await runtime.advance(4);
    expect(waiting).deep.equal({});
    await runtime.advance(1);
    expect(waiting.lease).not.equal(undefined);
    const next = follow(it.acquire());
    waiting.lease!.release();
    await runtime.advance(4);
    expect(next, 'the one that came back is asked, too').deep.equal({});
    await runtime.advance(1);
    expect(next.lease!.connection).equal(waiting.lease!.connection);
    expect(driver.checks).equal(2);
  });

  it('that is dirty closes where the driver cannot clean it', async () => {
    const it = pool();
    Object.assign(driver, { reset: undefined });
    const lease = await leaseOf(it);
    lease.connection.dirty = true;
    lease.release();
    await runtime.advance(0);
    expect(it.stats().open).equal(0);
    expect(it.report().counters.closed).include({ dirty: 1 });
  });

  it('fails its check for a reason that is none, too', async () => {
    const failed: unknown[] = [];
    const it = pool({ checkAfterIdleMs: 10 }, { onChecked: (_, __, error) => failed.push(error) });
    (await leaseOf(it)).release();
    driver.check = () => Promise.reject(undefined);
    await runtime.advance(20);
    const lease = await leaseOf(it);
    expect(lease.connection.id).equal(2);
    expect(failed.map((error) => (error as Error).message)).deep.equal([
      'the check failed without saying why',
    ]);
  });

  it('is found by where it stands', async () => {
    const it = pool();
    const lease = await leaseOf(it);
    expect(it.stateOf(lease.connection)).equal(SlotState.leased);
    lease.release();
    expect(it.stateOf(lease.connection)).equal(SlotState.idle);
    expect([...it.idleConnections()]).deep.equal([lease.connection]);
    expect(it.stateOf({} as FakeConnection)).equal(undefined);
    expect(it).include({ idle: 1, open: 1, opening: 0, waiting: 0 });
    driver.onOpen = () => ({ afterMs: 10, ends: 'well' });
    follow(it.acquire());
    follow(it.acquire());
    expect(it).include({ idle: 0, open: 2, opening: 1, waiting: 1 });
  });
});

describe('min', () => {
  it('is filled at once and kept up', async () => {
    const it = pool({ min: 2 });
    await runtime.advance(0);
    expect(it.stats()).include({ open: 2, idle: 2 });
    it.tryAcquire()!.release('broken');
    await runtime.advance(0);
    expect(it.stats()).include({ open: 2, idle: 2 });
  });

  it('is filled with growing pauses while the server refuses', async () => {
    driver.onOpen = () => ({ afterMs: 0, ends: 'badly' });
    const it = pool({ min: 1 });
    await runtime.advance(10_000);
    expect(driver.opens).lessThan(15);
    driver.onOpen = () => ({ afterMs: 0, ends: 'well' });
    await runtime.advance(5_000);
    expect(it.stats().open).equal(1);
  });

  it('waits for a place that is still taken without looking every millisecond', async () => {
    const it = pool({ min: 2, max: 2 });
    await runtime.advance(0);
    driver.onClose = () => ({ afterMs: 1_000, ends: 'well' });
    for (const lease of [it.tryAcquire()!, it.tryAcquire()!]) lease.release('broken');
    let looks = 0;
    const schedule = runtime.schedule.bind(runtime);
    runtime.schedule = (delayMs, run) => {
      looks += 1;
      return schedule(delayMs, run);
    };
    await runtime.advance(999);
    expect(it.stats()).include({ open: 0, closing: 2 });
    expect(looks).below(20);
    await runtime.advance(1);
    expect(it.stats()).include({ open: 2, closing: 0 });
  });

  it('is only a floor for idle timeouts when keepMin is off', async () => {
    const it = pool({ min: 2, keepMin: false });
    await runtime.advance(0);
    expect(it.stats().open).equal(0);
  });
});

describe('resize', () => {
  it('shrinks a live pool: idle connections now, leased ones when they come back', async () => {
    const it = pool({ max: 4 });
    const leases = [await leaseOf(it), await leaseOf(it), await leaseOf(it)];
    leases[0]!.release();
    it.resize({ max: 1 });
    expect(it.stats()).include({ open: 2, idle: 0, max: 1 });
    leases[1]!.release();
    leases[2]!.release();
    expect(it.stats()).include({ open: 1, idle: 1 });
    expect(it.counters.closed.shrink).equal(2);
  });

  it('grows a live pool for those who wait', async () => {
    const it = pool({ max: 1 });
    await leaseOf(it);
    const waiting = follow(it.acquire());
    it.resize({ max: 2 });
    await runtime.advance(0);
    expect(waiting.lease).not.equal(undefined);
  });
});

describe('drain', () => {
  it('refuses new callers, serves queued ones, awaits leases, closes everything', async () => {
    const it = pool({ max: 1 });
    const held = await leaseOf(it);
    const queued = follow(it.acquire());
    let drained = false;
    it.drain().then(() => {
      drained = true;
    });
    const refused = follow(it.acquire());
    await settle();
    expect(refused.error?.code).equal('POOL_CLOSED');
    expect(() => it.tryAcquire()).throw(PoolError);
    held.release();
    await settle();
    expect(drained).equal(false);
    queued.lease!.release();
    await runtime.advance(0);
    expect(drained).equal(true);
    expect(driver.live.size).equal(0);
    expect(runtime.outstanding).equal(0);
  });

  it('has a deadline: then the queue is rejected and leases are closed under their holders', async () => {
    const it = pool({ max: 1 });
    const held = await leaseOf(it);
    const queued = follow(it.acquire());
    const drained = it.drain({ deadlineMs: 100 });
    await runtime.advance(100);
    await drained;
    expect(queued.error?.code).equal('POOL_CLOSED');
    expect(held.connection.closed).equal(true);
    expect(held.release()).equal(true);
  });

  it('can reject the queue at once', async () => {
    const it = pool({ max: 1 });
    await leaseOf(it);
    const queued = follow(it.acquire());
    it.drain({ waiting: 'reject' });
    await settle();
    expect(queued.error?.code).equal('POOL_CLOSED');
  });

  it('gives up connections that are being opened', async () => {
    driver.onOpen = () => ({ afterMs: 1_000, ends: 'well' });
    const it = pool({ min: 2 });
    const drained = it.drain();
    await runtime.advance(1_000);
    await drained;
    expect(driver.live.size).equal(0);
  });

  it('is the same however often it is called', async () => {
    const it = pool();
    const lease = await leaseOf(it);
    const drained = it.drain();
    expect(it.drain()).equal(drained);
    lease.release();
    await runtime.advance(0);
    await drained;
    expect(it.drain()).equal(drained);
  });
});

describe('the observer', () => {
  it('hears what happened, in order', async () => {
    const heard: string[] = [];
    const it = pool(
      { max: 1 },
      {
        onQueued: () => heard.push('queued'),
        onOpening: () => heard.push('opening'),
        onOpened: () => heard.push('opened'),
        onLeased: (_, waitedMs) => heard.push(`leased after ${waitedMs}`),
        onReleased: (_, heldMs, outcome) => heard.push(`released ${outcome} after ${heldMs}`),
        onClosed: (_, reason) => heard.push(`closed ${reason}`),
      },
    );
    driver.onOpen = () => ({ afterMs: 10, ends: 'well' });
    const first = follow(it.acquire());
    await runtime.advance(15);
    first.lease!.release();
    it.tryAcquire()!.release('broken');
    expect(heard).deep.equal([
      'queued',
      'opening',
      'opened',
      'leased after 10',
      'released ok after 5',
      'leased after 0',
      'released broken after 0',
      'closed broken',
    ]);
  });

  it('hears why a connection is opened', async () => {
    const heard: string[] = [];
    const it = pool(
      { min: 1, max: 3, keepMin: true },
      { onOpening: (slot, _, reason) => heard.push(`${slot.id} ${reason}`) },
    );
    await runtime.advance(0);
    await leaseOf(it);
    await leaseOf(it);
    expect(heard).deep.equal(['1 min', '2 waiter']);
  });

  it('hears of a loss before what is concluded from it, and why others are checked then', async () => {
    const heard: string[] = [];
    const it = pool(
      { max: 3 },
      {
        onLost: ({ id }) => heard.push(`lost ${id}`),
        onCircuitChanged: ({ to }) => heard.push(to),
        onChecking: ({ id }, reason) => heard.push(`check ${id} ${reason}`),
      },
    );
    const leases = [await leaseOf(it), await leaseOf(it), await leaseOf(it)];
    leases.pop()!.release();
    for (const { connection } of leases)
      it.heed(Object.assign(new Error('no'), { code: 'ECONNRESET' }), connection);
    expect(heard).deep.equal(['lost 1', 'lost 2', 'degraded', 'check 3 suspect']);
  });

  it('never breaks a query by throwing', async () => {
    const throwing = () => {
      throw new Error('listener fault');
    };
    const it = pool({}, { onQueued: throwing, onLeased: throwing, onReleased: throwing, onOpened: throwing });
    const lease = await leaseOf(it);
    expect(lease.release()).equal(true);
  });
});

describe('report', () => {
  it('counts what was done and summarises how long it took', async () => {
    const it = pool({ max: 1 });
    const held = await leaseOf(it);
    const waiting = follow(it.acquire());
    await runtime.advance(30);
    held.release();
    await settle();
    waiting.lease!.release('broken');
    const { counters, wait, use, create } = it.report();
    expect(counters).include({ waited: 2, immediate: 0, opened: 1, released: 2 });
    expect(counters.closed.broken).equal(1);
    expect(wait).include({ count: 2, maxMs: 30 });
    expect(use).include({ count: 2, maxMs: 30 });
    expect(create.count).equal(1);
  });
});
