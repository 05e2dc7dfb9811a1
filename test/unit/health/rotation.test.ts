import { expect } from 'chai';
import { type Rotated, Rotation } from '../../../src/health/rotation.js';
import { type Slot, SlotState, Slots } from '../../../src/slots.js';

const NOW = 100_000;

/** So many connections, all due; idle for ten seconds unless `change` says otherwise. */
function pool(
  open: number,
  change: (slot: Slot<object>, slots: Slots<object>, index: number) => void = () => {},
) {
  const slots = new Slots<object>();
  for (let index = 0; index < open; index += 1) {
    const slot = slots.add({ takeBack: () => true }, 0);
    slots.move(slot, SlotState.idle);
    slot.idleSince = NOW - 10_000;
    change(slot, slots, index);
  }
  const rotated: Rotated<object> = {
    slots,
    open,
    room: 0,
    leastKept: open,
    maxLifetimeMs: 1_800_000,
    slowly: false,
  };
  return { due: [...slots], rotated };
}

const idleFor = (idleMs: number) => (slot: Slot<object>) => {
  slot.idleSince = NOW - idleMs;
};
const hows = (steps: readonly { how: string }[]) => steps.map(({ how }) => how);

function firstSteps(
  open: number,
  more: Partial<Rotated<object>>,
  change?: Parameters<typeof pool>[1],
): string[] {
  const { due, rotated } = pool(open, change);
  return hows(new Rotation<object>().steps(due, { ...rotated, ...more }, NOW));
}

describe('the rotation of connections', () => {
  it('only closes what nobody would miss', () => {
    expect(firstSteps(4, { leastKept: 0 })).deep.equal(['close']);
    expect(firstSteps(4, { leastKept: 4 }), 'it is kept').deep.equal(['make_room']);
    expect(firstSteps(4, { leastKept: 0 }, idleFor(1)), 'it is in use').deep.equal(['make_room']);
  });

  it('misses what was used within ten seconds, or a tenth of its lifetime', () => {
    expect(firstSteps(4, { leastKept: 0 }, idleFor(9_999))).deep.equal(['make_room']);
    expect(firstSteps(4, { leastKept: 0 }, idleFor(10_000))).deep.equal(['close']);
    expect(firstSteps(4, { leastKept: 0, maxLifetimeMs: 50_000 }, idleFor(4_999))).deep.equal(['make_room']);
    expect(firstSteps(4, { leastKept: 0, maxLifetimeMs: 50_000 }, idleFor(5_000))).deep.equal(['close']);
    expect(firstSteps(4, { leastKept: 0, maxLifetimeMs: 0 }, idleFor(10_000))).deep.equal(['close']);
    const leased = (slot: Slot<object>, slots: Slots<object>) => slots.move(slot, SlotState.leased);
    expect(firstSteps(4, { leastKept: 0 }, leased)).deep.equal(['make_room']);
  });

  it('takes, where the load is steady, all of the time that lifetimes allow for, but not for those that go for another reason', () => {
    const timesOf = (slowly: boolean, expiresAt: number) => {
      const { due, rotated } = pool(10, (slot) => {
        slot.expiresAt = expiresAt;
      });
      const rotation = new Rotation<object>();
      const times: number[] = [];
      for (let now = NOW; now < NOW + 400_000 && times.length < 10; now += 100) {
        for (const { slot } of rotation.steps(due, { ...rotated, room: 10, slowly }, now)) {
          due.splice(due.indexOf(slot), 1);
          times.push(now - NOW);
        }
      }
      return times;
    };
    // The first may be a tenth of a second late, and the next is not for it.
    const everyMs = (ms: number) => Array.from({ length: 10 }, (_, at) => Math.max(0, at * ms - 100));
    expect(timesOf(false, NOW)).deep.equal(everyMs(1_000));
    expect(timesOf(true, NOW), 'a tenth of half an hour').deep.equal(everyMs(18_000));
    expect(timesOf(true, Number.POSITIVE_INFINITY)).deep.equal(everyMs(1_000));
  });

  it('opens another one first where there is room', () => {
    expect(firstSteps(4, { room: 1 })).deep.equal(['replace']);
  });

  it('lets a tenth go at once, and where there is no room one alone', () => {
    const long = { maxLifetimeMs: 0 };
    const rotation = new Rotation<object>();
    const { due, rotated } = pool(40);
    let left = due;
    let now = NOW;
    const went: string[] = [];
    for (let step = 0; step < 20; step += 1, now += 100) {
      const steps = rotation.steps(left, { ...rotated, ...long, room: 3 }, now);
      for (const { slot } of steps) slot.leavesFor = 'lifetime';
      left = left.filter(({ leavesFor }) => leavesFor === undefined);
      went.push(...hows(steps));
    }
    expect(went).deep.equal(['replace', 'replace', 'replace', 'replace']);
    expect(firstSteps(40, { ...long, room: 0 })).deep.equal(['make_room']);
  });

  it('goes at a pace: a tenth in a second, or all within a tenth of a lifetime where that is sooner', () => {
    const wentIn = (open: number, maxLifetimeMs: number) => {
      const rotation = new Rotation<object>();
      const { due, rotated } = pool(open);
      let went = 0;
      for (let now = NOW; now < NOW + 1_000; now += 100) {
        const steps = rotation.steps(due.slice(went), { ...rotated, leastKept: 0, maxLifetimeMs }, now);
        went += steps.length;
      }
      return went;
    };
    expect(wentIn(40, 0), 'four a second, and what one upkeep makes up for').within(4, 5);
    expect(wentIn(5, 10_000), 'five in a second').within(5, 6);
    expect(wentIn(5, 1_800_000), 'one a second').within(1, 2);
  });

  it('does not make up for what went before', () => {
    const { due, rotated } = pool(40);
    const rotation = new Rotation<object>();
    const all = { ...rotated, leastKept: 0, maxLifetimeMs: 0 };
    rotation.steps([], all, NOW);
    expect(rotation.steps(due, all, NOW + 60_000).length).equal(1);
  });

  it('counts those that are on their way, but for who is held for long', () => {
    const leaving = (heldMs: number) =>
      firstSteps(10, { room: 5 }, (slot, slots, index) => {
        if (index !== 9) return;
        slots.move(slot, SlotState.leased);
        slot.leasedAt = NOW - heldMs;
        slot.leavesFor = 'lifetime';
      });
    expect(leaving(9_999)).deep.equal([]);
    expect(leaving(10_000)).deep.equal(['replace']);
    const idleAndLeaving = firstSteps(10, { room: 5 }, (slot, _slots, index) => {
      if (index === 9) slot.leavesFor = 'lifetime';
    });
    expect(idleAndLeaving).deep.equal([]);
  });

  it('closes no more than are to spare, then replaces', () => {
    const rotation = new Rotation<object>();
    const { due, rotated } = pool(100);
    rotation.steps([], { ...rotated, maxLifetimeMs: 0 }, NOW);
    const steps = rotation.steps(due, { ...rotated, leastKept: 99, room: 1, maxLifetimeMs: 0 }, NOW + 100);
    expect(hows(steps)).deep.equal(['close', 'replace']);
  });

  it('lets none go for which there is no room while another is on its way', () => {
    const { due, rotated } = pool(100);
    const steps = (room: number) =>
      hows(new Rotation<object>().steps(due, { ...rotated, room, maxLifetimeMs: 0 }, NOW));
    expect([steps(2), steps(1), steps(0)]).deep.equal([['replace', 'replace'], ['replace'], ['make_room']]);
  });

  it('spares what it closes, and no more', () => {
    const slots = pool(100, (slot, all, index) => {
      if (index === 0) all.move(slot, SlotState.leased);
    });
    const steps = new Rotation<object>().steps(
      slots.due,
      { ...slots.rotated, leastKept: 99, room: 5, maxLifetimeMs: 0 },
      NOW,
    );
    expect(hows(steps), 'the first is in use, the second is to spare').deep.equal(['replace', 'close']);
  });

  it('lets no more go than a tenth, those of this step counted', () => {
    const slots = pool(20, (slot, _all, index) => {
      if (index === 19) slot.leavesFor = 'lifetime';
    });
    const more = { room: 9, maxLifetimeMs: 1_000 };
    expect(hows(new Rotation<object>().steps(slots.due, { ...slots.rotated, ...more }, NOW))).deep.equal([
      'replace',
    ]);
  });

  it('is thought of with the next upkeep, or in a second where the server is in trouble', () => {
    const rotation = new Rotation<object>();
    const { rotated } = pool(1);
    rotation.steps([], rotated, NOW);
    expect(rotation.nextAt).equal(NOW + 100);
    rotation.putOff(NOW);
    expect(rotation.nextAt).equal(NOW + 1_000);
  });
});
