import { expect } from 'chai';
import { seeded } from '../../../bench/statistics.js';
import { PairedTrial, type Verdict, type Work } from '../../../src/sizing/paired-trial.js';

const STEP_MS = 100;
/** What the limit probe asks of fewer connections. */
const AS_GOOD = { shown: 0.985, certain: 0.95 };

/** Leads a trial to its verdict: `paceOf` says how many leases come back in a step with so many connections. */
function tried(
  trial: PairedTrial,
  paceOf: (use: number, step: number) => number,
  more: (use: number, step: number) => Partial<Work> = () => ({}),
): { verdict: Verdict | undefined; steps: number } {
  for (let step = 1; step <= 2_000; step += 1) {
    const completed = Math.round(paceOf(trial.use, step));
    const work = { elapsedMs: STEP_MS, completed, leased: trial.use, waiting: 50 };
    const holdMs = (trial.use * STEP_MS) / completed;
    const verdict = trial.step({ ...work, holdMs, ...more(trial.use, step) });
    if (verdict !== undefined) return { verdict, steps: step };
  }
  return { verdict: undefined, steps: Number.POSITIVE_INFINITY };
}

describe('a paired trial of two sizes', () => {
  it('is for the candidate that does as much, and measures how much shorter leases are held', () => {
    const trial = new PairedTrial(64, 16, AS_GOOD, 0.03);
    expect(tried(trial, () => 300).verdict).equal('candidate');
    expect(trial.throughputRatio).closeTo(1, 0.001);
    expect(trial.holdRatio).closeTo(0.25, 0.001);
  });

  // A step in which a size settles, or two where leases are long, and two or more that count; in the next pair it has settled.
  for (const { noise, perStep, steps, pairs } of [
    { noise: 0.03, perStep: 300, steps: 21, pairs: 4 },
    { noise: 0.1, perStep: 300, steps: 37, pairs: 4 },
    { noise: 0.3, perStep: 300, steps: 154, pairs: 9 },
    { noise: 0.03, perStep: 100, steps: 24, pairs: 4 },
    { noise: 0.03, perStep: 99, steps: 32, pairs: 4 },
  ]) {
    it(`takes ${pairs} pairs and ${steps} steps where one is ${noise} off from the next and ${perStep} leases come back in each`, () => {
      const trial = new PairedTrial(64, 16, AS_GOOD, noise);
      expect(tried(trial, () => perStep)).deep.equal({ verdict: 'candidate', steps });
      expect(trial.pairs).equal(pairs);
    });
  }

  it('gives each size its turn as A B B A A B B A', () => {
    const uses: number[] = [];
    tried(new PairedTrial(64, 16, AS_GOOD, 0.03), (use) => uses.push(use) && 300);
    const runs = uses.join().match(/(64,?)+|(16,?)+/g)!;
    expect(runs.map((run) => run.split(',').filter(Boolean).length)).deep.equal([3, 5, 5, 5, 3]);
  });

  it('is against a candidate as soon as its pairs are worse for certain, or after thirty that tell nothing', () => {
    const verdictOn = (pace: number) => {
      const trial = new PairedTrial(64, 16, AS_GOOD, 0.03);
      const { verdict } = tried(trial, (use) => (use === 16 ? pace : 2_000));
      return [verdict, trial.pairs];
    };
    expect([2_000, 1_975, 1_969, 1_940, 1_900].map(verdictOn)).deep.equal([
      ['candidate', 4],
      ['candidate', 4],
      ['incumbent', 30],
      ['incumbent', 6],
      ['incumbent', 4],
    ]);
  });

  it('needs more pairs where they are apart', () => {
    const trial = new PairedTrial(64, 16, AS_GOOD, 0.03);
    const { verdict } = tried(trial, (use) => {
      if (use === 64) return 2_000;
      return trial.pairs % 2 === 0 ? 2_200 : 1_800;
    });
    expect(verdict).equal('candidate');
    expect(trial.pairs).within(6, 29);
  });

  for (const { what, work, steps, verdict } of [
    { what: 'the next step where leases are short', work: { holdMs: 50 }, steps: 3, verdict: undefined },
    { what: 'the next step where none was timed', work: { holdMs: 0 }, steps: 3, verdict: undefined },
    { what: 'when two holds are over', work: { holdMs: 51 }, steps: 4, verdict: undefined },
    { what: 'when nine tenths are in use', work: { leased: 9 }, steps: 3, verdict: undefined },
    { what: 'never when fewer are', work: { leased: 8 }, steps: 31, verdict: 'incumbent' },
    { what: 'never when more are', work: { leased: 11 }, steps: 31, verdict: 'incumbent' },
    { what: 'at once, but few leases come back', work: { completed: 6 }, steps: 32, verdict: 'incumbent' },
    {
      what: 'at once, and so many come back just in time',
      work: { completed: 7 },
      steps: 30,
      verdict: undefined,
    },
  ]) {
    it(`has settled ${what}`, () => {
      const trial = new PairedTrial(10, 20, AS_GOOD, 0.03);
      let step = 0;
      let ended: Verdict | undefined;
      while (trial.use === 10 && ended === undefined) {
        step += 1;
        ended = trial.step({
          elapsedMs: STEP_MS,
          completed: 300,
          holdMs: 5,
          leased: 10,
          waiting: 50,
          ...work,
        });
      }
      expect([step, ended]).deep.equal([steps, verdict]);
    });
  }

  it('begins a block anew after the event loop stood still', () => {
    const trial = new PairedTrial(64, 16, AS_GOOD, 0.03);
    const { steps } = tried(trial, (_, step) => {
      if (step === 3) trial.disturb();
      return 300;
    });
    expect(steps).equal(22);
  });

  it('goes by the holds that were timed, and takes them for equal where none was', () => {
    const holdRatio = (holdMs: (use: number, step: number) => number) => {
      const trial = new PairedTrial(64, 16, AS_GOOD, 0.03);
      expect(trial.holdRatio).equal(1);
      tried(
        trial,
        () => 300,
        (use, step) => ({ holdMs: holdMs(use, step) }),
      );
      return trial.holdRatio;
    };
    expect(holdRatio((use, step) => (use === 64 ? 20 : 5 * (step % 2)))).closeTo(0.25, 1e-9);
    expect(holdRatio((use) => (use === 64 ? 0 : 5))).closeTo(5, 1e-9);
    expect(holdRatio(() => 0)).equal(1);
  });

  // Less than 0.985 by a fifth (e^-0.2), or by four times what a pair is off by, or by four roots of few leases.
  for (const { what, noise, paces, stepsOfCandidate } of [
    { what: 'clearly worse: at once', noise: 0.03, paces: [800, 630], stepsOfCandidate: 2 },
    { what: 'worse, not clearly: by pairs', noise: 0.03, paces: [800, 660], stepsOfCandidate: 10 },
    { what: 'worse, in a noisy load: by pairs', noise: 0.2, paces: [800, 560], stepsOfCandidate: 34 },
    { what: 'clearly worse, in a noisy load: at once', noise: 0.2, paces: [800, 510], stepsOfCandidate: 2 },
    { what: 'with two hundred leases: at once', noise: 0.03, paces: [800, 200], stepsOfCandidate: 2 },
    { what: 'with fewer: after a block', noise: 0.03, paces: [800, 199], stepsOfCandidate: 3 },
    { what: 'clearly worse for so few: after a block', noise: 0.03, paces: [56, 32], stepsOfCandidate: 4 },
    {
      what: 'not clearly for so few: once there are more',
      noise: 0.03,
      paces: [50, 32],
      stepsOfCandidate: 5,
    },
  ] as const) {
    it(`ends with a candidate that is ${what}`, () => {
      const trial = new PairedTrial(64, 32, AS_GOOD, noise);
      let steps = 0;
      const { verdict } = tried(trial, (use) => {
        if (use === 32) steps += 1;
        return paces[use === 32 ? 1 : 0];
      });
      expect([verdict, steps]).deep.equal(['incumbent', stepsOfCandidate]);
      expect(trial.throughputRatio).closeTo(paces[1] / paces[0], 0.01);
    });
  }

  it('ends at once with a candidate that becomes far worse, by which its pairs of before are not changed', () => {
    const trial = new PairedTrial(64, 32, AS_GOOD, 0.03);
    const { verdict, steps } = tried(trial, (use) => (use === 32 && trial.pairs === 2 ? 300 : 800));
    expect({ verdict, steps }).deep.equal({ verdict: 'incumbent', steps: 15 });
    expect(trial).include({ pairs: 2, throughputRatio: 1 });
  });

  it('ends as soon as a larger candidate does far more, and not so soon for a smaller one', () => {
    const paceOf = (candidate: number) => (use: number) => (use === candidate ? 600 : 300);
    const larger = tried(new PairedTrial(16, 64, { shown: 1.1, certain: 1.1 }, 0.03), paceOf(64));
    const smaller = tried(new PairedTrial(64, 16, AS_GOOD, 0.03), paceOf(16));
    expect(larger.verdict).equal('candidate');
    expect(smaller.verdict).equal('candidate');
    expect(larger.steps).below(smaller.steps / 2);
  });

  it('seldom errs where one step is a fifth off from the next, nor where all become slower meanwhile', () => {
    const errors = { asMuch: 0, tenthLess: 0 };
    for (let seed = 1; seed <= 100; seed += 1) {
      const random = seeded(seed);
      const pace = (step: number) => 300 * (0.65 + 0.7 * random()) * (1 - Math.min(step, 400) / 1_000);
      const asMuch = tried(new PairedTrial(64, 32, AS_GOOD, 0.2), (_, step) => pace(step));
      const tenthLess = tried(
        new PairedTrial(64, 32, AS_GOOD, 0.2),
        (use, step) => pace(step) * (use === 32 ? 0.9 : 1),
      );
      if (asMuch.verdict === 'incumbent') errors.asMuch += 1;
      if (tenthLess.verdict === 'candidate') errors.tenthLess += 1;
    }
    expect(errors.tenthLess).at.most(2);
    expect(errors.asMuch).at.most(30);
  });

  it('ends where nobody waits, for then it is not the size that sets the pace', () => {
    const trial = new PairedTrial(64, 32, AS_GOOD, 0.03);
    const { verdict, steps } = tried(
      trial,
      () => 300,
      (_, step) => ({ waiting: step < 10 ? 50 : 0 }),
    );
    expect(verdict).equal('incumbent');
    expect(steps).within(10, 14);
  });

  it('ends where the connections that are tried do not come into use', () => {
    const trial = new PairedTrial(8, 16, { shown: 1.1, certain: 1.1 }, 0.03);
    expect(
      tried(
        trial,
        () => 300,
        () => ({ leased: 8, holdMs: 5 }),
      ),
    ).deep.equal({ verdict: 'incumbent', steps: 34 });
    expect(trial.pairs).equal(0);
  });

  it('is against a larger candidate that does less, and waits for two hundred leases to say so', () => {
    const larger = (pace: number) =>
      tried(new PairedTrial(16, 64, { shown: 1.1, certain: 1.1 }, 0.03), (use) => (use === 64 ? pace : 300));
    expect(larger(210)).deep.equal({ verdict: 'incumbent', steps: 5 });
    expect(larger(110)).deep.equal({ verdict: 'incumbent', steps: 7 });
    expect(larger(420), 'by a fifth more than it has to').deep.equal({ verdict: 'candidate', steps: 5 });
    expect(larger(390).steps).above(6);
  });
});
