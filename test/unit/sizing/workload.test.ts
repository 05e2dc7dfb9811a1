import { expect } from 'chai';
import { seeded } from '../../../bench/statistics.js';
import type { Observation } from '../../../src/sizing/observation.js';
import { WorkloadClass } from '../../../src/sizing/workload.js';
import { observed } from './observed.js';

/** The classes that a minute and more of such steps leads through. */
function lived(
  seconds: number,
  step: (second: number) => Partial<Observation> & { recurs?: boolean },
): { classes: string[]; workload: WorkloadClass; now: number } {
  const workload = new WorkloadClass();
  const classes: string[] = [];
  let now = 0;
  while (now < seconds * 1_000) {
    now += 100;
    const { recurs = false, ...more } = step(now / 1_000);
    const change = workload.step(observed({ now, peak: 2, limit: 10, ...more }), recurs);
    if (change === undefined) continue;
    expect(change).include({ axis: 'shape', from: classes.at(-1) ?? 'idle' });
    classes.push(change.to);
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

  const every = (steps: number, second: number) => Math.round(second * 10) % steps === 1;

  for (const { what, step, classes } of [
    {
      what: 'one in ten seconds',
      step: (at: number) => ({ arrivals: every(100, at) ? 1 : 0, peak: 1 }),
      classes: [],
    },
    {
      what: 'one in five seconds',
      step: (at: number) => ({ arrivals: every(50, at) ? 1 : 0, peak: 1 }),
      classes: ['steady'],
    },
    { what: 'two held all the time', step: () => ({ arrivals: 0, peak: 2 }), classes: ['steady'] },
    {
      what: 'two held for a moment in each half minute',
      step: (at: number) => ({ arrivals: 0, peak: every(300, at) ? 2 : 1 }),
      classes: ['steady'],
    },
    { what: 'all in use and nobody waiting', step: () => ({ arrivals: 10, peak: 10 }), classes: ['steady'] },
    {
      what: 'somebody waiting in four of five steps',
      step: (at: number) => ({ arrivals: 10, peak: every(5, at) ? 2 : 30 }),
      classes: ['saturated'],
    },
    {
      what: 'somebody waiting in three of four steps',
      step: (at: number) => ({ arrivals: 10, peak: every(4, at) ? 2 : 30 }),
      classes: ['steady'],
    },
    {
      what: 'a crowd that came while the event loop stood still',
      step: (at: number) => (every(20, at) ? { arrivals: 300, stalled: true } : { arrivals: 10 }),
      classes: ['steady'],
    },
    {
      what: 'many and then nobody',
      step: (at: number) => (at < 200 ? { arrivals: 20 } : { arrivals: 0, peak: 0 }),
      classes: ['steady', 'bursty', 'idle'],
    },
    { what: 'ever fewer', step: (at: number) => ({ arrivals: Math.round(500 - at) }), classes: ['steady'] },
  ]) {
    it(`is ${classes.join(', then ') || 'idle'} with ${what}`, () =>
      expect(lived(400, step).classes).deep.equal(classes));
  }

  it('is no ramp before half a minute of it was seen', () => {
    const rising = (second: number) => ({ arrivals: Math.round(5 + 2 * second) });
    expect(lived(29, rising).classes).deep.equal(['steady']);
    expect(lived(45, rising).classes).deep.equal(['steady', 'ramp']);
  });

  it('forgets what was before a rest of more than half a minute', () => {
    const classAfter = (rest: Partial<Observation>) => {
      const { workload, now } = lived(60, () => ({ arrivals: 20 }));
      for (let rests = 1; rests <= 3; rests += 1)
        workload.step(
          observed({ now: now + rests * 40_000, elapsedMs: 31_000, atRest: true, limit: 10, ...rest }),
          false,
        );
      return workload.at(now + 120_000);
    };
    expect(classAfter({})).equal('idle');
    expect(classAfter({ elapsedMs: 30_000 }), 'half a minute is none').equal('bursty');
    expect(classAfter({ atRest: false }), 'somebody was there').equal('bursty');
  });

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
