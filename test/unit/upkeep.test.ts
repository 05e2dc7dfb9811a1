import { expect } from 'chai';
import { SlotState, Slots } from '../../src/slots.js';
import { LONGEST_TIMING_MASK, leasedSince, timingMask } from '../../src/upkeep.js';

describe('the pace of timing', () => {
  it('times every lease of a pool that does up to a thousand a second', () => {
    expect(timingMask(100, 100)).equal(0);
  });

  it('times one lease in 2^k above that, so that about a thousand a second are timed', () => {
    expect(timingMask(201, 100)).equal(3);
    expect(timingMask(5_000, 100)).equal(63);
  });

  it('never times fewer than one in 16,384', () => {
    expect(timingMask(1e9, 1)).equal(LONGEST_TIMING_MASK);
    expect(timingMask(10, 0)).equal(LONGEST_TIMING_MASK);
  });
});

describe('leases that began lately', () => {
  it('are those of connections that stay, as long as they are out', () => {
    const slots = new Slots<object>();
    const leasedAt = (time: number) => {
      const slot = slots.add({ takeBack: () => true }, 0);
      slots.move(slot, SlotState.leased);
      slot.leasedAt = time;
      return slot;
    };
    leasedAt(99);
    leasedAt(100);
    leasedAt(101).retiring = 'lifetime';
    slots.move(leasedAt(101), SlotState.idle);
    expect(leasedSince(slots, 100)).equal(1);
  });
});
