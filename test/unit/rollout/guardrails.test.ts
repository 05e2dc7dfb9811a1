import { expect } from 'chai';
import type { BlockMeasures } from '../../../src/rollout/block.js';
import { Case } from '../../../src/rollout/guardrails.js';

const PLAIN: BlockMeasures = {
  leases: 100,
  waitP95Ms: 1,
  holdRatio: 1,
  failedShare: 0.005,
  faultShare: 0.005,
  opened: 3,
  lagMs: 10,
};

/** How many pairs convict one that is worse in nothing but `worse`; undefined when fifty do not. */
function pairsToConvict(worse: Partial<BlockMeasures>, against = new Case()): number | undefined {
  for (let pair = 1; pair <= 50; pair += 1) {
    against.add({ ...PLAIN, ...worse }, PLAIN);
    if (against.verdict() !== undefined) return pair;
  }
  return undefined;
}

/** What is as good as no difference from `PLAIN`, and what is too much. */
const BOUNDS: readonly [name: string, measure: keyof BlockMeasures, indifferent: number, worse: number][] = [
  ['acquire p95', 'waitP95Ms', 1.12, 1.13],
  ['holding time', 'holdRatio', 1.04, 1.06],
  ['acquire errors', 'failedShare', 0.0099, 0.0101],
  ['lost connections', 'faultShare', 0.0099, 0.0101],
  ['connections opened', 'opened', 5, 7],
  ['event loop lag', 'lagMs', 19, 21],
];

describe('the case against an optimisation', () => {
  for (const [name, measure, indifferent, worse] of BOUNDS) {
    it(`is proven by ${name} that is worse again and again, by more than is no matter`, () => {
      expect(pairsToConvict({ [measure]: indifferent })).equal(undefined);
      const against = new Case();
      expect(pairsToConvict({ [measure]: worse }, against)).equal(12);
      expect(against.verdict()).equal(name);
    });
  }

  it('is not proven by what is better with it, or as often better as worse', () => {
    expect(pairsToConvict({ waitP95Ms: 0.1, lagMs: 0 })).equal(undefined);
    const against = new Case();
    for (let pair = 0; pair < 40; pair += 1) against.add({ ...PLAIN, lagMs: pair % 2 ? 100 : 0 }, PLAIN);
    expect(against.verdict()).equal(undefined);
  });

  it('needs twice the proof each time it is renewed, eight times at most', () => {
    const pairs = [0, 1, 2, 8, 9, 30].map((renewal) => pairsToConvict({ lagMs: 100 }, new Case(renewal)));
    expect(pairs).deep.equal([12, 13, 14, 21, 21, 21]);
  });

  it('is suspicious after four pairs that all point one way', () => {
    const against = new Case();
    const suspicions: boolean[] = [];
    for (let pair = 0; pair < 4; pair += 1) {
      against.add({ ...PLAIN, opened: 100 }, PLAIN);
      suspicions.push(against.suspicious);
    }
    expect(suspicions).deep.equal([false, false, false, true]);
  });

  it('counts no pair in which nobody came, but one in which nobody was served', () => {
    const against = new Case();
    const idle = { ...PLAIN, leases: 0, waitP95Ms: 0 };
    against.add(idle, idle);
    expect(against.pairs).equal(0);
    against.add({ ...idle, waitP95Ms: 900 }, idle);
    against.add(idle, PLAIN);
    against.add(PLAIN, idle);
    expect(against.pairs).equal(3);
  });

  it('says nothing of holding times where none was measured', () => {
    const against = new Case();
    for (let pair = 0; pair < 50; pair += 1)
      against.add({ ...PLAIN, holdRatio: 0 }, { ...PLAIN, holdRatio: 0 });
    expect([against.verdict(), against.suspicious]).deep.equal([undefined, false]);
  });
});
