import { expect } from 'chai';
import { seeded } from '../../../bench/statistics.js';
import { Histogram } from '../../../src/histogram.js';
import { QueryMixClass } from '../../../src/sizing/query-mix.js';

/** The classes that a load leads through whose leases, ten a second, are held for as long as `holdMs` says. */
function lived(seconds: number, holdMs: (second: number) => number): string[] {
  const holds = new Histogram();
  const mix = new QueryMixClass();
  const classes: string[] = [];
  for (let step = 1; step <= 10 * seconds; step += 1) {
    holds.record(holdMs(step / 10));
    if (mix.step(step * 100, holds) !== undefined) classes.push(mix.current);
  }
  return classes;
}

describe('the mix of queries', () => {
  const random = seeded(3);
  const short = () => 4 + 4 * random();
  const now = (share: number, one: () => number, other: () => number) => (random() < share ? one() : other());

  it('is short queries until something else is seen', () => {
    expect(lived(300, short)).deep.equal([]);
    expect(new QueryMixClass().current).equal('oltp');
  });

  it('is analytic where most of the time goes to long queries', () =>
    expect(lived(300, () => 2_000 + 2_000 * random())).deep.equal(['analytic']));

  it('is mixed where some queries take far longer than the others', () =>
    expect(lived(300, () => now(0.05, () => 200, short))).deep.equal(['mixed']));

  it('is short queries again half a minute after the long ones have gone', () =>
    expect(lived(300, (second) => (second < 150 ? now(0.1, () => 200, short) : short()))).deep.equal([
      'mixed',
      'oltp',
    ]));

  it('does not flap with a long query now and then', () =>
    expect(lived(600, (second) => (second % 60 < 0.1 ? 150 : short()))).deep.equal([]));

  it('says nothing of a few leases', () => {
    const holds = new Histogram();
    const mix = new QueryMixClass();
    holds.record(5_000);
    for (let now = 5_000; now < 60_000; now += 5_000) expect(mix.step(now, holds)).equal(undefined);
    expect(mix.current).equal('oltp');
  });
});
