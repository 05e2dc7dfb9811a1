import { expect } from 'chai';
import { Seasonal } from '../../../src/sizing/seasonal.js';
import { observed } from './observed.js';

/** Crowds of twelve, each for half a second after the beginning of a period; in between the pool rests. */
function learned(periodMs: number, periods: number): { season: Seasonal; now: number } {
  const season = new Seasonal(0);
  let now = 0;
  const step = (elapsedMs: number, peak: number) => {
    now += elapsedMs;
    season.step(observed({ now, elapsedMs, peak, atRest: peak === 0 }));
  };
  for (let period = 0; period < periods; period += 1) {
    for (let count = 0; count < 5; count += 1) step(100, 12);
    for (const end = (period + 1) * periodMs; now < end; ) step(Math.min(1_000, end - now), 0);
  }
  return { season, now };
}

describe('the season', () => {
  it('is known in half seconds for periods of up to a minute, and in ten seconds for longer ones', () => {
    expect(new Seasonal(0)).include({ periodMs: 0, highest: 0 });
    expect(learned(15_000, 8).season).include({ periodMs: 15_000, highest: 12 });
    expect(learned(600_000, 5).season).include({ periodMs: 600_000, highest: 12 });
  });

  it('is asked for ahead by twice what a connection takes to open, and a step', () => {
    const { season, now } = learned(15_000, 8);
    const aheadMs = [0, 40, 1_000].map((connectMs) => now - season.nextAbove(0, now - 10_000, connectMs));
    expect(aheadMs.map((ms) => ms - aheadMs[0]!)).deep.equal([0, 80, 2_000]);
    expect(aheadMs[0]).equal(600);
  });
});
