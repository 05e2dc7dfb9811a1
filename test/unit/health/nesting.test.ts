import { expect } from 'chai';
import { describeNested, Nesting, STUCK_MS } from '../../../src/health/nesting.js';
import { type Slot, SlotState, Slots } from '../../../src/slots.js';
import { Waiter } from '../../../src/waiters.js';

interface Wire {
  bytes: number | undefined;
}

const nothing = () => {};
const callers = { current: () => undefined, taskOf: (caller: unknown) => caller, describe: () => undefined };

/** A full pool: each of `tasks` holds a connection. */
function fullPool(...tasks: (string | undefined)[]) {
  const slots = new Slots<Wire>();
  for (const task of tasks) {
    const slot = slots.add({ takeBack: () => true }, 0);
    slots.attach(slot, { bytes: 0 });
    slots.move(slot, SlotState.leased);
    slot.holder = task;
  }
  const waiters: Waiter<Wire>[] = [];
  const nesting = new Nesting<Wire>(callers);
  return {
    held: [...slots] as [Slot<Wire>, ...Slot<Wire>[]],
    slots,
    nesting,
    waits: (task: string | undefined) => {
      const waiter = new Waiter<Wire>(undefined, 0, 0, nothing, nothing);
      waiter.caller = task;
      waiter.order = waiters.length;
      waiters.push(waiter);
      return waiter;
    },
    look: (now: number) => nesting.look(slots, waiters, ({ bytes }) => bytes, now),
  };
}

describe('nested acquires', () => {
  it('are found when all is held, nothing stirs for half a second, and holders wait', () => {
    const pool = fullPool('a', 'b');
    const [first, , third] = [pool.waits('b'), pool.waits('c'), pool.waits('a')];
    expect(pool.look(0)).equal(false);
    expect(pool.look(STUCK_MS - 1)).equal(false);
    expect(pool.look(STUCK_MS)).equal(true);
    expect(pool.nesting.found).deep.equal({ waiters: [first, third], held: 2, stuckMs: STUCK_MS });
    expect(pool.look(STUCK_MS + 1), 'no news').equal(false);
  });

  it('count all acquires of one task, and each connection that it holds', () => {
    const pool = fullPool('a', 'a');
    const waiters = [pool.waits('a'), pool.waits('a'), pool.waits('a')];
    pool.look(0);
    pool.look(STUCK_MS);
    expect(pool.nesting.found).include({ held: 2 });
    expect(pool.nesting.found!.waiters).deep.equal(waiters);
  });

  it('are none where somebody else may still give back, but for who has rested ten seconds', () => {
    const pool = fullPool('a', 'b');
    pool.waits('a');
    pool.look(0);
    pool.look(9_999);
    expect(pool.nesting.found).equal(undefined);
    expect(pool.look(10_000)).equal(true);
    expect(pool.nesting.found).include({ held: 1 });
  });

  it('are none where no holder waits, or nobody knows who is who', () => {
    for (const task of ['a', undefined]) {
      const pool = fullPool(task, task);
      pool.waits(task === undefined ? undefined : 'c');
      pool.look(0);
      pool.look(20_000);
      expect(pool.nesting.found, `held by ${task}`).equal(undefined);
    }
  });

  it('are none while a connection is not held', () => {
    const pool = fullPool('a', 'b');
    pool.waits('a');
    pool.waits('b');
    pool.look(0);
    pool.slots.move(pool.held[0], SlotState.idle);
    pool.look(STUCK_MS);
    expect(pool.nesting.found).equal(undefined);
  });

  it('are none while an answer comes, is owed, or the next lease began', () => {
    const stirs: Record<string, (slot: Slot<Wire>) => void> = {
      'bytes came': ({ connection }) => {
        connection!.bytes = 7;
      },
      'an answer is owed': ({ connection }) => {
        connection!.bytes = undefined;
      },
      'leased again': (slot) => {
        slot.uses += 1;
      },
    };
    for (const [what, stir] of Object.entries(stirs)) {
      const pool = fullPool('a');
      pool.waits('a');
      pool.look(0);
      stir(pool.held[0]);
      pool.look(400);
      pool.look(STUCK_MS + 100);
      expect(pool.nesting.found, what).equal(undefined);
    }
  });

  it('begin to be looked for when the owed answer has come', () => {
    const pool = fullPool('a');
    pool.waits('a');
    pool.held[0].connection!.bytes = undefined;
    pool.look(0);
    pool.held[0].connection!.bytes = 0;
    pool.look(1_000);
    expect(pool.look(1_000 + STUCK_MS - 1)).equal(false);
    expect(pool.look(1_000 + STUCK_MS)).equal(true);
  });

  it('are looked for anew after the event loop stood still, and are news again', () => {
    const pool = fullPool('a');
    pool.waits('a');
    pool.look(0);
    pool.look(STUCK_MS);
    pool.nesting.restart();
    expect(pool.nesting.found).equal(undefined);
    expect(pool.look(2 * STUCK_MS)).equal(false);
    expect(pool.look(3 * STUCK_MS)).equal(true);
  });

  it('are over when one comes back', () => {
    const pool = fullPool('a');
    pool.waits('a');
    pool.look(0);
    pool.look(STUCK_MS);
    pool.held[0].connection!.bytes = 1;
    expect(pool.look(STUCK_MS + 100)).equal(false);
    expect(pool.nesting.found).equal(undefined);
  });

  it('ask at most a thousand of those who wait', () => {
    const pool = fullPool('late');
    for (let asked = 0; asked < 1_000; asked += 1) pool.waits('others');
    pool.waits('late');
    pool.look(0);
    pool.look(STUCK_MS);
    expect(pool.nesting.found).equal(undefined);
  });

  it('are told with what they hold, for how long, and what to do', () => {
    expect(describeNested({ held: 3, stuckMs: 500.4 }))
      .contain('for 500 ms all connections have been held')
      .contain('those who hold 3 of them wait for another one')
      .contain('raise max');
  });
});
