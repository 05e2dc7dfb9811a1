import { expect } from 'chai';
import { Failover } from '../../../src/health/failover.js';

describe('a failover', () => {
  it('is not seen by a pool that never wrote', () => {
    const failover = new Failover();
    expect(failover.refused(1_000)).equal(false);
    expect(failover.refused(100_000)).equal(false);
  });

  it('is seen at the first refused write of a writer, once', () => {
    const failover = new Failover();
    failover.wrote();
    expect(failover.refused(1_000)).equal(true);
    expect(failover.refused(1_001)).equal(false);
    expect(failover.refused(10_999)).equal(false);
  });

  it('is looked for ever more seldom while new connections are no better', () => {
    const failover = new Failover();
    failover.wrote();
    const purges: number[] = [];
    for (let now = 0; now < 300_000; now += 100) if (failover.refused(now)) purges.push(now);
    expect(purges).deep.equal([0, 10_000, 30_000, 70_000, 130_000, 190_000, 250_000]);
  });

  it('is seen at once again after a write has succeeded', () => {
    const failover = new Failover();
    failover.wrote();
    expect(failover.refused(0)).equal(true);
    failover.wrote();
    expect(failover.refused(4_000)).equal(false);
    expect(failover.refused(5_000)).equal(true);
  });
});
