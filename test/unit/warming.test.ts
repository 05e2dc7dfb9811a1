import { expect } from 'chai';
import { Warming } from '../../src/warming.js';

/** How long it rests after `warming` has overrun at `now`. */
function restMs(warming: Warming, now: number): number {
  warming.overran(now);
  let rested = 0;
  while (!warming.mayBegin(now + rested)) rested += 1_000;
  return rested;
}

describe('the warming of connections', () => {
  it('may begin whenever it likes', () => {
    const warming = new Warming();
    expect(warming.mayBegin(0)).equal(true);
    warming.ended();
    expect(warming.mayBegin(0)).equal(true);
  });

  it('rests after one that had no end, twice as long each time, and ten minutes at most', () => {
    const warming = new Warming();
    const rests: number[] = [];
    for (let now = 0; rests.length < 9; now += 1_000_000) rests.push(restMs(warming, now));
    expect(rests).deep.equal([10, 20, 40, 80, 160, 320, 600, 600, 600].map((seconds) => seconds * 1_000));
  });

  it('counts those that had no end together as one', () => {
    const warming = new Warming();
    warming.overran(0);
    warming.overran(9_999);
    expect([warming.mayBegin(9_999), warming.mayBegin(10_000)]).deep.equal([false, true]);
    expect(restMs(warming, 10_000)).equal(20_000);
  });

  it('begins with the shortest rest again once one ended in its time', () => {
    const warming = new Warming();
    restMs(warming, 0);
    restMs(warming, 100_000);
    warming.ended();
    expect(restMs(warming, 200_000)).equal(10_000);
  });
});
