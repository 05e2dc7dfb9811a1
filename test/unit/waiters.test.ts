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
  it('supposes nothing of a caller: one of his own, for a session perhaps, and nothing opened for him', () => {
    expect(waiter()).include({ isSecond: false, isStatement: false, openedFor: false, lane: 'fast' });
  });

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

  it('gives up those without a deadline who joined by a time, so many at most', () => {
    const queue = new Waiters<never>();
    const all = [waiter(0, 10), waiter(5, 10), waiter(0, 20), waiter(0, 21)];
    for (const each of all) queue.enqueue(each);
    expect(queue.takeUnbounded(9, 10)).deep.equal([]);
    expect(queue.takeUnbounded(20, 1)).deep.equal([all[0]]);
    expect(queue.takeUnbounded(20, 10)).deep.equal([all[2]]);
    expect([...queue]).deep.equal([all[1], all[3]]);
  });

  it('gives up no more of both lanes together than it is asked for, the fast ones first', () => {
    const queue = new Waiters<never>();
    const all = [waiter(), waiter(), waiter(), waiter()];
    for (const slow of [all[0]!, all[1]!, all[2]!]) slow.lane = 'slow';
    for (const each of all) queue.enqueue(each);
    expect(queue.takeUnbounded(0, 2)).deep.equal([all[3], all[0]]);
    expect([...queue]).deep.equal([all[1], all[2]]);
  });

  it('looks at one deadline to find the earliest, and at one too many to find who expired, while all wait equally long', () => {
    let looks = 0;
    class Watched extends Waiter<never> {
      override get deadlineAt(): number {
        looks += 1;
        return super.deadlineAt;
      }
    }
    const nothing = () => {};
    const queue = new Waiters<never>();
    const join = (queuedAt: number, timeoutMs: number) => {
      const one = new Watched(undefined, queuedAt, timeoutMs, nothing, nothing);
      queue.enqueue(one);
      return one;
    };
    const looksOf = (work: () => void) => {
      looks = 0;
      work();
      return looks;
    };
    const earliest = () => looksOf(() => queue.earliestDeadline());
    for (let at = 0; at < 10; at += 1) join(Math.floor(at / 2), 100);
    expect(earliest()).equal(1);
    expect(looksOf(() => expect(queue.takeExpired(100, 9)).have.length(2))).equal(3);

    const late = join(9, 1);
    expect(earliest(), 'one of the last is to be served first').equal(9);
    expect(queue.takeExpired(10, 9)).deep.equal([late]);
    while (queue.dequeue() !== undefined);
    for (let at = 0; at < 10; at += 1) join(at, 100);
    expect(earliest(), 'nobody of those is left').equal(1);
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
