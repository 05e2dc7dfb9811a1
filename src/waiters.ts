import type { Hint } from './hint.js';
import type { Lease } from './lease.js';
import type { QueryProfile } from './query/profiles.js';

/** One caller in the queue. It is settled exactly once. */
export class Waiter<C> {
  readonly hint: Hint | undefined;
  readonly queuedAt: number;
  /** How long it waits; 0 for ever. */
  readonly timeoutMs: number;
  readonly resolve: (lease: Lease<C>) => void;
  readonly reject: (error: unknown) => void;
  /** Of what it will run; undefined where nobody wants to know. */
  profile: QueryProfile | undefined = undefined;
  /** What its one statement is expected to cost a connection that it may share, in milliseconds; undefined for one of its own. */
  costMs: number | undefined = undefined;
  /** Whether a connection had to be opened on its behalf. */
  openedFor = false;
  /** The observer's own: what it wants to remember of this caller. */
  note: unknown = undefined;
  /** Takes back what `hint.signal` was given to call. */
  stopListening: (() => void) | undefined = undefined;
  /** Neighbours in the queue's ring; undefined once it has left. */
  previous: Link<C> | undefined = undefined;
  next: Link<C> | undefined = undefined;

  constructor(
    hint: Hint | undefined,
    queuedAt: number,
    timeoutMs: number,
    resolve: (lease: Lease<C>) => void,
    reject: (error: unknown) => void,
  ) {
    this.hint = hint;
    this.queuedAt = queuedAt;
    this.timeoutMs = timeoutMs;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** When it gives up; infinite for one that waits for ever. */
  get deadlineAt(): number {
    return this.timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.queuedAt + this.timeoutMs;
  }

  get queued(): boolean {
    return this.next !== undefined;
  }
}

/** Where the ring begins and ends. */
class Ends<C> {
  previous: Link<C> = this;
  next: Link<C> = this;
}

type Link<C> = Waiter<C> | Ends<C>;

/** A first-in, first-out queue with O(1) enqueue, dequeue and cancel: a ring of links through the waiters. */
export class Waiters<C> {
  readonly #ends = new Ends<C>();
  #length = 0;
  /** False once somebody joined with a deadline before the last one's: the ring is then no longer in deadline order. */
  #inDeadlineOrder = true;

  get length(): number {
    return this.#length;
  }

  get head(): Waiter<C> | undefined {
    return asWaiter(this.#ends.next);
  }

  enqueue(waiter: Waiter<C>): void {
    const last = this.#ends.previous;
    if (this.#length === 0) this.#inDeadlineOrder = true;
    else if (waiter.deadlineAt < (last as Waiter<C>).deadlineAt) this.#inDeadlineOrder = false;
    waiter.previous = last;
    waiter.next = this.#ends;
    last.next = waiter;
    this.#ends.previous = waiter;
    this.#length += 1;
  }

  dequeue(): Waiter<C> | undefined {
    const { head } = this;
    if (head !== undefined) this.remove(head);
    return head;
  }

  /** False when the waiter had already left. */
  remove(waiter: Waiter<C>): boolean {
    const { previous, next } = waiter;
    if (previous === undefined || next === undefined) return false;
    previous.next = next;
    next.previous = previous;
    waiter.previous = undefined;
    waiter.next = undefined;
    this.#length -= 1;
    return true;
  }

  /** The next deadline, infinite when nobody has one. O(1) while all wait equally long. */
  earliestDeadline(): number {
    if (this.#inDeadlineOrder) return this.head?.deadlineAt ?? Number.POSITIVE_INFINITY;
    let earliest = Number.POSITIVE_INFINITY;
    for (const waiter of this) earliest = Math.min(earliest, waiter.deadlineAt);
    return earliest;
  }

  /** Takes out up to `most` waiters whose deadline has come. */
  takeExpired(now: number, most: number): Waiter<C>[] {
    const expired: Waiter<C>[] = [];
    for (const waiter of this) {
      if (expired.length === most) break;
      if (waiter.deadlineAt <= now) expired.push(waiter);
      else if (this.#inDeadlineOrder) break;
    }
    for (const waiter of expired) this.remove(waiter);
    return expired;
  }

  /** Takes out up to `most` waiters without a deadline who joined at `queuedBefore` or earlier. */
  takeUnbounded(queuedBefore: number, most: number): Waiter<C>[] {
    const taken: Waiter<C>[] = [];
    for (const waiter of this) {
      if (taken.length === most || waiter.queuedAt > queuedBefore) break;
      if (waiter.timeoutMs === 0) taken.push(waiter);
    }
    for (const waiter of taken) this.remove(waiter);
    return taken;
  }

  *[Symbol.iterator](): IterableIterator<Waiter<C>> {
    for (let waiter = this.head; waiter !== undefined; waiter = asWaiter(waiter.next!)) yield waiter;
  }
}

function asWaiter<C>(link: Link<C>): Waiter<C> | undefined {
  return link instanceof Waiter ? link : undefined;
}
