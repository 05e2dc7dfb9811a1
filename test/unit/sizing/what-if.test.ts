import { expect } from 'chai';
import { seeded } from '../../../bench/statistics.js';
import { History } from '../../../src/sizing/what-if.js';

const random = seeded(3);

/** A history of `perSecond` callers by chance, who each held a connection for about `holdMs`. */
function history(perSecond: number, holdMs: number): History {
  const it = new History();
  let now = 0;
  for (let lease = 0; lease < 3_000; lease += 1) {
    now += (-Math.log(1 - random()) * 1_000) / perSecond;
    it.arrived(now);
    it.heldFor(holdMs * (0.5 + random()));
  }
  return it;
}

describe('what another maximum would have meant', () => {
  it('says nothing while it has seen too little', () => {
    const it = new History();
    for (let lease = 0; lease < 63; lease += 1) {
      it.arrived(lease);
      it.heldFor(1);
    }
    expect(it.replay(10, 10_000, 1)).equal(undefined);
  });

  it('makes callers wait less the more connections there may be', () => {
    const { alternatives, leases, overMs } = history(1_000, 8).replay(10, 10_000, 1)!;
    expect(leases).equal(1_024);
    expect(overMs).within(800, 1_300);
    expect(alternatives.map(({ max }) => max)).deep.equal([3, 4, 5, 6, 8, 10, 13, 15, 20, 30, 40]);
    for (const [index, each] of alternatives.entries()) {
      if (index > 0) expect(each.waitMeanMs).at.most(alternatives[index - 1]!.waitMeanMs);
    }
    expect(alternatives[0]!.waitP99Ms).greaterThan(100);
    expect(alternatives.at(-1)!.waitP99Ms).equal(0);
    expect(alternatives.find(({ max }) => max === 10)!.connectionTime).equal(1);
  });

  it('names a maximum that is too small, and what a larger one would have gained', () =>
    expect(history(1_000, 8).replay(6, 10_000, 1)!.advice).match(
      /^max 6 is small: with \d+, 99 % would have waited less than \d+(\.\d)? ms in place of \d+ ms, if the database/,
    ));

  it('says nothing of one that is right', () =>
    expect(history(500, 4).replay(4, 10_000, 1)!.advice).equal(undefined));

  it('names one that is larger than its callers need', () => {
    const it = new History();
    for (let lease = 0; lease < 1_024; lease += 1) {
      it.arrived(Math.floor(lease / 16) * 100);
      it.heldFor(0.2);
    }
    expect(it.replay(16, 10_000, 1)!.advice).match(
      /^max \d+ instead of 16 would have cost 0\.\d ms of p99 wait and saved \d\d % of connection time$/,
    );
  });

  it('replays no more than a few thousand callers, the latest, however many a timed lease stands for', () => {
    const { leases, overMs, alternatives } = history(1_000, 8).replay(20, 10_000, 1_024)!;
    expect(leases).equal(8);
    expect(overMs).below(100);
    expect(alternatives.map(({ max }) => max)).include(20);
  });

  it('counts what a timed lease stands for', () => {
    const one = history(250, 8).replay(10, 10_000, 1)!;
    const four = history(250, 8).replay(10, 10_000, 4)!;
    expect(one.alternatives[1]!.waitP99Ms).lessThan(20);
    expect(four.alternatives[1]!.waitP99Ms).greaterThan(100);
  });
});
