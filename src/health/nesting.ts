import type { Callers } from '../callers.js';
import { type Slot, SlotState } from '../slots.js';
import type { Waiter } from '../waiters.js';

/** For so long nothing may have stirred on any connection before those who hold them are said to block each other. */
export const STUCK_MS = 500;

/** Who holds a connection for so long without using it is not expected to give it back: `LISTEN` and the like. */
const RESTS_MS = 10_000;

/** Of those who wait, so many are asked for whom. */
const ASKED = 1_000;

/** Since when a lease is as it is: at rest, with so many bytes received. */
interface Rest {
  readonly uses: number;
  readonly bytes: number;
  readonly since: number;
}

/** A pool that cannot go on: those who hold its connections wait for others. */
export interface NestedAcquires<C> {
  /** Those who wait and hold a connection already, first come first. */
  readonly waiters: readonly Waiter<C>[];
  /** How many connections they hold. */
  readonly held: number;
  /** For how long nothing has stirred, in milliseconds. */
  readonly stuckMs: number;
}

/**
 * Finds a pool that its own callers block: every connection is held, none is used, and those who hold them wait in the queue for
 * another one. Pure: slots, waiters and `now` in. By the task alone it could not be told, for a task may do several things at
 * once; that on top of it nothing stirs makes it certain enough to be said.
 */
export class Nesting<C> {
  /** The finding of the last look; undefined while there is none. */
  found: NestedAcquires<C> | undefined = undefined;
  readonly #callers: Callers;
  #rests = new WeakMap<Slot<C>, Rest>();

  constructor(callers: Callers) {
    this.#callers = callers;
  }

  /** The event loop stood still: that nothing came says nothing. */
  restart(): void {
    this.#rests = new WeakMap();
    this.found = undefined;
  }

  /**
   * @param bytesAtRest bytes received so far on a connection that owes no answer; undefined when it owes one, or nobody can tell.
   * @returns whether this is news.
   */
  look(
    slots: Iterable<Slot<C>>,
    waiters: Iterable<Waiter<C>>,
    bytesAtRest: (connection: C) => number | undefined,
    now: number,
  ): boolean {
    const before = this.found;
    this.found = this.#find(slots, waiters, bytesAtRest, now);
    return before === undefined && this.found !== undefined;
  }

  #find(
    slots: Iterable<Slot<C>>,
    waiters: Iterable<Waiter<C>>,
    bytesAtRest: (connection: C) => number | undefined,
    now: number,
  ): NestedAcquires<C> | undefined {
    const held = [...slots];
    let stirredAt = 0;
    for (const slot of held) {
      if (slot.state !== SlotState.leased) return undefined;
      stirredAt = Math.max(stirredAt, this.#restsSince(slot, bytesAtRest(slot.connection!), now));
    }
    if (now - stirredAt < STUCK_MS) return undefined;
    return this.#blocked(held, waiters, stirredAt, now);
  }

  #blocked(
    held: readonly Slot<C>[],
    waiters: Iterable<Waiter<C>>,
    stirredAt: number,
    now: number,
  ): NestedAcquires<C> | undefined {
    const waitingTasks = this.#waitingTasks(waiters);
    const nested = new Set<unknown>();
    let holding = 0;
    for (const slot of held) {
      const task = this.#callers.taskOf(slot.holder);
      if (task !== undefined && waitingTasks.has(task)) {
        nested.add(task);
        holding += 1;
      } else if (now - this.#rests.get(slot)!.since < RESTS_MS) {
        return undefined;
      }
    }
    if (holding === 0) return undefined;
    return {
      waiters: [...nested].flatMap((task) => waitingTasks.get(task)!).sort((a, b) => a.order - b.order),
      held: holding,
      stuckMs: now - stirredAt,
    };
  }

  #waitingTasks(waiters: Iterable<Waiter<C>>): Map<unknown, Waiter<C>[]> {
    const tasks = new Map<unknown, Waiter<C>[]>();
    let asked = 0;
    for (const waiter of waiters) {
      if (asked === ASKED) break;
      asked += 1;
      const task = this.#callers.taskOf(waiter.caller);
      if (task === undefined) continue;
      const others = tasks.get(task);
      if (others === undefined) tasks.set(task, [waiter]);
      else others.push(waiter);
    }
    return tasks;
  }

  /** Since when nothing has come and no answer has been owed; infinite while one is. */
  #restsSince(slot: Slot<C>, bytes: number | undefined, now: number): number {
    if (bytes === undefined) {
      this.#rests.delete(slot);
      return Number.POSITIVE_INFINITY;
    }
    const known = this.#rests.get(slot);
    if (known?.uses === slot.uses && known.bytes === bytes) return known.since;
    this.#rests.set(slot, { uses: slot.uses, bytes, since: now });
    return now;
  }
}

/** As the cause of a wait. */
export function describeNested({ held, stuckMs }: Pick<NestedAcquires<unknown>, 'held' | 'stuckMs'>): string {
  return (
    `a nested acquire has blocked the pool: for ${Math.round(stuckMs)} ms all connections have been held and none used, and ` +
    `those who hold ${held} of them wait for another one; run what belongs together on one connection (hand the client or the ` +
    'transaction on), or raise max above the number of tasks that need two'
  );
}
