import { expect } from 'chai';
import { AT_ONCE, Openings } from '../../../src/sizing/openings.js';

/** One that has found its limit, a moment ago: `share` of ten. */
function limited(failures = 1): Openings {
  const openings = new Openings(() => 100);
  for (let failure = 0; failure < failures; failure += 1)
    openings.failed(20 * failure - 100, 20 * failure - 90);
  return openings;
}

/** A wave of as many as there may be, all of which take `tookMs`. */
function wave(openings: Openings, startedAt: number, tookMs: number): number {
  const size = openings.room(0);
  for (let opened = 0; opened < size; opened += 1) openings.opened(startedAt, startedAt + tookMs);
  return size;
}

describe('how many connections open at once ahead of demand', () => {
  it('counts those that are on their way', () => {
    const openings = new Openings(() => 100);
    expect([0, 8, 10, 15].map((opening) => openings.room(opening))).deep.equal([AT_ONCE, 2, 0, 0]);
  });

  it('is twice as many with each wave, up to as many as there may be, also when these become others', () => {
    let max = 60;
    const openings = new Openings(() => max);
    expect([0, 1, 2, 3].map((at) => wave(openings, 100 * at, 30))).deep.equal([10, 20, 40, 60]);
    max = 200;
    expect([4, 5].map((at) => wave(openings, 100 * at, 30))).deep.equal([60, 120]);
    max = 3;
    expect(openings.room(0)).equal(3);
    expect(new Openings(() => 3).room(0)).equal(3);
  });

  it('is one more for each wave once the limit was met', () => {
    const openings = limited();
    expect([0, 1, 2].map((at) => wave(openings, 100 * at, 30))).deep.equal([5, 5, 6]);
  });

  it('is three tenths less when one takes more than twice as long as usual, and that counts once for those on their way', () => {
    const openings = new Openings(() => 10);
    openings.opened(0, 10);
    openings.opened(10, 30);
    expect(openings.room(0), 'twice as long is not slow').equal(10);
    openings.opened(30, 53);
    expect(openings.room(0)).equal(7);
    openings.opened(52, 90);
    expect(openings.room(0), 'it was on its way already').equal(7);
    openings.opened(53, 93);
    expect(openings.room(0)).equal(4);
  });

  it('takes what opens slowly for usual in time', () => {
    const openings = new Openings(() => 100);
    openings.opened(0, 10);
    openings.opened(20, 120);
    const before = openings.room(0);
    for (let at = 150; at < 10_000; at += 100) openings.opened(at, at + 100);
    expect(openings.room(0)).above(before);
  });

  it('is halved by a failure, never below one, and more again when all is well', () => {
    expect([1, 2, 3, 9].map((failures) => limited(failures).room(0))).deep.equal([5, 2, 1, 1]);
    const openings = limited();
    openings.failed(-95, -80);
    expect(openings.room(0), 'those of the same moment count once').equal(5);
    const recovered = limited(9);
    for (let at = 0; at < 40; at += 1) wave(recovered, 100 * at, 30);
    expect(recovered.room(0)).above(20);
  });
});
