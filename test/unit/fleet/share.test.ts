import { expect } from 'chai';
import { resolveBudget } from '../../../src/fleet/budget.js';
import {
  askFor,
  fairShare,
  heldForAbsent,
  isShort,
  shareAt,
  shareChangesAt,
  shareWithoutLease,
} from '../../../src/fleet/share.js';

const BUDGET = resolveBudget({ maxConnections: 20, members: 4, leaseMs: 1_000 });

describe('a share of a budget', () => {
  it('holds for half of its lease, then shrinks to the static share before the lease is over', () => {
    const lease = { granted: 13, since: 0 };
    const shares = [0, 500, 590, 690, 790, 900, 1_000, 1_999].map((now) => shareAt(lease, BUDGET, now));
    expect(shares).deep.equal([13, 13, 11, 9, 7, 5, 5, 5]);
  });

  it('that was lent to others comes back once they have had the time to shrink', () => {
    const lease = { granted: 1, since: 0 };
    expect([0, 999, 1_999].map((now) => shareAt(lease, BUDGET, now))).deep.equal([1, 1, 1]);
    expect(shareAt(lease, BUDGET, 2_000)).equal(5);
  });

  it('is one connection for who never had a lease, and the static one after two leases', () => {
    expect([0, 1_999, 2_000].map((now) => shareWithoutLease(0, BUDGET, now))).deep.equal([1, 1, 5]);
  });

  it('says when it changes next', () => {
    const next = (now: number) => shareChangesAt({ since: 0 }, BUDGET, now);
    expect([next(0), next(500), next(900), next(2_000)]).deep.equal([
      500,
      550,
      2_000,
      Number.POSITIVE_INFINITY,
    ]);
  });

  it('is what everybody wants where that is there, and the same for all who want more where it is not', () => {
    expect(fairShare(7, [3, 2], 12)).equal(7);
    expect(fairShare(7, [3, 2], 11)).equal(6);
    expect(fairShare(7, [7, 1], 11)).equal(5);
    expect(fairShare(7, [9, 9], 11), 'the remainder is for whoever comes first').equal(4);
    expect(fairShare(2, [9, 9], 11)).equal(2);
    expect(fairShare(5, [9], 0)).equal(0);
  });

  it('leaves to those who are absent what they may have at any time', () => {
    expect([1, 4, 6].map((present) => heldForAbsent(present, BUDGET))).deep.equal([15, 0, 0]);
  });

  it('is asked for as callers need it; what is open beyond that is kept while nobody is short', () => {
    const others = [1, 2, 3].map(() => ({ reserved: 5, want: 9 }));
    expect(askFor({ want: 2, open: 8, most: 10 }, others, false, BUDGET)).equal(8);
    expect(askFor({ want: 2, open: 8, most: 10 }, others, true, BUDGET)).equal(2);
    expect(askFor({ want: 9, open: 8, most: 10 }, others, true, BUDGET)).equal(5);
    expect(askFor({ want: 99, open: 8, most: 10 }, [], false, BUDGET)).equal(10);
    expect(askFor({ want: 0, open: 0, most: 10 }, others, true, BUDGET)).equal(1);
  });

  it('goes by when it was asked for, not by the clock', () => {
    const since = 1_000_000;
    const lease = { granted: 13, since };
    expect([0, 500, 501, 1_000].map((age) => shareAt(lease, BUDGET, since + age))).deep.equal([
      13, 13, 12, 5,
    ]);
    expect([1_999, 2_000].map((age) => shareWithoutLease(since, BUDGET, since + age))).deep.equal([1, 5]);
    expect(shareChangesAt({ since }, BUDGET, since)).equal(since + 500);
  });

  it('is asked for beside what the others want and the absent may have', () => {
    const one = [{ reserved: 5, want: 2 }];
    expect(
      askFor({ want: 9, open: 0, most: 20 }, one, true, BUDGET),
      '20 less 10 of two absent, less 2',
    ).equal(8);
    expect(askFor({ want: 4, open: 0, most: 20 }, one, true, BUDGET)).equal(4);
  });

  it('is short where it is less than is wanted', () => {
    expect([4, 5, 6].map((want) => isShort({ reserved: 5, want }))).deep.equal([false, false, true]);
  });
});
