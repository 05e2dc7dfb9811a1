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

  it('counts what keeps one connection busy at least, once it was seen two hundred times', () => {
    const holdMs = (leases: number, heldMs: number) => {
      const curve = new CapacityCurve();
      curve.learn(leases, 1_000, heldMs, 0);
      return curve.holdMs(1);
    };
    expect(holdMs(200, 5)).equal(5);
    expect(holdMs(199, 6), 'too few').equal(undefined);
    expect(holdMs(200, 4.9), 'less than one at a time').equal(undefined);
    expect(holdMs(0, 5)).equal(undefined);
  });

  it('compares two sizes at least', () => {
    expect(seen(2, () => 5).enough(64)).equal(2);
  });

  it('looks no further than the most there may be', () => {
    const curve = seen(64, (inFlight) => (inFlight <= 16 ? 2 * Math.max(1, inFlight / 4) : 2));
    expect(curve.enough(16)).equal(4);
    expect(curve.enough(64)).equal(64);
  });

  it('takes the slope over the last two octaves, from end to end', () => {
    const curve = seen(64, (inFlight) => (inFlight <= 32 ? 5 : 10));
    expect(curve.elasticity(64)).closeTo(0.5, 0.01);
  });

  it('knows no slope from one size, nor from those far below the most', () => {
    const at = (...sizes: number[]) => {
      const curve = new CapacityCurve();
      for (const inFlight of sizes) curve.learn(inFlight * 200, 1_000, 5, 0);
      return curve.elasticity(64);
    };
    expect(at(64)).equal(undefined);
    expect(at(16, 23)).equal(undefined);
    expect(at(16, 32)).closeTo(1, 0.05);
  });

  it('forgets by half in ten minutes, and how long leases are held not at all', () => {
    const curve = new CapacityCurve();
    curve.learn(1_000, 1_000, 64, 0);
    curve.learn(1, 1, 1, 1_200_000);
    curve.learn(1, 1, 1, 1_201_000);
    expect(curve.holdMs(64), 'a quarter is left of a thousand').closeTo(64, 1e-9);
    curve.learn(1, 1, 1, 1_801_000);
    expect(curve.holdMs(64)).equal(undefined);
  });
});
