import { expect } from 'chai';
import { Forbearance, patienceOf, type Queue, soonMs } from '../../../src/sizing/forbearance.js';

describe('forbearance', () => {
  /** One who has just come, while eight leases of 4 ms are out. */
  const queue: Queue = {
    now: 1_000,
    waiting: 1,
    waitedMs: 0,
    leased: 8,
    open: 8,
    holdMs: 4,
    connectMs: 40,
  };

  it('leaves a short queue to what comes back, until all that came to wait were worth a connection', () => {
    const forbearance = new Forbearance();
    // Half a millisecond each time, and a connection for half a second is worth a quarter of one.
    let times = 0;
    for (let now = 1_000; forbearance.forbears({ ...queue, now }, 0.1); now += 500) times += 1;
    expect(times).equal(2);
    expect(forbearance.forbears({ ...queue, now: 2_100, open: 9 }, 0.1), 'once there is one more').equal(
      true,
    );
  });

  it('goes on for ever where they come seldom', () => {
    const forbearance = new Forbearance();
    for (let now = 1_000; now < 100_000; now += 2_000) {
      expect(forbearance.forbears({ ...queue, now }, 0.1)).equal(true);
    }
  });

  it('has no patience with a queue that is long, with one that does not move, or where nothing comes back', () => {
    for (const seen of [{ waiting: 6 }, { waitedMs: 3 }, { leased: 0, open: 0 }, { holdMs: 40 }]) {
      expect(new Forbearance().forbears({ ...queue, ...seen }, 0.1), JSON.stringify(seen)).equal(false);
    }
  });

  it('has none where the absence of a connection was dear, or that is not known', () => {
    expect(new Forbearance().forbears(queue, 2)).equal(false);
    expect(new Forbearance().forbears(queue, Number.POSITIVE_INFINITY)).equal(false);
  });

  it('lasts a sixteenth of an opening, and ten milliseconds at the most', () => {
    expect([40, 160, 4_000].map(patienceOf)).deep.equal([2.5, 10, 10]);
    const slow = { ...queue, connectMs: 4_000 };
    expect(new Forbearance().forbears({ ...slow, waitedMs: 10 }, 0.1)).equal(true);
    expect(new Forbearance().forbears({ ...slow, waitedMs: 11 }, 0.1)).equal(false);
  });

  it('counts on leases that are out for no longer than four others', () => {
    expect([soonMs(4, 40), soonMs(0.1, 40)]).deep.equal([16, 2.5]);
  });
});
