import { expect } from 'chai';
import { seeded } from '../../../bench/statistics.js';
import { PairedTrial, type Verdict } from '../../../src/sizing/paired-trial.js';

const STEP_MS = 100;
/** What the limit probe asks of fewer connections. */
const AS_GOOD = { shown: 0.985, certain: 0.95 };

/** Leads a trial to its verdict: `paceOf` says how many leases come back in a step with so many connections. */
function tried(
  trial: PairedTrial,
  paceOf: (use: number, step: number) => number,
  waitingAt: (step: number) => number = () => 50,
): { verdict: Verdict | undefined; steps: number } {
  for (let step = 1; step <= 2_000; step += 1) {
    const completed = Math.round(paceOf(trial.use, step));
    const work = { elapsedMs: STEP_MS, completed, leased: trial.use, waiting: waitingAt(step) };
    const verdict = trial.step({ ...work, holdMs: (trial.use * STEP_MS) / completed });
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

  for (const { what, candidate, perConnection, most } of [
    // Two in which it settles, and one that counts, or where few leases came back a block of two.
    { what: 'within a tenth of a second', candidate: 32, perConnection: 20, most: 3 },
    { what: 'after a block, though few leases came back,', candidate: 16, perConnection: 1.5, most: 4 },
  ]) {
    it(`ends ${what} of a candidate that does far less`, () => {
      const trial = new PairedTrial(64, candidate, AS_GOOD, 0.03);
      let stepsOfCandidate = 0;
      const { verdict } = tried(trial, (use) => {
        if (use === candidate) stepsOfCandidate += 1;
        return use * perConnection;
      });
      expect(verdict).equal('incumbent');
      expect(stepsOfCandidate).at.most(most);
      expect(trial.throughputRatio).closeTo(candidate / 64, 0.01);
    });
  }

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
      (step) => (step < 10 ? 50 : 0),
    );
    expect(verdict).equal('incumbent');
    expect(steps).within(10, 14);
  });

  it('ends where the connections that are tried do not come into use', () => {
    const trial = new PairedTrial(8, 16, { shown: 1.1, certain: 1.1 }, 0.03);
    let verdict: Verdict | undefined;
    for (let step = 0; step < 60 && verdict === undefined; step += 1) {
      verdict = trial.step({ elapsedMs: STEP_MS, completed: 300, holdMs: 5, leased: 8, waiting: 50 });
    }
    expect(verdict).equal('incumbent');
  });
});
