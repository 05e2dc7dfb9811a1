import type { Hint } from './hint.js';
import type { Lease } from './lease.js';

/** One caller in the queue. It is settled exactly once. */
export class Waiter<C> {
  readonly hint: Hint | undefined;
  readonly queuedAt: number;
  /** When it gives up; infinite for one that waits for ever. */
  readonly deadlineAt: number;
  readonly resolve: (lease: Lease<C>) => void;
  readonly reject: (error: unknown) => void;
  /** Whether a connection had to be opened on its behalf. */
  openedFor = false;
  /** The observer's own: what it wants to remember of this caller. */
  note: unknown = undefined;
  queued = false;
  /** Takes back what `hint.signal` was given to call. */
  stopListening: (() => void) | undefined = undefined;
  previous: Waiter<C> | undefined = undefined;
  next: Waiter<C> | undefined = undefined;

  constructor(
    hint: Hint | undefined,
    queuedAt: number,
    deadlineAt: number,
    resolve: (lease: Lease<C>) => void,
    reject: (error: unknown) => void,
  ) {
    this.hint = hint;
    this.queuedAt = queuedAt;
    this.deadlineAt = deadlineAt;
    this.resolve = resolve;
    this.reject = reject;
  }
}

/** A first-in, first-out queue with O(1) enqueue, dequeue and cancel: a doubly linked list through the waiters. */
export class Waiters<C> {
  #head: Waiter<C> | undefined = undefined;
  #tail: Waiter<C> | undefined = undefined;
  #length = 0;
  /** False once somebody joined with a deadline before the tail's: the list is then no longer in deadline order. */
  #inDeadlineOrder = true;

  get length(): number {
    return this.#length;
  }

  get head(): Waiter<C> | undefined {
    return this.#head;
  }

  enqueue(waiter: Waiter<C>): void {
    const tail = this.#tail;
    waiter.previous = tail;
    if (tail === undefined) {
      this.#head = waiter;
      this.#inDeadlineOrder = true;
    } else {
      tail.next = waiter;
      if (waiter.deadlineAt < tail.deadlineAt) this.#inDeadlineOrder = false;
    }
    this.#tail = waiter;
    this.#length += 1;
    waiter.queued = true;
  }

  dequeue(): Waiter<C> | undefined {
    const head = this.#head;
    if (head !== undefined) this.remove(head);
    return head;
  }

  /** False when the waiter had already left. */
  remove(waiter: Waiter<C>): boolean {
    if (!waiter.queued) return false;
    const { previous, next } = waiter;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    waiter.previous = undefined;
    waiter.next = undefined;
    waiter.queued = false;
    this.#length -= 1;
    return true;
  }

  /** The next deadline, infinite when nobody has one. O(1) while all wait equally long. */
  earliestDeadline(): number {
    if (this.#inDeadlineOrder) return this.#head?.deadlineAt ?? Number.POSITIVE_INFINITY;
    let earliest = Number.POSITIVE_INFINITY;
    for (const waiter of this) earliest = Math.min(earliest, waiter.deadlineAt);
    return earliest;
  }

  /** Takes out up to `most` waiters whose deadline has come. */
  takeExpired(now: number, most: number): Waiter<C>[] {
    const expired: Waiter<C>[] = [];
    let waiter = this.#head;
    while (waiter !== undefined && expired.length < most) {
      const next: Waiter<C> | undefined = waiter.next;
      if (waiter.deadlineAt <= now) {
        this.remove(waiter);
        expired.push(waiter);
      } else if (this.#inDeadlineOrder) {
        break;
      }
      waiter = next;
    }
    return expired;
  }

  *[Symbol.iterator](): IterableIterator<Waiter<C>> {
    for (let waiter = this.#head; waiter !== undefined; waiter = waiter.next) yield waiter;
  }
}
