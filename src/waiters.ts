import type { Hint } from './hint.js';
import type { Lease } from './lease.js';
import type { Lane, QueryProfile } from './query/profiles.js';

/**
 * What a wait without a deadline is taken to be worth: while the server is away, whoever set none is told after so long what could have
 * been told at once.
 */
export const UNBOUNDED_WAIT_MS = 10_000;

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
  /** Whether it is for a statement's second sending, of which its caller knows nothing. */
  isSecond = false;
  /** Whether the one statement of `hint.sql` is all that it will run: a session's hint may name one of many. */
  isStatement = false;
  /** Where it queues. */
  lane: Lane = 'fast';
  /** Its number among all who ever queued: what first come, first served goes by. */
  order = 0;
  /** Whether a connection had to be opened on its behalf. */
  openedFor = false;
  /** On whose behalf, as `Callers` tells. */
  caller: unknown = undefined;
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

/**
 * A queue with O(1) enqueue, dequeue and cancel: a ring of links through the waiters of each lane. Taken as a whole it is
 * first in, first out.
 */
export class Waiters<C> {
  readonly #fast = new Ring<C>();
  readonly #slow = new Ring<C>();
  #arrivals = 0;
  /** Counted here as well: every acquire asks for it. */
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Who came first, in whichever lane. */
  get head(): Waiter<C> | undefined {
    if (this.#slow.length === 0) return this.#fast.head;
    return earlier(this.#fast.head, this.#slow.head);
  }

  /** Who came first of a lane. */
  first(lane: Lane): Waiter<C> | undefined {
    return this.#ringOf(lane).head;
  }

  enqueue(waiter: Waiter<C>): void {
    this.#arrivals += 1;
    waiter.order = this.#arrivals;
    this.#length += 1;
    this.#ringOf(waiter.lane).enqueue(waiter);
  }

  /** Moves the one that came last to the end of another lane. */
  changeLane(waiter: Waiter<C>, lane: Lane): void {
    if (waiter.lane === lane) return;
    this.remove(waiter);
    waiter.lane = lane;
    this.enqueue(waiter);
  }

  dequeue(): Waiter<C> | undefined {
    const { head } = this;
    if (head !== undefined) this.remove(head);
    return head;
  }

  /** False when the waiter had already left. */
  remove(waiter: Waiter<C>): boolean {
    if (!this.#ringOf(waiter.lane).remove(waiter)) return false;
    this.#length -= 1;
    return true;
  }

  /** The next deadline, infinite when nobody has one. O(1) while all wait equally long. */
  earliestDeadline(): number {
    return Math.min(this.#fast.earliestDeadline(), this.#slow.earliestDeadline());
  }

  /** Takes out up to `most` waiters whose deadline has come. */
  takeExpired(now: number, most: number): Waiter<C>[] {
    return this.#takeFromBoth(most, (ring, left) => ring.takeExpired(now, left));
  }

  /** Takes out up to `most` waiters without a deadline who joined at `queuedBefore` or earlier. */
  takeUnbounded(queuedBefore: number, most: number): Waiter<C>[] {
    return this.#takeFromBoth(most, (ring, left) => ring.takeUnbounded(queuedBefore, left));
  }

  /** When those came who wait, the first of them; `most` at most. */
  queuedAt(most: number): number[] {
    const times: number[] = [];
    for (const { queuedAt } of this) {
      if (times.length === most) break;
      times.push(queuedAt);
    }
    return times;
  }

  #takeFromBoth(most: number, take: (ring: Ring<C>, left: number) => Waiter<C>[]): Waiter<C>[] {
    const taken = take(this.#fast, most);
    if (this.#slow.length > 0) taken.push(...take(this.#slow, most - taken.length));
    this.#length -= taken.length;
    return taken;
  }

  /** First come first, whatever their lanes. */
  *[Symbol.iterator](): IterableIterator<Waiter<C>> {
    let fast = this.#fast.head;
    let slow = this.#slow.head;
    for (let next = earlier(fast, slow); next !== undefined; next = earlier(fast, slow)) {
      if (next === fast) fast = asWaiter(fast.next!);
      else slow = asWaiter(slow!.next!);
      yield next;
    }
  }

  #ringOf(lane: Lane): Ring<C> {
    return lane === 'slow' ? this.#slow : this.#fast;
  }
}

function earlier<C>(one: Waiter<C> | undefined, other: Waiter<C> | undefined): Waiter<C> | undefined {
  if (one === undefined) return other;
  return other !== undefined && other.order < one.order ? other : one;
}

/** The waiters of one lane, first in, first out. */
class Ring<C> {
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

  remove(waiter: Waiter<C>): boolean {
    if (!waiter.queued) return false;
    const { previous, next } = waiter;
    previous!.next = next!;
    next!.previous = previous!;
    waiter.previous = undefined;
    waiter.next = undefined;
    this.#length -= 1;
    return true;
  }

  earliestDeadline(): number {
    if (this.#inDeadlineOrder) return this.head?.deadlineAt ?? Number.POSITIVE_INFINITY;
    let earliest = Number.POSITIVE_INFINITY;
    for (const waiter of this) earliest = Math.min(earliest, waiter.deadlineAt);
    return earliest;
  }

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
