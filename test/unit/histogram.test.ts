import { expect } from 'chai';
import fc from 'fast-check';
import { Histogram } from '../../src/histogram.js';

describe('a histogram of durations', () => {
  it('is empty at first', () => {
    expect(new Histogram().summary()).deep.equal({ count: 0, meanMs: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
  });

  it('gives quantiles that are at most a tenth off', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.002, max: 1e6, noNaN: true }), { minLength: 1 }),
        (durations) => {
          const histogram = new Histogram();
          for (const duration of durations) histogram.record(duration);
          const sorted = durations.toSorted((a, b) => a - b);
          for (const q of [0.5, 0.99]) {
            const exact = sorted[Math.ceil(q * sorted.length) - 1]!;
            expect(histogram.quantile(q)).within(exact * 0.999, exact * 1.1);
          }
          expect(histogram.summary().maxMs).equal(sorted.at(-1));
        },
      ),
    );
  });
});
