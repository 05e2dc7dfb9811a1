import { expect } from 'chai';
import { LONGEST_TIMING_MASK, timingMask } from '../../src/upkeep.js';

describe('the pace of timing', () => {
  it('times every lease of a pool that does up to a thousand a second', () => {
    expect(timingMask(100, 100)).equal(0);
  });

  it('times one lease in 2^k above that, so that about a thousand a second are timed', () => {
    expect(timingMask(201, 100)).equal(3);
    expect(timingMask(5_000, 100)).equal(63);
  });

  it('never times fewer than one in 16,384', () => {
    expect(timingMask(1e9, 1)).equal(LONGEST_TIMING_MASK);
    expect(timingMask(10, 0)).equal(LONGEST_TIMING_MASK);
  });
});
