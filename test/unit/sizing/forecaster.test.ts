import { expect } from 'chai';
import fc from 'fast-check';
import { BurstAlarm } from '../../../src/sizing/burst-alarm.js';
import { coldWaitMs, keepingMs } from '../../../src/sizing/cost.js';
import { Forbearance, type Queue } from '../../../src/sizing/forbearance.js';
import { Forecaster } from '../../../src/sizing/forecaster.js';
import { Ledger } from '../../../src/sizing/ledger.js';
import type { Observation } from '../../../src/sizing/observation.js';
import { Openings } from '../../../src/sizing/openings.js';
import { RecentMean } from '../../../src/sizing/recent-mean.js';
import { Recurrence } from '../../../src/sizing/recurrence.js';
import { Trend } from '../../../src/sizing/trend.js';
import { WarmFloor } from '../../../src/sizing/warm-floor.js';

const IDLE_MS = 10_000;

function observed(seen: Partial<Observation>): Observation {
  return {
    now: 0,
    elapsedMs: 100,
    atRest: false,
    stalled: false,
    peak: 0,
    load: 0,
    arrivals: 0,
    open: 0,
    holdMs: 4,
    connectMs: 40,
    min: 0,
    limit: 20,
    idleTimeoutMs: IDLE_MS,
    ...seen,
  };
}

function newForecaster(): Forecaster {
  return new Forecaster(0, () => true, { onDecision() {}, onSeasonFault() {} });
}

describe('the cost of a cold wait', () => {
  const demand = { load: 0, holdMs: 4, connectMs: 40 };
  it('is nothing while there are enough', () => expect(coldWaitMs({ ...demand, peak: 5 }, 5)).equal(0));
  it('is a whole opening for each caller when nothing is warm', () =>
    expect(coldWaitMs({ ...demand, peak: 3 }, 0)).equal(120));
  it('is the shorter of queueing and opening for those who come at once', () => {
    expect(coldWaitMs({ ...demand, peak: 6 }, 5)).closeTo(0.8, 1e-9);
    expect(coldWaitMs({ ...demand, peak: 6, holdMs: 4_000 }, 5)).equal(40);
  });
  it('counts those who queue meanwhile as Erlang does', () => {
    // Of a load of 7.8 on 17 servers 0.3 % queue, for 0.43 ms, and 780 come while a connection opens.
    const wait = coldWaitMs({ peak: 18, load: 7.8, holdMs: 4, connectMs: 400 }, 17);
    expect(wait).closeTo(0.9, 0.3);
    expect(coldWaitMs({ peak: 500, load: 8, holdMs: 4, connectMs: 40 }, 400)).above(0);
  });
  it('counts those who gather while connections open', () =>
    expect(coldWaitMs({ ...demand, peak: 6, load: 5 }, 2)).equal((3 * 40 * 40) / (2 * 4)));
});

describe('the warm floor', () => {
  /** Crowds of `peak`, `gapMs` apart. */
  function crowds(
    floor: WarmFloor,
    count: number,
    peak: number,
    gapMs: number,
    idleTimeoutMs = IDLE_MS,
  ): number {
    let now = 0;
    for (let crowd = 0; crowd < count; crowd += 1) {
      now += gapMs - 100;
      floor.step(observed({ now, elapsedMs: gapMs - 100, atRest: true, idleTimeoutMs }));
      now += 100;
      floor.step(observed({ now, peak, idleTimeoutMs }));
    }
    floor.step(observed({ now: now + 100, idleTimeoutMs }));
    return now;
  }

  it('goes by the idle timeout until it knows better', () => {
    const floor = new WarmFloor(() => {});
    const now = crowds(floor, 1, 8, 15_000);
    expect(floor.kept(now + IDLE_MS - 1, IDLE_MS, 0)).equal(8);
    expect(floor.protectedAt(now + 100, IDLE_MS, 0)).equal(0);
    expect(floor.kept(now + IDLE_MS + 1_000, IDLE_MS, 0)).equal(0);
  });

  it('keeps what comes back through longer gaps than the idle timeout', () => {
    const floor = new WarmFloor(() => {});
    const now = crowds(floor, 12, 8, 15_000);
    // The fifth would save a wait of 5 ms, and cost 7.5.
    expect(floor.protectedAt(now + 14_900, IDLE_MS, 0)).equal(4);
    expect(floor.kept(now + 600_000, IDLE_MS, 0)).equal(0);
  });

  it('stays for a while after a crowd that no pool could have served at once', () => {
    const floor = new WarmFloor(() => {});
    const now = crowds(floor, 1, 50, 15_000);
    expect(floor.protectedAt(now + 1.4 * IDLE_MS, IDLE_MS, 0)).greaterThan(10);
    expect(floor.protectedAt(now + 1.5 * IDLE_MS + 200, IDLE_MS, 0)).equal(0);
  });

  it('lets go sooner of what comes back too seldom to be kept', () => {
    const floor = new WarmFloor(() => {});
    const now = crowds(floor, 20, 2, 300_000, 60_000);
    expect(floor.kept(now + 2_000, 60_000, 0)).equal(0);
  });

  it('leaves to the season what the season foresees', () => {
    const floor = new WarmFloor(() => {});
    const now = crowds(floor, 12, 8, 15_000);
    expect(floor.kept(now + 2_000, IDLE_MS, 8)).equal(0);
    expect(floor.kept(now + 2_000, IDLE_MS, 3)).equal(4);
  });

  it('tells when it lets go', () => {
    const floor = new WarmFloor(() => {});
    const now = crowds(floor, 1, 8, 15_000);
    expect(floor.fallsAt(8, IDLE_MS, 0)).equal(now + IDLE_MS);
    expect(floor.fallsAt(9, IDLE_MS, 0)).equal(Number.POSITIVE_INFINITY);
  });
});

describe('forbearance', () => {
  /** One who has just come, while eight leases of 4 ms are out. */
  const queue: Queue = {
    now: 1_000,
    waiting: 1,
    waitedMs: 0,
    leased: 8,
    open: 8,
    holdMs: 4,
    connectMs: 40,
  };

  it('leaves a short queue to what comes back, until all that came to wait were worth a connection', () => {
    const forbearance = new Forbearance();
    // Half a millisecond each time, and a connection for half a second is worth a quarter of one.
    let times = 0;
    for (let now = 1_000; forbearance.forbears({ ...queue, now }, 0.1); now += 500) times += 1;
    expect(times).equal(2);
    expect(forbearance.forbears({ ...queue, now: 2_100, open: 9 }, 0.1), 'once there is one more').equal(
      true,
    );
  });

  it('goes on for ever where they come seldom', () => {
    const forbearance = new Forbearance();
    for (let now = 1_000; now < 100_000; now += 2_000) {
      expect(forbearance.forbears({ ...queue, now }, 0.1)).equal(true);
    }
  });

  it('has no patience with a queue that is long, with one that does not move, or where nothing comes back', () => {
    for (const seen of [{ waiting: 6 }, { waitedMs: 3 }, { leased: 0, open: 0 }, { holdMs: 40 }]) {
      expect(new Forbearance().forbears({ ...queue, ...seen }, 0.1), JSON.stringify(seen)).equal(false);
    }
  });

  it('has none where the absence of a connection was dear, or that is not known', () => {
    expect(new Forbearance().forbears(queue, 2)).equal(false);
    expect(new Forbearance().forbears(queue, Number.POSITIVE_INFINITY)).equal(false);
  });
});

describe('the mean of late', () => {
  it('is that of what came since the last look', () => {
    const mean = new RecentMean();
    expect(mean.next({ count: 0, sumMs: 0 })).equal(0);
    expect(mean.next({ count: 2, sumMs: 10 })).equal(5);
    expect(mean.next({ count: 2, sumMs: 10 })).equal(0);
    expect(mean.next({ count: 3, sumMs: 12 })).equal(2);
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

describe('the burst alarm', () => {
  it('is silent on a steady load and asks for twice the demand of a sudden one', () => {
    const alarm = new BurstAlarm();
    let now = 0;
    const step = (arrivals: number) => {
      now += 100;
      return alarm.step(observed({ now, arrivals, peak: 5 }));
    };
    for (let count = 0; count < 20; count += 1) step(10);
    const before = alarm.alarms;
    for (let count = 0; count < 600; count += 1) expect(step(count % 2 === 0 ? 8 : 12)).equal(0);
    expect(alarm.alarms).equal(before);
    expect(step(100)).equal(10);
    expect(step(10)).equal(10);
    for (let count = 0; count < 20; count += 1) step(10);
    expect(step(10)).equal(0);
  });
});

describe('what recurs', () => {
  it('is found after three periods, expected a period later, and not before', () => {
    const peaks = new Recurrence(500, 480, 0);
    const until = (end: number, from: number) => {
      for (let now = from; now <= end; now += 100) {
        peaks.note(now, now % 15_000 < 400 ? 20 : 0, 0);
        peaks.search(1);
        if (now < 40_000) expect(peaks.period, `at ${now} ms`).equal(0);
      }
    };
    until(82_000, 100);
    expect(peaks.period * peaks.slotMs).equal(15_000);
    expect(peaks.highest).equal(20);
    expect(peaks.expected(200)).equal(0);
    expect(peaks.nextAbove(0, 82_000, 200)).within(88_500, 90_000);
  });

  it('is found in spikes between which the pool is at rest', () => {
    const peaks = new Recurrence(500, 480, 0);
    for (let now = 45_000; now <= 10 * 45_000; now += 45_000) {
      peaks.note(now - 100, 0, 0);
      peaks.search(449);
      peaks.note(now, 20, 0);
      peaks.search(1);
    }
    expect(peaks.period * peaks.slotMs).equal(45_000);
  });

  it('is not seen in a slow rise', () => {
    const peaks = new Recurrence(500, 480, 0);
    for (let now = 100; now <= 240_000; now += 100) {
      peaks.note(now, now / 10_000, 0);
      peaks.search(1);
    }
    expect(peaks.period).equal(0);
  });
});

describe('the gate of an expert', () => {
  it('opens once it has earned more than it cost, and closes again', () => {
    const gate = new Ledger();
    expect(gate.trusts).equal(false);
    gate.add(0, 100, 1_000);
    expect(gate.trusts).equal(true);
    gate.add(200, 0, 2_000);
    expect(gate.trusts).equal(false);
    gate.add(0, 100, 3_600_000);
    expect(gate.trusts).equal(true);
  });
});

describe('openings ahead of demand', () => {
  it('are fewer at once when they are slow or fail, and more again when they are not', () => {
    const openings = new Openings(20);
    for (let opened = 0; opened < 10; opened += 1) openings.opened(0, 10);
    const usual = openings.room(0);
    expect(usual).at.least(20);
    openings.opened(100, 200);
    expect(openings.room(0)).lessThan(usual);
    const slower = openings.room(0);
    openings.opened(150, 260);
    expect(openings.room(0), 'those of the same moment count once').at.least(slower);
    openings.failed(300, 310);
    openings.failed(400, 410);
    openings.failed(500, 510);
    expect(openings.room(0)).lessThan(slower / 4);
    for (let opened = 0; opened < 100; opened += 1) openings.opened(600, 610);
    expect(openings.room(3)).greaterThan(8);
  });
});

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
          const { target, ahead, protect } = forecaster.step({ ...each, now, min, limit });
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

  it('keeps keeping at its price', () => expect(keepingMs(4, 30_000)).equal(60));
});
