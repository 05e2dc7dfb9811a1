import { type Slot, SlotState } from '../slots.js';
import { UPKEEP_INTERVAL_MS } from '../upkeep.js';

/**
 * Of all connections so many are on their way out at once, at least one; in a second, or a tenth of their lifetime, no more go. Where the
 * load is steady that tenth is used up: there is no better moment to wait for, and logins are fewest at a time.
 */
const SHARE = 0.1;
/** A connection that was idle for longer, or for a tenth of its lifetime, is not replaced: nobody would miss it. */
const MISSED_MS = 10_000;
/** Who holds a connection for so long does not keep others from being replaced. */
const LONG_HELD_MS = 10_000;
/** When replacing has to wait, it is thought of again after so long. */
const LATER_MS = 1_000;

/** How a connection goes. */
export type Departure =
  /** Nobody needs another one in its place. */
  | 'close'
  /** Another one is opened first: it goes when that is there. */
  | 'replace'
  /** There is no room for another one beside it: that is opened when it is gone. */
  | 'make_room';

/** What is to be done with one connection. */
export interface Step<C> {
  readonly slot: Slot<C>;
  readonly how: Departure;
}

/** A pool as it stands. */
export interface Rotated<C> {
  readonly slots: Iterable<Slot<C>>;
  /** How many connections are open, and how many more there may be. */
  readonly open: number;
  readonly room: number;
  /** So many are kept though nobody uses them. */
  readonly leastKept: number;
  readonly maxLifetimeMs: number;
  /** Whether there is all the time that lifetimes allow for. */
  readonly slowly: boolean;
}

/**
 * Replaces connections one after another, never many at once, however many have to go: opened together, they would come to
 * their end together. Pure: slots and `now` in, steps out.
 */
export class Rotation<C> {
  /** Nothing is replaced before. */
  nextAt = 0;
  /** When the next one may go, by the pace alone. */
  #pacedAt = 0;

  /** Nothing is to be replaced now: the server is in trouble, or full. */
  putOff(now: number): void {
    this.nextAt = now + LATER_MS;
  }

  /** @param due those that have to go, the idle ones first. */
  steps(
    due: readonly Slot<C>[],
    { slots, open, room, leastKept, maxLifetimeMs, slowly }: Rotated<C>,
    now: number,
  ): Step<C>[] {
    const most = Math.max(1, Math.floor(SHARE * open));
    const spreadMs = maxLifetimeMs > 0 ? SHARE * maxLifetimeMs : Number.POSITIVE_INFINITY;
    const evenlyMs = spreadMs / Math.max(1, open);
    // Whoever is to go for another reason than its age goes soon.
    const isForAge = due.every((slot) => now >= slot.expiresAt);
    const everyMs = slowly && isForAge ? evenlyMs : Math.min(1_000 / most, evenlyMs);
    const steps: Step<C>[] = [];
    let leaving = count(slots, (slot) => isLeaving(slot, now));
    let roomLeft = room;
    let spare = open - leastKept;
    // What was not used up in a while is not made up for.
    let at = Math.max(this.#pacedAt, now - UPKEEP_INTERVAL_MS);
    for (const slot of due) {
      if (at > now || leaving >= most) break;
      const how: Departure =
        spare > 0 && !isMissed(slot, now, Math.min(MISSED_MS, spreadMs))
          ? 'close'
          : roomLeft > 0
            ? 'replace'
            : 'make_room';
      if (how === 'make_room' && leaving > 0) break;
      if (how === 'close') spare -= 1;
      else roomLeft -= 1;
      leaving += 1;
      at += everyMs;
      steps.push({ slot, how });
    }
    this.#pacedAt = at;
    this.nextAt = now + UPKEEP_INTERVAL_MS;
    return steps;
  }
}

/** Whether it is one of those that are being replaced at this moment. */
function isLeaving<C>({ state, leavesFor, leasedAt }: Slot<C>, now: number): boolean {
  return leavesFor !== undefined && (state !== SlotState.leased || now - leasedAt < LONG_HELD_MS);
}

function isMissed<C>({ state, idleSince }: Slot<C>, now: number, withinMs: number): boolean {
  return state === SlotState.leased || now - idleSince < withinMs;
}

function count<C>(slots: Iterable<Slot<C>>, matches: (slot: Slot<C>) => boolean): number {
  let found = 0;
  for (const slot of slots) if (matches(slot)) found += 1;
  return found;
}
