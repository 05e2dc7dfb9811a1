import { expect } from 'chai';
import { seeded } from '../../../bench/statistics.js';
import type { Observation } from '../../../src/sizing/observation.js';
import { WorkloadClass } from '../../../src/sizing/workload.js';

/** The classes that a minute and more of such steps leads through. */
function lived(
  seconds: number,
  step: (second: number) => { arrivals: number; peak?: number; recurs?: boolean },
): { classes: string[]; workload: WorkloadClass; now: number } {
  const workload = new WorkloadClass();
  const classes: string[] = [];
  let now = 0;
  while (now < seconds * 1_000) {
    now += 100;
    const { arrivals, peak = 2, recurs = false } = step(now / 1_000);
    const seen = { now, elapsedMs: 100, atRest: false, stalled: false, arrivals, peak, limit: 10 };
    const change = workload.step(seen as Observation, recurs);
    if (change !== undefined) classes.push(change.to);
  }
  return { classes, workload, now };
}

/** Poisson counts. */
function counts(mean: number, random: () => number): number {
  let count = 0;
  for (let left = Math.exp(-mean), product = random(); product > left; product *= random()) count += 1;
  return count;
}

describe('the class of a load', () => {
  const random = seeded(7);

  it('is idle while next to nobody comes', () =>
    expect(lived(60, () => ({ arrivals: 0, peak: 0 })).classes).deep.equal([]));

  it('is known once there was half a minute to look at, or enough votes for another', () => {
    const isKnownAfter = (seconds: number, arrivals: number) =>
      lived(seconds, () => ({ arrivals, peak: 1 })).workload.isKnown;
    expect([1, 29, 31].map((seconds) => isKnownAfter(seconds, 0))).deep.equal([false, false, true]);
    expect([10, 16].map((seconds) => isKnownAfter(seconds, 20))).deep.equal([false, true]);
  });

  it('is steady where only chance varies it, and stays so', () =>
    expect(lived(600, () => ({ arrivals: counts(20, random) })).classes).deep.equal(['steady']));

  it('is a ramp while it rises', () =>
    expect(lived(60, (second) => ({ arrivals: counts(5 + second, random) })).classes.at(-1)).equal('ramp'));

  it('is bursty where arrivals come together', () =>
    expect(lived(120, () => ({ arrivals: random() < 0.05 ? 100 : 0 })).classes).deep.equal(['bursty']));

  it('is periodic once it is known to recur', () =>
    expect(lived(60, () => ({ arrivals: 10, recurs: true })).classes).deep.equal(['periodic']));

  it('is saturated while callers always wait', () =>
    expect(lived(60, () => ({ arrivals: 10, peak: 30 })).classes).deep.equal(['saturated']));

  it('does not flap with a load that changes for a few seconds', () => {
    const { classes } = lived(300, (second) => ({
      arrivals: counts(20, random),
      peak: second % 60 > 55 ? 30 : 2,
    }));
    expect(classes).deep.equal(['steady']);
  });

  it('is idle again when nobody has looked for a while', () => {
    const { workload, now } = lived(60, () => ({ arrivals: counts(20, random) }));
    expect(workload.at(now)).equal('steady');
    expect(workload.at(now + 31_000)).equal('idle');
  });
});
