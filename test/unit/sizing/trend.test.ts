import { expect } from 'chai';
import type { Observation } from '../../../src/sizing/observation.js';
import { Trend } from '../../../src/sizing/trend.js';
import { observed } from './observed.js';

function follow(trend: Trend, loads: readonly number[], more: Partial<Observation> = {}): number {
  let forecast = 0;
  for (const load of loads) {
    forecast = trend.step({ load, elapsedMs: 100, stalled: false, connectMs: 900, ...more } as Observation);
  }
  return forecast;
}

const steady = Array<number>(200).fill(9);
const ramp = Array.from({ length: 200 }, (_, step) => step / 2);

describe('the trend of a load', () => {
  it('is nothing while nothing is asked for', () => {
    expect(follow(new Trend(), [0, 0, 0])).equal(0);
  });

  it('of a steady one is what it is, and two standard deviations of chance', () => {
    expect(follow(new Trend(), steady)).equal(15);
  });

  it('of a rising one is what it will be when a connection has opened, and more the longer that takes', () => {
    const [soon, late] = [100, 900].map((connectMs) => follow(new Trend(), ramp, { connectMs }));
    expect(late).above(soon!);
    expect(late, 'beyond what chance alone would ask for').above(Math.round(99.5 + 2 * Math.sqrt(99.5)));
  });

  it('of a falling one never falls below nothing', () => {
    expect(follow(new Trend(), [...ramp.toReversed(), 0, 0])).within(0, 3);
  });

  it('asks for more where it was wrong before', () => {
    const restless = Array.from({ length: 200 }, (_, step) => (step % 2 === 0 ? 4 : 14));
    expect(follow(new Trend(), [...restless, ...Array(5).fill(9)])).above(16);
  });

  it('begins anew after a rest and after a standstill', () => {
    for (const pause of [{ elapsedMs: 1_100 }, { stalled: true }]) {
      const trend = new Trend();
      follow(trend, ramp);
      expect(follow(trend, [0], pause)).below(3);
    }
    const trend = new Trend();
    follow(trend, ramp);
    expect(follow(trend, [0], { elapsedMs: 1_000 }), 'a second is no rest').above(50);
  });
});

describe('the trend', () => {
  it('is ahead of a load that rises, and settles on one that does not', () => {
    const trend = new Trend();
    const flat = new Trend();
    let rising = 0;
    let level = 0;
    for (let step = 1; step <= 100; step += 1) {
      rising = trend.step(observed({ load: step * 0.4, connectMs: 500 }));
      level = flat.step(observed({ load: 4, connectMs: 500 }));
    }
    expect(rising).greaterThan(40);
    expect(level).equal(Math.round(4 + 2 * Math.sqrt(4)));
  });
});
