import { expect } from 'chai';
import { causeOfWaiting, describeHolders } from '../../../src/health/holders.js';
import { QueryProfile } from '../../../src/query/profiles.js';
import { SlotState, Slots } from '../../../src/slots.js';
import type { PoolStats } from '../../../src/stats.js';

const home = { takeBack: () => true };

describe('who holds the connections', () => {
  it('is told by fingerprint, the longest first, three at the most', () => {
    const slots = new Slots<object>();
    const lease = (name: string | undefined, leasedAt: number) => {
      const slot = slots.add(home, 0);
      slots.move(slot, SlotState.leased);
      slot.leasedAt = leasedAt;
      slot.profile = name === undefined ? undefined : new QueryProfile(name);
    };
    lease('a', 900);
    lease('b', 100);
    lease('a', 400);
    lease(undefined, 950);
    lease('c', 990);
    slots.move(slots.add(home, 0), SlotState.idle);
    expect(describeHolders(slots, 1_000)).equal(
      '1 by b for up to 900 ms, 2 by a for up to 600 ms, 1 by unknown for up to 50 ms',
    );
  });

  it('is nobody in an idle pool', () => {
    expect(describeHolders(new Slots<object>(), 0)).equal('');
  });
});

describe('what keeps those who wait', () => {
  const full = { leased: 4, limit: 4, max: 4, opening: 0 } as PoolStats;
  const cause = (
    stats: Partial<PoolStats> = {},
    openError?: unknown,
    fleet?: { budget: number; share: number },
  ) => causeOfWaiting({ ...full, ...stats }, new Slots<object>(), openError, 0, fleet);

  it('is first of all that connections cannot be opened', () => {
    expect(cause({}, new Error('refused'))).equal('connections cannot be opened (refused)');
    expect(cause({}, 'refused')).equal('connections cannot be opened (refused)');
  });

  it('is the fleet where that leaves the pool less than its own maximum, and all of it is held', () => {
    const fleetIs = (stats: Partial<PoolStats>, share: number) =>
      cause(stats, undefined, { budget: 20, share }).includes('2 of its 4, out of a budget of 20');
    expect(fleetIs({ leased: 2, limit: 2 }, 2)).equal(true);
    expect(fleetIs({ leased: 1, limit: 2 }, 2), 'not all are held').equal(false);
    expect(cause({}, undefined, { budget: 20, share: 4 }), 'it leaves the maximum').contain('or raise max');
  });

  it('is who holds all connections', () => {
    expect(cause({ leased: 3, limit: 4 })).not.contain('are held');
    expect(cause()).contain('all connections are held').contain('raise max');
  });

  it('is else a slow server, or upkeep', () => {
    expect(cause({ leased: 3, opening: 1 })).contain('slow to open');
    expect(cause({ leased: 3 })).equal('connections are being checked or closed');
  });
});
