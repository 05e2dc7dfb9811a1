import { expect } from 'chai';
import { createPool, type Observer, type PoolError, type PoolParts } from '../../src/index.js';
import { type FakeConnection, FakeDriver } from '../simulation/fake-driver.js';
import { settle, VirtualRuntime } from '../simulation/virtual-runtime.js';
import { type FakeLease, follow, leaseOf as leaseNow } from './follow.js';

/** A PostgreSQL that grants so many connections. */
class LimitedDriver extends FakeDriver {
  grants = Number.POSITIVE_INFINITY;

  override async open(): Promise<FakeConnection> {
    if (this.live.size < this.grants) return super.open();
    throw Object.assign(new Error('sorry, too many clients already'), { code: '53300', severity: 'FATAL' });
  }
}

let runtime: VirtualRuntime;
let driver: LimitedDriver;

beforeEach(() => {
  runtime = new VirtualRuntime(1);
  driver = new LimitedDriver(runtime);
});

function pool(parts: Partial<PoolParts<FakeConnection>> = {}) {
  return createPool<FakeConnection>({ driver, runtime, ...parts });
}

const leaseOf = (of: ReturnType<typeof pool>) => leaseNow(of, runtime);

/** What is thrown in the meantime as an uncaught exception would be. */
const uncaughtWithin = (durationMs: number) =>
  runtime.advance(durationMs).then(
    () => undefined,
    (error: Error) => error.message,
  );

describe('a fault of the engine’s own', () => {
  const faulty = () => {
    throw new Error('fault');
  };

  it('at a release hands everybody back to the one who looks after it, once', async () => {
    const faults: unknown[] = [];
    const it = pool({ options: { max: 2 }, onFault: (fault) => faults.push((fault as Error).message) });
    const [held, other] = [await leaseOf(it), await leaseOf(it)];
    const waiting = follow(it.acquire());
    Object.assign(driver, { isDirty: faulty });
    expect(held.release()).equal(true);
    await settle();
    expect(waiting.error).include({ code: 'HANDED_BACK' });
    expect(held.connection.closed, 'nobody knows what state it is in').equal(true);
    expect(other.release(), 'it strikes again').equal(true);
    await runtime.advance(10);
    expect(faults).deep.equal(['fault']);
    expect(it.stats().open).equal(0);
  });

  it('in choosing a connection gives nothing at once, and the pool up', async () => {
    const faults: unknown[] = [];
    const it = pool({ options: { max: 2 }, onFault: (fault) => faults.push((fault as Error).message) });
    const [held, idle] = [await leaseOf(it), await leaseOf(it)];
    idle.release();
    Object.assign(driver, { mustCheck: faulty });
    expect(it.tryAcquire()).equal(undefined);
    expect(faults).deep.equal(['fault']);
    expect(follow(it.acquire())).deep.equal({});
    const refused = follow(it.acquire());
    await settle();
    expect(refused.error).include({ code: 'HANDED_BACK', phase: 'admit' });
    held.release();
    await runtime.advance(10);
    expect(it.stats().open).equal(0);
    expect(faults).deep.equal(['fault']);
  });

  it('when a connection has opened serves its waiter by other means, or is an uncaught exception', async () => {
    Object.assign(driver, { mustCheck: faulty });
    const waiting = follow(pool({ onFault: () => {} }).acquire());
    await runtime.advance(10);
    expect(waiting.error).include({ code: 'HANDED_BACK' });
    follow(pool().acquire());
    expect(await uncaughtWithin(10)).equal('fault');
  });

  it('in the upkeep hands everybody back, too', async () => {
    const faults: unknown[] = [];
    const it = pool({
      options: { checkAfterIdleMs: 0 },
      onFault: (fault) => faults.push((fault as Error).message),
    });
    await leaseOf(it);
    it.rollout.tick = faulty;
    await runtime.advance(200);
    expect(faults).deep.equal(['fault']);
    const refused = follow(it.acquire());
    await settle();
    expect(refused.error).include({ code: 'HANDED_BACK' });
  });

  it('is thrown where nobody looks after it', async () => {
    const it = pool();
    (await leaseOf(it)).release();
    Object.assign(driver, { mustCheck: faulty });
    expect(() => it.tryAcquire()).to.throw('fault');
  });
});

describe('a caller’s own fault', () => {
  const angry = () => {
    throw new Error('angry');
  };

  it('in taking its connection is an uncaught exception, and costs nobody else an answer', async () => {
    const it = pool({ options: { max: 1 } });
    const held = await leaseOf(it);
    const leased: FakeLease[] = [];
    it.request((lease) => {
      leased.push(lease);
      angry();
    }, angry);
    const next = follow(it.acquire());
    held.release();
    expect(await uncaughtWithin(0)).equal('angry');
    leased[0]!.release();
    await settle();
    expect(next.lease).not.equal(undefined);
  });

  it('in taking its error is an uncaught exception, and costs nobody else an answer', async () => {
    const it = pool({ options: { max: 1, acquireTimeoutMs: 100 } });
    await leaseOf(it);
    it.request(() => {}, angry);
    const next = follow(it.acquire());
    expect(await uncaughtWithin(100)).equal('angry');
    expect(next.error).include({ code: 'ACQUIRE_TIMEOUT' });
  });
});

describe('a caller who is refused', () => {
  it('is told to the observer, as one who was called off before', async () => {
    const failed: unknown[] = [];
    const observer: Observer<FakeConnection> = {
      onFailed: (error, waitedMs, waiter) => failed.push([(error as PoolError).code, waitedMs, waiter]),
    };
    const it = pool({ observer });
    const outcome = follow(it.acquire({ signal: AbortSignal.abort('gone') }));
    await settle();
    expect(outcome.error).include({ code: 'ABORTED', cause: 'gone' });
    expect(failed).deep.equal([['ABORTED', 0, undefined]]);
    expect(it.report().counters).include({ aborted: 1, rejected: 0 });
    expect(it.tryAcquire({ signal: AbortSignal.abort() })).equal(undefined);
  });
});

describe('a server that is full', () => {
  it('makes nobody fail who can wait: what it granted serves all, and one more is tried now and then', async () => {
    const limits: [number, number][] = [];
    const it = pool({
      options: { max: 5, acquireTimeoutMs: 0 },
      observer: { onResized: (from, to) => limits.push([from, to]) },
    });
    driver.grants = 2;
    const [first, second] = [await leaseOf(it), await leaseOf(it)];
    const third = follow(it.acquire());
    await runtime.advance(10);
    expect(third).deep.equal({});
    expect(it.stats()).include({ limit: 2, circuit: 'closed', waiting: 1 });
    first.release();
    await settle();
    expect(third.lease!.connection).equal(first.connection);
    driver.grants = 3;
    const fourth = follow(it.acquire());
    await runtime.advance(3_000);
    expect(fourth.lease).not.equal(undefined);
    expect(it.stats()).include({ open: 3, limit: 3 });
    expect(limits.slice(0, 2)).deep.equal([
      [5, 2],
      [2, 3],
    ]);
    second.release();
  });

  it('is named to those who wait in vain, with what it grants, also after it granted one more', async () => {
    const it = pool({ options: { max: 5, acquireTimeoutMs: 100 } });
    driver.grants = 1;
    await leaseOf(it);
    const first = follow(it.acquire());
    await runtime.advance(200);
    expect(first.error!.message).contain('the server grants this pool are held (1 of its 5): 1 by session');
    driver.grants = 2;
    const second = follow(it.acquire({ deadlineMs: 5_000 }));
    await runtime.advance(5_000);
    expect(second.lease).not.equal(undefined);
    driver.grants = 0;
    const third = follow(it.acquire({ deadlineMs: 100 }));
    await runtime.advance(200);
    expect(third.error!.message).contain('are held (2 of its 5), ').not.contain('or raise max');
  });

  it('tells after ten seconds those who would wait for ever', async () => {
    const it = pool({ options: { max: 5, acquireTimeoutMs: 0 } });
    driver.grants = 1;
    await leaseOf(it);
    const waiting = follow(it.acquire());
    await runtime.advance(9_000);
    expect(waiting).deep.equal({});
    await runtime.advance(2_000);
    expect(waiting.error).include({ message: 'sorry, too many clients already' });
    expect(it.report().counters.openErrors).equal(1);
  });
});

describe('a pool that is isolated', () => {
  it('ends what is checked and what is opened, too', async () => {
    const it = pool({ options: { max: 3, checkAfterIdleMs: 10 } });
    (await leaseOf(it)).release();
    await runtime.advance(20);
    driver.onCheck = () => ({ afterMs: 0, ends: 'never' });
    driver.onOpen = () => ({ afterMs: 0, ends: 'never' });
    const waiting = [follow(it.acquire()), follow(it.acquire())];
    expect(it.stats()).include({ opening: 1 });
    it.isolate({ waiting: 'reject' });
    await runtime.advance(0);
    expect(waiting.map(({ error }) => error?.code)).deep.equal(['ISOLATED', 'ISOLATED']);
    expect(it.stats()).include({ open: 0, circuit: 'open' });
    expect(it.report().counters).include({ rejected: 2, openErrors: 0 });
  });
});

describe('an optimisation that throws', () => {
  it('is named with what it threw, be that an error or not', () => {
    const it = pool({ flags: { lanes: 'auto', selection: 'auto' } });
    it.tripFlag('lanes', new TypeError('x'));
    it.tripFlag('selection', 'a word');
    const reasons = it.report().flags.flatMap(({ stage, reason }) => (stage === 'reverted' ? [reason] : []));
    expect(reasons).have.members(['it threw a TypeError', 'it threw a string']);
  });
});
