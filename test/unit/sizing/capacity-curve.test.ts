import { expect } from 'chai';
import { CapacityCurve } from '../../../src/sizing/capacity-curve.js';

/** A load of 1, 2, 4 … up to `most` leases in flight, each held for as long as `holdMs` says. */
function seen(most: number, holdMs: (inFlight: number) => number): CapacityCurve {
  const curve = new CapacityCurve();
  for (let inFlight = 1; inFlight <= most; inFlight *= 2) {
    curve.learn((inFlight * 60_000) / holdMs(inFlight), 60_000, holdMs(inFlight), 1_000);
  }
  return curve;
}

describe('the curve of what a database can do', () => {
  it('knows from where on more in flight are only held longer', () => {
    const curve = seen(64, (inFlight) => 2 * Math.max(1, inFlight / 4));
    expect(curve.enough(64)).equal(4);
    expect(curve.elasticity(64)).closeTo(0, 0.01);
    expect(curve.holdMs(64)! / curve.holdMs(4)!).closeTo(16, 0.01);
  });

  it('knows where each does its part', () => {
    const curve = seen(64, () => 5);
    expect(curve.enough(64)).equal(64);
    expect(curve.elasticity(64)).closeTo(1, 0.01);
  });

  it('says nothing of what it has not seen', () => {
    expect(new CapacityCurve().enough(64)).equal(undefined);
    expect(seen(1, () => 5).enough(64)).equal(undefined);
    expect(seen(8, () => 5).elasticity(64)).equal(undefined);
    expect(seen(8, () => 5).holdMs(64)).equal(undefined);
  });

  it('forgets', () => {
    const curve = seen(64, () => 5);
    for (let minute = 1; minute <= 300; minute += 1) curve.learn(20, 60_000, 6_000, minute * 60_000);
    expect(curve.holdMs(64)).equal(undefined);
  });
});
