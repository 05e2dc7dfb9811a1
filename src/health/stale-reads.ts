import type { Hint } from '../hint.js';
import type { Classification } from '../query/classify.js';
import type { Waiter } from '../waiters.js';

/** Connections to a former writer are kept so long, should no write succeed before. */
const KEPT_MS = 5_000;
/** Of all that a pool may have: the rest is for connections to the new writer. */
const MOST_KEPT = 0.5;

/**
 * After a failover, while no connection to the new writer is to be had: which callers may be given one to the former writer, which only
 * reads by now, and may lag behind.
 */
export class StaleReads<C> {
  /** When the last failover's connections go at the latest; in the past when none are kept. */
  until = Number.NEGATIVE_INFINITY;
  /** So many connections had been opened by then. */
  #openedBefore = 0;
  /** Those who may, in the order in which they came; some may have left the queue. */
  readonly #readers = new Set<Waiter<C>>();

  /** How many connections of a pool of `max` are kept. */
  static most(max: number): number {
    return Math.floor(max * MOST_KEPT);
  }

  get isOn(): boolean {
    return this.until !== Number.NEGATIVE_INFINITY;
  }

  begin(opened: number, now: number): void {
    this.until = now + KEPT_MS;
    this.#openedBefore = opened;
  }

  isOver(now: number): boolean {
    return now >= this.until;
  }

  end(): void {
    this.until = Number.NEGATIVE_INFINITY;
    this.#readers.clear();
  }

  /** Whether a write that succeeded now was the new writer's: one in flight at the failover may be answered late. */
  isProof(opened: number): boolean {
    return this.isOn && opened > this.#openedBefore;
  }

  /** Somebody waits. */
  joined(waiter: Waiter<C>): void {
    if (waiter.isStatement && mayBeStale(waiter.hint, waiter.profile?.classification))
      this.#readers.add(waiter);
  }

  /** Who is next. */
  next(): Waiter<C> | undefined {
    for (const waiter of this.#readers) {
      this.#readers.delete(waiter);
      if (waiter.queued) return waiter;
    }
    return undefined;
  }
}

/**
 * Whether what a caller will run is known to be one statement that only reads, outside of a transaction. Where the text cannot tell, as of
 * functions that it calls, the caller's word counts; `readOnly: false` takes the text's word away.
 */
export function mayBeStale(hint: Hint | undefined, text: Classification | undefined): boolean {
  if (hint === undefined || text === undefined || hint.requiresTransaction === true) return false;
  if (text.multiStatement || text.sessionStateful || hint.readOnly === false) return false;
  return (
    text.readOnly === 'yes' ||
    (hint.readOnly === true && text.readOnly === 'unknown' && text.verb === 'select')
  );
}
