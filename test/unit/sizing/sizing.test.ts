import { expect } from 'chai';
import type { ResolvedOptions } from '../../../src/config.js';
import { Histogram } from '../../../src/histogram.js';
import { OPTIMIZATION_NAMES, type OptimizationName } from '../../../src/rollout/flags.js';
import { Openings } from '../../../src/sizing/openings.js';
import { type PoolView, Sizing } from '../../../src/sizing/sizing.js';
import type { WorkloadChange } from '../../../src/sizing/workload.js';

const acting = Object.fromEntries(OPTIMIZATION_NAMES.map((name) => [name, true])) as Record<
  OptimizationName,
  boolean
>;
const options = { min: 0, max: 20, idleTimeoutMs: 10_000 } as ResolvedOptions;

/** What a pool counts, and the sizing that observes it. */
class Upkeep {
  readonly changes: WorkloadChange[] = [];
  readonly sizing = new Sizing(acting, new Openings(() => 20), 0, {
    onDecision() {},
    onSeasonFault() {},
    onWorkload: (change) => this.changes.push(change),
  });
  readonly useTimes = new Histogram();
  readonly createTimes = new Histogram();
  arrivals = 0;
  now = 0;

  at(now: number, more: Partial<PoolView> = {}): boolean {
    this.now = now;
    const { useTimes, createTimes, arrivals } = this;
    const counted = { restedUntil: Number.NEGATIVE_INFINITY, peak: 0, demand: 0, open: 0, limit: 20 };
    return this.sizing.observe({ now, useTimes, createTimes, arrivals, options, ...counted, ...more });
  }

  nextDueAt(open: number, more: Partial<ResolvedOptions> = {}): number {
    return this.sizing.nextDueAt(open, { ...options, ...more }, this.now);
  }
}

describe('the sizing of a pool', () => {
  it('observes what half a step has brought, and a rest as soon as it is over', () => {
    const upkeep = new Upkeep();
    expect(upkeep.at(49)).equal(false);
    expect(upkeep.at(50)).equal(true);
    expect(upkeep.at(1_049, { restedUntil: 1_000 }), 'what came after the rest goes into the next').equal(
      false,
    );
    expect(upkeep.sizing.observedAt).equal(1_000);
    expect(upkeep.at(2_000, { restedUntil: 2_000 })).equal(true);
    expect(upkeep.sizing.observedAt).equal(2_000);
  });

  it('takes the demand at the end of a step for what a rest after it holds', () => {
    const upkeep = new Upkeep();
    upkeep.at(100, { peak: 3, demand: 3 });
    upkeep.at(50_000, { restedUntil: 50_000 });
    expect(upkeep.sizing.outlook(50_000).target).equal(3);
    upkeep.at(50_100, { peak: 2, demand: 5 });
    expect(upkeep.sizing.forecast).include({ target: 5, reason: 'reactive' });
  });

  it('has what is needed no more closed by one a second, or by a tenth', () => {
    const { sizing } = new Upkeep();
    expect([999, 1_000, 1_001, 2_000].map((now) => sizing.surplus(5, now))).deep.equal([0, 1, 0, 1]);
    expect([2_333, 2_334, 3_334].map((now) => sizing.surplus(30, now))).deep.equal([0, 1, 3]);
    expect(sizing.surplus(5, 100_000), 'no more than there are').equal(5);
    expect(sizing.surplus(0, 200_000)).equal(0);
    expect(sizing.surplus(5, 200_500), 'since when they were needed').equal(0);
  });

  it('says when a pool at rest has something to close', () => {
    const upkeep = new Upkeep();
    upkeep.at(100, { peak: 8 });
    upkeep.at(200);
    expect(upkeep.nextDueAt(8), 'when the last of those kept falls').equal(10_100);
    expect(upkeep.nextDueAt(9), 'one of those that are not kept').equal(1_200);
    expect(upkeep.nextDueAt(8, { min: 8 })).equal(Number.POSITIVE_INFINITY);
    expect(upkeep.nextDueAt(8, { idleTimeoutMs: 0 })).equal(Number.POSITIVE_INFINITY);
    upkeep.now = 10_050;
    expect(upkeep.nextDueAt(8), 'not before the next step').equal(10_150);
  });

  it('says when a pool at rest is to look for the callers that it foresees', () => {
    const upkeep = new Upkeep();
    for (let step = 0; step < 2_925; step += 1) {
      const crowd = step % 150 < 4;
      if (crowd) upkeep.arrivals += 100;
      upkeep.at(100 * (step + 1), { peak: crowd ? 12 : 0 });
    }
    expect(upkeep.sizing.report(upkeep.now, options, 1, true)).include({ periodMs: 15_000 });
    // Half a second, a step and twice what a connection takes, before the next crowd at 300 s.
    expect(upkeep.nextDueAt(0)).equal(299_300);
    expect(upkeep.nextDueAt(12, { min: 12 })).equal(299_300);
    expect(upkeep.nextDueAt(12), 'those are not kept').equal(293_500);
    upkeep.now = 299_000;
    expect(upkeep.nextDueAt(12, { min: 12 }), 'where enough are open').equal(299_400);
    expect(upkeep.nextDueAt(0)).equal(299_300);
  });

  it('leaves a short queue to what comes back, as long as that is sooner', () => {
    const upkeep = new Upkeep();
    const within: number[] = [];
    const forbearsFor = (waitedMs: number, leased = 8) => {
      const queue = { now: upkeep.now, waiting: 1, waitedMs, open: 7 };
      const until = upkeep.sizing.forbearsUntil(queue, (withinMs) => {
        within.push(withinMs);
        return leased;
      });
      return until === undefined ? undefined : until - upkeep.now;
    };
    upkeep.at(100);
    expect(forbearsFor(0), 'nothing is known of holds').equal(undefined);
    upkeep.useTimes.record(4);
    upkeep.at(200, { peak: 8 });
    expect(forbearsFor(0), 'nor of what the absence of one costs').equal(undefined);
    for (const now of [300, 2_000, 2_100]) upkeep.at(now, { peak: now === 2_100 ? 8 : 0 });
    expect(forbearsFor(0)).equal(5);
    expect(forbearsFor(0, 0), 'nothing comes back').equal(undefined);
    // A sixteenth of an opening, ten at the most, and five at the least.
    upkeep.createTimes.record(200);
    upkeep.at(2_200);
    expect([1, 4, 8, 11].map((waitedMs) => forbearsFor(waitedMs))).deep.equal([9, 6, 5, undefined]);
    upkeep.useTimes.record(14);
    upkeep.at(2_300);
    forbearsFor(1);
    expect([within[0], within.at(-1)], 'of four holds, the newest of which count for a tenth').deep.equal([
      16, 20,
    ]);
  });

  it('opens ahead of a load that rises, by what came in each step and how long that is held', () => {
    const upkeep = new Upkeep();
    upkeep.createTimes.record(900);
    upkeep.useTimes.record(100);
    let open = 0;
    for (let step = 1; step <= 70; step += 1) {
      const load = Math.round(step / 4);
      upkeep.arrivals += load;
      upkeep.at(100 * step, { peak: load, demand: load, open });
      open = load;
    }
    expect(upkeep.sizing.forecast.reason).equal('trend');
    expect(upkeep.sizing.forecast.ahead).within(18, 20);
    expect(upkeep.sizing.outlook(7_000)).include({ target: upkeep.sizing.forecast.target });
  });

  it('tells once what its load and its queries have become, adds up what was needed, and goes by it', () => {
    const upkeep = new Upkeep();
    for (let step = 1; step <= 900; step += 1) {
      upkeep.arrivals += 2;
      upkeep.useTimes.record(2_500);
      upkeep.at(100 * step, { peak: 5, demand: 5, open: 8 });
    }
    expect(upkeep.changes).deep.equal([
      { axis: 'shape', from: 'idle', to: 'steady' },
      { axis: 'mix', from: 'oltp', to: 'analytic' },
    ]);
    expect(upkeep.sizing.outlook(upkeep.now)).include({ workload: 'steady', mix: 'analytic' });
    expect(upkeep.sizing.policy).include({ rotatesSlowly: true, comparable: false });
    const { usage } = upkeep.sizing.report(upkeep.now, options, 1, true);
    expect(usage).deep.equal({ peak: 5, peakAgoMs: 0, openMs: 8 * 90_000, unneededMs: 3 * 90_000 });
  });
});
