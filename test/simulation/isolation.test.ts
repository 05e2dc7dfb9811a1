import { expect } from 'chai';
import { type CircuitChange, createPool, type Lease, type OptimizationFlags } from '../../src/index.js';
import { type FakeConnection, FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

interface Caller {
  lease?: Lease<FakeConnection>;
  code?: string;
  message?: string;
}

for (const [name, flags] of Object.entries({ on: {}, off: { breaker: 'off' } }) as [
  string,
  OptimizationFlags,
][]) {
  describe(`a pool that was isolated, with the flag breaker ${name}`, () => {
    let runtime: VirtualRuntime;
    let driver: FakeDriver;
    let pool: ReturnType<typeof createPool<FakeConnection>>;
    const changes: CircuitChange[] = [];

    beforeEach(() => {
      runtime = new VirtualRuntime(1);
      driver = new FakeDriver(runtime);
      driver.onOpen = () => ({ afterMs: 20, ends: 'well' });
      changes.length = 0;
      pool = createPool<FakeConnection>({
        driver,
        runtime,
        flags,
        options: { min: 2, max: 4, acquireTimeoutMs: 3_000 },
        observer: { onCircuitChanged: (change) => changes.push(change) },
      });
    });

    function call(deadlineMs?: number): Caller {
      const caller: Caller = {};
      pool.acquire(deadlineMs === undefined ? undefined : { deadlineMs }).then(
        (lease) => {
          caller.lease = lease;
        },
        ({ code, message }) => Object.assign(caller, { code, message }),
      );
      return caller;
    }

    it('lets go of its server: nothing is kept, nothing opened, what is leased closes when it comes back', async () => {
      await runtime.advance(50);
      const [held, other] = [pool.tryAcquire()!, pool.tryAcquire()!];
      const opening = call();
      await runtime.advance(10);
      pool.isolate();
      await runtime.advance(500);
      expect(pool.stats()).include({ open: 2, leased: 2, circuit: 'open' });
      expect(held.connection.closed, 'its holder may go on').equal(false);
      for (const lease of [held, other]) lease.release();
      const opens = driver.opens;
      await runtime.advance(1_000);
      expect(driver.live.size).equal(0);
      expect(driver.opens).equal(opens);
      expect(opening.lease).equal(undefined);
      pool.reset();
      await runtime.advance(100);
      expect(opening.lease).not.equal(undefined);
      expect(changes.map(({ to, reason }) => `${to}: ${reason}`)).deep.equal([
        'open: it was isolated',
        'closed: it was reset',
      ]);
      expect(pool.stats()).include({ circuit: 'closed' });
    });

    it('has nothing to look after while nobody calls', async () => {
      await runtime.advance(50);
      pool.isolate();
      await runtime.advance(1_000);
      expect(runtime.outstanding).equal(0);
      pool.reset();
      await runtime.advance(100);
      expect(pool.stats()).include({ open: 2 });
    });

    it('holds callers to their own deadline, or ten seconds, and says why', async () => {
      pool.isolate();
      const [own, none] = [call(1_000), call(0)];
      await runtime.advance(1_100);
      expect(own).include({ code: 'ACQUIRE_TIMEOUT' });
      expect(own.message).contain('The pool is isolated until reset() is called');
      await runtime.advance(8_000);
      expect(none).deep.equal({});
      await runtime.advance(2_000);
      expect(none).include({ code: 'ISOLATED' });
      expect(pool.counters).include({ rejected: 1, openErrors: 0 });
      expect(runtime.keptAlive).equal(0);
    });

    it('turns callers away at once where that is asked for, those who wait already, too', async () => {
      await runtime.advance(50);
      const held = [call(), call(), call(), call()];
      await runtime.advance(50);
      const waiting = call();
      pool.isolate({ waiting: 'reject' });
      const late = call();
      await runtime.advance(1);
      expect([waiting, late].map(({ code }) => code)).deep.equal(['ISOLATED', 'ISOLATED']);
      expect(pool.counters).include({ rejected: 2, openErrors: 0 });
      for (const { lease } of held) lease!.release();
      await runtime.advance(10);
      pool.reset();
      const after = call();
      await runtime.advance(100);
      expect(after.lease).not.equal(undefined);
    });

    it('can be closed', async () => {
      await runtime.advance(50);
      pool.isolate();
      const waiting = call();
      let closed = false;
      pool.drain({ deadlineMs: 500 }).then(() => {
        closed = true;
      });
      await runtime.advance(1_000);
      expect(waiting).include({ code: 'POOL_CLOSED' });
      expect(closed).equal(true);
    });
  });
}
