import { expect } from 'chai';
import { WarmFloor } from '../../../src/sizing/warm-floor.js';
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

  it('tells when it lets go', () => {
    const floor = new WarmFloor(() => {});
    const now = crowds(floor, 1, 8, 15_000);
    expect(floor.fallsAt(8, IDLE_MS, 0)).equal(now + IDLE_MS);
    expect(floor.fallsAt(9, IDLE_MS, 0)).equal(Number.POSITIVE_INFINITY);
  });
});
