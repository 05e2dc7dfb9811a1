import { expect } from 'chai';
import { Survival } from '../../../src/selection/survival.js';

function learned(idleMs: number, alive: number, dead: number): Survival {
  const survival = new Survival();
  for (let seen = 0; seen < alive; seen += 1) survival.learn(idleMs, true);
  for (let seen = 0; seen < dead; seen += 1) survival.learn(idleMs, false);
  return survival;
}

describe('what is believed of idle connections', () => {
  it('is that one in a hundred is dead, before anything was seen', () => {
    expect(new Survival().deadAfter(100)).closeTo(0.01, 0.001);
  });

  it('follows what was seen at that age, and at no other', () => {
    const survival = learned(10_000, 50, 49);
    expect(survival.deadAfter(10_000)).closeTo(49.5 / 149.5, 1e-9);
    expect([499, 4_999, 30_000, 1e9].map((idleMs) => survival.deadAfter(idleMs) < 0.02)).deep.equal(
      Array(4).fill(true),
    );
  });

  it('is of one class from its first millisecond to the last before the next', () => {
    const survival = learned(500, 0, 100);
    expect(survival.deadAfter(499)).below(0.02);
    expect(survival.deadAfter(500)).above(0.5);
    expect(survival.deadAfter(4_999)).above(0.5);
    expect(survival.deadAfter(5_000)).below(0.02);
  });

  it('forgets half of it beyond 2,000 seen, dead or alive', () => {
    expect(learned(100, 1_000, 1_000).deadAfter(100)).closeTo(1_000.5 / 2_050.5, 1e-9);
    expect(learned(100, 1_000, 1_001).deadAfter(100)).closeTo(501 / 1_051, 1e-9);
  });
});
