import { expect } from 'chai';
import fc from 'fast-check';
import { Forecaster } from '../../../src/sizing/forecaster.js';
import { observed } from './observed.js';

function newForecaster(): Forecaster {
  return new Forecaster(0, () => true, { onDecision() {}, onSeasonFault() {} });
}

describe('the forecaster', () => {
  it('opens ahead of what recurs, and does not keep it in between', () => {
    const forecaster = newForecaster();
    let now = 0;
    let aheadInTime = 0;
    let keptInBetween = 0;
    let open = 0;
    for (let period = 0; period < 20; period += 1) {
      for (let step = 0; step < 150; step += 1) {
        now += 100;
        const crowd = step < 4 ? { peak: 12, load: 4, arrivals: 100 } : {};
        const { target, ahead } = forecaster.step(observed({ now, open, ...crowd }));
        open = target;
        if (period === 19 && step === 149) aheadInTime = ahead;
        if (period === 19 && step === 75) keptInBetween = target;
      }
    }
    expect(forecaster.periodMs).equal(15_000);
    expect(aheadInTime).equal(12);
    expect(keptInBetween).equal(0);
    expect(forecaster.nextAbove(0, now - 7_500, 40)).greaterThan(now - 7_500);
  });

  it('compares the season with the plain way while it may only watch', () => {
    const costs = { smartMs: 0, plainMs: 0 };
    const forecaster = new Forecaster(0, () => false, {
      onDecision(flag, smartMs, plainMs) {
        if (flag !== 'seasonal') return;
        costs.smartMs += smartMs;
        costs.plainMs += plainMs;
      },
      onSeasonFault() {},
    });
    let now = 0;
    for (let step = 0; step < 3_000; step += 1) {
      now += 100;
      const crowd = step % 150 < 4 ? { peak: 12, load: 4, arrivals: 100 } : {};
      expect(forecaster.step(observed({ now, open: 12, ...crowd })).reason).not.equal('seasonal');
    }
    expect(forecaster.foreseen, 'nothing is left to it').equal(0);
    expect(costs.plainMs).above(costs.smartMs).and.above(0);
  });

  const steps = fc.array(
    fc.record({
      elapsedMs: fc.double({ min: 0.01, max: 100_000, noNaN: true }),
      atRest: fc.boolean(),
      stalled: fc.boolean(),
      peak: fc.nat(100_000),
      load: fc.double({ min: 0, max: 1e6, noNaN: true }),
      arrivals: fc.nat(1_000_000),
      open: fc.nat(500),
      holdMs: fc.double({ min: 0, max: 1e7, noNaN: true }),
      connectMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
      idleTimeoutMs: fc.constantFrom(10, 10_000, Number.POSITIVE_INFINITY),
    }),
    { maxLength: 80 },
  );

  it('stays within min and limit, and finite, whatever it sees', () => {
    fc.assert(
      fc.property(steps, fc.nat(50), fc.nat(500), (seen, min, room) => {
        const forecaster = newForecaster();
        const limit = min + room;
        let now = 0;
        for (const each of seen) {
          now += each.elapsedMs;
          const { target, ahead, protect } = forecaster.step({
            ...each,
            now,
            min,
            limit,
            unprovenMs: Number.POSITIVE_INFINITY,
          });
          for (const value of [target, protect]) {
            expect(Number.isFinite(value)).equal(true);
            expect(value).within(min, limit);
          }
          // Whether `min` is kept filled is for the pool to know.
          expect(ahead).within(0, limit);
          expect(forecaster.nextAbove(0, now, each.connectMs)).at.least(now);
          expect(forecaster.fallsAt(target, each.idleTimeoutMs)).not.equal(Number.NaN);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('takes what it keeps down again once nobody comes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { minLength: 1, maxLength: 50 }), (peaks) => {
        const forecaster = newForecaster();
        let now = 0;
        for (const peak of peaks) {
          now += 100;
          forecaster.step(observed({ now, peak }));
        }
        const { target } = forecaster.step(
          observed({ now: now + 7_200_000, elapsedMs: 7_200_000, atRest: true }),
        );
        expect(target).equal(0);
      }),
      { numRuns: 100 },
    );
  });
});
