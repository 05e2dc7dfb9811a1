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

/** Crowds of `size`, a tenth of a second apart, each of whom holds a connection for `holdMs`. */
function crowds(size: number, holdMs: number, count = 50, everyMs = 100): History {
  const it = new History();
  for (let caller = 0; caller < size * count; caller += 1) {
    it.arrived(Math.floor(caller / size) * everyMs);
    it.heldFor(holdMs);
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
    it.arrived(63);
    expect(it.replay(10, 10_000, 1), 'of holds').equal(undefined);
    it.heldFor(1);
    expect(it.replay(10, 10_000, 1)).include({ leases: 64, overMs: 63 });
  });

  it('serves callers in the order in which they come, over the newest idle connection', () => {
    // One in ten milliseconds, for fifteen: one connection falls behind by five each time, two do, and no third one is needed.
    const { alternatives, advice } = crowds(1, 15, 100, 10).replay(2, 10_000, 1)!;
    expect(alternatives[0]).deep.equal({
      max: 1,
      waitMeanMs: 247.5,
      waitP99Ms: 490,
      connectionTime: 1_500 / 2_000,
    });
    expect(alternatives.slice(1)).deep.equal(
      [2, 3, 4, 6, 8].map((max) => ({ max, waitMeanMs: 0, waitP99Ms: 0, connectionTime: 1 })),
    );
    expect(advice).equal(undefined);
  });

  it('counts connections as open until their idle timeout', () => {
    const shareOfOne = (it: History, idleTimeoutMs: number) =>
      it.replay(2, idleTimeoutMs, 1)!.alternatives[0]!.connectionTime;
    const pairs = crowds(2, 10);
    expect(shareOfOne(pairs, 30)).closeTo((1_000 + 49 * 30) / (2 * (500 + 49 * 30)), 1e-9);
    expect(shareOfOne(pairs, 0), 'never').closeTo((1_000 + 49 * 80) / (2 * (500 + 49 * 90)), 1e-9);
    const onePair = new History();
    for (let caller = 0; caller <= 70; caller += 1) {
      onePair.arrived(100 * Math.max(0, caller - 1));
      onePair.heldFor(caller % 2 === 0 ? 10 : 30);
    }
    // One is open from the first caller to the end of the last; the other one was needed once.
    const allTheTime = 6_910;
    expect(shareOfOne(onePair, 250), 'at the end, too').closeTo(allTheTime / (allTheTime + 260), 1e-9);
    expect(shareOfOne(onePair, 0)).closeTo(allTheTime / (allTheTime + 6_900), 1e-9);
  });

  for (const { what, it: past, max, advice } of [
    {
      what: 'callers who wait for more than 5 ms',
      it: crowds(2, 6),
      max: 1,
      advice: [2, '0.0 ms', '6.0 ms'],
    },
    { what: 'callers who wait for 5 ms', it: crowds(2, 5), max: 1, advice: undefined },
    {
      what: 'a crowd, the fewest that do nearly the best',
      it: crowds(8, 40, 50, 1_000),
      max: 1,
      advice: [4, '40 ms', '280 ms'],
    },
    {
      what: 'a crowd, the fewest that halve its wait',
      it: crowds(16, 2),
      max: 4,
      advice: [8, '2.0 ms', '6.0 ms'],
    },
  ] as const) {
    it(`advises ${advice === undefined ? 'nothing' : `${advice[0]} instead of ${max}`} for ${what}`, () => {
      const words =
        advice &&
        `max ${max} is small: with ${advice[0]}, 99 % would have waited less than ${advice[1]} in place of ${advice[2]}, ` +
          'if the database is as fast with so many connections';
      expect(past.replay(max, 10_000, 1)!.advice).equal(words);
      expect(past.replay(max, 10_000, 1, false)!.advice, 'where more are known to gain nothing').equal(
        undefined,
      );
    });
  }

  it('takes half a millisecond for no price of a connection', () => {
    expect(crowds(2, 0.5).replay(2, 10_000, 1)!.advice).equal(
      'max 1 instead of 2 would have cost 0.5 ms of p99 wait and saved 50 % of connection time',
    );
    expect(crowds(2, 0.51).replay(2, 10_000, 1)!.advice).equal(undefined);
    expect(crowds(16, 0.4).replay(8, 10_000, 1)!.advice, 'beyond what is waited in any case').equal(
      'max 6 instead of 8 would have cost 0.4 ms of p99 wait and saved 25 % of connection time',
    );
    expect(crowds(2, 0.5).replay(2, 0.01, 1)!.advice, 'nothing is saved').equal(undefined);
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
    // One in twenty milliseconds that stands for two is one in ten.
    expect(crowds(1, 15, 100, 20).replay(2, 10_000, 2)!.alternatives[0]).deep.equal({
      max: 1,
      waitMeanMs: 492.5,
      waitP99Ms: 975,
      connectionTime: 0.75,
    });
    const one = history(250, 8).replay(10, 10_000, 1)!;
    const four = history(250, 8).replay(10, 10_000, 4)!;
    expect(one.alternatives[1]!.waitP99Ms).lessThan(20);
    expect(four.alternatives[1]!.waitP99Ms).greaterThan(100);
  });
});
