import { expect } from 'chai';
import { RecentMean } from '../../../src/sizing/recent-mean.js';

describe('the mean of late', () => {
  it('is that of what came since the last look', () => {
    const mean = new RecentMean();
    expect(mean.next({ count: 0, sumMs: 0 })).equal(0);
    expect(mean.next({ count: 2, sumMs: 10 })).equal(5);
    expect(mean.next({ count: 2, sumMs: 10 })).equal(0);
    expect(mean.next({ count: 3, sumMs: 12 })).equal(2);
  });
});
