import { expect } from 'chai';
import { Policies, type Policy } from '../../../src/sizing/policy.js';
import type { QueryMix } from '../../../src/sizing/query-mix.js';
import { WORKLOADS, type Workload } from '../../../src/sizing/workload.js';

/** What a pool comes to whose load stays like this. */
function settled(shape: Workload | undefined, mix: QueryMix): Policy {
  const policies = new Policies();
  for (let now = 0; now < 300_000; now += 5_000) policies.step(shape, mix, now);
  return policies.current;
}

const usual = settled(undefined, 'oltp');

describe('the policy of a load', () => {
  it('is the usual one while nothing is known, or nothing better was found', () => {
    expect(usual).deep.equal({
      opensFreely: false,
      scalesDown: true,
      comparable: true,
      unprovenMs: Number.POSITIVE_INFINITY,
      rotatesSlowly: false,
    });
    expect(settled('periodic', 'oltp')).deep.equal(usual);
    expect(settled('saturated', 'oltp')).deep.equal(usual);
  });

  it('differs by class in what the class is known for', () => {
    const differences = WORKLOADS.map((shape) => {
      const policy = settled(shape, 'oltp');
      return (Object.keys(usual) as (keyof Policy)[]).filter((knob) => policy[knob] !== usual[knob]);
    });
    expect(Object.fromEntries(WORKLOADS.map((shape, at) => [shape, differences[at]]))).deep.equal({
      idle: ['unprovenMs'],
      steady: ['rotatesSlowly'],
      ramp: ['scalesDown'],
      periodic: [],
      bursty: ['opensFreely'],
      saturated: [],
    });
    for (const mix of ['analytic', 'mixed'] as const)
      expect(settled('periodic', mix)).deep.equal({ ...usual, comparable: false });
  });

  it('moves one knob at a time, and waits before the next', () => {
    const policies = new Policies();
    const bursty = { ...usual, opensFreely: true };
    policies.step('bursty', 'mixed', 0);
    expect(policies.current).deep.equal(bursty);
    policies.step('bursty', 'mixed', 29_000);
    expect(policies.current).deep.equal(bursty);
    policies.step('bursty', 'mixed', 30_000);
    expect(policies.current).deep.equal({ ...bursty, comparable: false });
  });

  it('goes back with the load, as slowly', () => {
    const policies = new Policies();
    policies.step('ramp', 'oltp', 0);
    expect(policies.current.scalesDown).equal(false);
    policies.step('steady', 'oltp', 10_000);
    expect(policies.current.scalesDown).equal(false);
    policies.step('steady', 'oltp', 30_000);
    expect(policies.current).deep.equal(usual);
    policies.step('steady', 'oltp', 60_000);
    expect(policies.current).deep.equal({ ...usual, rotatesSlowly: true });
  });
});
