import { expect } from 'chai';
import { Breaker, type CircuitState, wilsonLower } from '../../../src/breaker/breaker.js';

/** A breaker whose pool has worked, without jitter. */
function worked() {
  const states: CircuitState[] = [];
  const breaker = new Breaker(
    () => 0.999,
    ({ to }) => states.push(to),
  );
  breaker.opened(0, 1);
  return { breaker, states };
}

describe('the circuit breaker', () => {
  it('that was isolated opens nothing until it is reset, whatever comes', () => {
    const { breaker, states } = worked();
    breaker.isolate(false, 1_000);
    expect(breaker.openFailed('refused', 1_000, 0, 1_000)).equal('hold');
    breaker.opened(1_001, 1_002);
    for (let now = 1_000; now < 600_000; now += 100) {
      breaker.tick(5, now);
      expect(breaker.room(now, 0)).equal(0);
    }
    expect(breaker).include({ state: 'open', holds: true, refuses: false, fills: false });
    breaker.reset(600_000);
    expect(states).deep.equal(['open', 'closed']);
    expect(breaker.room(600_000, 3)).equal(Number.POSITIVE_INFINITY);
    expect(breaker).include({ holds: false, fills: true });
  });

  it('that is reset holds nothing against the server any more', () => {
    const { breaker } = worked();
    for (let failed = 0; failed < 20; failed += 1) breaker.openFailed('refused', 5_000, 0, 5_000 + failed);
    breaker.reset(6_000);
    expect(breaker).include({ state: 'closed', troubleSince: 0 });
    expect(breaker.openFailed('refused', 6_001, 3, 6_002)).equal('hold');
    expect(breaker.state, 'one failed opening beside live connections').equal('closed');
  });

  it('leaves the first failure of a pool that never worked to its caller', () => {
    const breaker = new Breaker(
      () => 0,
      () => {},
    );
    for (let now = 0; now < 5_000; now += 100)
      expect(breaker.openFailed('refused', now, 0, now + 1)).equal('tell');
    expect(breaker.state).equal('closed');
    expect(breaker.room(5_000, 3)).equal(Number.POSITIVE_INFINITY);
  });

  it('leaves errors that say nothing of the server to their callers', () => {
    const { breaker } = worked();
    expect(breaker.openFailed('unknown', 2, 0, 3)).equal('tell');
    expect(breaker.openFailed('statement_error', 2, 0, 3)).equal('tell');
    expect(breaker.state).equal('closed');
  });

  it('holds callers while the server is away, and sends one probe at a time, at most ten a second', () => {
    const { breaker, states } = worked();
    const probes: number[] = [];
    let now = 10_000;
    expect(breaker.openFailed('refused', now, 0, now)).equal('hold');
    expect(breaker.state).equal('open');
    for (; now < 15_000; now += 1) {
      if (breaker.room(now, 0) === 0) continue;
      expect(breaker.room(now, 0)).equal(1);
      breaker.opening(now);
      expect(breaker.room(now, 1)).equal(0);
      probes.push(now);
      expect(breaker.openFailed('refused', now, 0, now)).equal('hold');
    }
    const peak = Math.max(...probes.map((at) => probes.filter((p) => p >= at && p < at + 1_000).length));
    expect(peak).within(4, 10);
    breaker.opening(now);
    breaker.opened(now, now + 2);
    expect(breaker.state).equal('recovering');
    expect(states[0]).equal('open');
  });

  it('is never more than 250 ms or a twentieth of the outage late', () => {
    const { breaker } = worked();
    let now = 1_000;
    breaker.openFailed('refused', now, 0, now);
    while (now < 120_000) {
      expect(breaker.nextOpenAt - now).most(Math.max(250, (now - 1_000) / 20));
      now = breaker.nextOpenAt;
      breaker.opening(now);
      breaker.openFailed('refused', now, 0, now);
    }
  });

  it('lets connections open by ones, twos and fours once a probe was answered, and trusts after a while', () => {
    const { breaker } = worked();
    breaker.openFailed('starting', 100, 0, 100);
    breaker.opening(300);
    breaker.opened(300, 310);
    expect(breaker.room(310, 0)).equal(2);
    breaker.opened(310, 320);
    breaker.opened(310, 320);
    expect(breaker.room(320, 0)).equal(4);
    expect(breaker.fills).equal(false);
    breaker.tick(100, 1_000);
    expect(breaker.state).equal('recovering');
    breaker.tick(100, 1_400);
    expect(breaker.state).equal('closed');
    expect(breaker.fills).equal(true);
  });

  it('ignores what began before it opened', () => {
    const { breaker } = worked();
    breaker.openFailed('refused', 100, 0, 110);
    const { nextOpenAt } = breaker;
    expect(breaker.openFailed('refused', 105, 0, 120)).equal('hold');
    expect(breaker.nextOpenAt).equal(nextOpenAt);
    breaker.opening(400);
    breaker.opened(104, 410);
    expect(breaker.state).equal('half_open');
  });

  it('tells everybody of a rejected login, and asks again twice a minute', () => {
    const { breaker } = worked();
    expect(breaker.openFailed('authentication', 100, 0, 100)).equal('refuse');
    expect(breaker.refuses).equal(true);
    expect(breaker.room(30_000, 0)).equal(0);
    expect(breaker.room(33_100, 0)).equal(1);
  });

  it('goes on with the connections that it has when a login is rejected', () => {
    const { breaker } = worked();
    expect(breaker.openFailed('authentication', 100, 3, 100)).equal('hold');
    expect(breaker.state).equal('degraded');
    expect(breaker.refuses).equal(false);
  });

  it('gives up a probe that has no answer', () => {
    const { breaker } = worked();
    breaker.openFailed('refused', 100, 0, 100);
    breaker.opening(400);
    breaker.tick(0, 5_000);
    expect(breaker.state).equal('half_open');
    breaker.tick(0, 10_400);
    expect(breaker.state).equal('open');
  });

  it('suspects all when several connections are lost at once, and not when one is', () => {
    const { breaker } = worked();
    expect(breaker.connectionLost(1, 10, 1_000)).equal(false);
    expect(breaker.connectionLost(1, 10, 2_500)).equal(false);
    expect(breaker.state).equal('closed');
    expect(breaker.connectionLost(1, 9, 2_600)).equal(true);
    expect(breaker.state).equal('degraded');
    expect(breaker.room(2_600, 0)).equal(1);
  });

  it('does not flap: each relapse within a minute doubles the time that it stays careful', () => {
    const { breaker, states } = worked();
    for (let now = 1_000; now < 600_000; now += 100) {
      // Two connections die every ten seconds.
      if (now % 10_000 === 0) {
        breaker.connectionLost(now, 4, now);
        breaker.connectionLost(now, 4, now + 1);
      }
      breaker.tick(20, now + 2);
    }
    // Ten minutes: after a few relapses it stays degraded.
    expect(states.length).most(8);
    expect(breaker.state).equal('degraded');
  });

  it('forgets what is more than ten seconds old, however long nothing happened', () => {
    const { breaker } = worked();
    for (let lost = 0; lost < 3; lost += 1) breaker.connectionLost(1, 100, 1_000 + lost * 1_500);
    breaker.tick(1, 3_600_000);
    expect(breaker.connectionLost(1, 100, 3_600_001)).equal(false);
    expect(breaker.state).equal('closed');
  });

  it('goes by what is proven: 2 of 20 may be chance, 5 of 20 are not', () => {
    expect(wilsonLower(2, 20)).below(0.1);
    expect(wilsonLower(5, 20)).above(0.1);
    expect(wilsonLower(9, 50)).above(0.09);
    expect(wilsonLower(0, 0)).equal(0);
  });
});
