import { expect } from 'chai';
import { Breaker } from '../../src/breaker/breaker.js';
import { Addresses } from '../../src/health/addresses.js';
import { Failover } from '../../src/health/failover.js';
import { FAILURES } from '../../src/health/failure.js';
import { StaleReads } from '../../src/health/stale-reads.js';
import { StallWatch } from '../../src/health/stall.js';
import { IdleTrust } from '../../src/health/trust.js';
import type { OptimizationFlags, OptimizationName } from '../../src/index.js';
import { BUILT_OPTIMIZATIONS } from '../../src/rollout/flags.js';
import { Cheapest } from '../../src/selection/cheapest.js';
import { Lanes } from '../../src/selection/lanes.js';
import * as packing from '../../src/selection/packing.js';
import { Priorities } from '../../src/selection/priorities.js';
import { BurstAlarm } from '../../src/sizing/burst-alarm.js';
import { Forecaster } from '../../src/sizing/forecaster.js';
import { LimitProbe } from '../../src/sizing/limit-probe.js';
import type { Observation } from '../../src/sizing/observation.js';
import { Seasonal } from '../../src/sizing/seasonal.js';
import { Trend } from '../../src/sizing/trend.js';
import type { Slot } from '../../src/slots.js';
import { type Load, MIXED, SHORT, World } from './sabotage-world.js';

/** A function or method of an adviser, while it is replaced by one that is wrong. */
type Wrong = () => () => void;

function replace<Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  wrong: (sound: Owner[Name]) => Owner[Name],
): Wrong {
  return () => {
    const sound = owner[name];
    owner[name] = wrong(sound);
    return () => {
      owner[name] = sound;
    };
  };
}

const both =
  (...wrongs: Wrong[]): Wrong =>
  () => {
    const ends = wrongs.map((wrong) => wrong());
    return () => {
      for (const end of ends) end();
    };
  };

/** Lanes that are kept whatever the load is, with a reserve of their own or of so many. */
function alwaysMixed(reserve?: (max: number) => number): Wrong {
  return replace(
    Lanes.prototype,
    'tick',
    (sound) =>
      function tick(this: Lanes, now, leased, max) {
        sound.call(this, now, leased, max);
        this.mixed = true;
        if (reserve !== undefined) this.reserve = reserve(max);
      },
  );
}

async function sabotaged<T>(wrong: Wrong, run: () => Promise<T>): Promise<T> {
  const end = wrong();
  try {
    return await run();
  } finally {
    end();
  }
}

const failures = FAILURES as { -readonly [Pattern in keyof typeof FAILURES]: (typeof FAILURES)[Pattern] };
const packings = packing as { pack: typeof packing.pack; spread: typeof packing.spread };

/** Puts everything onto the connection that has most to do. */
const fullest: typeof packing.pack = (shared) =>
  shared.filter(({ holders, depth }) => holders < depth).sort((one, other) => other.holders - one.holders)[0];

/** Throws at every thousandth question. */
function throwing<F extends (...given: never[]) => unknown>(sound: F): F {
  let calls = 0;
  return function sometimes(this: unknown, ...given: never[]) {
    calls += 1;
    if (calls % 1_000 === 0) throw new TypeError('sabotage');
    return sound.apply(this, given);
  } as F;
}

/** One optimisation that is wrong in one way. A new optimisation adds its rows. */
interface Sabotage {
  readonly optimization: OptimizationName;
  readonly because: string;
  readonly load: Load;
  readonly wrong: Wrong;
  /** What else must be on for it to do its harm. */
  readonly beside?: OptimizationFlags;
  readonly reason: RegExp;
  /** For how long it is sound before, so that it has earned its place. */
  readonly soundSeconds?: number;
  /** When it first does harm, where that is later: a thousandth question may be long in coming. */
  readonly harmsAtSeconds?: number;
}

const FAILING: Load = { ...SHORT, errors: { share: 0.02, code: '25006' }, openMs: 5 };
const RESTING: Load = { callers: 12, serviceMs: 4, thinkMs: 200, checkAfterIdleMs: 300, checkMs: 5 };
/** Crowds that come twice a minute, to a pool with much room. */
const RECURRING: Load = {
  callers: 4,
  serviceMs: 4,
  thinkMs: 20,
  max: 100,
  openMs: 50,
  crowds: { everyMs: 30_000, callers: 30 },
};
const CHURNING: Load = { ...SHORT, callers: 16, maxUses: 20, openMs: 5 };

/** Says ten times what it would have said. */
function tenfold<Expert extends { step(seen: Observation): number }>(expert: Expert): Wrong {
  return replace(
    expert,
    'step',
    (sound) =>
      function step(this: Expert, seen: Observation) {
        return 10 * sound.call(this, seen);
      } as Expert['step'],
  );
}

/** Whoever holds a connection. */
let held: Slot<unknown>[] = [];

/** Takes every lease for silent. */
function suspicious(): Wrong {
  return replace(
    StallWatch.prototype,
    'look',
    (sound) =>
      function look(this: StallWatch<unknown>, slots, bytesOf, now) {
        const busy = [...slots].filter(({ holders }) => holders > 0);
        sound.call(this, busy, bytesOf, now);
        held = busy;
        return busy;
      },
  );
}

const SABOTAGES: readonly Sabotage[] = [
  {
    optimization: 'pipelining',
    because: 'it picks the worst connection',
    load: SHORT,
    wrong: replace(packings, 'pack', () => fullest),
    reason: /was worse with it/,
  },
  {
    optimization: 'pipelining',
    because: 'it packs ten times too deep',
    load: { ...SHORT, sharedCostMs: 0.5, serviceMs: 4 },
    wrong: replace(
      packings,
      'pack',
      () => (shared, costMs) => shared.find(({ loadMs }) => loadMs + costMs <= 10),
    ),
    reason: /was worse with it/,
  },
  {
    optimization: 'pipelining',
    because: 'it throws one time in a thousand',
    load: SHORT,
    wrong: replace(packings, 'pack', throwing),
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'pipelinedWrites',
    because: 'it lets writes onto the worst connection',
    load: { ...SHORT, writes: true },
    beside: { pipelining: 'on' },
    wrong: replace(packings, 'pack', () => fullest),
    reason: /was worse with it/,
  },
  {
    optimization: 'lanes',
    because: 'they call everything slow, and reserve all connections but one',
    load: MIXED,
    wrong: both(
      replace(Lanes.prototype, 'laneOf', () => () => 'slow'),
      alwaysMixed((max) => max - 1),
    ),
    reason: /was worse with it/,
  },
  {
    optimization: 'lanes',
    because: 'they leak a place in the slow lane with every lease',
    load: MIXED,
    wrong: replace(Lanes.prototype, 'slowEnded', () => () => {}),
    reason: /was worse with it/,
  },
  {
    optimization: 'lanes',
    because: 'they let nobody in',
    load: MIXED,
    wrong: both(
      replace(Lanes.prototype, 'next', () => () => undefined),
      replace(Lanes.prototype, 'admits', () => () => false),
      alwaysMixed(),
    ),
    reason: /callers waited beside an idle connection/,
  },
  {
    optimization: 'lanes',
    because: 'they throw one time in a thousand',
    load: MIXED,
    wrong: replace(Lanes.prototype, 'laneOf', throwing),
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'selection',
    because: 'it throws one time in a thousand',
    load: SHORT,
    wrong: replace(Cheapest.prototype, 'choose', throwing),
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'affinity',
    because: 'it throws one time in a thousand',
    load: SHORT,
    wrong: replace(Cheapest.prototype, 'choose', throwing),
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'autoPrepare',
    because: 'it prepares what then takes half as long again',
    load: { ...SHORT, preparedTakes: 1.5 },
    wrong: () => () => {},
    reason: /was worse with it/,
  },
  {
    optimization: 'autoPrepareInTransactions',
    because: 'it prepares what then takes half as long again',
    load: { ...SHORT, preparedTakes: 1.5, inTransactions: true },
    beside: { autoPrepare: 'on' },
    wrong: () => () => {},
    reason: /was worse with it/,
  },
  {
    optimization: 'errorClassify',
    because: 'it takes every error for a failover',
    load: { ...FAILING, errors: { share: 0.02, code: '23505' } },
    wrong: both(
      replace(failures, 'statement_error', () => FAILURES.read_only),
      replace(Failover.prototype, 'refused', () => () => true),
    ),
    beside: { failoverPurge: 'on' },
    reason: /was worse with it/,
  },
  {
    optimization: 'failoverPurge',
    because: 'it takes every refused write for a failover',
    load: FAILING,
    wrong: replace(Failover.prototype, 'refused', () => () => true),
    beside: { errorClassify: 'on' },
    reason: /was worse with it/,
  },
  {
    optimization: 'breaker',
    because: 'it lets one connection open a second',
    load: CHURNING,
    wrong: replace(Breaker.prototype, 'room', () => (now) => (now % 1_000 < 10 ? 1 : 0)),
    beside: { errorClassify: 'on' },
    reason: /was worse with it/,
  },
  {
    optimization: 'stallWatchdog',
    because: 'it would cut whoever is at work',
    load: MIXED,
    wrong: both(
      suspicious(),
      replace(StallWatch.prototype, 'lost', () => () => held),
    ),
    reason: /would have cut a connection that the server may work for/,
  },
  {
    optimization: 'stallWatchdog',
    because: 'what it asks the server calls every connection dead',
    load: { ...MIXED, lies: true },
    wrong: both(
      suspicious(),
      replace(StallWatch.prototype, 'wantsToAsk', () => () => true),
      replace(StallWatch.prototype, 'asks', () => () => held),
      replace(StallWatch.prototype, 'isStillSilent', () => () => true),
    ),
    reason: /was worse with it/,
  },
  {
    optimization: 'stallWatchdog',
    because: 'it throws one time in a thousand',
    load: SHORT,
    wrong: replace(StallWatch.prototype, 'learnAnswer', throwing),
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'seasonal',
    because: 'it predicts ten times too much',
    load: RECURRING,
    wrong: tenfold(Seasonal.prototype),
    beside: { forecaster: 'on' },
    soundSeconds: 300,
    reason: /its decisions cost .* times the plain ones/,
  },
  {
    optimization: 'seasonal',
    because: 'it throws one time in a thousand',
    load: RECURRING,
    wrong: replace(Seasonal.prototype, 'step', throwing),
    beside: { forecaster: 'on' },
    harmsAtSeconds: 100,
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'forecaster',
    because: 'it throws one time in a thousand',
    load: RECURRING,
    wrong: replace(Forecaster.prototype, 'step', throwing),
    harmsAtSeconds: 100,
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'limitProbe',
    because: 'it throws one time in a thousand',
    load: SHORT,
    wrong: replace(LimitProbe.prototype, 'step', throwing),
    harmsAtSeconds: 100,
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'degradedShed',
    because: 'it throws one time in a thousand',
    load: SHORT,
    wrong: replace(Priorities.prototype, 'toShed', throwing),
    harmsAtSeconds: 100,
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'staleReads',
    because: 'it throws one time in a thousand',
    load: SHORT,
    wrong: replace(StaleReads.prototype, 'isOver', throwing),
    harmsAtSeconds: 100,
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'addressWatch',
    because: 'it throws one time in a thousand',
    load: SHORT,
    wrong: replace(Addresses.prototype, 'due', throwing),
    harmsAtSeconds: 100,
    reason: /it threw a TypeError/,
  },
  {
    optimization: 'learnedValidation',
    because: 'it trusts no connection at all',
    load: RESTING,
    wrong: replace(
      IdleTrust.prototype,
      'passed',
      () =>
        function passed(this: IdleTrust) {
          this.checkAfterMs = 0;
        },
    ),
    reason: /acquire p95 was worse with it/,
  },
  {
    optimization: 'learnedValidation',
    because: 'it throws one time in a thousand',
    load: { ...RESTING, checkAfterIdleMs: 10 },
    wrong: replace(IdleTrust.prototype, 'passed', throwing),
    harmsAtSeconds: 30,
    reason: /it threw a TypeError/,
  },
];

const RUN_SECONDS = 400;
const plainRuns = new Map<string, Promise<World>>();

/** The same traffic without the optimisation. */
function runPlain(load: Load, beside: OptimizationFlags): Promise<World> {
  const key = JSON.stringify([load, beside]);
  const run = plainRuns.get(key) ?? new World(1, beside, load).run(RUN_SECONDS);
  plainRuns.set(key, run);
  return run;
}

describe('an optimisation that is wrong', function () {
  this.timeout(180_000);

  for (const sabotage of SABOTAGES) {
    const { optimization, because, load, wrong, beside = {}, soundSeconds = 0, reason } = sabotage;
    it(`${optimization}, because ${because}, is taken back in time and at little damage`, async () => {
      const begun = await new World(1, { ...beside, [optimization]: 'auto' }, load).run(soundSeconds);
      const world = await sabotaged(wrong, () => begun.run(RUN_SECONDS - soundSeconds));
      const { harmsAtSeconds = soundSeconds } = sabotage;
      // One that is wrong from the start is never accepted.
      const revert =
        harmsAtSeconds > 0 ? world.changes.find(({ to }) => to === 'reverted') : world.changes[0];
      const plain = await runPlain(load, beside);
      expect(revert).include({ name: optimization, to: 'reverted' });
      expect(revert!.reason).match(reason);
      expect(revert!.at - harmsAtSeconds * 1_000).at.most(30_000);
      expect(world.p95() / plain.p95(), 'damage').below(1.1);
      expect(world.failures).equal(0);
      expect(world.pool.stats().leased, 'leases that nobody gives back').at.most(6);
    });
  }

  it('has a row for each optimisation', () => {
    const rows = new Set(SABOTAGES.map(({ optimization }) => optimization));
    expect(BUILT_OPTIMIZATIONS.filter((name) => !rows.has(name))).deep.equal([]);
  });

  it('is not heard where it is one of several who forecast, and predicts ten times too much from the start', async () => {
    const wrong = [Seasonal.prototype, Trend.prototype, BurstAlarm.prototype].map(tenfold);
    const flags: OptimizationFlags = { forecaster: 'on', seasonal: 'auto' };
    const world = await sabotaged(both(...wrong), () => new World(1, flags, RECURRING).run(RUN_SECONDS));
    const plain = await runPlain(RECURRING, {});
    expect(world.pool.counters.openedAhead).below(10);
    expect(world.p95() / plain.p95()).below(1.1);
  });

  it('is not what an optimisation is called that makes no difference', async () => {
    const reverts: string[] = [];
    for (let seed = 1; seed <= 20; seed += 1) {
      const world = await new World(seed, { autoPrepare: 'auto' }, seed % 2 ? SHORT : MIXED).run(120);
      for (const { to, reason } of world.changes) if (to !== 'accepted') reverts.push(reason);
    }
    expect(reverts).deep.equal([]);
  });

  it('in shadow, or off, does nothing', async () => {
    for (const setting of ['off', 'shadow'] as const) {
      const world = await sabotaged(
        replace(packings, 'pack', () => fullest),
        () => new World(1, { pipelining: setting }).run(20),
      );
      expect(world.pool.counters.shared).equal(0);
    }
  });

  for (const method of [
    'laneOf',
    'took',
    'slowBegan',
    'learn',
    'tick',
    'slowEnded',
    'admits',
    'next',
  ] as const) {
    for (const setting of ['on', 'auto'] as const) {
      it(`because ${method} of the lanes throws, while they are ${setting}, costs no caller an answer`, async () => {
        const sound = Lanes.prototype[method];
        const world = await new World(1, { lanes: setting }, MIXED).run(20);
        const answeredBefore = world.latencies.length;
        Lanes.prototype[method] = () => {
          throw new TypeError('sabotage');
        };
        try {
          await world.run(20);
        } finally {
          Lanes.prototype[method] = sound as never;
        }
        expect(world.failures).equal(0);
        // What was set to `on` is not taken back, and may go on counting wrong.
        const share = setting === 'auto' ? 0.8 : 0.4;
        expect(world.latencies.length - answeredBefore, 'answers with the fault').above(
          answeredBefore * share,
        );
        await world.run(2);
        expect(world.pool.stats().leased, 'leases that nobody gives back').at.most(6);
      });
    }
  }
});
