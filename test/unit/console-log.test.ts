import { expect } from 'chai';
import { DecisionLog, type PoolLog } from '../../instrumentation/console/decisions.js';
import { RecentDurations } from '../../instrumentation/console/recent-durations.js';
import type { Lease, Slot, Waiter } from '../../src/index.js';

describe('the log behind the console', () => {
  const slot = (uses: number) => ({ id: 1, uses }) as Slot<unknown>;
  const serve = (log: PoolLog, given: Slot<unknown>) =>
    log.onLeased({ slot: given } as Lease<unknown>, 5, { openedFor: false } as Waiter<unknown>);

  it('keeps what is seldom told, however much is told of callers and connections', () => {
    const log = new DecisionLog().of('orders');
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
    const log = new DecisionLog().of('orders');
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

  it('tells the waits of the last ten seconds, and of a flood the newest', () => {
    const waits = new RecentDurations();
    waits.record(500, 0);
    for (let at = 0; at < 100; at += 1) waits.record(at + 1, 5_000);
    expect(waits.summary(9_000)).deep.equal({ count: 101, p50Ms: 51, p99Ms: 100, maxMs: 500 });
    expect(waits.summary(11_000)).deep.equal({ count: 100, p50Ms: 50, p99Ms: 99, maxMs: 100 });
    expect(waits.summary(15_000)).deep.equal({ count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
    for (let turn = 0; turn < 5_000; turn += 1) waits.record(turn, 20_000);
    expect(waits.summary(20_000).count).equal(2_000);
    expect(waits.summary(20_000).maxMs).equal(4_999);
  });
});
