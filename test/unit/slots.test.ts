import { expect } from 'chai';
import { SlotState, Slots } from '../../src/slots.js';

const home = { takeBack: () => true };
const ALL = Object.values(SlotState);

/** The legal moves, written down a second time on purpose. */
const LEGAL: Record<keyof typeof SlotState, (keyof typeof SlotState)[]> = {
  opening: ['idle', 'leased', 'checking', 'closing', 'gone', 'warming'],
  idle: ['leased', 'checking', 'closing', 'stale'],
  leased: ['idle', 'leased', 'checking', 'closing', 'stale'],
  checking: ['idle', 'leased', 'checking', 'closing'],
  closing: ['gone'],
  gone: [],
  warming: ['idle', 'leased', 'checking', 'closing'],
  stale: ['leased', 'closing'],
};

/** How to bring a new slot into each state. */
const PATH: Record<keyof typeof SlotState, (keyof typeof SlotState)[]> = {
  opening: [],
  idle: ['idle'],
  leased: ['leased'],
  checking: ['idle', 'checking'],
  closing: ['closing'],
  gone: ['gone'],
  warming: ['warming'],
  stale: ['idle', 'stale'],
};

function slotIn(state: keyof typeof SlotState) {
  const slots = new Slots<object>();
  const slot = slots.add(home, 0);
  for (const step of PATH[state]) slots.move(slot, SlotState[step]);
  return { slots, slot };
}

/** What is said to a move that is refused. */
function refusal(move: () => void): string | undefined {
  try {
    move();
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

describe('the door between the states of a slot', () => {
  for (const from of Object.keys(LEGAL) as (keyof typeof SlotState)[]) {
    for (const to of Object.keys(LEGAL) as (keyof typeof SlotState)[]) {
      const legal = LEGAL[from].includes(to);
      it(`${legal ? 'lets' : 'does not let'} a slot go from ${from} to ${to}`, () => {
        const { slots, slot } = slotIn(from);
        const move = () => slots.move(slot, SlotState[to]);
        if (!legal) return expect(refusal(move)).equal(`bug: slot 1 cannot move from ${from} to ${to}`);
        move();
        expect(slot.state).equal(SlotState[to]);
        expect(ALL.reduce<number>((sum, state) => sum + slots.count(state), 0)).equal(1);
        return expect(slots.count(SlotState[to])).equal(1);
      });
    }
  }

  it('lets a slot close that is held', () => {
    const { slots, slot } = slotIn('leased');
    slot.holders = 1;
    slots.move(slot, SlotState.closing);
    expect(slot.state).equal(SlotState.closing);
  });

  it('makes slots that nothing is held against, and nobody holds', () => {
    expect(slotIn('opening').slot).include({
      depth: 1,
      holders: 0,
      uses: 0,
      lane: 'fast',
      fellSilent: false,
      isKeptAlive: false,
      isSuspect: false,
      isStale: false,
      isSevered: false,
      isOwed: false,
      leakReported: false,
    });
  });

  it('keeps the idle ones as a stack from which any can be taken', () => {
    const slots = new Slots<object>();
    const all = [slots.add(home, 0), slots.add(home, 0), slots.add(home, 0)];
    for (const slot of all) slots.move(slot, SlotState.idle);
    expect(slots.newestIdle()).equal(all[2]);
    slots.move(all[1]!, SlotState.closing);
    expect(slots.idle()).deep.equal([all[0], all[2]]);
  });

  it('knows a slot by its connection until it is gone', () => {
    const { slots, slot } = slotIn('opening');
    const connection = {};
    slots.attach(slot, connection);
    slots.move(slot, SlotState.closing);
    expect(slots.of(connection)).equal(slot);
    slots.move(slot, SlotState.gone);
    expect(slots.of(connection)).equal(undefined);
    expect(slots.size).equal(0);
  });

  it('numbers them, counts those that close only against `max`, and lists them in the order of their birth', () => {
    const slots = new Slots<object>();
    const all = [slots.add(home, 0), slots.add(home, 0), slots.add(home, 0)];
    expect(all.map(({ id }) => id)).deep.equal([1, 2, 3]);
    slots.move(all[1]!, SlotState.closing);
    expect([slots.size, slots.open]).deep.equal([3, 2]);
    expect([...slots]).deep.equal(all);
    slots.move(all[1]!, SlotState.gone);
    expect([slots.size, slots.open]).deep.equal([2, 2]);
    expect([...slots]).deep.equal([all[0], all[2]]);
  });

  it('puts one that was only asked whether it lives back to where it stood', () => {
    const slots = new Slots<object>();
    const all = [10, 20, 20, 30].map((idleSince) => {
      const slot = slots.add(home, 0);
      slots.move(slot, SlotState.idle);
      slot.idleSince = idleSince;
      return slot;
    });
    const [oldest, middle, twin, newest] = all;
    const asked = (slot: (typeof all)[number], idleSince: number) => {
      slots.move(slot, SlotState.checking);
      slots.move(slot, SlotState.idle);
      slot.idleSince = 99;
      slots.putBack(slot, idleSince);
      expect(slot.idleSince).equal(idleSince);
    };
    asked(oldest!, 10);
    expect(slots.idle()).deep.equal(all);
    asked(middle!, 20);
    expect(slots.idle(), 'behind its equals').deep.equal([oldest, twin, middle, newest]);
    asked(newest!, 30);
    expect(slots.idle()).deep.equal([oldest, twin, middle, newest]);

    slots.move(twin!, SlotState.leased);
    slots.putBack(twin!, 5);
    expect(slots.idle(), 'it was taken meanwhile').deep.equal([oldest, middle, newest]);
    expect(twin!.idleSince).equal(20);
  });

  it('lets as many share a slot as it is deep, until the last of them has let go', () => {
    const { slots, slot } = slotIn('idle');
    slots.share(slot, 2);
    expect([slot.state, slot.depth]).deep.equal([SlotState.leased, 2]);
    expect(slots.shared()).deep.equal([slot]);
    slot.holders = 1;
    slots.move(slot, SlotState.leased);
    slot.holders = 2;
    expect(refusal(() => slots.move(slot, SlotState.leased))).contain('cannot move from leased to leased');
    expect(slots.shared()).deep.equal([slot]);

    slot.holders = 0;
    slot.loadMs = 7;
    slots.move(slot, SlotState.idle);
    expect([slot.depth, slot.loadMs, slots.shared()]).deep.equal([1, 0, []]);
  });

  it('makes a slot one holder’s alone that is leased again straight away, or closes', () => {
    const slots = new Slots<object>();
    const [again, closes, other] = [slots.add(home, 0), slots.add(home, 0), slots.add(home, 0)];
    for (const slot of [again!, closes!, other!]) {
      slots.move(slot, SlotState.idle);
      slots.share(slot, 4);
    }
    slots.move(again!, SlotState.leased);
    expect(slots.shared()).deep.equal([closes, other]);
    closes!.holders = 1;
    slots.move(closes!, SlotState.closing);
    expect(slots.shared()).deep.equal([other]);
    expect([again!.depth, closes!.depth, other!.depth]).deep.equal([1, 1, 4]);
  });

  it('leaves those that are shared alone when another is moved', () => {
    const { slots, slot } = slotIn('idle');
    slots.share(slot, 4);
    const other = slots.add(home, 0);
    for (const to of [SlotState.leased, SlotState.idle] as const) slots.move(other, to);
    expect(slots.shared()).deep.equal([slot]);
    expect(slots.newestIdle()).equal(other);
  });
});
