import { expect } from 'chai';
import type { FailurePattern } from '../../../src/health/failure.js';
import { causeOfWaiting, type Predicament } from '../../../src/health/waiting.js';
import { QueryProfile } from '../../../src/query/profiles.js';
import { Slot, SlotState } from '../../../src/slots.js';
import type { PoolStats } from '../../../src/stats.js';

const NOW = 100_000;
const HELD = 4;
const full = { leased: HELD, limit: HELD, max: HELD, opening: 0 } as PoolStats;

function heldFor(heldMs: number): Slot<object> {
  const slot = new Slot<object>(1, { takeBack: () => true }, 0);
  slot.state = SlotState.leased;
  slot.leasedAt = NOW - heldMs;
  slot.profile = new QueryProfile('SELECT a');
  return slot;
}

const slots = [4_000, 3_000, 2_000, 1_000].map(heldFor);
const [oldest, second, third, youngest] = slots as [Slot<object>, Slot<object>, Slot<object>, Slot<object>];

function cause(stats: Partial<PoolStats> = {}, rest: Partial<Predicament<object>> = {}): string {
  const plain: Predicament<object> = {
    stats: { ...full, ...stats },
    slots,
    openFailure: undefined,
    granted: Number.POSITIVE_INFINITY,
    fleet: undefined,
    nested: undefined,
    leakThresholdMs: 0,
    silentMs: () => 0,
    isAtRest: () => false,
  };
  return causeOfWaiting({ ...plain, ...rest }, NOW);
}

const failing = (pattern: FailurePattern, error: unknown = new Error('words')) => ({
  openFailure: { error, pattern },
});

describe('what keeps those who wait', () => {
  it('is first of all a nested acquire', () => {
    const nested = { held: 4, stuckMs: 600 };
    expect(cause({}, { nested, ...failing('refused') })).match(
      /^a nested acquire has blocked the pool: for 600 ms/,
    );
  });

  it('is then that connections cannot be opened, and what to do about that', () => {
    expect(cause({}, failing('refused'))).equal(
      'connections cannot be opened (words): the server accepts no connection; look whether it runs and what stands in ' +
        'between; the pool goes on by itself once it answers',
    );
    expect(cause({}, failing('authentication')))
      .contain('rejects the login')
      .contain('asked again twice a minute');
    expect(cause({}, failing('out_of_resources')))
      .contain('memory or disk')
      .contain('send less');
    expect(cause({}, failing('unknown', 'thrown')), 'nothing is known').equal(
      'connections cannot be opened (thrown)',
    );
  });

  it('is a full server, which may have left nothing, some or all that are needed', () => {
    expect(cause({ leased: 0 }, failing('too_many_connections'))).match(
      /^the server has no connection to spare \(words\); close what other clients hold there/,
    );
    expect(cause({ leased: 2 }, failing('too_many_connections'))).contain(
      'beside the 2 that are held (words)',
    );
    const granted = cause({ limit: 4, max: 10 }, { granted: 4, ...failing('too_many_connections') });
    expect(granted).match(
      /^all connections that the server grants this pool are held \(4 of its 10\): 4 by SELECT a/,
    );
    expect(granted)
      .contain('for up to 4000 ms')
      .contain("raise the server's own limit")
      .not.contain('or raise max');
    expect(cause({}, { granted: 4 }), 'it grants the maximum').contain('or raise max');
  });

  it('is the fleet where that leaves the pool less than its own maximum, and all of it is held', () => {
    const fleetIs = (stats: Partial<PoolStats>, share: number) =>
      cause(stats, { fleet: { budget: 20, share } }).includes('are held (2 of its 4, out of a budget of 20)');
    expect(fleetIs({ leased: 2, limit: 2 }, 2)).equal(true);
    expect(fleetIs({ leased: 1, limit: 2 }, 2), 'not all are held').equal(false);
    expect(cause({}, { fleet: { budget: 20, share: 4 } }), 'it leaves the maximum').contain('or raise max');
    const both = { granted: 1, fleet: { budget: 20, share: 2 } };
    expect(cause({ leased: 1, limit: 1 }, both), 'the server leaves less').contain('the server grants');
    const fleetLess = { granted: 3, fleet: { budget: 20, share: 2 } };
    expect(cause({ leased: 2, limit: 2 }, fleetLess)).equal(
      'all connections that the fleet leaves this pool are held (2 of its 4, out of a budget of 20): ' +
        '4 by SELECT a for up to 4000 ms; raise the budget, or send less',
    );
    expect(cause({ leased: 0 }, { granted: 0 }), 'none is held though none is granted').not.contain(
      'are held',
    );
  });

  it('is who holds all connections, by fingerprint and age', () => {
    expect(cause({ leased: 3 })).not.contain('are held');
    expect(cause()).equal(
      'all connections are held: 4 by SELECT a for up to 4000 ms; look for slow queries or leases that are not released, or raise max',
    );
  });

  it('is a stall, where most are silent', () => {
    const silentFor = (...silent: readonly Slot<object>[]) => ({
      silentMs: (slot: Slot<object>) => (silent.includes(slot) ? NOW - slot.leasedAt - 0.4 : 0),
    });
    const stalled = cause({}, silentFor(oldest, second, third));
    expect(stalled).match(
      /^all connections are held, 3 of 4 with an answer owed and no byte come for up to 4000 ms: 4 by SELECT a/,
    );
    expect(stalled).contain('look for locks').contain('network').not.contain('raise max');
    expect(cause({}, silentFor(oldest)), 'one alone explains little').contain('raise max');
  });

  it('is a leak, where most are held beyond the threshold', () => {
    const leaked = cause({}, { leakThresholdMs: 2_000 });
    expect(leaked)
      .contain('held, 3 of 4 for longer than leakThresholdMs (2000 ms): ')
      .contain('report (leaks)');
    expect(cause({}, { leakThresholdMs: 4_000 }), 'one alone explains little').contain('raise max');
    expect(cause({}, { leakThresholdMs: 3_000, silentMs: () => 5 }), 'an answer is owed').contain(
      'look for locks',
    );
  });

  it('is that most holders run nothing', () => {
    const restOf = (...resting: readonly Slot<object>[]) => ({
      isAtRest: (slot: Slot<object>) => resting.includes(slot),
    });
    const rested = cause({}, restOf(oldest, third, youngest));
    expect(rested)
      .contain('held, 3 of 4 by holders who run nothing on them now: ')
      .contain('not released')
      .contain('leakThresholdMs tells who');
    expect(cause({}, restOf(oldest, third)), 'as many work').contain('raise max');
    const idle = heldFor(9_000);
    idle.state = SlotState.idle;
    expect(cause({}, { slots: [...slots, idle], ...restOf(oldest, third, idle) }), 'it is not held').contain(
      'raise max',
    );
    const young = [999, 999].map(heldFor);
    expect(cause({}, { slots: young, isAtRest: () => true }), 'between two statements').contain('raise max');
  });

  it('is told together with who bounds the pool', () => {
    expect(cause({ max: 10 }, { granted: 4, leakThresholdMs: 1_000 })).match(
      /server grants this pool are held \(4 of its 10\), 4 of 4 for longer than leakThresholdMs/,
    );
  });

  it('is else a slow server, or upkeep', () => {
    expect(cause({ leased: 3, opening: 1 })).contain('slow to open (1 on their way)');
    expect(cause({ leased: 3 })).equal('connections are being checked, warmed or closed');
  });
});
