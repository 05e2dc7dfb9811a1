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

  it('does not count what passes sooner than any is checked', () => {
    const trust = new IdleTrust(PLAIN_MS);
    passTimes(trust, 499);
    expect(trust.checkAfterMs).equal(500);
    passTimes(trust, 500);
    expect(trust.checkAfterMs).equal(1_000);
  });

  it('ends at 4,096 times the plain one', () => {
    const trust = new IdleTrust(PLAIN_MS);
    for (let idleMs = PLAIN_MS; idleMs <= PLAIN_MS * 2 ** 14; idleMs *= 2) passTimes(trust, idleMs);
    expect(trust.checkAfterMs).equal(PLAIN_MS * 2 ** 12);
  });

  it('takes ages for one that are a tenth, or a second and a half, apart', () => {
    const kept = (one: number, other: number) => {
      const trust = new IdleTrust(PLAIN_MS);
      trust.died(one, 'seen', 100_000);
      trust.died(other, 'seen', 200_000);
      return trust.keepAliveMs < Number.POSITIVE_INFINITY;
    };
    expect([kept(10_000, 11_500), kept(10_000, 11_501)]).deep.equal([true, false]);
    expect([kept(100_000, 110_000), kept(100_000, 110_001)]).deep.equal([true, false]);
    expect([kept(110_000, 100_000), kept(110_001, 100_000)]).deep.equal([true, false]);
    expect([kept(10_000, 10_000), kept(9_999, 9_999)]).deep.equal([true, false]);
  });

  it('takes deaths for one event that are less than a second apart, however late', () => {
    const kept = (apartMs: number) => {
      const trust = new IdleTrust(PLAIN_MS);
      trust.died(60_000, 'seen', 5_000_000);
      trust.died(60_000, 'seen', 5_000_000 + apartMs);
      return trust.keepAliveMs < Number.POSITIVE_INFINITY;
    };
    expect([kept(999), kept(1_000)]).deep.equal([false, true]);
  });

  it('compares a death with the eight before it', () => {
    const kept = (others: number) => {
      const trust = new IdleTrust(PLAIN_MS);
      trust.died(1_000_000, 'seen', 0);
      for (let other = 1; other <= others; other += 1) trust.died(10_000 * 2 ** other, 'seen', other * 2_000);
      trust.died(1_000_000, 'seen', 1_000_000);
      return trust.keepAliveMs < Number.POSITIVE_INFINITY;
    };
    expect([kept(5), kept(8)]).deep.equal([true, false]);
  });

  it('keeps an age for six hours since it was learned, and while none outlives it by more than it may vary', () => {
    const trust = new IdleTrust(PLAIN_MS);
    const learnedAt = 10 * 3_600_000;
    trust.died(60_000, 'told', learnedAt);
    trust.passed(67_500, learnedAt + 1);
    trust.passed(1_000, learnedAt + 6 * 3_600_000);
    expect(trust.keepAliveMs).equal(48_000);
    trust.passed(67_501, learnedAt + 2);
    expect(trust.keepAliveMs).equal(Number.POSITIVE_INFINITY);
    trust.died(60_000, 'told', learnedAt);
    trust.passed(1_000, learnedAt + 6 * 3_600_000 + 1);
    expect(trust.keepAliveMs).equal(Number.POSITIVE_INFINITY);
  });
});
