import { expect } from 'chai';
import type { Observer } from '../../src/index.js';
import { WatchedPool } from '../../src/index.js';
import { VirtualRuntime } from '../simulation/virtual-runtime.js';

describe('a watched pool', () => {
  let runtime: VirtualRuntime;
  let told: string[];
  let connections: object[];
  let watched: WatchedPool;

  const observer: Observer<unknown> = {
    onQueued: () => told.push('queued'),
    onLeased: ({ slot }, waitedMs, waiter) =>
      told.push(`leased ${slot.id} after ${waitedMs}${waiter === undefined ? ' at once' : ''}`),
    onReleased: ({ slot }, heldMs, outcome) => told.push(`released ${slot.id} after ${heldMs} ${outcome}`),
    onFailed: (error, waitedMs) => told.push(`failed after ${waitedMs}: ${(error as Error).message}`),
    onOpened: ({ id }, tookMs) => told.push(`opened ${id} in ${tookMs}`),
    onOpenFailed: ({ id }, tookMs) => told.push(`not opened ${id} in ${tookMs}`),
    onClosed: ({ id }, reason) => told.push(`closed ${id}: ${reason}`),
  };

  beforeEach(() => {
    runtime = new VirtualRuntime(1);
    told = [];
    connections = [];
    const facts = () => ({ idle: 1, leased: 2, opening: 0, min: 0, max: 5, connections });
    watched = new WatchedPool(facts, observer, runtime);
  });

  const pass = (ms: number) => runtime.stall(ms);
  const newConnection = () => {
    const connection = {};
    connections.push(connection);
    return connection;
  };

  it('tells an observer what the engine would', () => {
    const first = watched.asked(false);
    const slot = watched.opening(first);
    pass(20);
    const connection = newConnection();
    watched.opened(slot, connection);
    watched.served(first, connection);
    pass(5);
    watched.released(connection);
    const second = watched.asked(true);
    watched.served(second, connection);
    watched.released(connection, 'broken');
    watched.closed(connection, 'broken');
    expect(told).deep.equal([
      'queued',
      'opened 1 in 20',
      'leased 1 after 20',
      'released 1 after 5 ok',
      'leased 1 after 0 at once',
      'released 1 after 0 broken',
      'closed 1: broken',
    ]);
    expect(watched.counters).include({ waited: 1, immediate: 1, opened: 1, released: 2 });
    expect(watched.report().create).include({ count: 1, maxMs: 20 });
  });

  it('tells of a connection that could not be opened, once, and for whom', () => {
    const waiter = watched.asked(false);
    const slot = watched.opening(waiter);
    expect(waiter.openedFor).equal(true);
    pass(9);
    watched.openFailed(slot, new Error('refused'));
    watched.openFailed(slot, new Error('again'));
    watched.opened(slot, newConnection());
    expect(told).deep.equal(['queued', 'not opened 1 in 9']);
    expect(watched.counters).include({ openFailed: 1, opened: 0 });
    expect([...watched.slots()]).deep.equal([]);
  });

  it('tells of those who went away, once each', () => {
    const waiter = watched.asked(false);
    expect(watched.waiting).equal(1);
    pass(7);
    watched.failed(waiter, new Error('too late'), 'timedOut');
    watched.failed(waiter, new Error('again'), 'openErrors');
    watched.served(waiter, newConnection());
    expect(told).deep.equal(['queued', 'failed after 7: too late']);
    expect(watched.counters).include({ timedOut: 1, openErrors: 0, waited: 0 });
    expect(watched.waiting).equal(0);
  });

  it('reads sizes from the pool itself, and what that asks for', () => {
    watched.asked(false);
    expect(watched.stats()).include({ open: 3, idle: 1, leased: 2, waiting: 1, max: 5, target: 3, limit: 5 });
  });

  it('notes a connection that it did not see open, a release that it was not told of, and a loss', () => {
    const connection = newConnection();
    watched.served(watched.asked(true), connection);
    pass(3);
    watched.served(watched.asked(true), connection);
    watched.released({});
    watched.closed({}, 'idle');
    connections.length = 0;
    watched.stats();
    expect(told).deep.equal([
      'leased 1 after 0 at once',
      'released 1 after 3 ok',
      'leased 1 after 0 at once',
      'released 1 after 0 broken',
      'closed 1: broken',
    ]);
  });

  it('closes all that is left at its end', () => {
    const [one, other] = [newConnection(), newConnection()];
    watched.served(watched.asked(true), one);
    watched.served(watched.asked(true), other);
    watched.released(one);
    told.length = 0;
    watched.ended();
    expect(told).deep.equal(['closed 1: drain', 'released 2 after 0 broken', 'closed 2: drain']);
    expect([...watched.slots()]).deep.equal([]);
  });

  it('does not notice an observer that throws', () => {
    const angry = new WatchedPool(() => ({ idle: 0, leased: 0, opening: 0, min: 0, max: 1, connections }), {
      onQueued() {
        throw new Error('no');
      },
    });
    expect(() => angry.asked(false)).not.to.throw();
  });
});
