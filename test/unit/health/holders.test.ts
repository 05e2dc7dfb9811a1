import { expect } from 'chai';
import { describeHolders } from '../../../src/health/holders.js';
import { QueryProfile } from '../../../src/query/profiles.js';
import { SlotState, Slots } from '../../../src/slots.js';

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
