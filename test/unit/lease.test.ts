import { expect } from 'chai';
import { Lease, SharedLease } from '../../src/lease.js';
import { Slots } from '../../src/slots.js';

describe('a lease', () => {
  const slot = new Slots<object>().add({ takeBack: () => true }, 0);

  it('is timed, if it is at all, until it has ended', () => {
    for (const timed of [true, false]) {
      const lease = new Lease(slot, timed);
      expect([lease.timed, lease.released]).deep.equal([timed, false]);
      lease.end();
      expect([lease.timed, lease.released]).deep.equal([false, true]);
    }
  });

  it('began when its slot was leased; one of many on it when it was given', () => {
    slot.leasedAt = 7;
    expect(new Lease(slot, true).since).equal(7);
    expect(new SharedLease(slot, true, 9, 0.5)).include({
      since: 9,
      costMs: 0.5,
      servedMs: 0,
      fellSilent: false,
    });
  });

  it('goes back to its home with its outcome, which is ok where nothing is said', () => {
    const outcomes: unknown[] = [];
    const home = { takeBack: (...given: unknown[]) => outcomes.push(given) < 2 };
    const lease = new Lease(new Slots<object>().add(home, 0), true);
    expect([lease.release(), lease.release('broken')]).deep.equal([true, false]);
    expect(outcomes).deep.equal([
      [lease, 'ok'],
      [lease, 'broken'],
    ]);
  });
});
