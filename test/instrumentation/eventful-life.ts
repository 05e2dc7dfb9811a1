import type { FakePool } from './fake-library.js';

/** Everything that can happen to a pool, once. */
export async function liveThrough({ engine, driver, setup }: FakePool): Promise<void> {
  while (engine.fleet?.state === 'starting') await new Promise((resolve) => setTimeout(resolve, 5));
  const refused = Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
  driver.held = true;
  const failing = engine.acquire().catch(() => {});
  driver.failNext(refused);
  await failing;
  driver.held = false;
  const [first, second] = [await engine.acquire({ queryType: 'report' }), await engine.acquire()];
  await engine.acquire({ deadlineMs: 1 }).catch(() => {});
  const aborting = new AbortController();
  const aborted = engine.acquire({ signal: aborting.signal }).catch(() => {});
  aborting.abort();
  await aborted;
  const waiting = [engine.acquire(), engine.acquire()];
  await engine.acquire().catch(() => {});
  first.release();
  first.release();
  second.release('broken');
  for (const lease of await Promise.all(waiting)) lease.release();
  (await engine.acquire()).release();
  driver.checkBeforeLease = true;
  (await engine.acquire()).release();
  driver.checkBeforeLease = false;
  await new Promise((resolve) => setTimeout(resolve, 150));
  const leaked = await engine.acquire();
  await new Promise((resolve) => setTimeout(resolve, 150));
  leaked.release();
  engine.tripFlag('lanes', new TypeError('no'));
  await new Promise((resolve) => setTimeout(resolve, 150));
  engine.rollout.set('lanes', 'shadow', performance.now());
  await new Promise((resolve) => setTimeout(resolve, 150));
  // A load has to last for a quarter of a minute before it has a name: told here as the engine tells it.
  setup.observer!.onWorkloadChanged!({ axis: 'shape', from: 'idle', to: 'steady' });
  // A name has to lead elsewhere for longer than a test.
  setup.observer!.onServerMoved!({ host: 'db.example', from: ['10.0.0.1'], to: ['10.0.0.2'] });
  // One that opens before the one that was opened for its caller.
  engine.resize({ max: 3 });
  const held = [await engine.acquire(), await engine.acquire()];
  driver.held = true;
  const late = engine.acquire();
  held[0]!.release();
  (await late).release();
  driver.openNext();
  held[1]!.release();
  driver.held = false;
  const ask = (error?: Error) =>
    new Promise<unknown>((answered) => {
      const run = (done: (error?: unknown) => void) =>
        engine.request((lease) => {
          lease.release();
          done(error);
        }, done);
      setup.follow!("SELECT name FROM item WHERE secret = 'hunter2'", answered, run);
    });
  await ask();
  await ask(Object.assign(new Error('no'), { code: '23505' }));
  // Both are held by the one who waits.
  engine.resize({ max: 2 });
  const nested = [await engine.acquire(), await engine.acquire()];
  await engine.acquire({ deadlineMs: 5_000, signal: AbortSignal.timeout(1_500) }).catch(() => {});
  for (const lease of nested) lease.release();
  engine.resize({ max: 3 });
  // A query for which a connection is opened, and one for which the server has no room.
  const all = await Promise.all(Array.from({ length: engine.open }, () => engine.acquire()));
  engine.resize({ max: all.length + 1 });
  await ask();
  all.push(await engine.acquire());
  engine.resize({ max: all.length + 1 });
  driver.held = true;
  const crowded = engine.acquire();
  driver.failNext(Object.assign(new Error('no'), { code: '53300', severity: 'FATAL' }));
  driver.held = false;
  await new Promise(setImmediate);
  for (const lease of all) lease.release();
  (await crowded).release();
  // Two connections lost at once, and a third that does not answer after that.
  const lost = [await engine.acquire(), await engine.acquire()];
  (await engine.acquire()).release();
  driver.onCheck = () => {
    throw Object.assign(new Error('no'), { code: 'ECONNRESET' });
  };
  for (const lease of lost) {
    engine.heed(Object.assign(new Error('no'), { code: 'ECONNRESET' }), lease.connection);
    lease.release('broken');
  }
  await new Promise(setImmediate);
  driver.onCheck = () => {};
  (await engine.acquire()).release();
}
