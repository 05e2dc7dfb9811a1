import { expect } from 'chai';
import { Breaker, type CircuitState, wilsonLower } from '../../../src/breaker/breaker.js';
import { FAILURES, type FailurePattern } from '../../../src/health/failure.js';

/** A breaker whose pool has worked, without jitter. */
function worked() {
  const states: CircuitState[] = [];
  const reasons: string[] = [];
  const breaker = new Breaker(
    () => 0.999,
    ({ to, reason }) => {
      states.push(to);
      reasons.push(reason);
    },
  );
  breaker.opened(0, 1);
  return { breaker, states, reasons };
}

const NEVER = Number.POSITIVE_INFINITY;

describe('the circuit breaker', () => {
  it('that was isolated opens nothing until it is reset, whatever comes', () => {
    const { breaker, states } = worked();
    breaker.isolate(false, 1_000);
    expect(breaker.openFailed('refused', 1_000, 0, 1_000)).equal('hold');
    breaker.opened(1_001, 1_002);
    for (let now = 1_000; now < 600_000; now += 100) {
      breaker.tick(5, now);
      expect(breaker.room(now, 0, 10)).equal(0);
    }
    expect(breaker).include({ state: 'open', holds: true, refuses: false, fills: false });
    breaker.reset(600_000);
    expect(states).deep.equal(['open', 'closed']);
    expect(breaker.room(600_000, 3, 10)).equal(Number.POSITIVE_INFINITY);
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

  it('is degraded, not half-open without a probe, where one fails beside a connection that came late', () => {
    const { breaker, states } = worked();
    breaker.openFailed('refused', 10_000, 0, 10_000);
    breaker.opening(10_100);
    // It began to open before the circuit did.
    breaker.opened(9_000, 10_150);
    expect(breaker.openFailed('refused', 10_100, 1, 10_200)).equal('hold');
    expect(states).deep.equal(['open', 'half_open', 'degraded']);
    expect(breaker.room(11_000, 0, 10), 'another is tried').equal(1);
    for (let now = 11_000; now < 16_000; now += 100) breaker.tick(1, now);
    expect(breaker.state).equal('closed');
  });

  it('leaves the first failure of a pool that never worked to its caller', () => {
    const breaker = new Breaker(
      () => 0,
      () => {},
    );
    for (let now = 0; now < 5_000; now += 100)
      expect(breaker.openFailed('refused', now, 0, now + 1)).equal('tell');
    expect(breaker.state).equal('closed');
    expect(breaker.room(5_000, 3, 10)).equal(Number.POSITIVE_INFINITY);
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
      if (breaker.room(now, 0, 10) === 0) continue;
      expect(breaker.room(now, 0, 10)).equal(1);
      breaker.opening(now);
      expect(breaker.room(now, 1, 10)).equal(0);
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

  it('is never more than 150 ms or a twentieth of the outage late', () => {
    const { breaker } = worked();
    let now = 1_000;
    breaker.openFailed('refused', now, 0, now);
    while (now < 120_000) {
      expect(breaker.nextOpenAt - now).most(Math.max(150, (now - 1_000) / 20));
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
    expect(breaker.room(310, 0, 10)).equal(2);
    breaker.opened(310, 320);
    breaker.opened(310, 320);
    expect(breaker.room(320, 0, 10)).equal(4);
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
    expect(breaker.room(30_000, 0, 10)).equal(0);
    expect(breaker.room(33_100, 0, 10)).equal(1);
  });

  it('goes on with the connections that it has when a login is rejected', () => {
    const { breaker } = worked();
    expect(breaker.openFailed('authentication', 100, 3, 100)).equal('hold');
    expect(breaker.state).equal('degraded');
    expect(breaker.refuses).equal(false);
  });

  it('tells of a rejected login once the last of those connections is gone', () => {
    const { breaker, states } = worked();
    breaker.openFailed('authentication', 100, 3, 100);
    expect(breaker.noneLeft(200)).equal(true);
    expect(states).deep.equal(['degraded', 'open']);
    breaker.opening(33_200);
    breaker.opened(33_200, 33_210);
    expect(breaker.noneLeft(33_300)).equal(false);
  });

  it('stays careful after a rejected login until somebody has asked again, alone, or nobody does', () => {
    const { breaker } = worked();
    breaker.openFailed('authentication', 100, 3, 100);
    for (let now = 200; now < 40_000; now += 100) breaker.tick(20, now);
    expect(breaker.state).equal('degraded');
    expect([breaker.room(40_000, 0, 10), breaker.room(40_000, 1, 10)]).deep.equal([1, 0]);
    breaker.openFailed('authentication', 40_000, 3, 40_010);
    for (let now = 40_100; now < 90_000; now += 100) breaker.tick(20, now);
    expect(breaker.state).equal('degraded');
    for (let now = 90_000; now < 110_000; now += 100) breaker.tick(20, now);
    expect(breaker.state).equal('closed');
  });

  it('lets no more than ten connections begin to open within a second while it recovers, or as many as the pool may have', () => {
    const { breaker } = worked();
    breaker.openFailed('refused', 10_000, 0, 10_000);
    breaker.opening(10_200);
    breaker.opened(10_200, 10_200);
    const attempts = [10_200];
    for (let now = 10_200; now < 11_290; now += 10) {
      if (now >= 11_000) expect(breaker.dueAt(now)).equal(11_300);
      for (let room = breaker.room(now, 0, 8); room > 0; room -= 1) {
        breaker.opening(now);
        breaker.opened(now, now);
        attempts.push(now);
      }
    }
    expect(attempts.length).equal(10);
    expect(breaker.room(11_290, 0, 30)).equal(11);
    expect(breaker.room(11_300, 0, 8), 'the probe and two more are a second old').equal(3);
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
    expect(breaker.room(2_600, 0, 10)).equal(1);
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

  it('takes a server that is full for one that is there', () => {
    const { breaker, states } = worked();
    expect(breaker.openFailed('too_many_connections', 100, 3, 100)).equal('hold');
    expect(states).deep.equal([]);
    breaker.openFailed('refused', 200, 0, 200);
    breaker.opening(400);
    expect(breaker.openFailed('too_many_connections', 400, 0, 410)).equal('hold');
    expect(states).deep.equal(['open', 'half_open', 'recovering']);
    expect(breaker.holds, 'nothing has failed since').equal(false);
  });

  it('opens again when a probe fails for a reason that is not the server’s', () => {
    const { breaker, states } = worked();
    breaker.openFailed('refused', 100, 0, 100);
    breaker.opening(400);
    expect(breaker.openFailed('unknown', 400, 0, 410)).equal('tell');
    expect(states).deep.equal(['open', 'half_open', 'open']);
  });

  it('degrades by the second failure in a row while older connections work', () => {
    const { breaker, reasons } = worked();
    expect(breaker.openFailed('refused', 100, 3, 100)).equal('hold');
    expect(breaker.state).equal('closed');
    breaker.opened(110, 120);
    breaker.openFailed('refused', 130, 3, 140);
    expect(breaker.state, 'one opened in between').equal('closed');
    breaker.openFailed('refused', 150, 3, 160);
    expect(breaker).include({ state: 'degraded', holds: true, refuses: false });
    expect(reasons).deep.equal([FAILURES.refused.what]);
  });

  it('degrades where more than a tenth of the uses lose their connection, however spread, and suspects nobody for it', () => {
    const { breaker, reasons } = worked();
    const lose = (now: number) => breaker.connectionLost(1, 100, now);
    breaker.tick(8, 1_000);
    const lost = [2_000, 4_000, 6_000, 8_000].map(lose);
    expect(lost).deep.equal([false, false, false, false]);
    expect(reasons).deep.equal(['connections are lost']);
  });

  it('concludes nothing from fewer than ten uses', () => {
    const { breaker } = worked();
    breaker.tick(3, 1_000);
    for (const now of [2_000, 3_100, 4_200, 5_300, 6_400, 7_500]) breaker.connectionLost(1, 100, now);
    expect(breaker.state).equal('closed');
    breaker.connectionLost(1, 100, 8_600);
    expect(breaker.state, 'the tenth').equal('degraded');
  });

  it('takes two of ten that are lost within a second for a burst, and two of eleven for chance', () => {
    const burst = (open: number, apartMs: number) => {
      const { breaker, reasons } = worked();
      breaker.tick(1_000, 1_000);
      breaker.connectionLost(1, open, 1_500);
      return [breaker.connectionLost(1, open, 1_500 + apartMs), ...reasons];
    };
    expect(burst(10, 999)).deep.equal([true, 'several connections were lost at once']);
    expect(burst(10, 1_000)).deep.equal([false]);
    expect(burst(11, 1)).deep.equal([false]);
  });

  it('counts no loss of a connection from before the trouble’s end against the server, nor while it is away', () => {
    const { breaker } = worked();
    breaker.connectionLost(1, 4, 1_000);
    expect(breaker.connectionLost(1, 4, 1_001)).equal(true);
    expect(breaker.connectionLost(500, 4, 1_002), 'it is older than the trouble').equal(false);
    breaker.openFailed('refused', 1_100, 0, 1_100);
    expect(breaker.connectionLost(1_050, 1, 1_101)).equal(false);
    expect(breaker.state).equal('open');
  });

  it('is careful for five seconds after the last trouble, then says so', () => {
    const { breaker, reasons } = worked();
    breaker.connectionLost(1, 4, 1_000);
    breaker.connectionLost(1, 4, 1_001);
    breaker.tick(1, 6_000);
    expect(breaker.state).equal('degraded');
    breaker.tick(1, 6_001);
    expect(breaker).include({ state: 'closed', troubleSince: 0, fills: true });
    expect(reasons.at(-1)).equal('nothing failed for a while');
    expect(breaker.connectionLost(1, 4, 6_002), 'the burst is forgotten').equal(false);
  });

  it('is careful twice as long after a relapse within a minute, and a minute at the most', () => {
    const { breaker } = worked();
    let now = 0;
    const carefulFor = (restMs: number) => {
      now += restMs;
      const from = now;
      breaker.connectionLost(from, 4, from);
      breaker.connectionLost(from, 4, from);
      while (breaker.state !== 'closed') breaker.tick(1, ++now);
      return now - from;
    };
    expect([0, 1_000, 1_000, 1_000, 1_000, 1_000].map(carefulFor)).deep.equal([
      5_000, 10_000, 20_000, 40_000, 60_000, 60_000,
    ]);
    expect(carefulFor(59_999)).equal(60_000);
    expect(carefulFor(60_000)).equal(5_000);
  });

  it('has to be looked after when the next opening may be, and every second while it is isolated', () => {
    const { breaker } = worked();
    expect(breaker.dueAt(10)).equal(Number.POSITIVE_INFINITY);
    breaker.openFailed('refused', 100, 0, 100);
    expect(breaker.dueAt(100)).equal(breaker.nextOpenAt);
    expect(breaker.dueAt(breaker.nextOpenAt), 'it is due').equal(Number.POSITIVE_INFINITY);
    breaker.isolate(false, 1_000);
    expect(breaker.dueAt(5_000)).equal(6_000);
    breaker.reset(6_000);
    expect(breaker.dueAt(5_000), 'a closed one needs nobody').equal(Number.POSITIVE_INFINITY);
  });

  it('that is isolated tells those who wait what it was told to', () => {
    for (const refuses of [true, false]) {
      const { breaker } = worked();
      breaker.isolate(refuses, 1_000);
      expect(breaker).include({ refuses, holds: true, isIsolated: true, troubleSince: 1_000 });
      expect(breaker.openFailed('refused', 1_000, 0, 1_001)).equal(refuses ? 'refuse' : 'hold');
    }
  });

  it('ramps anew after every failure', () => {
    const { breaker } = worked();
    breaker.openFailed('refused', 100, 0, 100);
    breaker.opening(400);
    breaker.opened(400, 410);
    breaker.opened(410, 420);
    expect(breaker.room(420, 1, 10)).equal(2);
    expect(breaker.room(420, 9, 10)).equal(0);
    breaker.openFailed('refused', 420, 2, 430);
    expect(breaker.room(430, 0, 10), 'not before the pause is over').equal(0);
    expect(breaker.room(breaker.nextOpenAt, 0, 10)).equal(1);
  });

  it('says why it moves', () => {
    const { breaker, reasons } = worked();
    breaker.openFailed('refused', 100, 0, 100);
    breaker.opening(400);
    breaker.tick(0, 10_400);
    breaker.opening(10_500);
    breaker.opened(10_500, 10_510);
    breaker.isolate(false, 11_000);
    breaker.reset(12_000);
    expect(reasons).deep.equal([
      FAILURES.refused.what,
      'a probe is on its way',
      'a probe had no answer',
      'a probe is on its way',
      'the server answers',
      'it was isolated',
      'it was reset',
    ]);
  });

  it('forgets second by second what is ten seconds old', () => {
    const lastLossAt = (now: number) => {
      const { breaker } = worked();
      breaker.tick(5, 1_000);
      for (let lost = 0; lost < 4; lost += 1) breaker.connectionLost(1, 1_000, 1_000);
      breaker.connectionLost(1, 1_000, now);
      return breaker.state;
    };
    expect([lastLossAt(10_999), lastLossAt(11_000)]).deep.equal(['degraded', 'closed']);
  });

  it('begins with an empty record when it closes', () => {
    const { breaker, states } = worked();
    breaker.tick(5, 1_000);
    for (let lost = 0; lost < 5; lost += 1) breaker.connectionLost(1, 1_000, 1_000);
    breaker.tick(0, 6_000);
    breaker.connectionLost(1, 1_000, 6_100);
    expect(states).deep.equal(['degraded', 'closed']);
  });

  it('leaves everything to its caller that the server is not the cause of', () => {
    const causes = Object.entries(FAILURES).filter(([, { mitigation }]) =>
      ['none', 'retire', 'replace'].includes(mitigation),
    );
    expect(causes.length).above(2);
    for (const [pattern] of causes) {
      const { breaker, states } = worked();
      expect(breaker.openFailed(pattern as FailurePattern, 100, 0, 100), pattern).equal('tell');
      expect(states).deep.equal([]);
    }
  });

  it('lets nobody open beside a probe, nor takes what is lost meanwhile for news', () => {
    const { breaker } = worked();
    breaker.openFailed('refused', 100, 0, 100);
    breaker.opening(400);
    expect(breaker.room(400, 0, 10)).equal(0);
    breaker.connectionLost(200, 1, 410);
    expect(breaker.connectionLost(200, 1, 411)).equal(false);
    expect(breaker.state).equal('half_open');
  });

  it('stays degraded when one opens, and holds nobody while it is closed', () => {
    const { breaker } = worked();
    breaker.openFailed('refused', 100, 3, 100);
    expect(breaker.holds).equal(false);
    breaker.openFailed('refused', 110, 3, 110);
    breaker.opened(120, 130);
    expect(breaker).include({ state: 'degraded', holds: false });
  });

  it('gives a probe ten seconds, and a server that answers one second to fail again', () => {
    const { breaker } = worked();
    breaker.openFailed('refused', 100_000, 0, 100_000);
    breaker.opening(101_000);
    breaker.tick(0, 110_999);
    expect(breaker.state).equal('half_open');
    breaker.opened(101_000, 110_999);
    breaker.tick(0, 111_998);
    expect(breaker.state).equal('recovering');
    breaker.tick(0, 111_999);
    expect(breaker.state).equal('closed');
  });

  it('forgets a rejected login once it was accepted', () => {
    const { breaker } = worked();
    breaker.openFailed('authentication', 100, 0, 100);
    breaker.opening(40_000);
    breaker.opened(40_000, 40_010);
    breaker.tick(1, 60_000);
    expect(breaker.openFailed('refused', 60_001, 0, 60_002)).equal('hold');
    expect(breaker.refuses).equal(false);
  });

  it('begins with a probe within a tenth of a second, and after two minutes asks every six seconds at the most', () => {
    const { breaker } = worked();
    let now = 1_000;
    breaker.openFailed('refused', now, 0, now);
    expect(breaker.nextOpenAt - now).within(75, 100);
    while (now < 121_000) {
      now = breaker.nextOpenAt;
      breaker.opening(now);
      breaker.openFailed('refused', now, 0, now);
    }
    expect(breaker.nextOpenAt - now).within(4_250, 6_500);
  });

  it('has no more opened than will do for those who wait, for a quarter of a second from the first answer', () => {
    const { breaker } = worked();
    expect(breaker.enough(0, NEVER, 50)).equal(Number.POSITIVE_INFINITY);
    breaker.openFailed('refused', 1_000, 0, 1_000);
    expect(breaker.enough(0, NEVER, 1_050), 'a probe is one in any case').equal(Number.POSITIVE_INFINITY);
    breaker.opening(1_100);
    breaker.opened(1_100, 1_110);
    expect(breaker.enough(0, NEVER, 1_110)).equal(1);
    expect(breaker.enough(100, NEVER, 1_110)).equal(1);
    expect(breaker.enough(101, NEVER, 1_359)).equal(2);
    expect(breaker.enough(101, 1_361, 1_200)).equal(2);
    expect(breaker.enough(101, 1_360, 1_200), 'somebody has no time for that').equal(NEVER);
    expect(breaker.dueAt(1_200), 'then it is looked at again').equal(1_360);
    expect(breaker.enough(101, NEVER, 1_360)).equal(Number.POSITIVE_INFINITY);
    expect(breaker.dueAt(1_360)).equal(Number.POSITIVE_INFINITY);
  });

  it('goes by what is proven: 2 of 20 may be chance, 5 of 20 are not', () => {
    expect(wilsonLower(2, 20)).below(0.1);
    expect(wilsonLower(5, 20)).above(0.1);
    expect(wilsonLower(9, 50)).above(0.09);
    expect(wilsonLower(5, 20)).closeTo(0.1119, 0.0001);
    expect(wilsonLower(9, 50)).closeTo(0.0977, 0.0001);
    expect(wilsonLower(0, 20)).closeTo(0, 1e-9);
    expect(wilsonLower(0, 0)).equal(0);
  });
});
