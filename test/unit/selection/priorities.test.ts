import { expect } from 'chai';
import type { Priority } from '../../../src/hint.js';
import { Priorities } from '../../../src/selection/priorities.js';
import { Waiter, Waiters } from '../../../src/waiters.js';

const nothing = () => {};

/** Callers of these priorities in the queue, the first of whom may wait for a second from 100 ms on. */
function queueOf(...wanted: (Priority | undefined)[]) {
  const queue = new Waiters<never>();
  const priorities = new Priorities<never>();
  const callers = wanted.map((priority) => {
    const caller = new Waiter<never>(priority && { priority }, 100, 1_000, nothing, nothing);
    queue.enqueue(caller);
    priorities.joined(caller);
    return caller;
  });
  return { queue, priorities, callers };
}

describe('priorities', () => {
  it('mean nothing while there is enough', () => {
    const { queue, priorities } = queueOf('low', 'high', undefined);
    expect(priorities.look(false, queue.head, 599)).equal(600);
    expect([priorities.shortage, priorities.first(), priorities.toShed(9)]).deep.equal([
      undefined,
      undefined,
      [],
    ]);
  });

  const looks: [
    string,
    troubled: boolean,
    timeoutMs: number,
    now: number,
    shortage: unknown,
    again: number,
  ][] = [
    ['until the first has waited for half of what he may', false, 1_000, 599, undefined, 600],
    ['from then on it is a crowd', false, 1_000, 600, 'crowd', Number.POSITIVE_INFINITY],
    ['for ever is ten seconds', false, 0, 5_099, undefined, 5_100],
    ['for ever is ten seconds, half of which are over', false, 0, 5_100, 'crowd', Number.POSITIVE_INFINITY],
    ['trouble comes before', true, 1_000, 599, 'trouble', 600],
    ['trouble is told, not the crowd', true, 1_000, 600, 'trouble', Number.POSITIVE_INFINITY],
  ];
  for (const [what, isTroubled, timeoutMs, now, shortage, again] of looks) {
    it(`know whether there is enough: ${what}`, () => {
      const priorities = new Priorities<never>();
      const head = new Waiter<never>(undefined, 100, timeoutMs, nothing, nothing);
      expect(priorities.look(isTroubled, head, now)).equal(again);
      expect(priorities.shortage).equal(shortage);
      expect(priorities.look(false, undefined, now), 'nobody waits any more').equal(Number.POSITIVE_INFINITY);
      expect(priorities.shortage).equal(undefined);
    });
  }

  it('let those of high priority go first, as they came and as long as they wait', () => {
    const { queue, priorities, callers } = queueOf('low', undefined, 'high', 'normal', 'high');
    priorities.look(true, queue.head, 100);
    expect(priorities.first()).equal(callers[2]);
    queue.remove(callers[2]!);
    expect(priorities.first()).equal(callers[4]);
    queue.remove(callers[4]!);
    expect(priorities.first()).equal(undefined);
  });

  it('have those of low priority turned away, as they came, as long as they wait, and so many at most', () => {
    const { queue, priorities, callers } = queueOf('high', 'low', undefined, 'low', 'low');
    priorities.look(true, queue.head, 100);
    expect(priorities.toShed(2)).deep.equal([callers[1], callers[3]]);
    queue.remove(callers[3]!);
    expect(priorities.toShed(9)).deep.equal([callers[1], callers[4]]);
    expect(priorities.first(), 'who is of high priority stays').equal(callers[0]);
  });
});
