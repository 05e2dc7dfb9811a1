import { expect } from 'chai';
import { type PoolLog, PoolLogs } from '../../instrumentation/console/pool-logs.js';
import { RecentDurations } from '../../instrumentation/console/recent-durations.js';
import type { Lease, Slot, Waiter } from '../../src/index.js';

describe('the log behind the console', () => {
  const slot = (uses: number) => ({ id: 1, uses }) as Slot<unknown>;
  const serve = (log: PoolLog, given: Slot<unknown>) =>
    log.onLeased({ slot: given } as Lease<unknown>, 5, { openedFor: false } as Waiter<unknown>);

  it('is kept for every open pool, and of so many others', () => {
    const open = new Set(Array.from({ length: 150 }, (_, index) => `open ${index}`));
    const logs = new PoolLogs((pool) => open.has(pool));
    const kept = [...open].map((pool) => [pool, logs.openFor(pool)] as const);
    expect(logs.find('never')).equal(undefined);
    for (let other = 0; other < 500; other += 1) logs.openFor(`closed ${other}`);
    for (const [pool, log] of kept) expect(logs.find(pool)).equal(log);
    expect(logs.find('closed 0')).equal(undefined);
    expect(logs.find('closed 499')).not.equal(undefined);
  });

  it('keeps what is seldom told, however much is told of callers and connections', () => {
    const log = new PoolLogs(() => true).openFor('orders');
    log.onCircuitChanged({ from: 'closed', to: 'open', reason: 'the server is away' });
    log.onResized(10, 5, 'the server is full');
    for (let turn = 0; turn < 1_000; turn += 1) {
      serve(log, slot(turn + 2));
      log.onClosed(slot(turn), 'lifetime');
    }
    const kinds = log.decisions.map(({ kind }) => kind);
    expect(kinds.slice(0, 2)).deep.equal(['circuit', 'resized']);
    expect(kinds.length).lessThan(100);
    expect(log.circuit.map(({ words }) => words)).deep.equal([
      'circuit: closed → open, because the server is away',
    ]);
  });

  it('says of the first lease after a check that it was checked, and of the next one that it was released', () => {
    const log = new PoolLogs(() => true).openFor('orders');
    const checked = slot(4);
    log.onChecked(checked, 1, undefined);
    checked.uses = 5;
    serve(log, checked);
    checked.uses = 6;
    serve(log, checked);
    const [first, second] = log.decisions.map(({ words }) => words);
    expect(first).match(/checked first$/);
    expect(second).match(/waited for a release$/);
  });

  it('tells the waits of the last ten seconds, however many they are', () => {
    const waits = new RecentDurations();
    const expectSummary = (now: number, count: number, p50Ms: number, p99Ms: number, maxMs: number) => {
      const told = waits.summary(now);
      expect(told).include({ count, maxMs });
      // As exact as the histogram's buckets.
      expect(told.p50Ms).closeTo(p50Ms, 0.09 * p50Ms);
      expect(told.p99Ms).closeTo(p99Ms, 0.09 * p99Ms);
    };
    waits.record(500, 0);
    for (let at = 0; at < 100; at += 1) waits.record(at + 1, 5_000);
    expectSummary(9_000, 101, 51, 100, 500);
    expectSummary(11_000, 100, 50, 99, 100);
    expectSummary(15_000, 0, 0, 0, 0);
    for (let second = 20; second < 30; second += 1)
      for (let turn = 0; turn < 5_000; turn += 1) waits.record(second, 1_000 * second);
    expectSummary(29_999, 50_000, 24, 29, 29);
    expectSummary(30_000, 45_000, 25, 29, 29);
  });
});
