import { expect } from 'chai';
import { Outliers } from '../../../src/health/outliers.js';
import { QueryProfiles } from '../../../src/query/profiles.js';
import { SlotState, Slots } from '../../../src/slots.js';

const home = { takeBack: () => true };
const USUAL_MS = 2;

/** A pool whose connections take so many times longer than usual, proven by `leases` each. */
function pool(slownesses: readonly number[], leases = 40): Slots<object> {
  const profile = new QueryProfiles().of('SELECT 1', 'postgresql');
  for (let run = 0; run < 20; run += 1) profile.learn(USUAL_MS, 'ok');
  const slots = new Slots<object>();
  for (const slowness of slownesses) {
    const slot = slots.add(home, 0);
    slots.move(slot, SlotState.idle);
    for (let lease = 0; lease < leases; lease += 1) slot.track.learn(profile, slowness * USUAL_MS, 'ok', 0);
  }
  return slots;
}

const found = (slots: Slots<object>, now = 0) => new Outliers<object>().find(slots, now).map(({ id }) => id);

describe('connections that are out of line', () => {
  it('are those three times slower than the others', () => {
    expect(found(pool([1, 4, 1]))).deep.equal([2]);
    expect(found(pool([1, 2.9, 1]))).deep.equal([]);
  });

  it('are not looked for among fewer than three, nor where nobody is slow', () => {
    expect(found(pool([1, 9]))).deep.equal([]);
    expect(found(pool([1, 1, 1]))).deep.equal([]);
  });

  it('have shown it thirty times', () => {
    expect(found(pool([1, 4, 1], 29))).deep.equal([]);
    expect(found(pool([1, 4, 1], 30))).deep.equal([2]);
  });

  it('are none where the whole pool is slow', () => {
    expect(found(pool([4, 4, 1]))).deep.equal([]);
    expect(found(pool([4, 1.6, 1.6]))).deep.equal([]);
    expect(found(pool([4, 1.4, 1.4]))).deep.equal([1]);
  });

  it('go one at a time, or a tenth of many', () => {
    expect(found(pool([4, 4, 4, ...Array(7).fill(1)]))).deep.equal([1]);
    expect(found(pool([4, 4, 4, ...Array(27).fill(1)]))).deep.equal([1, 2, 3]);
    expect(found(pool([4, 4, 4, ...Array(26).fill(1)]))).deep.equal([1, 2]);
  });

  it('go half a minute apart, and ever more seldom while that does not help', () => {
    const slots = pool([1, 9, 1]);
    for (const { track } of slots) track.slowness = track === [...slots][1]!.track ? () => 9 : () => 1;
    const outliers = new Outliers<object>();
    const replacedAt: number[] = [];
    for (let now = 0; now < 3_000_000; now += 1_000) {
      if (outliers.find(slots, now).length === 0) continue;
      outliers.replaced(now);
      outliers.replaced(now);
      replacedAt.push(now / 1_000);
    }
    expect(replacedAt).deep.equal([0, 30, 90, 210, 450, 930, 1_530, 2_130, 2_730]);
    outliers.replaced(5_000_000);
    expect(outliers.find(slots, 5_029_000), 'after a long while it is the first again').deep.equal([]);
    expect(outliers.find(slots, 5_030_000).length).equal(1);
  });
});
