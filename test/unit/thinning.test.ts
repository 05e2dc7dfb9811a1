import { expect } from 'chai';
import { Thinning } from '../../instrumentation/telemetry/thinning.js';

/** Of events at so many a second, for so many seconds, how many are taken in each second. */
function taken(perSecond: number, seconds: number, thinning = new Thinning()): number[] {
  return Array.from({ length: seconds }, (_, second) => {
    let count = 0;
    for (let event = 0; event < perSecond; event += 1) {
      if (thinning.takes(second * 1_000 + (event * 1_000) / perSecond)) count += 1;
    }
    return count;
  });
}

describe('thinning', () => {
  it('takes all of what happens up to 250 times a second', () => {
    expect(taken(250, 3)).deep.equal([250, 250, 250]);
  });

  it('takes one in four from the second on that follows a busy one', () => {
    expect(taken(1_000, 3)).deep.equal([1_000, 250, 250]);
  });

  it('takes all again once it is calm, and after a pause', () => {
    const thinning = new Thinning();
    taken(1_000, 2, thinning);
    const later = Array.from({ length: 12 }, (_, event) => thinning.takes(60_000 + event * 100));
    expect(later).deep.equal(Array(12).fill(true));
  });
});
