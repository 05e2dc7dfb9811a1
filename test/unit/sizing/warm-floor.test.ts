import { expect } from 'chai';
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
  function gapsOf(demands: readonly (readonly [gapMs: number, peak: number])[], limit = 20) {
    const gaps: Gap[] = [];
    const floor = new WarmFloor((gap) => gaps.push(gap));
    let now = 0;
    for (const [gapMs, peak] of demands) {
      now += gapMs;
      floor.step(observed({ now, elapsedMs: gapMs, atRest: true, limit }));
      now += 100;
      floor.step(observed({ now, peak, limit }));
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
  });

  it('tells of each connection that was needed again, however many more are', () => {
    const { gaps } = gapsOf(
      [
        [1_000, 5],
        [5_000, 30],
        [5_000, 3],
      ],
      40,
    );
    expect(gaps.map(({ level }) => level)).deep.equal([1, 2, 3, 4, 5, 1, 2, 3]);
  });

  it('looks at the first dozen connections each for itself, and at those beyond in groups', () => {
    const { floor } = gapsOf(
      [
        [1_000, 40],
        [5_000, 40],
      ],
      50,
    );
    const missMs = (level: number) => floor.missMs(level);
    expect(missMs(39), 'in the group of the last').equal(missMs(40));
    expect(missMs(15), 'in another').above(missMs(40));
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
    expect(gapsOf([...learned, [15_000, 8]]).floor.missMs(1)).above(0);
    expect(gapsOf([...learned, [6 * HOUR, 8]]).floor.missMs(1), 'it was missing once').equal(
      Number.POSITIVE_INFINITY,
    );
  });

  it('keeps through the gaps that are worth it, and through longer ones while none was seen that was not', () => {
    const often = (count: number) => Array.from({ length: count }, () => [15_000, 1] as const);
    const keptMs = (demands: readonly (readonly [number, number])[]) => {
      const { floor, now } = gapsOf(demands);
      floor.step(observed({ now: now + 100 }));
      return floor.fallsAt(1, IDLE_MS, 0) - now;
    };
    // Bins are half an octave wide: 15 s are in the one that ends with 16 s.
    expect(keptMs(often(12))).closeTo(24_000, 1e-6);
    expect(keptMs([...often(6), [300_000, 1], ...often(12)])).closeTo(16_000, 1e-6);
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
