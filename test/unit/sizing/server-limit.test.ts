import { expect } from 'chai';
import { ServerLimit } from '../../../src/sizing/server-limit.js';

/** Chance that leaves the time between tries as it is. */
const newLimit = () => new ServerLimit(() => 0.5);

describe('the limit of the server', () => {
  it('is none while nothing was refused', () => {
    const limit = newLimit();
    expect(limit.inForce).equal(false);
    expect(limit.room(3, 2, 10, 0)).equal(7);
  });

  it('is what was open when one was refused, and what had been on its way then', () => {
    const limit = newLimit();
    limit.refused(0, 4, 10);
    expect(limit.granted).equal(4);
    expect(limit.room(4, 0, 10, 11)).equal(0);
    expect(limit.room(3, 0, 10, 11)).equal(1);
    limit.opened(0, 5, 10, 12);
    expect(limit.granted).equal(5);
  });

  it('tries one more at a time, ever more seldom while it is refused', () => {
    const limit = newLimit();
    limit.refused(0, 4, 10);
    expect(limit.room(4, 0, 10, 1_009)).equal(0);
    expect(limit.room(4, 0, 10, 1_010)).equal(1);
    expect(limit.room(4, 1, 10, 1_010)).equal(0);
    const gaps: number[] = [];
    for (let tries = 0; tries < 6; tries += 1) {
      const triedAt = limit.probeAt;
      limit.refused(triedAt, 4, triedAt);
      gaps.push(limit.probeAt - triedAt);
    }
    expect(gaps).deep.equal([2_000, 4_000, 8_000, 8_000, 8_000, 8_000]);
  });

  it('counts refusals of one moment as one', () => {
    const limit = newLimit();
    for (let refusal = 0; refusal < 6; refusal += 1) limit.refused(0, 4, 10);
    expect(limit.probeAt).equal(1_010);
  });

  it('asks every two seconds at the least while nothing is open', () => {
    const limit = newLimit();
    for (let now = 0; now < 60_000; now = limit.probeAt) {
      limit.refused(now, 0, now);
      expect(limit.probeAt - now).at.most(2_000);
      expect(limit.room(0, 0, 10, now)).equal(0);
      expect(limit.room(0, 0, 10, limit.probeAt)).equal(1);
    }
  });

  it('is over once the maximum was granted, and asks faster with every success', () => {
    const limit = newLimit();
    limit.refused(0, 7, 0);
    const gaps: number[] = [];
    for (let live = 8; live <= 10; live += 1) {
      const triedAt = limit.probeAt;
      limit.opened(triedAt, live, 10, triedAt);
      gaps.push(limit.probeAt - triedAt);
    }
    expect(gaps).deep.equal([500, 250, 250]);
    expect(limit.inForce).equal(false);
  });

  it('is forgotten little by little when nobody asks', () => {
    const limit = newLimit();
    limit.refused(0, 4, 0);
    expect(limit.room(4, 0, 20, 60_000)).equal(4);
    expect(limit.granted).equal(8);
    limit.room(4, 0, 20, 3_600_000);
    expect(limit.inForce).equal(false);
  });

  it('learns nothing from what opens while there is none', () => {
    const limit = newLimit();
    limit.opened(0, 5, 10, 12);
    expect(limit).include({ inForce: false, probeAt: 0 });
  });

  it('takes news for what began after the last refusal, or with it', () => {
    const limit = newLimit();
    limit.refused(0, 4, 10);
    limit.opened(9, 5, 10, 20);
    expect(limit).include({ granted: 5, probeAt: 1_010 });
    limit.refused(10, 5, 30);
    expect(limit.probeAt).equal(2_030);
    limit.opened(30, 6, 10, 40);
    expect(limit.probeAt).equal(1_040);
  });

  it('grants a tenth of the maximum anew for every half minute', () => {
    const limit = newLimit();
    limit.refused(0, 4, 0);
    const granted = [29_999, 30_000, 60_001, 89_999, 90_000].map((now) => {
      limit.room(4, 0, 20, now);
      return limit.granted;
    });
    expect(granted).deep.equal([4, 6, 8, 8, 10]);
  });

  it('never lets a try go beyond the maximum', () => {
    const limit = newLimit();
    limit.refused(0, 4, 10);
    expect(limit.room(10, 0, 10, 5_000)).equal(0);
  });

  it('spreads the tries of many pools by a quarter up and down', () => {
    const probeAt = (chance: number) => {
      const limit = new ServerLimit(() => chance);
      limit.refused(0, 4, 10);
      return limit.probeAt;
    };
    expect([probeAt(0), probeAt(1)]).deep.equal([760, 1_260]);
  });
});
