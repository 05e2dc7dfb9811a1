import { expect } from 'chai';
import fc from 'fast-check';
import { type Forecast, Forecaster } from '../../../src/sizing/forecaster.js';
import type { Observation } from '../../../src/sizing/observation.js';
import { Seasonal } from '../../../src/sizing/seasonal.js';
import { observed } from './observed.js';

function newForecaster(): Forecaster {
  return new Forecaster(0, () => true, { onDecision() {}, onSeasonFault() {} });
}

/** Each time a crowd of twelve, and so many steps until the next. */
function crowdsOf(forecaster: Forecaster) {
  let now = 0;
  return (steps: number, heard: (forecast: Forecast) => void = () => {}) => {
    for (let step = 0; step < steps; step += 1) {
      now += 100;
      const crowd = step < 4 ? { peak: 12, load: 4, arrivals: 100 } : {};
      heard(forecaster.step(observed({ now, open: 12, ...crowd })));
    }
  };
}

describe('the forecaster', () => {
  it('opens ahead of what recurs, and does not keep it in between', () => {
    const costs: string[] = [];
    const forecaster = new Forecaster(0, () => true, {
      onDecision: (flag, smartMs, plainMs) =>
        costs.push(`${flag} ${smartMs.toFixed(1)} ${plainMs.toFixed(1)}`),
      onSeasonFault() {},
    });
    let now = 0;
    let aheadInTime = 0;
    let reasonInTime = '';
    let reasonOfCrowd = '';
    let keptInBetween = 0;
    let open = 0;
    for (let period = 0; period < 20; period += 1) {
      for (let step = 0; step < 150; step += 1) {
        now += 100;
        const crowd = step < 4 ? { peak: 12, load: 4, arrivals: 100 } : {};
        const { target, ahead, reason } = forecaster.step(observed({ now, open, ...crowd }));
        open = target;
        if (period === 19 && step === 149) aheadInTime = ahead;
        if (period === 19 && step === 149) reasonInTime = reason;
        if (period === 19 && step === 75) keptInBetween = target;
        if (period === 19 && step === 1) reasonOfCrowd = reason;
      }
    }
    expect(forecaster.periodMs).equal(15_000);
    expect(aheadInTime).equal(12);
    expect(keptInBetween).equal(0);
    expect(forecaster.nextAbove(0, now - 7_500, 40)).greaterThan(now - 7_500);
    expect(reasonInTime).equal('seasonal');
    expect(reasonOfCrowd, 'what is foreseen and needed now').equal('reactive');
    expect(forecaster.foreseen).equal(12);
    expect(forecaster.nextAbove(12, now - 7_500, 40)).equal(Number.POSITIVE_INFINITY);
    expect(forecaster.nextAbove(11, now - 7_500, 40)).within(now - 7_500, now);
    // It went a second after the last of the crowd, which came for four steps of a hundred and fifty.
    expect(forecaster.fallsAt(12, 10_000)).equal(now - 14_600 + 1_000);
    // Twelve connections for a tenth of a second before they are needed, against nothing that the plain way has open then.
    expect(new Set(costs.filter((cost) => cost.endsWith(' 0.0')))).deep.equal(new Set(['seasonal 0.6 0.0']));
    const firstOfSeason = costs.findIndex((cost) => cost.startsWith('seasonal'));
    expect(costs[firstOfSeason], 'it has to earn before it may cost').match(/ [1-9]\d*\.\d$/);
    const [, smartMs, plainMs] = costs[firstOfSeason - 2]!.split(' ');
    expect(smartMs, 'until then all is as without it').equal(plainMs);
    const ofLastCrowd = costs.filter((cost) => !cost.endsWith(' 0.0')).slice(-24);
    const ofSeason = ofLastCrowd.filter((cost) => cost.startsWith('seasonal'));
    expect(ofSeason.map((cost) => cost.split(' ')[1])).deep.equal(Array(12).fill('0.5'));
    // Of one that the idle timeout keeps for ten seconds in vain, and that the season opens in time.
    expect(costs.slice(-200)).include('forecaster 0.5 205.0').and.include('seasonal 0.5 7.3');
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
    const next = crowdsOf(forecaster);
    for (let crowd = 0; crowd < 20; crowd += 1)
      next(150, ({ reason }) => expect(reason).not.equal('seasonal'));
    expect(forecaster.foreseen, 'nothing is left to it').equal(0);
    expect(forecaster.nextAbove(0, 292_500, 40)).equal(Number.POSITIVE_INFINITY);
    expect(costs.plainMs).above(costs.smartMs).and.above(0);
  });

  it('charges the season with what it costs that it did not foresee a crowd', () => {
    const costs: string[] = [];
    const onDecision = (flag: string, smartMs: number) => costs.push(`${flag} ${smartMs.toFixed(1)}`);
    const forecaster = new Forecaster(0, () => true, { onDecision, onSeasonFault() {} });
    const next = crowdsOf(forecaster);
    for (let crowd = 0; crowd < 20; crowd += 1) next(150);
    next(75);
    expect(costs).not.include('seasonal 200.5');
    next(4);
    expect(costs).include('seasonal 200.5');
  });

  it('trusts a season on through a period seen better, and has another one prove itself anew', () => {
    const changesTo = (steps: number) => {
      const forecaster = newForecaster();
      const next = crowdsOf(forecaster);
      const changes: [periodMs: number, foreseen: number][] = [];
      for (let crowd = 0; crowd < 50; crowd += 1) {
        next(crowd < 20 ? 150 : steps, () => {
          if (forecaster.periodMs !== (changes.at(-1)?.[0] ?? 0))
            changes.push([forecaster.periodMs, forecaster.foreseen]);
        });
      }
      expect(forecaster.foreseen).equal(12);
      return changes;
    };
    const first = [
      [14_500, 0],
      [15_000, 12],
    ];
    expect(changesTo(155)).deep.equal([...first, [15_500, 12]]);
    expect(changesTo(250)).deep.equal([...first, [75_000, 0], [25_000, 0]]);
  });

  /** Steps of a load, each connection open that is needed: what the forecaster says of each. */
  function follow(
    loads: readonly number[],
    more: Partial<Observation> = {},
    forecaster = newForecaster(),
  ): (Forecast & { peak: number })[] {
    let open = 0;
    return loads.map((load, step) => {
      const peak = Math.ceil(load);
      const arrivals = Math.round(load * 10);
      const seen = { now: (step + 1) * 100, open, load, peak, arrivals, holdMs: 10, limit: 100, ...more };
      open = peak;
      return { ...forecaster.step(observed(seen)), peak };
    });
  }

  const ramp = Array.from({ length: 100 }, (_, step) => step / 4);
  /** A crowd that comes out of nothing and grows for a second. */
  const bursts = Array.from({ length: 600 }, (_, step) => (step % 200 < 190 ? 0.5 : 4 + 3 * (step % 10)));

  it('says on whose word: what is needed now, or what was needed a while ago', () => {
    const [crowd, after, later] = follow([8, 0, 0]);
    expect(crowd).include({ target: 8, ahead: 0, reason: 'reactive' });
    expect(after).include({ target: 8, ahead: 0, protect: 0, reason: 'floor' });
    expect(later).include({ target: 8, reason: 'floor' });
  });

  it('opens ahead of a rising load once the trend has proven itself', () => {
    const said = follow(ramp, { connectMs: 900 });
    const first = said.findIndex(({ reason }) => reason === 'trend');
    expect(first).within(5, 30);
    expect(said.slice(0, first).map(({ ahead }) => ahead)).deep.equal(Array(first).fill(0));
    for (const { peak, ahead, target, protect } of said.slice(30)) {
      expect(ahead).above(peak);
      expect([target, protect]).deep.equal([ahead, ahead]);
    }
  });

  it('hears nobody while the event loop stands still again and again, for nothing can be proven then', () => {
    const said = follow(ramp, { connectMs: 900, stalled: true });
    expect(new Set(said.map(({ ahead }) => ahead))).deep.equal(new Set([0]));
  });

  it('never opens ahead where connections are there already', () => {
    const said = follow(ramp, { connectMs: 900, open: 100 });
    expect(new Set(said.map(({ ahead }) => ahead))).deep.equal(new Set([0]));
  });

  it('trusts the trend where it saves callers more than it costs, and no sooner than that is seen', () => {
    /** The first step in which it is heard: always the same load, of which the trend says 8, and one more caller than connections. */
    const heardAt = (connectMs: number, holdMs: number) =>
      follow(Array(300).fill(4), { open: 5, peak: 6, connectMs, holdMs }).findIndex(({ ahead }) => ahead > 0);
    // Two of the eight stand idle, which costs 1 ms, as much as waiting does.
    expect(heardAt(1, 1)).equal(-1);
    // Waiting costs 1.46 ms: three stretches of two steps save the 1 ms and the twentieth that it has to.
    expect(heardAt(2.7, 5)).equal(7);
  });

  it('holds a forecast against the highest demand while a connection would open, and no longer', () => {
    const last = (loads: readonly number[], more?: Partial<Observation>) =>
      follow(loads, { connectMs: 900, idleTimeoutMs: 100, ...more }).at(-1)!;
    const peaks = Array.from({ length: 200 }, (_, step) => (step % 10 === 1 ? 20 : 1));
    expect(last(peaks).ahead, 'a step of ten').above(0);
    expect(last([50, ...Array(100).fill(2)]), 'that was before').include({ ahead: 0, target: 2 });
  });

  it('counts who would have queued beside those who came at once', () => {
    expect(follow(Array(100).fill(10.5), { open: 10, connectMs: 900 }).at(-1)!.ahead).above(11);
  });

  it('leaves a short queue to what comes back where one connection more is known to save little', () => {
    const forecaster = newForecaster();
    for (let now = 100; now <= 3_000; now += 100)
      forecaster.step(observed({ now, peak: now === 100 || now === 3_000 ? 8 : 0 }));
    const queue = { now: 3_000, waiting: 1, waitedMs: 0, leased: 8, holdMs: 4, connectMs: 40 };
    const forbears = (open: number) => forecaster.forbears({ ...queue, open });
    expect([6, 7, 8].map(forbears), 'the seventh saves more, of the ninth nothing is known').deep.equal([
      false,
      true,
      false,
    ]);
  });

  it('heeds a burst once bursts have been like it before', () => {
    const said = follow(bursts, { connectMs: 300, holdMs: 100, idleTimeoutMs: 100 });
    expect(said.slice(0, 195).map(({ reason }) => reason)).not.include('burst');
    const [last] = said.filter(({ reason }) => reason === 'burst').slice(-1);
    expect(last!.target).equal(last!.ahead).and.above(20);
  });

  it('goes on without the season once that throws, and says so', () => {
    const faults: unknown[] = [];
    const forecaster = new Forecaster(0, () => true, {
      onDecision() {},
      onSeasonFault: (error) => faults.push(error),
    });
    const { step } = Seasonal.prototype;
    const fault = new Error('season');
    Seasonal.prototype.step = () => {
      throw fault;
    };
    try {
      expect(follow([8, 0], {}, forecaster).map(({ target }) => target)).deep.equal([8, 8]);
    } finally {
      Seasonal.prototype.step = step;
    }
    expect(faults).deep.equal([fault, fault]);
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
