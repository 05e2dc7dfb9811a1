import { expect } from 'chai';
import { inRollout } from '../../../src/rollout/assignment.js';
import { Evidence } from '../../../src/rollout/evidence.js';
import { everyFlag, type OptimizationFlags, resolveFlags } from '../../../src/rollout/flags.js';
import { type FlagChange, Rollout } from '../../../src/rollout/rollout.js';
import { VirtualRuntime } from '../../simulation/virtual-runtime.js';

const TICK_MS = 100;

/** A pool's numbers as a rollout sees them: waits that come in waves, as real ones do. */
class Traffic {
  readonly rollout: Rollout;
  readonly changes: (FlagChange & { readonly at: number })[] = [];
  now = 0;
  leases = 0;
  readonly #random: VirtualRuntime;
  readonly #harm: (rollout: Rollout) => number;
  #wave = 1;

  constructor(seed: number, flags: OptimizationFlags, harm: (rollout: Rollout) => number = () => 1) {
    this.#random = new VirtualRuntime(seed);
    this.#harm = harm;
    this.rollout = new Rollout(
      resolveFlags({ ...everyFlag('off'), ...flags }),
      () => this.#random.random(),
      0,
    );
  }

  run(durationMs: number, leasesPerTick = 5): this {
    for (const until = this.now + durationMs; this.now < until; ) {
      this.now += TICK_MS;
      this.#wave = Math.max(0.1, this.#wave * (0.8 + 0.4 * this.#random.random()) + 0.01);
      for (let lease = 0; lease < leasesPerTick; lease += 1) {
        const chance = this.#random.random();
        const waitedMs = this.#wave * this.#harm(this.rollout) * -Math.log(1 - chance) * 3;
        this.rollout.recordWait(waitedMs);
        this.rollout.recordHold(0.7 + 0.6 * this.#random.random());
        this.leases += 1;
      }
      const totals = { leases: this.leases, failed: 0, faults: 0, opened: 0 };
      for (const change of this.rollout.tick(this.now, totals, 0))
        this.changes.push({ ...change, at: this.now });
    }
    return this;
  }

  stageOf(name: keyof OptimizationFlags) {
    return this.rollout.report().find((flag) => flag.name === name)!;
  }
}

describe('evidence', () => {
  it('grows while the first of a pair is the larger, and not while neither is', () => {
    const evidence = new Evidence();
    for (let pair = 0; pair < 12; pair += 1) evidence.add(Math.log(1.3), 0.1);
    expect(evidence.capital).above(1_000);
    const none = new Evidence();
    for (let pair = 0; pair < 100; pair += 1) none.add(0.05, 0.1);
    expect(none.capital).equal(1);
  });

  it('reaches 1/α by chance in a share of α at most, however often it is asked', () => {
    const runtime = new VirtualRuntime(7);
    let reached = 0;
    for (let run = 0; run < 2_000; run += 1) {
      const evidence = new Evidence();
      let highest = 0;
      for (let pair = 0; pair < 200; pair += 1) {
        evidence.add(runtime.random() - 0.5, 0);
        highest = Math.max(highest, evidence.capital);
      }
      if (highest >= 50) reached += 1;
    }
    expect(reached / 2_000).below(0.02);
  });
});

describe('a rollout', () => {
  it('leaves alone what the user decided', () => {
    const { rollout } = new Traffic(1, { lanes: 'on', affinity: 'shadow' }).run(60_000);
    expect(rollout.acting).include({ lanes: true, affinity: false, breaker: false });
    expect(rollout.onProbation).equal(false);
  });

  it('takes part in turns with an optimisation on trial, then accepts it, and looks at it now and then', () => {
    const traffic = new Traffic(2, { lanes: 'auto' }).run(60_000);
    expect(traffic.changes.map(({ to }) => to)).deep.equal(['accepted']);
    expect(traffic.run(600_000).stageOf('lanes')).include({ stage: 'accepted' });
    expect(traffic.stageOf('lanes').exposure).within(0.85, 0.99);
  });

  it('takes back one that makes callers wait, within 30 seconds, and says why', () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const traffic = new Traffic(seed, { lanes: 'auto' }, (rollout) => (rollout.acting.lanes ? 4 : 1));
      traffic.run(40_000);
      const [revert] = traffic.changes;
      expect(revert, `seed ${seed}`).include({ name: 'lanes', to: 'reverted' });
      expect(revert!.at, `seed ${seed}`).at.most(30_000);
      expect(revert!.reason).contain('acquire p95 was worse');
      expect(traffic.rollout.acting.lanes).equal(false);
    }
  });

  it('does not blame those who are on trial beside it', () => {
    let blamed = 0;
    for (let seed = 1; seed <= 100; seed += 1) {
      const flags: OptimizationFlags = { lanes: 'auto', affinity: 'auto', breaker: 'auto' };
      const traffic = new Traffic(seed, flags, (rollout) => (rollout.acting.lanes ? 4 : 1)).run(60_000);
      expect(traffic.stageOf('lanes').stage, `seed ${seed}`).equal('reverted');
      blamed += traffic.changes.filter(({ name, to }) => name !== 'lanes' && to === 'reverted').length;
    }
    expect(blamed).at.most(2);
  });

  it('takes anything back in less than 1 % of 1,000 pools with every flag on trial and nothing wrong', function () {
    this.timeout(120_000);
    let blamed = 0;
    for (let seed = 1; seed <= 1_000; seed += 1) {
      const { rollout } = new Traffic(seed, everyFlag('auto')).run(300_000, 2);
      if (rollout.report().some(({ reverts }) => reverts > 0)) blamed += 1;
    }
    expect(blamed).below(10);
  });

  it('tries again after ten minutes, then twenty, and gives up after the third time', () => {
    const traffic = new Traffic(3, { lanes: 'auto' }, (rollout) => (rollout.acting.lanes ? 4 : 1));
    traffic.run(3_600_000);
    const reverted = traffic.changes.filter(({ to }) => to === 'reverted' || to === 'given_up');
    expect(reverted.map(({ to }) => to)).deep.equal(['reverted', 'reverted', 'given_up']);
    expect(reverted[1]!.at - reverted[0]!.at).within(600_000, 660_000);
    expect(reverted[2]!.at - reverted[1]!.at).within(1_200_000, 1_260_000);
    expect(traffic.run(3_600_000).stageOf('lanes')).include({ stage: 'given_up', acting: false, reverts: 3 });
  });

  it('takes back at once what threw', () => {
    const traffic = new Traffic(4, { lanes: 'auto' }).run(5_000);
    traffic.rollout.trip('lanes', 'it threw: TypeError', traffic.now);
    expect(traffic.rollout.acting.lanes).equal(false);
    expect(traffic.run(1_000).changes[0]).include({ to: 'reverted', reason: 'it threw: TypeError' });
  });

  it('takes back what decides at a higher cost than the plain way', () => {
    const traffic = new Traffic(5, { forecaster: 'auto' });
    for (let decision = 0; decision < 100; decision += 1) traffic.rollout.recordRegret('forecaster', 10, 2);
    expect(traffic.run(1_000).changes[0]!.reason).contain('cost 5.0 times the plain ones');
  });
});

describe('the share of processes', () => {
  it('is met, stays the same for a process, and differs between flags', () => {
    const processes = Array.from({ length: 10_000 }, (_, number) => `process-${number}`);
    const share = (flag: string, percent: number) =>
      processes.filter((id) => inRollout(id, flag, percent)).length / processes.length;
    expect(share('lanes', 0)).equal(0);
    expect(share('lanes', 100)).equal(1);
    expect(share('lanes', 25)).within(0.235, 0.265);
    const both = processes.filter((id) => inRollout(id, 'lanes', 50) && inRollout(id, 'affinity', 50)).length;
    expect(both / processes.length).within(0.23, 0.27);
    const later = processes.filter((id) => inRollout(id, 'lanes', 25) && !inRollout(id, 'lanes', 26));
    expect(later).deep.equal([]);
  });
});

describe('an optimisation whose effects show after minutes', () => {
  it('acts throughout its trial, and is accepted for what its decisions cost', () => {
    let plainBlocks = 0;
    const traffic = new Traffic(3, { forecaster: 'auto' }, (rollout) => {
      if (!rollout.acting.forecaster) plainBlocks += 1;
      return 1;
    }).run(60_000);
    expect(traffic.stageOf('forecaster').stage).equal('trial');
    for (let decision = 0; decision < 100; decision += 1) traffic.rollout.recordRegret('forecaster', 5, 10);
    traffic.run(1_000);
    expect(traffic.stageOf('forecaster')).include({ stage: 'accepted', acting: true, regret: -500 });
    expect(plainBlocks).equal(0);
  });

  it('is taken back when its decisions cost more than the plain ones', () => {
    const traffic = new Traffic(3, { forecaster: 'auto' }).run(1_000);
    for (let decision = 0; decision < 100; decision += 1) traffic.rollout.recordRegret('forecaster', 15, 10);
    traffic.run(1_000);
    expect(traffic.stageOf('forecaster')).include({ stage: 'reverted', acting: false });
    expect(traffic.changes.at(-1)!.reason).equal('its decisions cost 1.5 times the plain ones');
  });
});

/** A rollout without chance: `toss` says for every pair whether it begins with the optimisation. */
class Steady {
  readonly rollout: Rollout;
  readonly changes: (FlagChange & { readonly at: number })[] = [];
  now = 0;
  leases = 0;

  constructor(flags: OptimizationFlags, toss: () => number = () => 0.1) {
    this.rollout = new Rollout(resolveFlags({ ...everyFlag('off'), ...flags }), toss, 0);
  }

  /** Ticks until then. `each` is asked before every tick what came of the last 100 ms. */
  until(
    at: number,
    each: (acting: boolean) => { lateMs?: number; queuedAt?: number[]; leases?: number } = () => ({}),
  ): this {
    while (this.now < at) {
      const { lateMs = 0, queuedAt = [], leases = 5 } = each(this.rollout.acting.lanes);
      this.now += TICK_MS;
      this.leases += leases;
      const totals = { leases: this.leases, failed: 0, faults: 0, opened: 0 };
      for (const change of this.rollout.tick(this.now, totals, lateMs, queuedAt))
        this.changes.push({ ...change, at: this.now });
    }
    return this;
  }

  /** When `lanes` began to act and when it ceased to, until then. */
  turns(at: number, leases = 5): number[] {
    const turns: number[] = [];
    while (this.now < at) {
      const acted = this.rollout.acting.lanes;
      this.until(this.now + TICK_MS, () => ({ leases }));
      if (this.rollout.acting.lanes !== acted) turns.push(this.now);
    }
    return turns;
  }

  get lanes() {
    return this.rollout.report().find(({ name }) => name === 'lanes')!;
  }
}

describe('the blocks of a trial', () => {
  it('are a second each, two to a pair, in an order drawn by chance', () => {
    const tosses = [0.1, 0.9, 0.9, 0.1];
    const steady = new Steady({ lanes: 'auto' }, () => tosses.shift() ?? 0.1);
    expect(steady.rollout.acting.lanes).equal(true);
    expect(steady.turns(7_900)).deep.equal([1_000, 3_000, 4_000, 5_000, 7_000]);
    expect(steady.lanes.exposure).closeTo((1_000 + 1_000 + 1_000 + 1_000) / 7_900, 1e-9);
  });

  it('last until eight leases were given in them, or somebody waits, but no longer than 15 s', () => {
    const idle = new Steady({ lanes: 'auto' });
    expect(idle.turns(31_000, 0)).deep.equal([15_000, 30_000]);
    const slow = new Steady({ lanes: 'auto' });
    let tick = 0;
    // One that came while the pool settled, and seven until then.
    slow.until(8_000, () => ({ leases: tick++ % 11 === 0 && tick < 80 ? 1 : 0 }));
    expect(slow.rollout.acting.lanes).equal(true);
    slow.until(8_100, () => ({ leases: 1 }));
    expect(slow.rollout.acting.lanes).equal(false);
    const waiting = new Steady({ lanes: 'auto' });
    waiting.until(1_000, () => ({ leases: 0, queuedAt: [0] }));
    expect(waiting.rollout.acting.lanes).equal(false);
  });

  it('are fourteen pairs, then one in a minute', () => {
    const steady = new Steady({ lanes: 'auto' }).until(27_900);
    expect(steady.lanes.stage).equal('trial');
    steady.until(28_000);
    expect(steady.changes).deep.equal([
      { name: 'lanes', from: 'trial', to: 'accepted', reason: 'no guardrail got worse', at: 28_000 },
    ]);
    expect(steady.turns(160_000)).deep.equal([89_000, 90_000, 151_000, 152_000]);
  });

  it('go by what happened in them once what went before has settled', () => {
    const steady = new Steady({ lanes: 'auto' });
    let acted = false;
    steady.until(40_000, (acting) => {
      const begins = acting && !acted;
      acted = acting;
      // It is the first 100 ms of a block with it.
      if (begins) {
        steady.rollout.recordWait(10_000);
        steady.rollout.recordHold(100);
      } else {
        steady.rollout.recordHold(1);
      }
      return {};
    });
    expect(steady.lanes.stage).equal('accepted');
  });

  it('count of a wait what lies in them', () => {
    const steady = new Steady({ lanes: 'auto' });
    steady.until(40_000, (acting) => {
      if (steady.now % 1_000 === 500) steady.rollout.recordWait(acting ? 30_000 : 600);
      return {};
    });
    expect(steady.lanes.stage).equal('accepted');
    const cut = new Steady({ lanes: 'auto' });
    cut.until(40_000, () => ({
      queuedAt: cut.now % 1_000 === 900 ? [cut.rollout.acting.lanes ? -30_000 : 0] : [],
    }));
    expect(cut.lanes.stage, 'of those who wait still').equal('accepted');
  });

  it('speak against it by those who wait at their end, by holding times, and by what the event loop was late', () => {
    const harm: Record<string, (steady: Steady) => { lateMs?: number; queuedAt?: number[] }> = {
      'acquire p95': ({ now }) => ({ queuedAt: [now - 500] }),
      'holding time': ({ rollout }) => {
        rollout.recordHold(2);
        return {};
      },
      'event loop lag': () => ({ lateMs: 60 }),
    };
    for (const [guardrail, harmed] of Object.entries(harm)) {
      const steady = new Steady({ lanes: 'auto' });
      steady.until(40_000, (acting) => {
        if (acting) return harmed(steady);
        steady.rollout.recordHold(1);
        return {};
      });
      const [revert] = steady.changes;
      expect(revert, guardrail).include({ to: 'reverted', at: 24_000 });
      expect(revert!.reason).equal(`${guardrail} was worse with it over 12 pairs of blocks`);
    }
  });

  it('are taken up again ten minutes after it was taken back, and must prove more against it', () => {
    const steady = new Steady({ lanes: 'auto' });
    const late = (acting: boolean) => ({ lateMs: acting ? 60 : 0 });
    steady.until(623_900, late);
    expect(steady.lanes).include({ stage: 'reverted', acting: false, reverts: 1 });
    steady.until(660_000, late);
    expect(steady.changes.map(({ to, at }) => [to, at])).deep.equal([
      ['reverted', 24_000],
      ['trial', 624_000],
      ['reverted', 650_000],
    ]);
    expect(steady.changes[1]!.reason).equal('its cool-down is over');
  });

  it('are gone on with after it was accepted, so that it is taken back when it throws', () => {
    const steady = new Steady({ lanes: 'auto' }).until(28_000);
    expect(steady.lanes.stage).equal('accepted');
    expect(steady.rollout.onProbation).equal(true);
    steady.rollout.trip('lanes', 'it threw', steady.now);
    expect(steady.lanes).include({ stage: 'reverted', acting: false });
    expect(steady.rollout.onProbation).equal(true);
  });
});

describe('the word of the user for a flag', () => {
  it('is told, and is told once', () => {
    const steady = new Steady({ lanes: 'off' });
    steady.rollout.set('lanes', 'on', 0);
    steady.rollout.set('lanes', 'on', 0);
    expect(steady.rollout.acting.lanes).equal(true);
    steady.until(100);
    expect(steady.changes).deep.equal([
      { name: 'lanes', from: 'off', to: 'on', reason: 'it was set', at: 100 },
    ]);
    steady.rollout.set('lanes', 'shadow', 100);
    expect(steady.rollout.acting.lanes).equal(false);
  });

  it('begins a trial with a clean slate, and leaves one that runs alone', () => {
    const steady = new Steady({ lanes: 'auto' }).until(20_000, (acting) => ({ lateMs: acting ? 60 : 0 }));
    steady.rollout.set('lanes', 'auto', steady.now);
    steady.until(24_000, (acting) => ({ lateMs: acting ? 60 : 0 }));
    expect(steady.lanes).include({ stage: 'reverted', reverts: 1 });
    expect(steady.lanes.reason).not.equal(undefined);
    steady.rollout.set('lanes', 'auto', steady.now);
    expect(steady.lanes).include({ stage: 'trial', reverts: 0, reason: undefined, acting: true });
    steady.rollout.trip('lanes', 'it threw', steady.now);
    expect(steady.lanes, 'not the second time').include({ stage: 'reverted', reverts: 1, acting: false });
    steady.until(steady.now + 599_900);
    expect(steady.lanes.stage).equal('reverted');
    steady.until(steady.now + 100);
    expect(steady.lanes.stage).equal('trial');
  });

  it('stands, though it threw', () => {
    for (const setting of ['on', 'shadow', 'off'] as const) {
      const { rollout } = new Steady({ lanes: setting });
      rollout.trip('lanes', 'it threw', 0);
      expect(rollout.report().find(({ name }) => name === 'lanes')).include({ stage: setting, reverts: 0 });
    }
  });

  it('says whether anything is attended to, measured, and asked of queries', () => {
    const of = (flags: OptimizationFlags) => new Steady(flags).rollout;
    expect(of({ lanes: 'shadow' })).include({ readsQueries: true, onProbation: false });
    expect(of({ lanes: 'auto' })).include({ readsQueries: true, onProbation: true });
    expect(of({ breaker: 'auto' })).include({ readsQueries: false, onProbation: true });
    expect(of({ lanes: 'shadow', affinity: 'off' }).attended).include({ lanes: true, affinity: false });
    expect(new Rollout(everyFlag('on'), () => 0, 0, []).readsQueries, 'nobody here can').equal(false);

    const steady = new Steady({ lanes: 'auto' });
    for (const stage of ['reverted', 'reverted', 'given_up']) {
      expect(steady.rollout).include({ readsQueries: true, onProbation: true });
      steady.rollout.trip('lanes', 'it threw', steady.now);
      expect(steady.lanes.stage).equal(stage);
      if (stage === 'reverted') steady.until(steady.now + 1_300_000, () => ({ leases: 0 }));
    }
    expect(steady.rollout).include({ readsQueries: false, onProbation: false });
    expect(steady.rollout.attended.lanes).equal(false);
  });
});

describe('the costs of decisions', () => {
  /** Where a flag on trial stands after so many decisions at that cost, the plain ones' being 10. */
  const stageAfter = (name: 'forecaster' | 'lanes', decisions: number, cost: number) => {
    const { rollout } = new Steady({ [name]: 'auto' });
    for (let decision = 0; decision < decisions; decision += 1) rollout.recordRegret(name, cost, 10);
    rollout.tick(TICK_MS, { leases: 0, failed: 0, faults: 0, opened: 0 }, 0);
    return rollout.report().find((flag) => flag.name === name)!.stage;
  };

  it('are weighed a hundred decisions at a time, against 1.25 times the plain ones and one more for each', () => {
    expect(stageAfter('forecaster', 99, 100)).equal('trial');
    expect(stageAfter('forecaster', 100, 13.6)).equal('reverted');
    expect(stageAfter('forecaster', 100, 13.5)).equal('accepted');
    expect(stageAfter('lanes', 100, 13.6)).equal('reverted');
    expect(stageAfter('lanes', 100, 13.5), 'the guardrails have a say, too').equal('trial');
  });

  it('are told as many times those of the plain way, which may have cost nothing', () => {
    const reasonAt = (cost: number, plain: number) => {
      const steady = new Steady({ forecaster: 'auto' });
      for (let decision = 0; decision < 100; decision += 1)
        steady.rollout.recordRegret('forecaster', cost, plain);
      return steady.until(TICK_MS).changes[0]!.reason;
    };
    expect(reasonAt(30, 10)).equal('its decisions cost 3.0 times the plain ones');
    expect(reasonAt(30, 0)).equal('its decisions cost infinitely many times the plain ones');
    expect(reasonAt(10, 10)).equal('its decisions cost no more than the plain ones');
  });

  it('are forgotten once they were weighed', () => {
    const steady = new Steady({ forecaster: 'auto' });
    const stage = () => steady.rollout.report().find(({ name }) => name === 'forecaster')!;
    const decide = (times: number, cost: number) => {
      for (let decision = 0; decision < times; decision += 1)
        steady.rollout.recordRegret('forecaster', cost, 10);
      steady.until(steady.now + TICK_MS);
    };
    decide(100, 0);
    expect(stage()).include({ stage: 'accepted', regret: -1_000 });
    decide(99, 20);
    expect(stage().stage).equal('accepted');
    decide(1, 20);
    expect(stage()).include({ stage: 'reverted', regret: 0 });
  });

  it('are no reason to overrule the user', () => {
    const { rollout } = new Steady({ lanes: 'shadow', affinity: 'on' });
    for (const name of ['lanes', 'affinity'] as const) {
      for (let decision = 0; decision < 100; decision += 1) rollout.recordRegret(name, 100, 1);
    }
    expect(rollout.tick(TICK_MS, { leases: 0, failed: 0, faults: 0, opened: 0 }, 0)).deep.equal([]);
  });
});
