import { expect } from 'chai';
import fc from 'fast-check';
import { Waiter, Waiters } from '../../src/waiters.js';

const waiter = (timeoutMs = 0, queuedAt = 0) =>
  new Waiter<never>(
    undefined,
    queuedAt,
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

  it('moves who came last to another lane, and only to another', () => {
    const queue = new Waiters<never>();
    const all = [waiter(), waiter(), waiter()];
    all[1]!.lane = 'slow';
    for (const each of all) queue.enqueue(each);
    queue.changeLane(all[2]!, 'fast');
    expect([all[2]!.order, queue.first('fast')]).deep.equal([3, all[0]]);
    queue.changeLane(all[2]!, 'slow');
    queue.remove(all[1]!);
    expect([queue.first('fast'), queue.first('slow'), queue.length]).deep.equal([all[0], all[2], 2]);
    expect([...queue]).deep.equal([all[0], all[2]]);
  });

  it('is to a caller as a plain list would be, however lanes and deadlines are mixed', () => {
    const step = fc.record({
      what: fc.constantFrom('enqueue', 'enqueue', 'enqueue', 'leave', 'serve', 'expire', 'give up'),
      lane: fc.constantFrom('fast' as const, 'slow' as const),
      timeoutMs: fc.integer({ min: 0, max: 12 }),
      many: fc.integer({ min: 0, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const queue = new Waiters<never>();
        let list: Waiter<never>[] = [];
        /** Of the fast lane first: its waiters are not to wait for the slow ones' errors. */
        const taken = (most: number, isTaken: (each: Waiter<never>) => boolean) =>
          [...list.filter(({ lane }) => lane === 'fast'), ...list.filter(({ lane }) => lane === 'slow')]
            .filter(isTaken)
            .slice(0, most);
        for (const [now, { what, lane, timeoutMs, many }] of steps.entries()) {
          let gone: Waiter<never>[] = [];
          if (what === 'enqueue') {
            const one = waiter(timeoutMs, now);
            one.lane = lane;
            queue.enqueue(one);
            list.push(one);
          } else if (what === 'leave') {
            gone = list.slice(many, many + 1);
            for (const each of gone) expect(queue.remove(each)).equal(true);
          } else if (what === 'serve') {
            gone = list.slice(0, 1);
            expect(queue.dequeue()).equal(gone[0]);
          } else if (what === 'expire') {
            gone = taken(many, ({ deadlineAt }) => deadlineAt <= now);
            expect(queue.takeExpired(now, many)).deep.equal(gone);
          } else {
            const before = now - timeoutMs;
            gone = taken(many, (each) => each.timeoutMs === 0 && each.queuedAt <= before);
            expect(queue.takeUnbounded(before, many)).deep.equal(gone);
          }
          list = list.filter((each) => !gone.includes(each));
          expect([...queue]).deep.equal(list);
          expect(queue.length).equal(list.length);
          expect([queue.head, queue.first(lane)]).deep.equal([
            list[0],
            list.find((each) => each.lane === lane),
          ]);
          expect(queue.queuedAt(many)).deep.equal(list.slice(0, many).map(({ queuedAt }) => queuedAt));
          expect(queue.earliestDeadline()).equal(
            Math.min(Number.POSITIVE_INFINITY, ...list.map(({ deadlineAt }) => deadlineAt)),
          );
          expect([...list, ...gone].filter(({ queued }) => queued)).deep.equal(list);
        }
      }),
      { numRuns: 300 },
    );
  });
});
