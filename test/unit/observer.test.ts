import { expect } from 'chai';
import { guarded, type Observer, together } from '../../src/observer.js';

describe('two observers of one pool', () => {
  it('are both told, one after the other, all that they listen to', () => {
    const told: unknown[] = [];
    const one: Observer<object> = { onQueued: (waiter) => told.push(['one', waiter]) };
    const other: Observer<object> = {
      onQueued: (waiter) => told.push(['other', waiter]),
      onFailed: (...all) => told.push(all),
    };
    const both = together(one, other);
    const waiter = {} as never;
    both.onQueued!(waiter);
    both.onFailed!('error', 5, undefined);
    expect(told).deep.equal([
      ['one', waiter],
      ['other', waiter],
      ['error', 5, undefined],
    ]);
    expect(both.onOpened, 'nobody listens').equal(undefined);
  });

  it('keep what is their own', () => {
    class Counting implements Observer<object> {
      queued = 0;
      onQueued(): void {
        this.queued += 1;
      }
    }
    const [one, other] = [new Counting(), new Counting()];
    together(one, other).onQueued!({} as never);
    guarded(other).onQueued!({} as never);
    expect([one.queued, other.queued]).deep.equal([1, 2]);
  });
});

describe('a guarded observer', () => {
  it('cannot throw, and listens to no more than it did', () => {
    const safe = guarded<object>({
      onQueued() {
        throw new Error('no');
      },
    });
    expect(() => safe.onQueued!({} as never)).not.to.throw();
    expect(Object.keys(safe)).deep.equal(['onQueued']);
  });
});
