import { Histogram } from './histogram.js';
import { Lease, type LeaseHome, type Outcome } from './lease.js';
import { guarded, type Observer } from './observer.js';
import { type Runtime, systemRuntime } from './runtime.js';
import { type CloseReason, type Slot, SlotState, Slots } from './slots.js';
import {
  connectionReports,
  newCounters,
  type PoolCounters,
  type PoolReport,
  type PoolStats,
} from './stats.js';
import { Waiter } from './waiters.js';

/** What a pool that somebody else runs shows of itself at this moment. */
export interface PoolFacts {
  readonly idle: number;
  /** Connections that are given out. */
  readonly leased: number;
  readonly opening: number;
  readonly min: number;
  readonly max: number;
  /** Connections that it has, being opened ones left out. */
  readonly connections: Iterable<unknown>;
}

/** How a caller of such a pool went away without a connection. */
export type AcquireFailure = 'timedOut' | 'aborted' | 'rejected' | 'openErrors';

const nothing = () => {};
const NOBODY: LeaseHome<unknown> = { takeBack: () => false };

/**
 * The books of a pool that somebody else runs: it is told what happens there, tells an observer as the engine does, and acts
 * on nothing. Sizes are read from the pool itself when they are asked for, so they cannot drift. Nothing here ever throws.
 */
export class WatchedPool {
  readonly counters: PoolCounters = newCounters();
  readonly #facts: () => PoolFacts;
  readonly #observer: Observer<unknown>;
  readonly #runtime: Runtime;
  readonly #slots = new Slots<unknown>();
  readonly #leases = new Map<unknown, Lease<unknown>>();
  readonly #waitTimes = new Histogram();
  readonly #useTimes = new Histogram();
  readonly #createTimes = new Histogram();
  /** Callers that have asked and have no answer yet, and whether one might have been served at once. */
  readonly #waiters = new Map<Waiter<unknown>, boolean>();

  constructor(facts: () => PoolFacts, observer: Observer<unknown> = {}, runtime: Runtime = systemRuntime) {
    this.#facts = facts;
    this.#observer = guarded(observer);
    this.#runtime = runtime;
  }

  /** A caller asks for a connection; `atOnce`, when one is idle for it. To be called in its own asynchronous context. */
  asked(atOnce: boolean): Waiter<unknown> {
    const waiter = new Waiter<unknown>(undefined, this.#runtime.now(), 0, nothing, nothing);
    this.#waiters.set(waiter, atOnce);
    if (!atOnce) this.#observer.onQueued?.(waiter);
    return waiter;
  }

  /** That caller has `connection` now. */
  served(waiter: Waiter<unknown>, connection: unknown): void {
    const atOnce = this.#leave(waiter);
    if (atOnce === undefined) return;
    const slot = this.#slots.of(connection) ?? this.#welcome(connection);
    this.#comesBack(slot, 'ok');
    const now = this.#runtime.now();
    const waitedMs = now - waiter.queuedAt;
    this.#slots.move(slot, SlotState.leased);
    slot.uses += 1;
    slot.leasedAt = now;
    const lease = new Lease(slot, true);
    this.#leases.set(connection, lease);
    this.counters[atOnce ? 'immediate' : 'waited'] += 1;
    this.#waitTimes.record(waitedMs);
    slot.track.waited(waitedMs);
    this.#observer.onLeased?.(lease, waitedMs, atOnce ? undefined : waiter);
  }

  /** That caller went away with an error. */
  failed(waiter: Waiter<unknown>, error: unknown, how: AcquireFailure): void {
    const atOnce = this.#leave(waiter);
    if (atOnce === undefined) return;
    this.counters[how] += 1;
    this.#observer.onFailed?.(error, this.#runtime.now() - waiter.queuedAt, atOnce ? undefined : waiter);
  }

  /** A connection is being opened; `waiter`, on whose behalf if that is known. */
  opening(waiter?: Waiter<unknown>): Slot<unknown> {
    const slot = this.#slots.add(NOBODY, this.#runtime.now());
    if (waiter !== undefined) waiter.openedFor = true;
    this.#observer.onOpening?.(slot, waiter, 'waiter');
    return slot;
  }

  opened(slot: Slot<unknown>, connection: unknown): void {
    if (slot.state !== SlotState.opening) return;
    const tookMs = this.#enter(slot, connection) - slot.openStartedAt;
    this.counters.opened += 1;
    this.#createTimes.record(tookMs);
    this.#observer.onOpened?.(slot, tookMs);
  }

  openFailed(slot: Slot<unknown>, error: unknown): void {
    if (slot.state !== SlotState.opening) return;
    this.#slots.move(slot, SlotState.gone);
    this.counters.openFailed += 1;
    this.#observer.onOpenFailed?.(slot, this.#runtime.now() - slot.openStartedAt, error);
  }

  /** A connection came back from its holder. */
  released(connection: unknown, outcome: Outcome = 'ok'): void {
    const slot = this.#slots.of(connection);
    if (slot !== undefined) this.#comesBack(slot, outcome);
  }

  closed(connection: unknown, reason: CloseReason): void {
    const slot = this.#slots.of(connection);
    if (slot === undefined) return;
    this.#comesBack(slot, 'broken');
    this.#slots.move(slot, SlotState.closing);
    this.#slots.move(slot, SlotState.gone);
    this.counters.closed[reason] += 1;
    this.#observer.onClosed?.(slot, reason);
  }

  /** The pool is closed, and all that it had. */
  ended(): void {
    for (const { connection } of [...this.#slots])
      if (connection !== undefined) this.closed(connection, 'drain');
  }

  /** Callers in the queue. */
  get waiting(): number {
    return this.#waiters.size;
  }

  stats(): PoolStats {
    const { idle, leased, opening, min, max, connections } = this.#facts();
    this.#forgetAllBut(new Set(connections));
    const { waiting } = this;
    const target = Math.min(max, Math.max(min, leased + waiting));
    const open = idle + leased + opening;
    return {
      ...{ open, idle, leased, opening, waiting, min, max, target, limit: max },
      ...{ checking: 0, warming: 0, stale: 0, closing: 0, circuit: 'closed' },
    };
  }

  report(): PoolReport {
    return {
      stats: this.stats(),
      counters: structuredClone(this.counters),
      wait: this.#waitTimes.summary(),
      use: this.#useTimes.summary(),
      create: this.#createTimes.summary(),
      statements: undefined,
      pooler: undefined,
      fleet: undefined,
      sizing: undefined,
      limit: undefined,
      names: [],
      leaks: [],
      connections: connectionReports(this.#slots, this.#runtime.now()),
      queries: [],
      flags: [],
    };
  }

  slots(): Iterable<Readonly<Slot<unknown>>> {
    return this.#slots;
  }

  /** Undefined when it had its answer already. */
  #leave(waiter: Waiter<unknown>): boolean | undefined {
    const atOnce = this.#waiters.get(waiter);
    this.#waiters.delete(waiter);
    return atOnce;
  }

  /** A connection that was there before anybody watched. */
  #welcome(connection: unknown): Slot<unknown> {
    const slot = this.#slots.add(NOBODY, this.#runtime.now());
    // Its first use was another's.
    slot.uses = 1;
    this.#enter(slot, connection);
    return slot;
  }

  #enter(slot: Slot<unknown>, connection: unknown): number {
    const now = this.#runtime.now();
    slot.openedAt = now;
    this.#slots.attach(slot, connection);
    this.#rest(slot, now);
    return now;
  }

  #rest(slot: Slot<unknown>, now: number): void {
    this.#slots.move(slot, SlotState.idle);
    slot.idleSince = now;
  }

  #comesBack(slot: Slot<unknown>, outcome: Outcome): void {
    if (slot.state !== SlotState.leased) return;
    const now = this.#runtime.now();
    const lease = this.#leases.get(slot.connection!)!;
    this.#leases.delete(slot.connection!);
    lease.end();
    const heldMs = now - slot.leasedAt;
    this.#rest(slot, now);
    this.counters.released += 1;
    this.#useTimes.record(heldMs);
    slot.track.learn(undefined, heldMs, outcome, now);
    this.#observer.onReleased?.(lease, heldMs, outcome);
  }

  /** Some pools drop a connection without a word. */
  #forgetAllBut(connections: ReadonlySet<unknown>): void {
    for (const { connection } of [...this.#slots]) {
      if (connection !== undefined && !connections.has(connection)) this.closed(connection, 'broken');
    }
  }
}
