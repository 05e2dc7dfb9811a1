import { expect } from 'chai';
import { Policies } from '../../../src/sizing/policy.js';

describe('the policy of a load', () => {
  it('moves one knob at a time, and waits before the next', () => {
    const policies = new Policies();
    policies.step('bursty', 'mixed', 0);
    expect(policies.current).deep.equal({ opensFreely: true, comparable: true });
    policies.step('bursty', 'mixed', 29_000);
    expect(policies.current).deep.equal({ opensFreely: true, comparable: true });
    policies.step('bursty', 'mixed', 30_000);
    expect(policies.current).deep.equal({ opensFreely: true, comparable: false });
  });

  it('goes back with the load, as slowly', () => {
    const policies = new Policies();
    policies.step('steady', 'analytic', 0);
    expect(policies.current.comparable).equal(false);
    policies.step('steady', 'oltp', 10_000);
    expect(policies.current.comparable).equal(false);
    policies.step('steady', 'oltp', 30_000);
    expect(policies.current.comparable).equal(true);
  });
});
