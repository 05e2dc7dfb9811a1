import { expect } from 'chai';
import { coldWaitMs } from '../../../src/sizing/cost.js';
import type { Observation } from '../../../src/sizing/observation.js';
import { type Gap, WarmFloor } from '../../../src/sizing/warm-floor.js';
import { observed } from './observed.js';

const IDLE_MS = 10_000;

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
    // The upkeep closes it, half a second later at the latest.
    expect(floor.kept(now + IDLE_MS + 499, IDLE_MS, 0)).equal(8);
    expect(floor.kept(now + IDLE_MS + 500, IDLE_MS, 0)).equal(0);
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

  it('lets go in an idle load of what is not known to come back once keeping it has cost as much as its absence did', () => {
    const HOUR = 3_600_000;
    const leftAfter = (unprovenMs: number, connectMs: number, ms: number) => {
      const floor = new WarmFloor(() => {});
      const seen = { idleTimeoutMs: HOUR, unprovenMs, connectMs };
      floor.step(observed({ now: 100, peak: 8, ...seen }));
      floor.step(observed({ now: 200, ...seen }));
      return floor.kept(200 + ms, HOUR, 0);
    };
    expect(leftAfter(Number.POSITIVE_INFINITY, 1, HOUR - 1_000), 'else by the idle timeout').equal(8);
    expect(leftAfter(60_000, 1, 59_000)).equal(8);
    expect(leftAfter(60_000, 1, 61_000)).equal(0);
    expect(leftAfter(60_000, 400, 61_000), 'dear ones stay for longer').above(0);
    expect(leftAfter(60_000, 400, HOUR + 1_000), 'and no longer than the idle timeout').equal(0);
  });

  it('leaves to the season what the season foresees', () => {
    const floor = new WarmFloor(() => {});
    const now = crowds(floor, 12, 8, 15_000);
    expect(floor.kept(now + 2_000, IDLE_MS, 8)).equal(0);
    expect(floor.kept(now + 2_000, IDLE_MS, 3)).equal(4);
  });

  /** Demands of so many, each after so many milliseconds in which nobody came; what was told of the gaps. */
  function gapsOf(
    demands: readonly (readonly [gapMs: number, peak: number])[],
    more: Partial<Observation> = {},
  ) {
    const gaps: Gap[] = [];
    const floor = new WarmFloor((gap) => gaps.push(gap));
    let now = 0;
    for (const [gapMs, peak] of demands) {
      now += gapMs;
      floor.step(observed({ now, elapsedMs: gapMs, atRest: true, ...more }));
      now += 100;
      floor.step(observed({ now, peak, ...more }));
    }
    return { floor, gaps, now };
  }

  it('knows what it costs when a connection is not there once it was missing twice', () => {
    const costsOf = (...demands: [number, number][]) => gapsOf(demands).floor.missMs(1);
    expect(costsOf([1_000, 1])).equal(Number.POSITIVE_INFINITY);
    expect(costsOf([1_000, 1], [999, 1]), 'that was no gap').equal(Number.POSITIVE_INFINITY);
    // One caller waits for as long as a connection takes to open.
    expect(costsOf([1_000, 1], [1_000, 1])).equal(40);
    expect(
      gapsOf([
        [1_000, 1],
        [1_000, 1],
      ]).floor.missMs(2),
    ).equal(Number.POSITIVE_INFINITY);
  });

  it('tells of every gap what the ways through it cost', () => {
    const { gaps } = gapsOf([
      [1_000, 1],
      [5_000, 1],
      [20_000, 1],
    ]);
    expect(gaps.map(({ level, missMs }) => [level, missMs])).deep.equal([
      [1, 40],
      [1, 40],
    ]);
    // A connection that stands open for a second is worth half a millisecond of a wait.
    expect(gaps.map(({ keptMs, plainMs }) => [keptMs, plainMs])).deep.equal([
      [2.5, 2.5],
      [45, 45],
    ]);
    expect(
      gapsOf([
        [1_000, 1],
        [IDLE_MS, 1],
      ]).gaps[0],
      'just in time',
    ).include({ plainMs: 5 });
  });

  it('tells of each connection that was needed again, however many more are', () => {
    const { gaps } = gapsOf(
      [
        [1_000, 5],
        [5_000, 30],
        [5_000, 3],
      ],
      { limit: 40 },
    );
    expect(gaps.map(({ level }) => level)).deep.equal([1, 2, 3, 4, 5, 1, 2, 3]);
  });

  it('looks at the first dozen connections each for itself, and at those beyond in groups', () => {
    const { floor } = gapsOf(
      [
        [1_000, 160],
        [5_000, 160],
      ],
      { limit: 200 },
    );
    const missMs = (level: number) => floor.missMs(level);
    expect(missMs(39), 'in the group of the last').equal(missMs(40));
    expect(missMs(15), 'in another').above(missMs(40));
    expect(missMs(100)).above(missMs(150));
    expect(missMs(11)).above(missMs(12));
    expect(missMs(12)).above(missMs(13));
  });

  it('forgets within hours what it knew of gaps', () => {
    const HOUR = 3_600_000;
    const learned = Array.from({ length: 12 }, () => [15_000, 8] as const);
    const protectedAfter = (gapMs: number) => {
      const { floor, now } = gapsOf([...learned, [gapMs, 8]]);
      floor.step(observed({ now: now + 100 }));
      return floor.protectedAt(now + 12_000, IDLE_MS, 0);
    };
    expect(protectedAfter(15_000)).equal(4);
    expect(protectedAfter(6 * HOUR)).equal(0);
    const { floor, now } = gapsOf([...learned, [6 * HOUR, 8]]);
    floor.step(observed({ now: now + 100 }));
    expect(floor.kept(now + 5_000, IDLE_MS, 0), 'by the idle timeout, as at first').equal(8);
    const seldom = Array.from({ length: 10 }, () => [300_000, 1] as const);
    expect(keptMs([...learned, [6 * HOUR, 1], ...seldom]), 'by what is new').equal(1_000);
    expect(gapsOf([...learned, [15_000, 8]]).floor.missMs(1)).above(0);
    expect(gapsOf([...learned, [6 * HOUR, 8]]).floor.missMs(1), 'it was missing once').equal(
      Number.POSITIVE_INFINITY,
    );
  });

  /** How long the first connection is kept after these demands. */
  function keptMs(demands: readonly (readonly [number, number])[], more: Partial<Observation> = {}): number {
    const { floor, now } = gapsOf(demands, more);
    floor.step(observed({ now: now + 100, ...more }));
    return floor.fallsAt(1, more.idleTimeoutMs ?? IDLE_MS, 0) - now;
  }

  const often = (count: number) => Array.from({ length: count }, () => [15_000, 1] as const);

  it('keeps through the gaps that are worth it, and through longer ones while none was seen that was not', () => {
    expect(keptMs(often(2)), 'one gap is none').equal(IDLE_MS);
    expect(keptMs(often(3))).closeTo(24_000, 1e-6);
    // Bins are half an octave wide: 15 s are in the one that ends with 16 s.
    expect(keptMs(often(12))).closeTo(24_000, 1e-6);
    expect(keptMs([...often(6), [300_000, 1], ...often(12)])).closeTo(16_000, 1e-6);
  });

  for (const { what, gaps, idleTimeoutMs, keeps } of [
    // A connection that is not there costs 4 ms, and its keeping as much in 8 s.
    {
      what: 'all',
      gaps: [
        [6, 1_200],
        [6, 6_000],
      ],
      idleTimeoutMs: 2_000,
      keeps: 8_000,
    },
    {
      what: 'the shorter',
      gaps: [
        [12, 6_000],
        [3, 60_000],
      ],
      idleTimeoutMs: 60_000,
      keeps: 8_000,
    },
    {
      what: 'none',
      gaps: [
        [12, 6_000],
        [6, 60_000],
      ],
      idleTimeoutMs: 60_000,
      keeps: 1_000,
    },
  ] as const) {
    it(`keeps through ${what} of gaps [count, ms] ${JSON.stringify(gaps)}, as it costs least`, () => {
      const [[many, short], [few, long]] = gaps;
      const demands: [number, number][] = Array.from({ length: many + few }, (_, at) =>
        at % ((many + few) / few) === 0 ? [long, 1] : [short, 1],
      );
      expect(keptMs([[1_000, 1], ...demands], { idleTimeoutMs, connectMs: 4 })).closeTo(keeps, 1e-6);
    });
  }

  it('keeps for exactly as long as it says, and no longer', () => {
    const { floor, now } = gapsOf(often(12));
    expect(floor.protectedAt(now, IDLE_MS, 0), 'it is needed').equal(0);
    floor.step(observed({ now: now + 100 }));
    const fallsAt = floor.fallsAt(1, IDLE_MS, 0);
    expect([fallsAt - 1, fallsAt].map((at) => floor.protectedAt(at, IDLE_MS, 0))).deep.equal([1, 0]);
    expect(fallsAt).below(now + 60_000);
    expect([fallsAt - 1, fallsAt].map((at) => floor.kept(at, 60_000, 0))).deep.equal([1, 0]);
  });

  it('is not judged by what it would have said before it knew anything', () => {
    expect(
      keptMs(
        [
          [1_000, 1],
          [300_000, 1],
          [50_000, 1],
        ],
        { idleTimeoutMs: 60_000 },
      ),
    ).equal(60_000);
  });

  it('counts a connection as missing when it is needed anew, not while it is needed', () => {
    const { floor } = gapsOf([[1_000, 3]]);
    for (let now = 1_200; now < 2_000; now += 100) floor.step(observed({ now, peak: 3 }));
    expect([1, 2, 3].map((level) => floor.missMs(level))).deep.equal(Array(3).fill(Number.POSITIVE_INFINITY));
  });

  it('takes the load of a crowd for what such crowds usually bring, of which their first moment shows only a part', () => {
    for (const { peak, load, limit } of [
      { peak: 8, load: 6, limit: 20 },
      { peak: 8, load: 100, limit: 20 },
      { peak: 60, load: 6, limit: 8 },
    ]) {
      const floor = new WarmFloor(() => {});
      let now = 0;
      const step = (more: Partial<Observation>) => {
        now += more.elapsedMs ?? 100;
        floor.step(observed({ now, limit, ...more }));
      };
      for (let count = 0; count < 200; count += 1) step({ peak, load });
      step({ peak, load: 0, elapsedMs: 5_000, atRest: true });
      step({ peak: 0, elapsedMs: 5_000 });
      step({ peak, load: 0.1 });
      const [known, usual] = [Math.min(load, 8), load].map((of) => {
        const demand = observed({ peak, load: of });
        return coldWaitMs(demand, 7) - coldWaitMs(demand, 8);
      });
      expect(floor.missMs(8), JSON.stringify({ peak, load })).closeTo((known! + usual!) / 2, 1e-6);
    }
  });

  it('keeps in an idle load for as long as its keeping costs no more than its absence did', () => {
    const HOUR = 3_600_000;
    expect(keptMs([[1_000, 1]], { idleTimeoutMs: HOUR, unprovenMs: 60_000 }), '40 ms').equal(80_000);
  });

  it('goes by the idle timeout after a crowd that a pool could have served at once', () => {
    const floor = new WarmFloor(() => {});
    const now = crowds(floor, 1, 20, 15_000);
    expect(floor.protectedAt(now + 1.1 * IDLE_MS, IDLE_MS, 0)).equal(0);
  });

  it('does not let go of what is needed', () => {
    const { floor, now } = gapsOf([[1_000, 3]]);
    expect([1, 3, 4].map((level) => floor.fallsAt(level, IDLE_MS, 0))).deep.equal(
      Array(3).fill(Number.POSITIVE_INFINITY),
    );
    expect(floor.kept(now + 600_000, IDLE_MS, 0)).equal(3);
    expect(floor.protectedAt(now, IDLE_MS, 0)).equal(0);
  });

  it('tells when it lets go', () => {
    const floor = new WarmFloor(() => {});
    const now = crowds(floor, 1, 8, 15_000);
    expect(floor.fallsAt(8, IDLE_MS, 0)).equal(now + IDLE_MS);
    expect(floor.fallsAt(4, IDLE_MS, 3)).equal(now + IDLE_MS);
    expect(floor.fallsAt(3, IDLE_MS, 3), 'the season knows when it is needed').equal(now + 1_000);
    expect(floor.fallsAt(9, IDLE_MS, 0)).equal(Number.POSITIVE_INFINITY);
  });
});
