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
