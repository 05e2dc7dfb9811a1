import { expect } from 'chai';
import { QueryProfile } from '../../../src/query/profiles.js';
import { Lanes } from '../../../src/selection/lanes.js';

const MAX = 10;
const at = (queuedAt: number) => ({ queuedAt });

/** A profile that has learned `runs` holds of so many milliseconds. */
function taught(lanes: Lanes, heldMs: number, runs = 5): QueryProfile {
  const profile = new QueryProfile(`of ${heldMs} ms`);
  for (let run = 0; run < runs; run += 1) {
    profile.learn(heldMs, 'ok');
    lanes.learn(profile, heldMs);
  }
  return profile;
}

/** Lanes after three seconds of a load: leases a tick of each kind, while so many are out. */
function under({ fast = 30, slow = 4, slowHeld = 7, leased = 9, max = MAX }): Lanes {
  const lanes = new Lanes();
  lanes.slowHeld = slowHeld;
  for (let now = 100; now <= 3_000; now += 100) {
    for (let lease = 0; lease < fast; lease += 1) lanes.took('fast', leased, now);
    for (let lease = 0; lease < slow; lease += 1) {
      lanes.slowBegan();
      lanes.took('slow', leased, now);
      lanes.slowEnded(now);
    }
    lanes.tick(now, leased, max);
  }
  return lanes;
}

describe('the lane of a query', () => {
  it('is slow when it takes ten times the median and 20 ms, and fast again well below that', () => {
    const lanes = new Lanes();
    for (let run = 0; run < 100; run += 1) taught(lanes, 1, 1);
    const report = taught(lanes, 200);
    expect(lanes.laneOf(report, undefined)).equal('slow');
    expect(lanes.laneOf(taught(lanes, 19), undefined)).equal('fast');
    for (let run = 0; run < 200; run += 1) {
      report.learn(15, 'ok');
      lanes.learn(report, 15);
      taught(lanes, 1, 3);
    }
    expect(report.lane, 'above 70 % of the bound').equal('slow');
    for (let run = 0; run < 200; run += 1) {
      report.learn(5, 'ok');
      lanes.learn(report, 5);
      taught(lanes, 1, 3);
    }
    expect(report.lane).equal('fast');
  });

  it('is fast where only some of its runs are slow', () => {
    const lanes = new Lanes();
    for (let run = 0; run < 100; run += 1) taught(lanes, 1, 1);
    const laneAfter = (...heldMs: number[]) => {
      const profile = new QueryProfile('of both');
      for (const held of heldMs) {
        profile.learn(held, 'ok');
        lanes.learn(profile, held);
      }
      return profile.lane;
    };
    expect(laneAfter(200, 1, 200, 1, 200)).equal('fast');
    expect(laneAfter(200, 200, 200, 1, 200)).equal('slow');
  });

  it('is fast for all where most take long', () => {
    const lanes = new Lanes();
    for (let run = 0; run < 100; run += 1) taught(lanes, 200, 1);
    expect(lanes.laneOf(taught(lanes, 250), undefined)).equal('fast');
  });

  it('goes by the caller where its runs have taught too little, and not for a transaction', () => {
    const lanes = new Lanes();
    const unknown = new QueryProfile('unknown');
    expect(lanes.laneOf(unknown, undefined)).equal('fast');
    expect(lanes.laneOf(unknown, { estimatedDurationMs: 500 })).equal('slow');
    expect(lanes.laneOf(unknown, { estimatedDurationMs: 5 })).equal('fast');
    expect(lanes.laneOf(unknown, { estimatedDurationMs: 500, requiresTransaction: true })).equal('fast');
    expect(lanes.laneOf(taught(lanes, 1, 3), { estimatedDurationMs: 500 })).equal('fast');
  });
});

describe('lanes', () => {
  it('are called for by a mixed load, and by no other', () => {
    expect(under({}).mixed).equal(true);
    expect(under({ slowHeld: 3, leased: 4 }).mixed, 'before the slow fill the pool').equal(true);
    expect(under({ slow: 0, slowHeld: 0 }).mixed, 'all fast').equal(false);
    expect(under({ fast: 0 }).mixed, 'all slow').equal(false);
  });

  it('keep one connection, and more only where the slow can spare them', () => {
    expect(under({}).reserve).equal(1);
    expect(under({ slowHeld: 4 }).reserve).equal(2);
  });

  it('keep no more than one beyond what the fast hold, and in a pool below five nothing that the slow need', () => {
    expect([4, 5].map((leased) => under({ slowHeld: 4, leased }).reserve)).deep.equal([1, 2]);
    expect(under({ slowHeld: 4, leased: 5, max: 5 }).reserve).equal(1);
    expect(under({ slowHeld: 3, leased: 4, max: 4 })).include({ mixed: true, reserve: 0 });
    expect(under({ slowHeld: 1, leased: 2, max: 4 }).reserve).equal(1);
  });

  it('are there with the first tick after a rest', () => {
    const lanes = under({});
    for (let now = 3_100; now <= 10_000; now += 100) lanes.tick(now, 0, MAX);
    expect(lanes.mixed, 'at rest').equal(false);
    lanes.slowHeld = 2;
    for (let lease = 0; lease < 20; lease += 1) lanes.took('fast', 3, 60_000);
    lanes.tick(60_050, 3, MAX);
    expect(lanes.mixed).equal(true);
  });

  it('close when the fast are gone', () => {
    const lanes = under({});
    for (let now = 3_100; now <= 3_600; now += 100) lanes.tick(now, 9, MAX);
    expect(lanes.mixed).equal(false);
    expect(lanes.reserve).equal(0);
  });

  it('serve the fast first, but one slow always and whoever has waited for long', () => {
    const lanes = under({});
    lanes.slowHeld = 3;
    expect(lanes.next(5_000, at(4_990), at(4_900), MAX)).equal('fast');
    expect(lanes.next(5_000, at(4_990), at(4_850), MAX), 'aged').equal('slow');
    lanes.slowHeld = 0;
    expect(lanes.next(5_000, at(4_000), at(4_999), MAX), 'none of theirs').equal('slow');
    expect(lanes.next(5_000, undefined, undefined, MAX)).equal(undefined);
  });

  it('let the slow wait beside a free connection when they have all but the reserve', () => {
    const lanes = under({});
    lanes.slowHeld = 9;
    expect(lanes.next(3_500, undefined, at(3_400), MAX)).equal(undefined);
    expect(lanes.admits('slow', undefined, undefined, MAX)).equal(false);
    expect(lanes.admits('fast', undefined, at(3_400), MAX)).equal(true);
    expect(lanes.admits('fast', at(3_450), at(3_400), MAX), 'not before another fast one').equal(false);
    lanes.slowHeld = 8;
    expect(lanes.next(3_500, undefined, at(3_400), MAX)).equal('slow');
    expect(lanes.admits('slow', undefined, undefined, MAX)).equal(true);
    expect(lanes.admits('slow', undefined, at(3_400), MAX), 'not before another slow one').equal(false);
  });

  it('let the slow out when nothing has ended among them for twice what they take, from one second to five', () => {
    const lanes = under({});
    lanes.slowHeld = 9;
    lanes.slowEnded(10_000);
    lanes.slowHeld = 9;
    const letsOut = (now: number, profile?: { typicalMs: number }) =>
      lanes.next(now, undefined, { queuedAt: 10_000, profile }, MAX) === 'slow';
    const letsOutAfter = (typicalMs: number, waitedMs: number) => letsOut(10_000 + waitedMs, { typicalMs });
    expect([letsOutAfter(2_000, 3_900), letsOutAfter(2_000, 4_000)]).deep.equal([false, true]);
    expect([letsOutAfter(60_000, 4_900), letsOutAfter(60_000, 5_000)]).deep.equal([false, true]);
    expect([letsOut(14_900), letsOut(15_000)], 'of unknown length').deep.equal([false, true]);
    lanes.slowHeld = 10;
    lanes.slowEnded(5_000);
    expect(letsOutAfter(2_000, 100), 'he has just come').equal(false);
  });

  it('let a slow one out who has waited for twice what its kind takes, though others end', () => {
    const lanes = under({});
    lanes.slowHeld = 10;
    lanes.slowEnded(10_390);
    const first = { queuedAt: 10_000, profile: { typicalMs: 200 } };
    expect(lanes.next(10_399, undefined, first, MAX)).equal(undefined);
    expect(lanes.next(10_400, undefined, first, MAX)).equal('slow');
  });

  it('serve whoever is there where only one lane has callers', () => {
    const lanes = under({});
    expect(lanes.next(3_000, at(2_990), undefined, MAX)).equal('fast');
    expect(lanes.next(3_000, undefined, undefined, MAX)).equal(undefined);
  });

  it('begin to go by age at 125 ms', () => {
    const lanes = under({ slowHeld: 2 });
    const next = (waitedMs: number) => lanes.next(3_000, at(2_990), at(3_000 - waitedMs), MAX);
    expect([next(124), next(125)]).deep.equal(['fast', 'slow']);
  });

  it('are not called for in a pool of one connection, nor where hardly anybody is fast', () => {
    const mixed = (max: number, fast: number) => {
      const lanes = new Lanes();
      lanes.slowHeld = 1;
      for (let now = 100; now <= 3_000; now += 100) {
        for (let lease = 0; lease < fast; lease += 1) lanes.took('fast', 2, now);
        for (let lease = 0; lease < 10; lease += 1) lanes.took('slow', 2, now);
        lanes.tick(now, 2, max);
      }
      return lanes.mixed;
    };
    expect([mixed(1, 30), mixed(2, 30), mixed(2, 1)]).deep.equal([false, true, false]);
  });
});
