import { expect } from 'chai';
import { IdleTrust } from '../../../src/health/trust.js';

const PLAIN_MS = 500;

function passTimes(trust: IdleTrust, idleMs: number, times = 1_000): void {
  for (let check = 0; check < times; check += 1) trust.passed(idleMs, check);
}

describe('the trust in idle connections', () => {
  it('is the plain one while little is known', () => {
    const trust = new IdleTrust(PLAIN_MS);
    passTimes(trust, 600, 999);
    expect(trust.checkAfterMs).equal(500);
    expect(trust.keepAliveMs).equal(Number.POSITIVE_INFINITY);
  });

  it('grows with what has passed, a doubling at a time, and never beyond what was tried', () => {
    const trust = new IdleTrust(PLAIN_MS);
    passTimes(trust, 1_500);
    expect(trust.checkAfterMs, 'nothing is known of half a second').equal(500);
    passTimes(trust, 600);
    expect(trust.checkAfterMs, 'up to what was tried').equal(2_000);
  });

  it('is lost for the age at which one died, for half of it, and above', () => {
    const trust = new IdleTrust(PLAIN_MS);
    for (const idleMs of [600, 1_500, 3_000]) passTimes(trust, idleMs);
    expect(trust.checkAfterMs).equal(4_000);
    trust.died(3_500, 'found', 5_000);
    expect(trust.checkAfterMs).equal(1_000);
    trust.died(100, 'seen', 6_000);
    expect(trust.checkAfterMs).equal(500);
  });

  it('keeps idle ones alive below the age at which the server says that it ends them', () => {
    const trust = new IdleTrust(PLAIN_MS);
    trust.died(60_000, 'told', 0);
    expect(trust.keepAliveMs).equal(48_000);
  });

  it('takes two that died at one age, at different times, for ended by their age', () => {
    const trust = new IdleTrust(PLAIN_MS);
    trust.died(60_000, 'seen', 0);
    trust.died(60_400, 'seen', 500);
    expect(trust.keepAliveMs, 'at once: a restart').equal(Number.POSITIVE_INFINITY);
    trust.died(90_000, 'seen', 100_000);
    expect(trust.keepAliveMs, 'at another age').equal(Number.POSITIVE_INFINITY);
    trust.died(60_800, 'seen', 200_000);
    expect(trust.keepAliveMs).equal(0.8 * 60_800);
  });

  it('stays well below the age of those that were only found dead', () => {
    const trust = new IdleTrust(PLAIN_MS);
    trust.died(400_000, 'found', 0);
    expect(trust.keepAliveMs).equal(Number.POSITIVE_INFINITY);
    trust.died(300_000, 'found', 500_000);
    expect(trust.keepAliveMs).closeTo(0.8 * 0.6 * 300_000, 1e-6);
  });

  it('does not look for what ends connections within seconds', () => {
    const trust = new IdleTrust(PLAIN_MS);
    trust.died(2_000, 'seen', 0);
    trust.died(2_000, 'seen', 10_000);
    expect(trust.keepAliveMs).equal(Number.POSITIVE_INFINITY);
  });

  it('forgets the age when one outlives it, and after some hours', () => {
    const trust = new IdleTrust(PLAIN_MS);
    trust.died(60_000, 'told', 0);
    trust.passed(61_000, 1_000);
    expect(trust.keepAliveMs).equal(48_000);
    trust.passed(70_000, 2_000);
    expect(trust.keepAliveMs).equal(Number.POSITIVE_INFINITY);
    trust.died(60_000, 'told', 3_000);
    trust.passed(1_000, 7 * 3_600_000);
    expect(trust.keepAliveMs).equal(Number.POSITIVE_INFINITY);
  });

  it('where connections are never checked, begins to with what ends them', () => {
    const trust = new IdleTrust(Number.POSITIVE_INFINITY);
    passTimes(trust, 1_000, 5_000);
    expect(trust.checkAfterMs).equal(Number.POSITIVE_INFINITY);
    trust.died(60_000, 'told', 0);
    expect(trust.checkAfterMs).equal(48_000);
  });
});
