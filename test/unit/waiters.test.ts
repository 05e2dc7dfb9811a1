import { expect } from 'chai';
import fc from 'fast-check';
import { Waiter, Waiters } from '../../src/waiters.js';

const waiter = (timeoutMs = 0) =>
  new Waiter<never>(
    undefined,
    0,
    timeoutMs,
    () => {},
    () => {},
  );

describe('the queue of waiters', () => {
  it('is first in, first out', () => {
    const queue = new Waiters<never>();
    const all = [waiter(), waiter(), waiter()];
    for (const each of all) queue.enqueue(each);
    expect([queue.dequeue(), queue.dequeue(), queue.dequeue(), queue.dequeue()]).deep.equal([
      ...all,
      undefined,
    ]);
  });

  it('has a ring for each lane, and as a whole is first in, first out', () => {
    const queue = new Waiters<never>();
    const all = [waiter(), waiter(5), waiter(), waiter(), waiter(7)];
    for (const slow of [all[1]!, all[2]!, all[4]!]) slow.lane = 'slow';
    for (const each of all) queue.enqueue(each);
    expect([...queue]).deep.equal(all);
    expect([queue.first('fast'), queue.first('slow'), queue.head]).deep.equal([all[0], all[1], all[0]]);
    expect(queue.earliestDeadline()).equal(5);
    expect(queue.takeExpired(6, 10)).deep.equal([all[1]]);
    queue.remove(all[0]!);
    expect(queue.head).equal(all[2]);
    expect([queue.dequeue(), queue.dequeue(), queue.dequeue()]).deep.equal([all[2], all[3], all[4]]);
    expect(queue.length).equal(0);
  });

  it('lets anybody leave, once', () => {
    const queue = new Waiters<never>();
    const all = [waiter(), waiter(), waiter()];
    for (const each of all) queue.enqueue(each);
    expect(queue.remove(all[1]!)).equal(true);
    expect(queue.remove(all[1]!)).equal(false);
    expect([...queue]).deep.equal([all[0], all[2]]);
    expect(queue.length).equal(2);
  });

  it('knows the earliest deadline and who has missed it, however deadlines are mixed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 100 })),
        fc.integer({ min: 1, max: 100 }),
        (deadlines, now) => {
          const queue = new Waiters<never>();
          for (const deadline of deadlines) queue.enqueue(waiter(deadline));
          expect(queue.earliestDeadline()).equal(Math.min(Number.POSITIVE_INFINITY, ...deadlines));
          const expired = queue.takeExpired(now, 1_000).map(({ deadlineAt }) => deadlineAt);
          expect(expired).deep.equal(deadlines.filter((deadline) => deadline <= now));
          expect([...queue].map(({ deadlineAt }) => deadlineAt)).deep.equal(
            deadlines.filter((each) => each > now),
          );
        },
      ),
    );
  });
});
