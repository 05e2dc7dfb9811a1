import { expect } from 'chai';
import { resolveOptions } from '../../src/config.js';
import { type Slot, SlotState, Slots } from '../../src/slots.js';
import {
  idleBeyond,
  idleTooLong,
  inService,
  LONGEST_TIMING_MASK,
  leasedSince,
  nextSlotDueAt,
  overdue,
  pastLifetime,
  quietIdle,
  staleBefore,
  suspectedLeaks,
  timingMask,
  unused,
} from '../../src/upkeep.js';

describe('the pace of timing', () => {
  it('times every lease of a pool that does up to a thousand a second', () => {
    expect(timingMask(100, 100)).equal(0);
  });

  it('times one lease in 2^k above that, so that about a thousand a second are timed', () => {
    expect(timingMask(201, 100)).equal(3);
    expect(timingMask(5_000, 100)).equal(63);
    expect(
      [50, 51, 1_000].map((leases) => timingMask(leases, 1_000, 50)),
      'at another pace',
    ).deep.equal([0, 1, 31]);
  });

  it('never times fewer than one in 16,384', () => {
    expect(timingMask(1e9, 1)).equal(LONGEST_TIMING_MASK);
    expect(timingMask(10, 0)).equal(LONGEST_TIMING_MASK);
  });
});

/** A slot in a state that a new one may be moved to; idle where nothing is said. */
type Told = Partial<Slot<object>> & { readonly is?: keyof typeof SlotState };

function slotsThatAre(...told: Told[]) {
  const slots = new Slots<object>();
  const all = told.map(({ is = 'idle', ...rest }) => {
    const slot = slots.add({ takeBack: () => true }, 0);
    if (is !== 'opening') slots.move(slot, SlotState[is]);
    return Object.assign(slot, rest);
  });
  /** Where in `told` the slots stand that were found. */
  const places = (found: readonly Slot<object>[]) => found.map((slot) => all.indexOf(slot));
  return { slots, places };
}

describe('leases that began lately', () => {
  it('are those of connections that stay, as long as they are out', () => {
    const { slots } = slotsThatAre(
      { is: 'leased', leasedAt: 99 },
      { is: 'leased', leasedAt: 100 },
      { is: 'leased', leasedAt: 102 },
      { is: 'leased', leasedAt: 101, retiring: 'lifetime' },
      { leasedAt: 101 },
    );
    expect(leasedSince(slots, 100)).equal(2);
  });
});

describe('idle connections', () => {
  it('are too many where they outlived their timeout, the oldest first, and more are open than are kept', () => {
    const { slots, places } = slotsThatAre(
      { idleSince: 10 },
      { idleSince: 20 },
      { idleSince: 30 },
      { is: 'leased' },
      { is: 'closing' },
    );
    const tooLong = (now: number, least = 0, idleTimeoutMs = 100) =>
      places(idleTooLong(slots, resolveOptions({ idleTimeoutMs }), least, now));
    expect([109, 110, 120, 999].map((now) => tooLong(now))).deep.equal([[], [0], [0, 1], [0, 1, 2]]);
    expect([1, 2, 3, 4, 5].map((least) => tooLong(999, least))).deep.equal([[0, 1, 2], [0, 1], [0], [], []]);
    expect(tooLong(999, 0, 0), 'no timeout').deep.equal([]);
  });

  it('are beyond a limit, the oldest first', () => {
    const { slots, places } = slotsThatAre({}, {}, { is: 'leased' });
    expect([0, 1, 2, 3, 4].map((limit) => places(idleBeyond(slots, limit)))).deep.equal([
      [0, 1],
      [0, 1],
      [0],
      [],
      [],
    ]);
  });

  it('were not needed where nobody has held them since, or ever', () => {
    const { slots } = slotsThatAre(
      { idleSince: 9, uses: 1 },
      { idleSince: 10, uses: 1 },
      { idleSince: 11, uses: 0 },
      { idleSince: 12, uses: 0 },
      { is: 'leased', idleSince: 9 },
    );
    expect(unused(slots, 10)).equal(3);
  });

  it('are quiet by when they were given back or proven last', () => {
    const { slots, places } = slotsThatAre(
      { idleSince: 10 },
      { idleSince: 10, provenAt: 60 },
      { idleSince: 50, provenAt: 20 },
      { is: 'leased', idleSince: 10 },
    );
    expect([59, 60, 100, 110].map((now) => places(quietIdle(slots, 50, now)))).deep.equal([
      [],
      [0],
      [0, 2],
      [0, 1, 2],
    ]);
    const unusedSince = (newest: number, time: number) => places(staleBefore(slots, newest, time));
    expect([9, 10, 50, 60].map((time) => unusedSince(9, time))).deep.equal([[], [0], [0, 2], [0, 1, 2]]);
    expect(
      [1, 2].map((newest) => unusedSince(newest, 60)),
      'of the newest',
    ).deep.equal([[2], [1, 2]]);
  });
});

describe('connections whose time has come', () => {
  it('are idle and leased ones past their lifetime that are not on their way out', () => {
    const { slots, places } = slotsThatAre(
      { expiresAt: 10 },
      { is: 'leased', expiresAt: 20 },
      { expiresAt: 10, leavesFor: 'slow' },
      { is: 'leased', expiresAt: 10, retiring: 'uses' },
      { is: 'checking', expiresAt: 10 },
    );
    expect(places(inService(slots))).deep.equal([0, 1]);
    expect([9, 10, 20].map((now) => places(pastLifetime(slots, now)))).deep.equal([[], [0], [0, 1]]);
  });

  it('are those whose open, check or close has run past its deadline', () => {
    const { slots, places } = slotsThatAre(
      { is: 'opening', deadlineAt: 10 },
      { is: 'checking', deadlineAt: 20 },
      { is: 'closing' },
    );
    expect([9, 10, 20].map((now) => places(overdue(slots, now)))).deep.equal([[], [0], [0, 1]]);
  });

  it('are leases held beyond the leak threshold and not yet reported', () => {
    const { slots, places } = slotsThatAre(
      { is: 'leased', leasedAt: 10 },
      { is: 'leased', leasedAt: 10, leakReported: true },
      { leasedAt: 10 },
    );
    const leaks = (leakThresholdMs: number, now: number) =>
      places(suspectedLeaks(slots, resolveOptions({ leakThresholdMs }), now));
    expect([leaks(50, 59), leaks(50, 60), leaks(0, 999)]).deep.equal([[], [0], []]);
  });

  const due: [string, Told, Parameters<typeof resolveOptions>[0], dueAt: number, rotatesAt?: number][] = [
    ['an idle one at its timeout', { idleSince: 10 }, { idleTimeoutMs: 100 }, 110],
    [
      'an idle one without a timeout never',
      { idleSince: 10 },
      { idleTimeoutMs: 0 },
      Number.POSITIVE_INFINITY,
    ],
    [
      'a leased one never for being idle',
      { is: 'leased', idleSince: 10 },
      { idleTimeoutMs: 100 },
      Number.POSITIVE_INFINITY,
    ],
    ['whatever has a deadline then', { is: 'checking', deadlineAt: 70, expiresAt: 5 }, {}, 70],
    ['one at the end of its lifetime', { is: 'leased', expiresAt: 80 }, {}, 80],
    ['one past its lifetime at its turn', { is: 'leased', expiresAt: 80 }, {}, 95, 95],
    [
      'one that leaves anyway not again',
      { is: 'leased', expiresAt: 80, retiring: 'uses' },
      {},
      Number.POSITIVE_INFINITY,
    ],
    [
      'one that is replaced not again',
      { is: 'leased', expiresAt: 80, leavesFor: 'slow' },
      {},
      Number.POSITIVE_INFINITY,
    ],
    ['a lease at the leak threshold', { is: 'leased', leasedAt: 10 }, { leakThresholdMs: 50 }, 60],
    [
      'none without a leak threshold',
      { is: 'leased', leasedAt: 10 },
      { leakThresholdMs: 0 },
      Number.POSITIVE_INFINITY,
    ],
    [
      'no idle one for a leak',
      { leasedAt: 10 },
      { leakThresholdMs: 50, idleTimeoutMs: 0 },
      Number.POSITIVE_INFINITY,
    ],
    [
      'no leak twice',
      { is: 'leased', leasedAt: 10, leakReported: true },
      { leakThresholdMs: 50 },
      Number.POSITIVE_INFINITY,
    ],
  ];
  for (const [what, told, options, dueAt, rotatesAt = 0] of due) {
    it(`are told ahead: ${what}`, () => {
      const { slots } = slotsThatAre(told);
      expect(nextSlotDueAt(slots, resolveOptions(options), 0, rotatesAt)).equal(dueAt);
    });
  }

  it('are told ahead by the first of them, and not for idle ones that are kept', () => {
    const { slots } = slotsThatAre({ idleSince: 10, expiresAt: 500 }, { idleSince: 5, expiresAt: 400 });
    const dueAt = (least: number) => nextSlotDueAt(slots, resolveOptions({ idleTimeoutMs: 100 }), least, 0);
    expect([dueAt(0), dueAt(1), dueAt(2)]).deep.equal([110, 110, 400]);
  });
});
