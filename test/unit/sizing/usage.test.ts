import { expect } from 'chai';
import type { Observation } from '../../../src/sizing/observation.js';
import { Usage } from '../../../src/sizing/usage.js';

const seen = (now: number, elapsedMs: number, peak: number, open: number) =>
  ({ now, elapsedMs, peak, open }) as Observation;

describe('what a pool has needed', () => {
  it('is nothing at first', () => {
    expect(new Usage().report(5_000)).deep.equal({ peak: 0, peakAgoMs: 0, openMs: 0, unneededMs: 0 });
  });

  it('is its highest peak, when that was last, and what stood open beyond each step’s', () => {
    const usage = new Usage();
    usage.step(seen(100, 100, 3, 5));
    usage.step(seen(300, 200, 1, 5));
    expect(usage.report(1_000)).deep.equal({ peak: 3, peakAgoMs: 900, openMs: 1_500, unneededMs: 1_000 });
    usage.step(seen(400, 100, 3, 3));
    expect(usage.report(1_000), 'the same peak again').include({ peak: 3, peakAgoMs: 600 });
    usage.step(seen(500, 100, 9, 5));
    usage.step(seen(600, 100, 8, 5));
    expect(usage.report(1_000)).deep.equal({ peak: 9, peakAgoMs: 500, openMs: 2_800, unneededMs: 1_000 });
  });
});
