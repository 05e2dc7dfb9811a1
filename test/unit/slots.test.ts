import { expect } from 'chai';
import { SlotState, Slots } from '../../src/slots.js';

const home = { takeBack: () => true };
const ALL = Object.values(SlotState);

/** The legal moves, written down a second time on purpose. */
const LEGAL: Record<keyof typeof SlotState, (keyof typeof SlotState)[]> = {
  opening: ['idle', 'leased', 'checking', 'closing', 'gone', 'warming'],
  idle: ['leased', 'checking', 'closing', 'stale'],
  leased: ['idle', 'leased', 'checking', 'closing', 'stale'],
  checking: ['idle', 'leased', 'closing'],
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

describe('the door between the states of a slot', () => {
  for (const from of Object.keys(LEGAL) as (keyof typeof SlotState)[]) {
    for (const to of Object.keys(LEGAL) as (keyof typeof SlotState)[]) {
      const legal = LEGAL[from].includes(to);
      it(`${legal ? 'lets' : 'does not let'} a slot go from ${from} to ${to}`, () => {
        const { slots, slot } = slotIn(from);
        const move = () => slots.move(slot, SlotState[to]);
        if (!legal) return expect(move).throw(`cannot move from ${from} to ${to}`);
        move();
        expect(slot.state).equal(SlotState[to]);
        expect(ALL.reduce<number>((sum, state) => sum + slots.count(state), 0)).equal(1);
        return expect(slots.count(SlotState[to])).equal(1);
      });
    }
  }

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
});
