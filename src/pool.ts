// What happens to a query:
//
//   acquire ── tryAcquire ── #leaseIdle    an idle connection that needs no check is leased in the same stack
//      │
//      └── request ── #attend              else the caller joins the queue, and
//            ├── #serve                    is given an idle connection, once it is checked where it must be, or
//            ├── #grow ── #open            one that is opened because nobody has one to spare, or
//            └── takeBack ── #offer        the first that another caller gives back, whichever comes first;
//                                          #timeOut tells who waited in vain, and why
//   lease.release ── takeBack              the connection is offered to the next, cleaned, or closed
//
// One function moves a connection between states: `Slots.move`. What is decided here and there is decided by advisers that read no clock
// and touch no connection: `selection/` which connection, `sizing/` how many, `health/` which are dead, `breaker/` whether to open any.

import { attempt } from './attempt.js';
import { Breaker, PACE, type Verdict } from './breaker/breaker.js';
import type { Callers } from './callers.js';
import { type PoolOptions, type ResolvedOptions, resolveOptions } from './config.js';
import type { Driver } from './driver.js';
import {
  acquireTimeout,
  isolation,
  lateness,
  nestedAcquire,
  type PoolError,
  type RefusalCode,
  refusal,
  shed,
} from './errors.js';
import { FleetMember, type FleetParts, type FleetReport } from './fleet/member.js';
import { Addresses } from './health/addresses.js';
import { Failover } from './health/failover.js';
import { type ClassifyError, classifierOf, FAILURES } from './health/failure.js';
import { lastFingerprint, leakReports } from './health/leaks.js';
import { describeNested, Nesting, STUCK_MS } from './health/nesting.js';
import { Outliers } from './health/outliers.js';
import { Rotation, type Step } from './health/rotation.js';
import { StaleReads } from './health/stale-reads.js';
import { muteError, QUIET_MS, StallWatch, YOUNG_MS } from './health/stall.js';
import { type DeathNews, IdleTrust } from './health/trust.js';
import { causeOfWaiting, type Predicament } from './health/waiting.js';
import { deadlineOf, type Hint, type QueryCharacteristics } from './hint.js';
import { Histogram } from './histogram.js';
import { Lease, type LeaseHome, type Outcome, SharedLease } from './lease.js';
import { Lessons } from './lessons.js';
import { guarded, type Observer } from './observer.js';
import type { Lane, QueryProfile, QueryProfiles } from './query/profiles.js';
import type { StatementCounters } from './query/statements.js';
import {
  type FlagSetting,
  type OptimizationFlags,
  type OptimizationName,
  QUERY_READERS,
  resolveFlags,
} from './rollout/flags.js';
import { Rollout } from './rollout/rollout.js';
import { type Runtime, systemRuntime, type Timer } from './runtime.js';
import { Cheapest, Wanted } from './selection/cheapest.js';
import { Lanes } from './selection/lanes.js';
import { MOST_IN_FLIGHT, MOST_SHARED, pack, SILENT_MS, spread } from './selection/packing.js';
import { Priorities } from './selection/priorities.js';
import { Filling } from './sizing/filling.js';
import { LimitProbe } from './sizing/limit-probe.js';
import { Openings } from './sizing/openings.js';
import { ServerLimit } from './sizing/server-limit.js';
import { EXPECTANT_INTERVAL_MS, type Outlook, Sizing } from './sizing/sizing.js';
import { type CheckReason, type CloseReason, type OpenReason, type Slot, SlotState, Slots } from './slots.js';
import {
  connectionReports,
  newCounters,
  type PoolCounters,
  type PoolerReport,
  type PoolReport,
  type PoolStats,
  poolerReport,
} from './stats.js';
import {
  idleBeyond,
  idleTooLong,
  leasedSince,
  nextSlotDueAt,
  overdue,
  PACING_MASK,
  pastLifetime,
  quietIdle,
  staleBefore,
  suspectedLeaks,
  timingMask,
  UPKEEP_INTERVAL_MS,
  unused,
  usedAt,
} from './upkeep.js';
import { UNBOUNDED_WAIT_MS, Waiter, Waiters } from './waiters.js';
import { HURRY_MS, isCostOfWarming, Warming, warmUpOn } from './warming.js';

/** What a pool is made of. */
export interface PoolParts<C> {
  driver: Driver<C>;
  options?: PoolOptions;
  observer?: Observer<C> | undefined;
  runtime?: Runtime;
  /** Settings of the optimisations that are not to have their defaults. */
  flags?: OptimizationFlags | undefined;
  /** The budget that this pool shares with others, of other processes too; without it `max` alone limits the pool. */
  fleet?: FleetParts | undefined;
  /** Overrules how errors are classified; see `classifyFailure`. */
  classifyError?: ClassifyError;
  /** Tells callers apart, for reports of leaks and of nested acquires; without it nobody does. */
  callers?: Callers | undefined;
  /** Told of a fault of the engine's own, after which it has handed back its callers; without it the fault is thrown. */
  onFault?: (error: unknown) => void;
}

/** How a pool is closed. */
export interface DrainOptions {
  /** After so long, callers still queued are rejected and connections still leased are closed. Default: waits for ever. */
  deadlineMs?: number;
  /** Whether callers in the queue are still served, or rejected at once. Default `'serve'`. */
  waiting?: 'serve' | 'reject';
}

/** How a pool is isolated. */
export interface IsolateOptions {
  /**
   * Whether callers wait for the end of it, to their own deadline or ten seconds where they set none, or are rejected at once with
   * code `ISOLATED`. Default `'hold'`.
   */
  waiting?: 'hold' | 'reject';
}

/** A pool that is being closed, and when that must be over. */
interface Drain {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  deadlineAt: number;
}

/** A timer so late means that the event loop stood still: replies may sit unread in their sockets. */
const STALL_MS = 50;

/** Waiters timed out in one turn of the event loop; more would stall it. */
const TIMEOUTS_PER_TURN = 250;

/** After the loss of connections others may be on their way out: for so long the idle ones are checked before every lease. */
const DOUBT_MS = { one: 100, several: 1_000 } as const;

/** What is open will do, after an outage, if it serves all who wait in so long. */
const DRAINED_MS = 250;

/** Between two questions to the server about silent connections: what it had sent before the first has come by the second. */
const ASK_AGAIN_MS = 50;

/** Of the idle connections that are suspect, how many are checked at once. */
const CHECKS_AT_ONCE = 4;

/** So many of those who wait are weighed for and against what is on trial. */
const WAITS_WEIGHED = 64;

/** While nobody is served, a trial goes on for so long: somebody may wait for ever. */
const WEIGHED_FOR_MS = 30_000;

/** Whoever gives up sooner has no time to wait for what comes back, nor for what is tried. */
const AMPLE_MS = 1_000;

/** A fast caller who waits for so long beside an idle connection is the lanes' fault. */
const STARVED_MS = 1_000;

/** Between tries to fill up to `min` when opening fails; doubles up to the second. */
const FILL_BACKOFF_MS = { least: 100, most: 5_000 } as const;

/** An instant that does not come, and a number of connections that is no limit. */
const NEVER = Number.POSITIVE_INFINITY;
const UNLIMITED = Number.POSITIVE_INFINITY;

/** Of the costliest queries. */
const QUERIES_REPORTED = 20;

/**
 * A pool of connections of type `C`. Read from the top: a query's life, then the life of a connection, what its owner
 * may do and is told, and upkeep.
 */
export class Pool<C> implements LeaseHome<C> {
  /** The optimisations: which act, and how they prove themselves. */
  readonly rollout: Rollout;
  /** Counted by an adapter that knows single statements; told by `report()`. */
  statementCounters: Readonly<StatementCounters> | undefined = undefined;
  /** Known to an adapter that can tell; told by `report()`. */
  pooler: PoolerReport | undefined = undefined;
  readonly #lessons: Lessons;
  readonly #lanes = new Lanes();
  readonly #priorities = new Priorities<C>();
  readonly #selection: Cheapest<Slot<C>>;
  /** One object for all acquires. */
  readonly #wanted = new Wanted();
  readonly #driver: Driver<C>;
  readonly #observer: Observer<C> | undefined;
  readonly #runtime: Runtime;
  readonly #onFault: ((error: unknown) => void) | undefined;
  readonly #slots = new Slots<C>();
  readonly #waiters = new Waiters<C>();
  readonly #counters: PoolCounters = newCounters();
  readonly #waitTimes = new Histogram();
  readonly #useTimes = new Histogram();
  readonly #createTimes = new Histogram();
  #options: ResolvedOptions;
  /** The clock's latest reading; at most one untimed lease or one upkeep interval old while the pool is in use. */
  #now: number;
  #leaseCount = 0;
  #leaseCountAtTick = 0;
  #pacedLeaseCount = 0;
  #pacedAt: number;
  #timingMask = 0;
  #inUse = false;
  /** Whether it was at rest when the upkeep last looked, and when it last left its rest. */
  #rested = true;
  #wokeAt: number;
  /** The most callers and leases at once that anybody who had to wait has met since the upkeep last looked. */
  #peakDemand = 0;
  /** Undefined until its flag is other than off. */
  #sizing: Sizing | undefined = undefined;
  #limitProbe: LimitProbe;
  /** As in the options, but infinite when it is off. */
  readonly #plainCheckAfterMs: number;
  /** What holds now: the plain one, or the one that was learned. */
  #checkAfterIdleMs: number;
  /** Of those who do not say what they will run; undefined where nobody wants to know. */
  #sessionProfile: QueryProfile | undefined = undefined;
  /** Whether whose turn it is is for the lanes to say. */
  #lanesAct = false;
  readonly #trust: IdleTrust;
  /** As in the options, but never reached when it is off. */
  readonly #maxUses: number;
  /** The idle timeout where the upkeep does not come round often enough for it, else 0. */
  readonly #shortIdleTimeoutMs: number;
  #timer: Timer | undefined = undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #alive: Timer | undefined = undefined;
  /** Until then the event loop stood still when it last did. */
  #stalledUntil = Number.NEGATIVE_INFINITY;
  #lastOpenError: unknown = undefined;
  #nextOpenAt = 0;
  #nextFillAt = 0;
  #fillBackoffMs = 0;
  readonly #breaker: Breaker;
  readonly #serverLimit: ServerLimit;
  readonly #fleet: FleetMember | undefined;
  readonly #failover = new Failover();
  readonly #staleReads = new StaleReads<C>();
  readonly #stalls = new StallWatch<C>();
  readonly #openings = new Openings(() => this.#options.max);
  readonly #filling = new Filling(this.#openings, () => this.#runtime.random());
  readonly #warming = new Warming();
  readonly #rotation = new Rotation<C>();
  readonly #outliers = new Outliers<C>();
  readonly #addresses = new Addresses<C>();
  readonly #callers: Callers | undefined;
  /** Undefined where nobody can tell callers apart, or whether connections are used. */
  readonly #nesting: Nesting<C> | undefined;
  /** When a timed lease came back last from a connection that was sound. */
  #heardAt: number;
  readonly #classify: ReturnType<typeof classifierOf>;
  #servedAtTick = 0;
  /** Until then every idle connection is checked before it is leased. */
  #doubtedUntil = 0;
  /** Until then none is, on account of what others have met. */
  #soundUntil = Number.NEGATIVE_INFINITY;
  #drain: Drain | undefined = undefined;
  #handedBack = false;

  /** @throws {PoolError} code `INVALID_OPTIONS`, naming every bad option. */
  constructor({
    driver,
    options,
    observer,
    runtime = systemRuntime,
    flags,
    fleet,
    classifyError,
    callers,
    onFault,
  }: PoolParts<C>) {
    this.#options = resolveOptions(options);
    const { checkAfterIdleMs, maxUses, idleTimeoutMs } = this.#options;
    this.#plainCheckAfterMs = checkAfterIdleMs || Number.POSITIVE_INFINITY;
    this.#checkAfterIdleMs = this.#plainCheckAfterMs;
    this.#trust = new IdleTrust(this.#plainCheckAfterMs);
    this.#maxUses = maxUses || -1;
    this.#shortIdleTimeoutMs = idleTimeoutMs < UPKEEP_INTERVAL_MS ? idleTimeoutMs : 0;
    this.#driver = driver;
    this.#selection = new Cheapest(({ connection }, statement) =>
      driver.hasPrepared?.(connection!, statement),
    );
    this.#onFault = onFault;
    this.#callers = callers;
    this.#nesting = callers && driver.bytesAtRest && new Nesting(callers);
    this.#observer = observer === undefined ? undefined : guarded(observer);
    this.#runtime = runtime;
    this.#now = runtime.now();
    this.#pacedAt = this.#now;
    this.#heardAt = this.#now;
    this.#wokeAt = this.#now;
    this.rollout = new Rollout(resolveFlags(flags), () => runtime.random(), this.#now, readersOn(driver));
    this.#lessons = new Lessons({
      rollout: this.rollout,
      lanes: this.#lanes,
      survival: this.#selection.survival,
      totals: this.#counters.queries,
      trip: (name, error) => this.tripFlag(name, error),
    });
    this.#heedFlags();
    this.#classify = classifierOf(classifyError);
    this.#limitProbe = this.#newLimitProbe();
    this.#serverLimit = new ServerLimit(() => runtime.random());
    this.#breaker = new Breaker(
      () => runtime.random(),
      (change) => {
        this.#counters.circuit[change.to] += 1;
        if (change.from === 'closed') this.#addresses.alert(this.#now);
        this.#observer?.onCircuitChanged?.(change);
      },
    );
    this.#fleet = fleet === undefined ? undefined : this.#enrol(fleet);
    this.#grow(this.#now);
  }

  // ── A query's life ────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Runs `work` on a leased connection and gives it back, whatever comes of it.
   * @throws what `acquire` and `work` throw.
   */
  async use<T>(hint: Hint | undefined, work: (connection: C) => Promise<T>): Promise<T> {
    const lease = await this.acquire(hint);
    try {
      const result = await work(lease.connection);
      lease.release('ok');
      return result;
    } catch (error) {
      lease.release(this.#driver.isBroken?.(lease.connection, error) === true ? 'broken' : 'failed');
      throw error;
    }
  }

  /** As `acquire`; the name for callers who know what they will run. */
  acquireForQuery(characteristics: QueryCharacteristics): Promise<Lease<C>> {
    return this.acquire(characteristics);
  }

  /**
   * Leases a connection: an idle one, or the first that is released or opened. With `hint.sql` it is taken to be for that one statement: where
   * `staleReads` acts, and the statement only reads, it may be a connection to a former writer.
   * @throws {PoolError} codes `ACQUIRE_TIMEOUT`, `QUEUE_FULL`, `ABORTED`, `POOL_CLOSED`; and the driver's own error,
   * untouched, when the connection this caller needed could not be opened.
   */
  acquire(hint?: Hint): Promise<Lease<C>> {
    if (this.#drain === undefined) {
      const lease = this.tryAcquire(hint);
      if (lease !== undefined) {
        this.noteHolder(lease);
        return Promise.resolve(lease);
      }
    }
    return this.#queueUp(hint);
  }

  /** Remembers on whose behalf a lease was taken by `tryAcquire` that is for more than one statement; called by its taker. */
  noteHolder({ slot }: Lease<C>): void {
    if (this.#callers !== undefined) slot.holder = this.#callers.current();
  }

  /**
   * Leases an idle connection that needs no check, without waiting; undefined when there is none or others wait.
   * @throws {PoolError} code `POOL_CLOSED`.
   */
  tryAcquire(hint?: Hint): Lease<C> | undefined {
    if (this.#drain !== undefined) throw this.#refusal('POOL_CLOSED', hint);
    if (hint?.signal?.aborted === true) return undefined;
    try {
      return this.#leaseIdle(hint);
    } catch (fault) {
      return this.#giveUp(fault);
    }
  }

  #leaseIdle(hint: Hint | undefined): Lease<C> | undefined {
    // While others wait it is they who are served: what a newcomer would run is looked up once he has joined them.
    if (this.#waiters.length > 0 && !this.#lanesAct) return undefined;
    // Who says nothing is a session: nothing is known of it by which to choose, and it is never slow.
    const profile = hint === undefined ? this.#sessionProfile : this.#lessons.profileOf(hint);
    const lane = hint === undefined ? 'fast' : this.#laneOf(profile, hint);
    if (this.#lanesAct && !this.#admitted(lane)) return undefined;
    const timed = (this.#leaseCount & this.#timingMask) === 0;
    if (timed) this.#readLeaseClock();
    const slot =
      hint === undefined || profile === undefined ? this.#select() : this.#selectFor(profile, hint);
    if (slot === undefined || this.#needsCheck(slot)) return undefined;
    this.#counters.immediate += 1;
    const lease = this.#lease(slot, timed, profile, lane);
    if (timed) this.#recordWait(lease, 0, undefined);
    return lease;
  }

  /**
   * Leases a connection together with others, for one statement of a kind that may share (`src/selection/sharing.ts`) and
   * is expected to take `costMs` of the server. Undefined when it is to acquire a connection of its own instead, as
   * always while others wait: shared connections then take nobody in until they have come free.
   * @throws {PoolError} code `POOL_CLOSED`.
   */
  tryShare(costMs: number): SharedLease<C> | undefined {
    if (this.#drain !== undefined) throw this.#refusal('POOL_CLOSED', undefined);
    if (this.#waiters.length > 0) return undefined;
    const now = this.#readClock();
    const slot = this.#advised('pipelining', undefined, () => this.#selectShared(costMs, now));
    if (slot === undefined) return undefined;
    this.#counters.shared += 1;
    const lease = this.#leaseShared(slot, costMs, now);
    if (lease.timed) this.#recordWait(lease, 0, undefined);
    return lease;
  }

  /**
   * Joins the queue: `resolve` or `reject` is called exactly once, from whichever stack settles it, so callers who
   * store a callback bind it to their asynchronous context first. Undefined when it was rejected at once.
   * @param costMs as for `tryShare`, for one who may be given a `SharedLease` too.
   * @param isStatement whether the one statement of `hint.sql` is all that will be run.
   */
  request(
    resolve: (lease: Lease<C>) => void,
    reject: (error: unknown) => void,
    hint?: Hint,
    costMs?: number,
    isStatement = false,
  ): Waiter<C> | undefined {
    const refusal = this.#admit(hint);
    if (refusal !== undefined) {
      this.#counters[refusal.code === 'ABORTED' ? 'aborted' : 'rejected'] += 1;
      this.#observer?.onFailed?.(refusal, 0, undefined);
      reject(refusal);
      return undefined;
    }
    const now = this.#readClock();
    const timeoutMs = deadlineOf(hint) ?? this.#options.acquireTimeoutMs;
    const waiter = new Waiter(hint, now, timeoutMs, resolve, reject);
    waiter.costMs = costMs;
    waiter.isStatement = isStatement;
    waiter.caller = this.#callers?.current();
    this.#waiters.enqueue(waiter);
    const demand = this.#slots.count(SlotState.leased) + this.#waiters.length;
    if (demand > this.#peakDemand) this.#peakDemand = demand;
    if (hint?.signal !== undefined) this.#listenForAbort(waiter, hint.signal);
    this.#observer?.onQueued?.(waiter);
    try {
      this.#attend(waiter, now);
    } catch (fault) {
      this.#giveUp(fault);
    }
    return waiter;
  }

  /** A caller has joined the queue. */
  #attend(waiter: Waiter<C>, now: number): void {
    waiter.profile = this.#lessons.profileOf(waiter.hint);
    this.#waiters.changeLane(waiter, this.#laneOf(waiter.profile, waiter.hint));
    const mayServe =
      this.#slots.count(SlotState.leased) < this.#options.max || this.#slots.count(SlotState.idle) > 0;
    if (mayServe) this.#serve(now);
    // Before a stale connection that he may have makes room for another.
    if (waiter.queued && this.#staleReads.isOn) this.#offerStale(waiter);
    if (mayServe && waiter.queued) {
      this.#grow(now, waiter);
      if (waiter.queued && this.#lanesAct && this.#slots.count(SlotState.idle) > 0)
        this.#counters.heldBack += 1;
      if (waiter.queued && this.#usable < this.#bound) this.#letNestedPass(waiter, now);
    }
    this.#tellHopeless(now);
    if (waiter.queued && this.rollout.acting.degradedShed) this.#heedPriority(waiter, now);
    if (!this.#inUse) this.#wake();
    if (waiter.queued) this.#arm(waiter.deadlineAt);
  }

  /** Who holds a connection already does not wait for the limit probe's sake: it lets go. */
  #letNestedPass(waiter: Waiter<C>, now: number): void {
    const task = this.#callers?.taskOf(waiter.caller);
    if (task === undefined) return;
    const isNested = [...this.#slots].some(
      ({ state, holder }) =>
        state === SlotState.leased && holder !== undefined && this.#callers!.taskOf(holder) === task,
    );
    if (!isNested) return;
    this.#limitProbe.letGo('a caller who held a connection waited for another', now);
    this.#serve(now);
    this.#grow(now, waiter);
  }

  /** Tells the pool what a lease is for, once that shows: by then it counts, and what it teaches is that query's. */
  identify(lease: Lease<C>, hint: Hint): void {
    const { slot } = lease;
    if (lease.released || slot.depth > 1) return;
    const profile = this.#lessons.profileOf(hint);
    if (profile === undefined || profile === slot.profile) return;
    slot.profile = profile;
    const lane = this.#laneOf(profile, hint);
    if (lane === slot.lane) return;
    if (lane === 'fast') return this.#leaveSlowLane(slot);
    slot.lane = lane;
    this.#enterSlowLane();
  }

  /** Takes in what one statement took of a holder who runs several, in a transaction say: his lease teaches nothing of it. */
  learnStatement(hint: Hint, tookMs: number, outcome: Outcome): void {
    this.#lessons.ran(this.#lessons.profileOf(hint), tookMs, outcome);
  }

  /** Takes a waiter out of the queue and rejects it with `error`; false when it was already settled. */
  cancel(waiter: Waiter<C>, error: unknown): boolean {
    if (!this.#waiters.remove(waiter)) return false;
    this.#counters.aborted += 1;
    this.#fail(waiter, error, this.#readClock());
    this.#keepAlive();
    this.#advanceDrain();
    return true;
  }

  /** @internal Called by `Lease.release`. */
  takeBack(lease: Lease<C>, outcome: Outcome): boolean {
    if (lease.released) return this.#ignoreStale(lease);
    const { slot, timed } = lease;
    lease.end();
    this.#counters.released += 1;
    if (timed) this.#recordUse(lease, slot, outcome);
    if (outcome === 'broken') slot.retiring = 'broken';
    slot.holders -= 1;
    if (slot.depth > 1) this.#answered(slot, lease as SharedLease<C>);
    else if (slot.lane === 'slow') this.#leaveSlowLane(slot);
    if (slot.holders > 0 || slot.state !== SlotState.leased) return true;
    try {
      if (!this.#inUse) this.#wake();
      this.#afterUse(slot);
      // The end of a slow query may let in another one, beside a connection that was idle all the while.
      if (this.#waiters.length > 0 && this.#slots.count(SlotState.idle) > 0) this.#serve(this.#now);
    } catch (fault) {
      this.#giveUp(fault);
      if (slot.state === SlotState.leased) this.#close(slot, 'broken');
    }
    return true;
  }

  #ignoreStale(lease: Lease<C>): false {
    this.#counters.staleReleases += 1;
    this.#observer?.onStaleRelease?.(lease);
    return false;
  }

  #leaveSlowLane(slot: Slot<C>): void {
    slot.lane = 'fast';
    this.#advised('lanes', undefined, () => this.#lanes.slowEnded(this.#now));
  }

  /** Apart from `acquire`, which would otherwise pay for this closure on every call. */
  #queueUp(hint: Hint | undefined): Promise<Lease<C>> {
    return new Promise((resolve, reject) => {
      this.request(resolve, reject, hint, undefined, true);
    });
  }

  #admit(hint: Hint | undefined): PoolError | undefined {
    if (this.#drain !== undefined) return this.#closedRefusal(hint);
    if (hint?.signal?.aborted === true) return this.#refusal('ABORTED', hint);
    const { maxWaiters } = this.#options;
    return maxWaiters > 0 && this.#waiters.length >= maxWaiters
      ? this.#refusal('QUEUE_FULL', hint)
      : undefined;
  }

  /** The newest idle slot: the warmest, and the oldest are left to time out. Dead ones found on the way are closed. */
  #select(): Slot<C> | undefined {
    const driver = this.#driver;
    for (;;) {
      const slot = this.#slots.newestIdle();
      if (slot === undefined || driver.isBroken === undefined || !driver.isBroken(slot.connection!))
        return slot;
      this.#lessons.survived(this.#now - slot.idleSince, false);
      this.#close(slot, 'broken');
      this.#lost(slot, this.#now);
    }
  }

  /** The newest idle slot, or another where the query is cheaper. */
  #selectFor(profile: QueryProfile, hint: Hint): Slot<C> | undefined {
    const newest = this.#select();
    const { selection, affinity } = this.rollout.attended;
    if ((!selection && !affinity) || newest === undefined) return newest;
    let slot = newest;
    // Not by `#advised`: its closures would be made for nearly every acquire.
    try {
      if (this.#slots.count(SlotState.idle) > 1) slot = this.#cheapest(newest, profile, hint);
    } catch (error) {
      this.tripFlag(selection ? 'selection' : 'affinity', error);
    }
    slot.passedOver = 0;
    if (hint.settings !== undefined) slot.settings = hint.settings;
    return slot;
  }

  #cheapest(newest: Slot<C>, query: QueryProfile, hint: Hint): Slot<C> {
    const { acting, attended } = this.rollout;
    const wanted = this.#wanted;
    wanted.query = query;
    wanted.now = this.#now;
    wanted.checkAfterIdleMs = this.#checkAfterIdleMs;
    wanted.statement = attended.affinity ? hint.statement : undefined;
    wanted.settings = attended.affinity ? hint.settings : undefined;
    wanted.weighsHealth = attended.selection;
    const choice = this.#selection.choose(this.#slots.idle(), wanted);
    if (choice === undefined) return newest;
    const { connection: slot, flag, reason } = choice;
    this.rollout.recordRegret(flag, choice.costMs, choice.newestMs);
    if (!acting[flag] || this.#driver.isBroken?.(slot.connection!) === true) return newest;
    this.#counters.passedOver[reason] += 1;
    newest.passedOver += 1;
    slot.chosenOver = reason;
    return slot;
  }

  #needsCheck(slot: Slot<C>): boolean {
    return this.#isUnproven(slot) || (this.#now >= this.#soundUntil && this.#isDoubtful());
  }

  /** By itself, whatever has befallen others. */
  #isUnproven(slot: Slot<C>): boolean {
    if (slot.isSuspect || this.#now - usedAt(slot) >= this.#checkAfterIdleMs) return true;
    return this.#driver.mustCheck?.(slot.connection!) === true;
  }

  #isDoubtful(): boolean {
    return this.#now < this.#doubtedUntil || (this.#now - this.#heardAt >= QUIET_MS && this.#isLastOfQuiet());
  }

  /** Whether it is the last one, and the others are held as if the network had gone mute. */
  #isLastOfQuiet(): boolean {
    if (this.#slots.count(SlotState.leased) < 2) return false;
    if (this.#slots.count(SlotState.idle) > 1 || this.#slots.size < this.#limit) return false;
    if (!this.rollout.acting.stallWatchdog || this.#driver.bytesHeard === undefined) return false;
    return this.#advised('stallWatchdog', false, () => this.#stalls.isQuiet(this.#slots, this.#now));
  }

  /** Packed where one in use has room, else spread: to an idle one, or where there is none to the least loaded. */
  #selectShared(costMs: number, now: number): Slot<C> | undefined {
    const shared = this.#slots.shared();
    const packed = pack(shared, costMs, now);
    if (packed !== undefined) return this.#join(packed);
    const idle = shared.length < MOST_SHARED ? this.#select() : undefined;
    if (idle === undefined) return this.#join(spread(shared, costMs, now));
    if (this.#needsCheck(idle) || this.#driver.canShare?.(idle.connection!) !== true) return undefined;
    this.#counters.spread += 1;
    this.#slots.share(idle, MOST_IN_FLIGHT);
    idle.leasedAt = now;
    return idle;
  }

  #join(slot: Slot<C> | undefined): Slot<C> | undefined {
    if (slot === undefined) return undefined;
    if (this.#driver.isBroken?.(slot.connection!) === true) {
      slot.retiring = 'broken';
      return undefined;
    }
    this.#slots.move(slot, SlotState.leased);
    return slot;
  }

  #leaseShared(slot: Slot<C>, costMs: number, now: number): SharedLease<C> {
    const timed = (this.#leaseCount & this.#timingMask) === 0;
    if (timed) this.#readLeaseClock();
    slot.loadMs += costMs;
    if (timed && this.rollout.attended.lanes) this.#tookIn('fast');
    this.#hold(slot);
    if (slot.holders > this.#counters.sharedDepthMost) this.#counters.sharedDepthMost = slot.holders;
    return new SharedLease(slot, timed, now, costMs);
  }

  /** Whose turn it is; undefined when those who wait have to leave a free connection to others. */
  #nextWaiter(): Waiter<C> | undefined {
    if (this.#waiters.length === 0) return undefined;
    const head = this.#waiters.head!;
    if (this.rollout.acting.degradedShed) {
      const urgent = this.#advised('degradedShed', undefined, () => this.#priorities.first());
      if (urgent !== undefined) return urgent;
    }
    return !this.#lanesAct || this.#drain !== undefined ? head : this.#nextOr(head);
  }

  // What the lanes decide. These calls and their closures are kept out of the functions that every acquire runs through:
  // V8 inlines only so much bytecode into one.

  /** Whether the queue lets a newcomer pass. */
  #admitted(lane: Lane): boolean {
    const waiters = this.#waiters;
    return this.#advised('lanes', waiters.length === 0, () =>
      this.#lanes.admits(lane, waiters.first('fast'), waiters.first('slow'), this.#options.max),
    );
  }

  #nextOr(head: Waiter<C>): Waiter<C> | undefined {
    return this.#advised('lanes', head, () => this.#nextByLanes());
  }

  #nextByLanes(): Waiter<C> | undefined {
    const waiters = this.#waiters;
    const lane = this.#lanes.next(this.#now, waiters.first('fast'), waiters.first('slow'), this.#options.max);
    return lane === undefined ? undefined : waiters.first(lane);
  }

  #lease(slot: Slot<C>, timed: boolean, profile: QueryProfile | undefined, lane: Lane): Lease<C> {
    this.#slots.move(slot, SlotState.leased);
    slot.leasedAt = this.#now;
    slot.profile = profile;
    slot.lane = lane;
    if (lane === 'slow') this.#enterSlowLane();
    if (timed && profile !== undefined && this.rollout.attended.lanes) this.#tookIn(lane);
    this.#hold(slot);
    return new Lease(slot, timed);
  }

  #enterSlowLane(): void {
    this.#advised('lanes', undefined, () => this.#lanes.slowBegan());
  }

  #tookIn(lane: Lane): void {
    this.#advised('lanes', undefined, () =>
      this.#lanes.took(lane, this.#slots.count(SlotState.leased), this.#now),
    );
  }

  #laneOf(profile: QueryProfile | undefined, hint: Hint | undefined): Lane {
    return profile === undefined || !this.rollout.attended.lanes ? 'fast' : this.#learnedLane(profile, hint);
  }

  #learnedLane(profile: QueryProfile, hint: Hint | undefined): Lane {
    try {
      return this.#lanes.laneOf(profile, hint);
    } catch (error) {
      this.tripFlag('lanes', error);
      return 'fast';
    }
  }

  #hold(slot: Slot<C>): void {
    this.#leaseCount += 1;
    slot.holders += 1;
    slot.uses += 1;
    if (slot.uses === this.#maxUses) slot.retiring = 'uses';
    slot.leakReported = false;
    slot.holder = undefined;
    if (!this.#inUse) this.#wake();
  }

  /** One of several in flight was answered: the connection worked on it since the answer before. */
  #answered(slot: Slot<C>, lease: SharedLease<C>): void {
    const now = this.#readClock();
    lease.servedMs = now - Math.max(slot.leasedAt, lease.since);
    lease.fellSilent = slot.fellSilent;
    slot.fellSilent = false;
    slot.leasedAt = now;
    slot.loadMs -= lease.costMs;
    if (this.rollout.attended.lanes)
      this.#advised('lanes', undefined, () => this.#lanes.heldFor(lease.servedMs));
  }

  /** Serves waiters from idle slots, the suspect ones once they are checked. */
  #serve(now: number): void {
    while (this.#waiters.length > this.#slots.count(SlotState.checking)) {
      if (this.#slots.count(SlotState.leased) >= this.#usable) return;
      const waiter = this.#nextWaiter();
      const slot = waiter === undefined ? undefined : this.#select();
      if (slot === undefined) return;
      if (this.#needsCheck(slot)) this.#check(slot, now);
      else this.#handOver(slot, waiter!);
    }
  }

  /** Whose turn it is takes a slot that has become free. */
  #handOver(slot: Slot<C>, waiter: Waiter<C>): void {
    if (waiter.costMs !== undefined && this.#driver.canShare?.(slot.connection!) === true) {
      return this.#shareOut(slot, waiter);
    }
    if (this.#lanes.mixed) this.#weighOvertaking(waiter);
    this.#give(slot, waiter);
  }

  /** For him alone. */
  #give(slot: Slot<C>, waiter: Waiter<C>): void {
    this.#waiters.remove(waiter);
    waiter.stopListening?.();
    const timed = (this.#leaseCount & this.#timingMask) === 0;
    if (timed) this.#readLeaseClock();
    else if (waiter.note !== undefined) this.#readClock();
    this.#counters.waited += 1;
    const settings = waiter.hint?.settings;
    if (settings !== undefined) slot.settings = settings;
    const lease = this.#leaseTo(waiter, slot, timed);
    if (timed || waiter.note !== undefined) this.#recordWait(lease, this.#now - waiter.queuedAt, waiter);
    this.#resolve(waiter, lease);
  }

  #leaseTo(waiter: Waiter<C>, slot: Slot<C>, timed: boolean): Lease<C> {
    try {
      const lease = this.#lease(slot, timed, waiter.profile, waiter.lane);
      if (waiter.caller !== undefined) slot.holder = waiter.caller;
      return lease;
    } catch (fault) {
      // Back among those who are handed back.
      this.#waiters.enqueue(waiter);
      throw fault;
    }
  }

  /**
   * `first` takes a slot that has become free, together with as many of those after him as there is room for. Whose turn it is next is
   * asked anew: by now the lanes may not even say that it is his, and a slot that nobody holds would never come back.
   */
  #shareOut(slot: Slot<C>, first: Waiter<C>): void {
    const now = this.#readClock();
    this.#slots.share(slot, MOST_IN_FLIGHT);
    slot.leasedAt = now;
    let waiter: Waiter<C> | undefined = first;
    for (; waiter?.costMs !== undefined; waiter = this.#nextWaiter()) {
      if (waiter !== first && (slot.holders === 0 || !this.#hasRoom(slot, waiter.costMs, now))) return;
      this.#waiters.remove(waiter);
      waiter.stopListening?.();
      this.#counters.waited += 1;
      this.#counters.sharedLate += 1;
      const lease = this.#leaseShared(slot, waiter.costMs, now);
      if (lease.timed || waiter.note !== undefined) this.#recordWait(lease, now - waiter.queuedAt, waiter);
      this.#resolve(waiter, lease);
    }
  }

  #hasRoom(slot: Slot<C>, costMs: number, now: number): boolean {
    return this.#advised('pipelining', undefined, () => pack([slot], costMs, now)) !== undefined;
  }

  /** What an adviser says, or the plain choice where it throws; its flag is then taken back, unless it was set to `on`. */
  #advised<T>(name: OptimizationName, plain: T, advise: () => T): T {
    try {
      return advise();
    } catch (error) {
      this.tripFlag(name, error);
      return plain;
    }
  }

  #resolve(waiter: Waiter<C>, lease: Lease<C>): void {
    try {
      waiter.resolve(lease);
    } catch (thrown) {
      this.#throwUncaught(thrown);
    }
  }

  /** Where the lanes and the order of arrival differ, acting or not: what each one's choice makes the other's wait. */
  #weighOvertaking(served: Waiter<C>): void {
    const head = this.#waiters.head!;
    const byLanes = this.#nextOr(head);
    if (byLanes === undefined || byLanes === head) return;
    if (served === byLanes) this.#counters.overtakings += 1;
    this.rollout.recordRegret('lanes', byLanes.profile?.meanMs ?? 0, head.profile?.meanMs ?? 0);
  }

  #recordWait(lease: Lease<C>, waitedMs: number, waiter: Waiter<C> | undefined): void {
    if (lease.timed) {
      this.#waitTimes.record(waitedMs);
      const { slot } = lease;
      slot.idledMs = waiter === undefined ? slot.leasedAt - slot.idleSince : undefined;
      this.#lessons.waited(slot, waitedMs, this.#now);
    }
    this.#observer?.onLeased?.(lease, waitedMs, waiter);
  }

  #recordUse(lease: Lease<C>, slot: Slot<C>, outcome: Outcome): void {
    const heldMs = this.#readClock() - lease.since;
    if (outcome !== 'broken') this.#heard(lease.since);
    this.#useTimes.record(heldMs);
    if (outcome !== 'ok' || !this.#isDistorted(lease.since))
      this.#lessons.used(slot, lease.since, outcome, this.#now);
    this.#observer?.onReleased?.(lease, heldMs, outcome);
  }

  /** A connection answered what it was leased for at `since`. */
  #heard(since: number): void {
    this.#heardAt = this.#now;
    if (this.#now >= this.#doubtedUntil) this.#soundUntil = this.#now + QUIET_MS;
    this.#advised('stallWatchdog', undefined, () => this.#stalls.learnAnswer(since));
  }

  /** Whether the event loop stood still meanwhile: then the time that a lease took says nothing of its connection or its query. */
  #isDistorted(since: number): boolean {
    return since < this.#stalledUntil || this.#now - this.#timerAt > STALL_MS;
  }

  #listenForAbort(waiter: Waiter<C>, signal: AbortSignal): void {
    const onAbort = () => this.cancel(waiter, this.#refusal('ABORTED', waiter.hint));
    signal.addEventListener('abort', onAbort, { once: true });
    waiter.stopListening = () => signal.removeEventListener('abort', onAbort);
  }

  #fail(waiter: Waiter<C>, error: unknown, now: number): void {
    waiter.stopListening?.();
    this.#observer?.onFailed?.(error, now - waiter.queuedAt, waiter);
    try {
      waiter.reject(error);
    } catch (thrown) {
      // One caller's fault must not cost the others their answer.
      this.#throwUncaught(thrown);
    }
  }

  /** A fault of the engine's own must not cost a caller anything: whoever waits is served by other means. */
  #giveUp(fault: unknown): undefined {
    if (this.#onFault === undefined) throw fault;
    // It may strike again while those who hold connections give them back.
    if (this.#handedBack) return undefined;
    this.#handedBack = true;
    this.#onFault(fault);
    this.handBack();
    return undefined;
  }

  /** In a promise's handler, where nobody would hear what is thrown. */
  #surviveOrThrow(fault: unknown): void {
    try {
      this.#giveUp(fault);
    } catch {
      this.#throwUncaught(fault);
    }
  }

  /** What a caller's callback throws is an uncaught exception of the program, not a rejection that nobody handles. */
  #throwUncaught(error: unknown): void {
    this.#runtime.afterPoll(() => {
      throw error;
    });
  }

  /** A caller has queued up to whom, or to others, its priority may matter. */
  #heedPriority(waiter: Waiter<C>, now: number): void {
    this.#advised('degradedShed', undefined, () => this.#priorities.joined(waiter));
    this.#lookForShortage(now);
    if (waiter.hint?.priority === 'low') this.#shed([waiter], now);
  }

  #lookForShortage(now: number): void {
    const onTheirWay = this.#slots.count(SlotState.opening) + this.#slots.count(SlotState.checking);
    const isTroubled = this.#heedsCircuit && this.#breaker.state !== 'closed';
    const lacks = isTroubled && this.#waiters.length > onTheirWay;
    this.#arm(
      this.#advised('degradedShed', NEVER, () => this.#priorities.look(lacks, this.#waiters.head, now)),
    );
  }

  /** Those of low priority go while there is not enough for all. */
  #shedLow(now: number): void {
    this.#lookForShortage(now);
    this.#shed(
      this.#advised('degradedShed', [], () => this.#priorities.toShed(TIMEOUTS_PER_TURN)),
      now,
    );
  }

  #shed(waiters: readonly Waiter<C>[], now: number): void {
    const { shortage } = this.#priorities;
    if (shortage === undefined || this.#drain !== undefined || waiters.length === 0) return;
    const error = shed(shortage, now - this.#waiters.head!.queuedAt, this.stats(), this.#lastOpenError);
    for (const waiter of waiters) {
      // What the one before was told may have made him give back a connection, or call others off.
      if (!this.#waiters.remove(waiter)) continue;
      this.#counters.rejected += 1;
      this.#counters.shed += 1;
      this.#fail(waiter, error, now);
    }
    this.#keepAlive();
  }

  // ── A connection's life ───────────────────────────────────────────────────────────────────────────────────────

  /** Opens what the waiters need beyond what is already on its way, and what `min` asks for. */
  #grow(now: number, waiter?: Waiter<C>): void {
    // First of all: a warm-up that is called off may close its connection in the same stack, and others are opened.
    const warmUps = this.#hopefulWarmUps(now);
    const onTheirWay = this.#slots.count(SlotState.opening) + this.#hopefulChecks + warmUps;
    const room = this.#room(now);
    let wanted = now >= this.#nextOpenAt ? Math.max(0, this.#waiters.length - onTheirWay) : 0;
    // In a fleet a short queue asks for no larger share, either.
    if (wanted > 0 && (room > 0 || this.#fleet !== undefined) && this.#leavesToReleases(now)) wanted = 0;
    const { min, keepMin } = this.#options;
    const circuit = this.#heedsCircuit ? this.#breaker : undefined;
    if (keepMin && now >= this.#nextFillAt && this.#drain === undefined && circuit?.fills !== false) {
      wanted = Math.max(wanted, this.#fill(min, room, now));
      if (min - this.#slots.open > room) this.#fleet?.need(now);
    }
    if (circuit !== undefined && wanted > 0) {
      wanted = Math.min(wanted, this.#allowedBy(circuit, now));
      if (this.#waiters.length > 0) this.#arm(circuit.dueAt(now));
    }
    if (wanted > room) this.#makeRoom(wanted, room, now);
    const beneficiary = waiter ?? this.#waiters.head;
    const why = beneficiary === undefined ? 'min' : 'waiter';
    for (let opened = 0; opened < Math.min(wanted, room); opened += 1) this.#open(now, why, beneficiary);
    if (wanted > room) this.#fleet?.need(now);
    if (this.#follows) this.#warmUp(now);
    this.#keepAlive();
  }

  /** How many connections may begin to open, by the state that the server is in. */
  #allowedBy(circuit: Breaker, now: number): number {
    const room = circuit.room(now, this.#slots.count(SlotState.opening), this.#openingPace);
    // A long queue of mixed deadlines is not to be looked through for nothing.
    if (!circuit.spares(now)) return room;
    const serving = this.#slots.open - this.#slots.count(SlotState.stale);
    const enough = circuit.enough(this.#backlogMs, this.#waiters.earliestDeadline(), now);
    return Math.min(room, Math.max(0, enough - serving));
  }

  /** Connections that are of less use than the `wanted` ones go for them, where those have no room and none is on its way. */
  #makeRoom(wanted: number, room: number, now: number): void {
    const lacking = () => wanted - Math.max(0, room) - this.#slots.count(SlotState.closing);
    if (this.#staleReads.isOn) this.#giveUpStale(lacking());
    if (this.#slots.count(SlotState.warming) > 0 && this.#lacksWarmUps(room))
      this.#giveUpWarmUps(lacking(), now);
  }

  /** How many connections begin to open because there are fewer than `min`. */
  #fill(min: number, room: number, now: number): number {
    const lacking = Math.min(min - this.#slots.open, room);
    const wave = this.#filling.wave(lacking, this.#slots.count(SlotState.opening), now);
    if (wave < lacking) this.#arm(this.#filling.nextAt);
    return wave;
  }

  /** Whether those who wait are served sooner, and at less cost, by what comes back than by what could be opened now. */
  #leavesToReleases(now: number): boolean {
    if (!this.#follows || this.#drain !== undefined || this.#breaker.state !== 'closed') return false;
    if (this.#slots.count(SlotState.idle) > 0) return false;
    const queue = {
      now,
      waiting: this.#waiters.length,
      waitedMs: now - this.#waiters.head!.queuedAt,
      open: this.#slots.open,
    };
    const until = this.#advised('forecaster', undefined, () =>
      this.#sizing!.forbearsUntil(queue, (withinMs) => leasedSince(this.#slots, now - withinMs)),
    );
    if (until === undefined || this.#isPressed(now)) return false;
    this.#arm(until);
    return true;
  }

  /**
   * Openings within a second while the server is not trusted: as few as will do for those who wait. A pool that loses its connections by
   * and by, and opens others without fail, is not to make them wait for the second.
   */
  get #openingPace(): number {
    const { max } = this.#options;
    const { queuedAt = this.#now } = this.#waiters.head ?? {};
    const isLate = this.#now - queuedAt > DRAINED_MS && this.#lastOpenError === undefined;
    if (isLate && this.#breaker.state === 'degraded') return UNLIMITED;
    const servers = Math.max(this.#live, Math.min(max, PACE.openings));
    return this.#backlogMs / servers > DRAINED_MS ? UNLIMITED : max;
  }

  /** For how long those who wait would keep one connection. */
  get #backlogMs(): number {
    return this.#waiters.length * this.#useTimes.meanMs;
  }

  /** Whether somebody waits who soon gives up. */
  #isPressed(now: number): boolean {
    return this.#waiters.earliestDeadline() - now < AMPLE_MS;
  }

  /** Callers from whom an opening is held back have no socket that would keep the process alive for them. */
  #keepAlive(): void {
    const { length } = this.#waiters;
    const onTheirWay =
      length === 0 ? 0 : this.#slots.count(SlotState.opening) + this.#slots.count(SlotState.checking);
    if (length > onTheirWay && this.#slots.size < this.#options.max) {
      this.#alive ??= this.#runtime.keepAlive();
    } else {
      this.#alive?.cancel();
      this.#alive = undefined;
    }
  }

  /** Opens what the forecast asks for, on nobody's behalf. */
  #warmUp(now: number): void {
    const { forecast } = this.#sizing!;
    const wanted = forecast.ahead - this.#slots.open;
    if (wanted <= 0 || now < this.#nextFillAt || this.#drain !== undefined) return;
    if (this.#heedsCircuit && !this.#breaker.fills) return;
    const room = Math.min(this.#room(now), this.#sizing!.openingRoom(this.#slots.count(SlotState.opening)));
    for (let opened = 0; opened < Math.min(wanted, room); opened += 1) {
      this.#counters.openedAhead += 1;
      this.#open(now, 'forecast');
    }
  }

  /** Whether the forecast decides how many connections there are; it is kept up to date in any case. */
  get #follows(): boolean {
    return this.#sizing !== undefined && this.rollout.acting.forecaster;
  }

  /** Checks that waiters may count on: in a bad moment those of suspects are not. */
  get #hopefulChecks(): number {
    const checks = this.#slots.count(SlotState.checking);
    if (checks === 0 || this.#breaker.state === 'closed') return checks;
    let doubtful = 0;
    for (const { state, isSuspect } of this.#slots)
      if (state === SlotState.checking && isSuspect) doubtful += 1;
    return checks - doubtful;
  }

  /**
   * Warm-ups that waiters may count on: whoever begins to wait makes as many leave off as it takes, and counts on them for a moment; then
   * another connection is opened for him as if they were not there.
   */
  #hopefulWarmUps(now: number): number {
    let hopeful = 0;
    if (this.#slots.count(SlotState.warming) === 0) return hopeful;
    for (const slot of this.#slots) {
      if (hopeful >= this.#waiters.length) break;
      if (slot.state !== SlotState.warming) continue;
      if (slot.hurriedAt === undefined) {
        slot.hurriedAt = now;
        slot.abort?.abort(new Error('a caller waits for the connection'));
      }
      if (slot.state !== SlotState.warming || now >= slot.hurriedAt + HURRY_MS) continue;
      hopeful += 1;
      this.#arm(slot.hurriedAt + HURRY_MS);
    }
    return hopeful;
  }

  /** Whether those who wait lack nothing but a connection, and closing what is being warmed makes room for one. */
  #lacksWarmUps(room: number): boolean {
    const { idle, leased, warming, closing } = SlotState;
    const mayLease = this.#slots.count(idle) === 0 && this.#slots.count(leased) < this.#usable;
    return mayLease && room + this.#slots.count(warming) + this.#slots.count(closing) > 0;
  }

  /** Where there is no room for another, up to `most` that were to leave off, and have not for as long as an opening takes, make some. */
  #giveUpWarmUps(most: number, now: number): void {
    const patienceMs = Math.max(HURRY_MS, this.#createTimes.meanMs);
    let left = most;
    for (const slot of this.#slots) {
      if (left <= 0) return;
      if (slot.state !== SlotState.warming || slot.hurriedAt === undefined) continue;
      left -= 1;
      const dueAt = slot.hurriedAt + patienceMs;
      if (now < dueAt) this.#arm(dueAt);
      else this.#warmUpOverran(slot, Math.round(now - slot.openedAt));
    }
  }

  /** How many more connections there may be, by the user's word, the fleet's, the server's and that of the limit probe. */
  #room(now: number): number {
    const { size } = this.#slots;
    const room = Math.min(this.#allowed(now), this.#openable) - size;
    if (!this.#heedsServerLimit) return room;
    const from = this.#limit;
    const granted = this.#serverLimit.room(
      size,
      this.#slots.count(SlotState.opening),
      this.#options.max,
      now,
    );
    this.#tellLimit(from, 'nothing was refused for a while');
    return Math.min(room, granted);
  }

  /** The most connections there may be, by the user's word and the fleet's. */
  #allowed(now: number): number {
    const { max } = this.#options;
    return this.#fleet === undefined ? max : Math.min(max, this.#fleet.share(now));
  }

  /** The most connections there may be now. */
  get #limit(): number {
    return Math.min(this.#bound, this.#openable);
  }

  /** The most by the user's word, the fleet's and the server's. */
  get #bound(): number {
    const most = this.#allowed(this.#now);
    return this.#heedsServerLimit ? Math.min(most, Math.max(1, this.#serverLimit.granted)) : most;
  }

  /** The most that the limit probe lets be open. */
  get #openable(): number {
    return this.#probesLimit ? this.#limitProbe.open : UNLIMITED;
  }

  /** The most that it lets be leased while others wait: a crowd is what it is for, so nobody else needs to ask. */
  get #usable(): number {
    return this.#probesLimit ? this.#limitProbe.use : UNLIMITED;
  }

  get #probesLimit(): boolean {
    return this.rollout.acting.limitProbe && this.#drain === undefined;
  }

  get #heedsServerLimit(): boolean {
    return this.#serverLimit.inForce && this.#heedsCircuit;
  }

  #tellLimit(from: number, reason: string): void {
    const to = this.#limit;
    if (to !== from) this.#observer?.onResized?.(from, to, reason);
  }

  #open(now: number, why: OpenReason, waiter?: Waiter<C>, replaces?: Slot<C>): void {
    const slot = this.#slots.add(this, now);
    slot.replaces = replaces;
    slot.abort = new AbortController();
    this.#breaker.opening(now);
    this.#setDeadline(slot, now, this.#options.openTimeoutMs);
    if (waiter !== undefined) waiter.openedFor = true;
    this.#observer?.onOpening?.(slot, waiter, why);
    const { signal } = slot.abort;
    attempt(() => this.#driver.open(signal))
      .then(
        (connection) => this.#opened(slot, connection),
        (error: unknown) => this.#openEnded(slot, error),
      )
      .catch((fault: unknown) => this.#surviveOrThrow(fault));
  }

  #opened(slot: Slot<C>, connection: C): void {
    const now = this.#readClock();
    if (slot.state !== SlotState.opening) return this.#closeLateArrival(slot, connection);
    this.#slots.attach(slot, connection);
    slot.deadlineAt = Number.POSITIVE_INFINITY;
    slot.abort = undefined;
    slot.openedAt = now;
    const { maxLifetimeMs, lifetimeJitter } = this.#options;
    if (maxLifetimeMs > 0)
      slot.expiresAt = now + maxLifetimeMs * (1 - lifetimeJitter * this.#runtime.random());
    this.#counters.opened += 1;
    this.#lastOpenError = undefined;
    if (this.rollout.attended.addressWatch) this.#learnRoute(slot);
    if (this.#options.leakThresholdMs > 0) this.#driver.rememberStatements?.(connection);
    this.#fillBackoffMs = 0;
    const tookMs = now - slot.openStartedAt;
    this.#createTimes.record(tookMs);
    this.#advised('stallWatchdog', undefined, () => this.#stalls.learnOpen(tookMs));
    this.#wanted.openMs = this.#createTimes.meanMs;
    this.#observer?.onOpened?.(slot, tookMs);
    this.#breaker.opened(slot.openStartedAt, now);
    this.#openings.opened(slot.openStartedAt, now);
    if (this.#serverLimit.inForce) this.#granted(slot, now);
    if (this.#wantsToAsk(now)) this.#askAboutSilent(slot, now);
    else if (this.#warm(slot, now)) return;
    else this.#offerUnlessSurplus(slot);
    if (slot.replaces !== undefined) this.#replaced(slot, slot.replaces);
    if (this.#breaker.state !== 'closed' && this.#waiters.length > 0) this.#grow(now);
  }

  /** Before it goes idle, a connection that nobody waits for is made ready for those who will come. Whether there is anything to do. */
  #warm(slot: Slot<C>, now: number): boolean {
    const driver = this.#driver;
    if (driver.warm === undefined || this.#waiters.length > 0 || this.#drain !== undefined) return false;
    if (this.#breaker.state !== 'closed' || !this.#warming.mayBegin(now)) return false;
    const abort = new AbortController();
    // Before the driver is asked: it may close this very connection in the same stack, or call for one.
    this.#slots.move(slot, SlotState.warming);
    slot.abort = abort;
    const work = warmUpOn(driver, slot.connection!, abort.signal);
    if (slot.state !== SlotState.warming) {
      work?.catch(() => {});
      return true;
    }
    if (work === undefined) {
      slot.abort = undefined;
      slot.hurriedAt = undefined;
      return false;
    }
    this.#setDeadline(slot, now, this.#options.warmTimeoutMs);
    work
      .then(
        () => this.#warmed(slot, now, undefined),
        (error: unknown) => this.#warmed(slot, now, error ?? new Error('it failed without saying why')),
      )
      .catch((fault: unknown) => this.#surviveOrThrow(fault));
    return true;
  }

  /** Late news of a slot that has moved on is ignored; what was called off for a caller's sake did not fail. */
  #warmed(slot: Slot<C>, startedAt: number, error: unknown): void {
    if (slot.state !== SlotState.warming) return;
    const driver = this.#driver;
    const connection = slot.connection!;
    // Not by the error: it is the application's own, and says nothing of the connection.
    const isBroken = driver.isBroken?.(connection) === true;
    const failure = slot.hurriedAt === undefined || isBroken ? error : undefined;
    this.#endWarmUp(slot, this.#readClock() - startedAt, failure);
    if (isBroken) {
      this.#close(slot, 'broken');
      this.#replace();
    } else if (driver.isDirty?.(connection) === true) this.#clean(slot, this.#now);
    else {
      this.#warming.ended();
      if (slot.isSuspect || this.#now < this.#doubtedUntil) this.#check(slot, this.#now);
      else this.#offerUnlessSurplus(slot);
    }
    if (slot.replaces !== undefined) this.#replaced(slot, slot.replaces);
  }

  #endWarmUp(slot: Slot<C>, tookMs: number, error: unknown): void {
    slot.deadlineAt = Number.POSITIVE_INFINITY;
    slot.abort = undefined;
    slot.hurriedAt = undefined;
    this.#counters.warmed += 1;
    if (error !== undefined) this.#counters.warmFailed += 1;
    this.#observer?.onWarmed?.(slot, tookMs, error);
  }

  /** Nobody can tell what is still to come on it. */
  #warmUpOverran(slot: Slot<C>, tookMs: number): void {
    const { abort } = slot;
    const error = lateness('warm', tookMs, this.stats());
    this.#endWarmUp(slot, tookMs, error);
    this.#close(slot, 'warm');
    // Last: whoever hears it may close the connection, too.
    abort?.abort(error);
  }

  #granted(slot: Slot<C>, now: number): void {
    const from = this.#limit;
    this.#serverLimit.opened(slot.openStartedAt, this.#live + 1, this.#options.max, now);
    this.#tellLimit(from, 'the server granted one more');
  }

  /** What is open serves all who wait; another is tried now and then. */
  #refusedForRoom(slot: Slot<C>, now: number): void {
    const from = this.#limit;
    this.#serverLimit.refused(slot.openStartedAt, this.#live, now);
    this.#nextFillAt = Math.max(this.#nextFillAt, this.#serverLimit.probeAt);
    this.#tellLimit(from, FAILURES.too_many_connections.what);
    this.#arm(this.#serverLimit.probeAt);
  }

  /** Its waiter is gone, the server's side is not: it counted against `max` until now. */
  #closeLateArrival(slot: Slot<C>, connection: C): void {
    this.#counters.lateArrivals += 1;
    this.#closeConnection(slot, connection, 'evicted');
  }

  #openEnded(slot: Slot<C>, error: unknown): void {
    if (slot.state === SlotState.opening) this.#openFailed(slot, error);
    if (slot.state !== SlotState.gone) this.#gone(slot);
  }

  /**
   * Fails the first waiter, if it was there when the opening began: whoever came later is owed a try of its own. Nobody
   * fails while those still opening are enough for all who wait.
   */
  #openFailed(slot: Slot<C>, error: unknown): void {
    const now = this.#readClock();
    this.#counters.openFailed += 1;
    this.#openings.failed(slot.openStartedAt, now);
    this.#lastOpenError = error;
    if (slot.replaces !== undefined) slot.replaces.leavesFor = undefined;
    this.#slots.move(slot, SlotState.closing);
    this.#setDeadline(slot, now, this.#options.closeTimeoutMs);
    this.#fillBackoffMs = Math.min(
      Math.max(this.#fillBackoffMs * 2, FILL_BACKOFF_MS.least),
      FILL_BACKOFF_MS.most,
    );
    this.#nextFillAt = now + this.#fillBackoffMs * (0.5 + this.#runtime.random() / 2);
    this.#observer?.onOpenFailed?.(slot, now - slot.openStartedAt, error);
    const { openRetryMs } = this.#options;
    const verdict = this.#heedsCircuit ? this.#judgeFailedOpen(slot, error, now) : 'tell';
    if (verdict === 'hold') {
      this.#arm(Math.max(now, this.#breaker.nextOpenAt));
    } else if (verdict === 'refuse' && openRetryMs === 0) {
      this.#failAll(error, now, this.#refusalsCount);
    } else if (openRetryMs > 0) {
      this.#nextOpenAt = now + openRetryMs;
      this.#arm(this.#nextOpenAt);
    } else if (this.#waiters.length > this.#slots.count(SlotState.opening)) {
      if (this.#waiters.head!.queuedAt <= slot.openStartedAt) {
        this.#counters.openErrors += 1;
        this.#fail(this.#waiters.dequeue()!, error, now);
      }
    }
    this.#wake();
  }

  #judgeFailedOpen(slot: Slot<C>, error: unknown, now: number): Verdict {
    const pattern = this.#classify(error, 'connect');
    if (FAILURES[pattern].mitigation === 'limit') this.#refusedForRoom(slot, now);
    return this.#breaker.openFailed(pattern, slot.openStartedAt, this.#live, now);
  }

  /** Everybody in the queue is told the same. */
  #failAll(error: unknown, now: number, counted: 'openErrors' | 'rejected'): void {
    for (let waiter = this.#waiters.dequeue(); waiter !== undefined; waiter = this.#waiters.dequeue()) {
      this.#counters[counted] += 1;
      this.#fail(waiter, error, now);
    }
    this.#keepAlive();
  }

  /**
   * Tells the pool of an error that a statement met, or one of its connections: it may mean that the server restarts or
   * has become a replica. Statements' own errors may be told too, and are of no consequence.
   * @returns whether the connection that it was met on is of no further use.
   */
  heed(error: unknown, connection?: C): boolean {
    if (!this.rollout.acting.errorClassify) return false;
    const pattern = this.#classify(error, 'use');
    const { mitigation, fatal } = FAILURES[pattern];
    const now = this.#readClock();
    if (fatal && mitigation !== 'replace') this.#addresses.alert(now);
    if (pattern === 'idle_killed' && connection !== undefined) {
      const slot = this.#slots.of(connection);
      if (slot !== undefined) this.#learnDeath(slot, 'told', now);
    }
    if (mitigation === 'purge') {
      if (this.rollout.acting.failoverPurge && this.#failover.refused(now)) this.#leaveWriter(now);
    } else if (fatal && connection !== undefined) {
      const slot = this.#slots.of(connection);
      if (slot !== undefined && this.#lost(slot, now, mitigation !== 'replace')) this.#checkSuspects(now);
    }
    return fatal;
  }

  /**
   * A connection died. If that `tells` of more to come no idle one is leased for a moment but by a round trip; if several
   * died at once all older ones are suspect. Whether they are.
   */
  #lost(slot: Slot<C>, now: number, tells = true): boolean {
    if (!this.#heedsCircuit || slot.isSevered) return false;
    this.#observer?.onLost?.(slot);
    if (slot.isStale) {
      if (tells) this.#distrustStale();
      return false;
    }
    const isBurst = this.#breaker.connectionLost(slot.openedAt, this.#slots.open, now);
    if (tells) this.#doubt(now + DOUBT_MS[isBurst ? 'several' : 'one']);
    if (isBurst) this.#distrustAll();
    return isBurst;
  }

  #doubt(until: number): void {
    this.#doubtedUntil = Math.max(this.#doubtedUntil, until);
    this.#soundUntil = Number.NEGATIVE_INFINITY;
  }

  /** Tells the pool that a write succeeded: only then does a refused one mean a failover. */
  wrote(): void {
    this.#failover.wrote();
    if (this.#staleReads.isProof(this.#counters.opened)) this.#endStaleReads();
  }

  /** The server takes no writes any more. Who may read what is old is served by some of its connections for a while. */
  #leaveWriter(now: number): void {
    if (this.rollout.acting.staleReads && this.#drain === undefined) this.#keepForReads(now);
    this.#purge();
    if (this.#staleReads.isOn) this.#readStale();
  }

  /** All connections of now close: idle ones at once, leased ones when they are released. */
  #purge(): void {
    for (const slot of [...this.#slots.idle()]) this.#close(slot, 'evicted');
    for (const slot of this.#slots) {
      if (slot.state === SlotState.leased) slot.retiring ??= 'evicted';
      else if (slot.state === SlotState.warming) this.#close(slot, 'evicted');
    }
    this.#replace();
  }

  // ── Connections to a former writer ───────────────────────────────────────────────────────────────────────────────

  #keepForReads(now: number): void {
    this.#endStaleReads();
    this.#staleReads.begin(this.#counters.opened, now);
    this.#arm(this.#staleReads.until);
    const most = StaleReads.most(this.#options.max);
    for (const slot of this.#slots.idle().slice(-most)) {
      if (most > 0 && this.#isSoundForReads(slot)) this.#park(slot);
    }
    for (const slot of this.#slots)
      if (slot.state === SlotState.leased && slot.retiring === undefined) slot.isStale = true;
    for (const waiter of this.#waiters) this.#joinReaders(waiter);
  }

  /** Nobody asks it whether it is alive: what another would have to be asked first is of no use. */
  #isSoundForReads(slot: Slot<C>): boolean {
    if (this.#isUnproven(slot) || this.#now < this.#doubtedUntil) return false;
    const driver = this.#driver;
    const connection = slot.connection!;
    return driver.isBroken?.(connection) !== true && driver.isDirty?.(connection) !== true;
  }

  /** The former writer is not the server that the circuit is about. */
  #distrustStale(): void {
    for (const slot of this.#slots) if (slot.isStale) slot.isSuspect = true;
  }

  #park(slot: Slot<C>): void {
    slot.isStale = true;
    slot.retiring = 'evicted';
    this.#slots.move(slot, SlotState.stale);
  }

  /** A connection that is to go has come back. */
  #retire(slot: Slot<C>): void {
    if (!slot.isStale || slot.retiring !== 'evicted') return this.#close(slot, slot.retiring!);
    const { isOn } = this.#staleReads;
    slot.idleSince = this.#now;
    let kept = 0;
    for (const { isStale, state } of this.#slots) if (isStale && state !== SlotState.closing) kept += 1;
    if (!isOn || kept > StaleReads.most(this.#options.max) || !this.#isSoundForReads(slot)) {
      slot.isStale = false;
      return this.#close(slot, 'evicted');
    }
    this.#park(slot);
    this.#readStale();
    this.#advanceDrain();
    if (slot.state === SlotState.stale && this.#waiters.length > 0) this.#grow(this.#readClock());
  }

  #offerStale(waiter: Waiter<C>): void {
    this.#joinReaders(waiter);
    if (this.#slots.count(SlotState.stale) > 0) this.#readStale();
  }

  #joinReaders(waiter: Waiter<C>): void {
    this.#advised('staleReads', undefined, () => this.#staleReads.joined(waiter));
  }

  #readStale(): void {
    for (const slot of this.#slots) {
      if (slot.state !== SlotState.stale) continue;
      if (!this.#isSoundForReads(slot)) this.#close(slot, 'evicted');
      else {
        const waiter = this.#advised('staleReads', undefined, () => this.#staleReads.next());
        if (waiter === undefined) return;
        this.#counters.staleReads += 1;
        this.#give(slot, waiter);
      }
    }
  }

  /** Up to so many make room for connections that may do more. */
  #giveUpStale(most: number): void {
    let left = most;
    for (const slot of this.#slots) {
      if (slot.state !== SlotState.stale || left <= 0) continue;
      left -= 1;
      this.#close(slot, 'evicted');
    }
  }

  #lookAfterStale(now: number): void {
    const isOver = this.#advised('staleReads', true, () => this.#staleReads.isOver(now));
    if (isOver || !this.rollout.acting.staleReads) this.#endStaleReads();
  }

  #endStaleReads(): void {
    if (!this.#staleReads.isOn) return;
    this.#staleReads.end();
    for (const slot of this.#slots) slot.isStale = false;
    this.#giveUpStale(UNLIMITED);
  }

  /** None of the connections of now is trusted until it has answered a check. */
  #distrustAll(): void {
    for (const slot of this.#slots) slot.isSuspect = slot.connection !== undefined;
  }

  #checkSuspects(now: number, atOnce: number = CHECKS_AT_ONCE): void {
    for (const slot of [...this.#slots.idle()]) {
      if (this.#slots.count(SlotState.checking) >= atOnce) return;
      if (slot.isSuspect) this.#check(slot, now, 'suspect');
    }
  }

  /** A lease ended: the slot is retired, cleaned, or offered to the next. */
  #afterUse(slot: Slot<C>): void {
    if (slot.retiring !== undefined) this.#retire(slot);
    else if (this.#driver.isDirty?.(slot.connection!) === true) this.#clean(slot, this.#readClock());
    else this.#offer(slot);
  }

  /** A slot is free: for the head of the queue, once proven where it must be, else for the idle stack. */
  #offer(slot: Slot<C>, proven = false): void {
    const waiter = this.#nextWaiter();
    if (waiter !== undefined && !this.#isOneTooMany(slot)) {
      if (proven || this.#driver.mustCheck?.(slot.connection!) !== true) return this.#handOver(slot, waiter);
      // One that was cleaned is counted itself.
      const checks = this.#slots.count(SlotState.checking) - (slot.state === SlotState.checking ? 1 : 0);
      if (this.#waiters.length > checks) return this.#check(slot, this.#readClock());
    }
    if (this.#drain !== undefined) return this.#close(slot, 'drain');
    slot.chosenOver = undefined;
    slot.idleSince = this.#now;
    this.#slots.move(slot, SlotState.idle);
    if (this.#shortIdleTimeoutMs > 0) this.#arm(this.#readClock() + this.#shortIdleTimeoutMs);
  }

  /** Whether as many are in use as may be, without this one. */
  #isOneTooMany({ state }: Slot<C>): boolean {
    const others = this.#slots.count(SlotState.leased) - (state === SlotState.leased ? 1 : 0);
    return others >= this.#usable;
  }

  /** While a slot was being opened or proven the pool may have shrunk. */
  #offerUnlessSurplus(slot: Slot<C>, proven = false): void {
    if (this.#slots.open <= this.#allowed(this.#now)) return this.#offer(slot, proven);
    this.#close(slot, 'shrink');
    this.#replace();
  }

  /** @param why undefined where a caller waits for it. */
  #check(slot: Slot<C>, now: number, why?: CheckReason): void {
    this.#counters.checks += 1;
    if (why !== undefined) this.#observer?.onChecking?.(slot, why);
    // Should the network be mute, the silence of those who are leased counts from the first look at them.
    if (this.#stallsAct && this.#slots.count(SlotState.leased) > 0) this.#arm(now + YOUNG_MS);
    const idleMs = slot.state === SlotState.idle ? now - usedAt(slot) : 0;
    slot.idledMs = slot.state === SlotState.idle ? now - slot.idleSince : undefined;
    this.#prove(slot, now, 'check', async () => {
      try {
        await this.#driver.check(slot.connection!);
      } catch (error) {
        this.#learnIdle(() => this.#trust.died(idleMs, 'found', now));
        throw error;
      }
      const tookMs = this.#readClock() - now;
      if (!this.#isDistorted(now))
        this.#advised('stallWatchdog', undefined, () => this.#stalls.learnCheck(now, tookMs));
      this.#learnIdle(() => this.#trust.passed(idleMs, now));
    });
  }

  /** An idle connection died. While the server is in trouble that has nothing to do with its age. */
  #learnDeath(slot: Slot<C>, news: DeathNews, now: number): void {
    if (slot.state !== SlotState.idle) return;
    this.#learnIdle(() => this.#trust.died(now - usedAt(slot), news, now));
    // The others may have to be asked before long, though nobody uses the pool.
    this.#wake();
  }

  #learnIdle(learn: () => void): void {
    if (!this.rollout.attended.learnedValidation || this.#breaker.state !== 'closed') return;
    this.#advised('learnedValidation', undefined, learn);
    this.#heedFlags();
  }

  /** Of what the flags decide, what every acquire asks for. */
  #heedFlags(): void {
    this.#sessionProfile = this.readsQueries ? this.profiles.session : undefined;
    this.#lanesAct = this.#lanes.mixed && this.rollout.acting.lanes;
    const acts = this.rollout.acting.learnedValidation;
    this.#checkAfterIdleMs = acts ? this.#trust.checkAfterMs : this.#plainCheckAfterMs;
  }

  /** Asks those that are idle for nearly as long as something here lets a connection be. */
  #askQuietIdle(now: number): void {
    const acts = this.rollout.acting.learnedValidation;
    if (!acts || this.#trust.keepAliveMs === Number.POSITIVE_INFINITY) return;
    for (const slot of quietIdle(this.#slots, this.#trust.keepAliveMs, now)) {
      if (this.#slots.count(SlotState.checking) >= CHECKS_AT_ONCE) return;
      slot.isKeptAlive = true;
      this.#check(slot, now, 'quiet');
    }
  }

  /** Asks those that the forecast will have leased in a moment, so that nobody has to wait for the answer then. */
  #proveAhead(now: number): void {
    if (!this.#follows || this.#drain !== undefined) return;
    const wanted = this.#sizing!.forecast.ahead - this.#slots.count(SlotState.leased);
    // An answer that is trusted for less would be out of date when they come, and asked for again and again.
    if (wanted <= 0 || this.#checkAfterIdleMs <= EXPECTANT_INTERVAL_MS) return;
    for (const slot of staleBefore(
      this.#slots,
      wanted,
      now + EXPECTANT_INTERVAL_MS - this.#checkAfterIdleMs,
    )) {
      if (this.#slots.count(SlotState.checking) >= CHECKS_AT_ONCE) return;
      slot.isKeptAlive = true;
      this.#check(slot, now, 'forecast');
    }
  }

  /** What the last holder asked and did not await may take as long as it takes: the deadline is the reset's own. */
  #clean(slot: Slot<C>, now: number): void {
    const driver = this.#driver;
    const { checkTimeoutMs } = this.#options;
    const connection = slot.connection!;
    if (driver.reset === undefined) return this.#close(slot, 'dirty');
    this.#counters.resets += 1;
    slot.settings = undefined;
    const answered = driver.unanswered?.(connection);
    const reset = () => driver.reset!(connection);
    if (answered === undefined) return this.#prove(slot, now, 'dirty', reset);
    const resetOnceAnswered = async () => {
      await answered;
      if (slot.state !== SlotState.checking) return;
      this.#setDeadline(slot, this.#readClock(), checkTimeoutMs);
      await reset();
    };
    this.#prove(slot, now, 'dirty', resetOnceAnswered, 0);
  }

  /** Holds a slot back until `proof` settles; late news of a slot that has moved on is ignored. */
  #prove(
    slot: Slot<C>,
    now: number,
    reason: 'check' | 'dirty',
    proof: () => Promise<void>,
    timeoutMs = this.#options.checkTimeoutMs,
  ): void {
    this.#slots.move(slot, SlotState.checking);
    slot.askedAt = now;
    slot.retiring = reason;
    this.#setDeadline(slot, now, timeoutMs);
    const settle = (error: unknown) => {
      if (slot.state !== SlotState.checking) return;
      slot.deadlineAt = Number.POSITIVE_INFINITY;
      const tookMs = this.#readClock() - now;
      this.#observer?.onChecked?.(slot, tookMs, error);
      if (reason === 'check' && slot.idledMs !== undefined)
        this.#lessons.survived(slot.idledMs, error === undefined);
      if (error !== undefined) {
        // The next that is to be asked is looked for by the upkeep.
        this.#wake();
        return this.#proofFailed(slot);
      }
      slot.retiring = undefined;
      const { isSuspect, isKeptAlive, idleSince } = slot;
      slot.isSuspect = false;
      slot.isKeptAlive = false;
      slot.provenAt = this.#now;
      this.#offerUnlessSurplus(slot, reason === 'check');
      if (isKeptAlive) {
        this.#slots.putBack(slot, idleSince);
        this.#askQuietIdle(this.#now);
        this.#proveAhead(this.#now);
      }
      if (isSuspect) this.#checkSuspects(this.#now);
    };
    attempt(proof)
      .then(
        () => settle(undefined),
        (error: unknown) => settle(error ?? new Error('the check failed without saying why')),
      )
      .catch((fault: unknown) => this.#surviveOrThrow(fault));
  }

  #proofFailed(slot: Slot<C>): void {
    this.#counters.checksFailed += 1;
    this.#close(slot, slot.retiring!);
    this.#replace();
  }

  // ── Connections on which nothing comes any more ───────────────────────────────────────────────────────────────

  get #stallsAct(): boolean {
    return this.rollout.acting.stallWatchdog && this.#driver.bytesHeard !== undefined;
  }

  #wantsToAsk(now: number): boolean {
    return this.#stallsAct && this.#advised('stallWatchdog', false, () => this.#stalls.wantsToAsk(now));
  }

  /**
   * Who is silent for far longer than usual is asked about over a connection that works: an idle one, or one that is opened for
   * it, within `max`. Where all are silent and none can be spared nothing is done: they may merely be slow.
   */
  #watchStalls(now: number, stalledMs: number): void {
    const stalls = this.#stalls;
    if (stalledMs > 0) stalls.restart(now);
    const silent = stalls.look(this.#slots, (connection) => this.#driver.bytesHeard!(connection), now);
    if (silent.length === 0) return;
    for (const slot of stalls.lost()) this.#severCheck(slot, now);
    if (!stalls.wantsToAsk(now)) return;
    const idle = this.#slots.newestIdle();
    if (idle !== undefined && !stalls.doubtsIdle) return this.#askAboutSilent(idle, now);
    if (this.#drain !== undefined || this.#slots.count(SlotState.opening) > 0) return;
    if (this.#room(now) <= 0) {
      const expendable = stalls.expendable();
      if (expendable !== undefined) this.#severCheck(expendable, now);
    } else if (
      (!this.#heedsCircuit || this.#breaker.room(now, 0, this.#openingPace) > 0) &&
      stalls.claimOpening(now)
    ) {
      this.#open(now, 'silence', this.#waiters.head);
    }
  }

  /** Over a connection that is proven alive by the same question. */
  #askAboutSilent(slot: Slot<C>, now: number): void {
    const suspects = this.#advised('stallWatchdog', [], () => this.#stalls.asks(slot, this.#heardAt, now));
    this.#counters.checks += 1;
    this.#observer?.onChecking?.(slot, 'silence', suspects);
    this.#prove(slot, now, 'check', async () => {
      try {
        const dead = await this.#findDeadForSure(slot, suspects);
        const answeredAt = this.#readClock();
        this.#advised('stallWatchdog', undefined, () =>
          this.#stalls.answered(slot, dead.length > 0, answeredAt),
        );
        for (const each of dead) this.#sever(each, this.#now);
        if (dead.length > 0) {
          this.#distrustAll();
          this.#checkSuspects(this.#now, Number.POSITIVE_INFINITY);
        }
        // The question proves less than what is asked for before each lease.
        if (suspects.length > 0 && this.#driver.mustCheck?.(slot.connection!) === true)
          await this.#driver.check(slot.connection!);
      } catch (error) {
        this.#advised('stallWatchdog', undefined, () => this.#stalls.unanswered(slot));
        throw error;
      }
    });
  }

  async #findDeadForSure(slot: Slot<C>, suspects: readonly Slot<C>[]): Promise<readonly Slot<C>[]> {
    const dead = await this.#findDead(slot, suspects);
    if (dead.length === 0) return dead;
    await new Promise<void>((resolve) => this.#runtime.schedule(ASK_AGAIN_MS, resolve));
    slot.askedAt = this.#readClock();
    return this.#findDead(slot, dead);
  }

  async #findDead(slot: Slot<C>, suspects: readonly Slot<C>[]): Promise<readonly Slot<C>[]> {
    const driver = this.#driver;
    const connections = suspects.map(({ connection }) => connection!);
    if (driver.findDead === undefined || suspects.length === 0) {
      await driver.check(slot.connection!);
      return [];
    }
    const dead = await driver.findDead(slot.connection!, connections);
    const isDead = (each: Slot<C>) =>
      dead.includes(each.connection!) &&
      this.#stalls.isStillSilent(each, driver.bytesHeard!(each.connection!));
    return this.#advised('stallWatchdog', [], () => suspects.filter(isDead));
  }

  /** Whoever is leased is cut on the server's word only. */
  #severCheck(slot: Slot<C>, now: number): void {
    if (slot.state === SlotState.checking) this.#sever(slot, now);
    else
      this.rollout.trip('stallWatchdog', 'it would have cut a connection that the server may work for', now);
  }

  #sever(slot: Slot<C>, now: number): void {
    const silentMs = this.#advised('stallWatchdog', 0, () => this.#stalls.silentMs(slot, now));
    const error = muteError(silentMs);
    this.#counters.severed += 1;
    slot.isSevered = true;
    this.#observer?.onSevered?.(slot, silentMs, error);
    this.#driver.sever?.(slot.connection!, error);
  }

  /**
   * Closes a connection that is known to be of no further use: at once when nobody holds it, else when it is released.
   * False when the pool does not have it.
   */
  evict(connection: C, reason: CloseReason = 'evicted'): boolean {
    const slot = this.#slots.of(connection);
    if (slot === undefined || slot.state === SlotState.closing) return false;
    if (slot.state === SlotState.leased) {
      // Else it would be kept as those are that a failover has made stale.
      if (reason === 'evicted') slot.isStale = false;
      slot.retiring = reason;
    } else {
      if (reason === 'broken') this.#learnDeath(slot, 'seen', this.#readClock());
      this.#close(slot, reason);
      this.#replace();
    }
    return true;
  }

  /** A slot that waiters counted on is lost: another idle one serves them, or one is opened. */
  #replace(): void {
    const now = this.#readClock();
    this.#serve(now);
    this.#grow(now);
  }

  #close(slot: Slot<C>, reason: CloseReason): void {
    if (isCostOfWarming(slot, reason)) this.#warming.overran(this.#now);
    this.#slots.move(slot, SlotState.closing);
    slot.abort?.abort(new Error('the connection is closed'));
    if (slot.replaces !== undefined) slot.replaces.leavesFor = undefined;
    this.#counters.closed[reason] += 1;
    this.#setDeadline(slot, this.#now, this.#options.closeTimeoutMs);
    this.#observer?.onClosed?.(slot, reason);
    this.#closeConnection(slot, slot.connection!, reason);
  }

  #closeConnection(slot: Slot<C>, connection: C, reason: CloseReason): void {
    const gone = () => {
      if (slot.state !== SlotState.gone) this.#gone(slot);
    };
    attempt(() => this.#driver.close(connection, reason)).then(gone, gone);
  }

  /** A slot's place is free again. */
  #gone(slot: Slot<C>): void {
    this.#slots.move(slot, SlotState.gone);
    if (slot.isOwed && this.#mayRotate && this.#room(this.#now) > 0)
      this.#open(this.#readClock(), 'replacement');
    this.#tellHopeless(this.#now);
    if (this.#waiters.length > 0 || this.#slots.open < this.#options.min) this.#grow(this.#readClock());
    this.#advanceDrain();
  }

  // ── Where the server's name leads ─────────────────────────────────────────────────────────────────────────────

  #learnRoute(slot: Slot<C>): void {
    this.#advised('addressWatch', undefined, () => {
      slot.route = this.#driver.route?.(slot.connection!);
      this.#addresses.opened(slot, this.#now);
    });
  }

  #lookUpNames(now: number): void {
    const driver = this.#driver;
    if (driver.lookUp === undefined) return;
    for (const host of this.#advised('addressWatch', [], () => this.#addresses.due(this.#slots, now))) {
      attempt(() => driver.lookUp!(host)).then(
        (addresses) => this.#heedAnswer(host, addresses),
        () => this.#heedAnswer(host, []),
      );
    }
  }

  #heedAnswer(host: string, addresses: readonly string[]): void {
    const now = this.#readClock();
    const move = this.#advised('addressWatch', undefined, () =>
      this.#addresses.answered(host, addresses, this.#slots, now),
    );
    if (move !== undefined) this.#observer?.onServerMoved?.(move);
  }

  // ── What its owner may do ────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Changes `min` and `max` of a live pool: idle connections beyond the new limit close at once, leased ones when they
   * are released.
   * @throws {PoolError} code `INVALID_OPTIONS`.
   */
  resize(bounds: Pick<PoolOptions, 'min' | 'max'>): void {
    const from = this.#options.max;
    this.#options = resolveOptions({ ...this.#options, ...bounds });
    const now = this.#readClock();
    this.#shrinkTo(this.#allowed(now));
    if (this.#options.max !== from) this.#observer?.onResized?.(from, this.#options.max, 'it was set');
    this.#grow(now);
    this.#wake();
  }

  #shrinkTo(most: number): void {
    if (this.#slots.open > most) this.#endStaleReads();
    for (const slot of idleBeyond(this.#slots, most)) this.#close(slot, 'shrink');
    for (const slot of this.#slots) {
      if (slot.state === SlotState.warming && this.#slots.open > most) this.#close(slot, 'shrink');
    }
    this.#retireLeased(this.#slots.open - most);
  }

  /** Of the leased connections, `surplus` close when they are released, and those of an earlier `resize` no longer do. */
  #retireLeased(surplus: number): void {
    let left = surplus;
    for (const slot of this.#slots) {
      if (slot.state !== SlotState.leased) continue;
      if (slot.retiring === 'shrink') slot.retiring = undefined;
      if (slot.retiring === undefined && left > 0) slot.retiring = 'shrink';
      if (slot.retiring !== undefined) left -= 1;
    }
  }

  #enrol(fleet: FleetParts): FleetMember {
    const home = {
      held: () => this.#slots.size,
      open: () => this.#slots.open,
      demand: () => this.#demand,
      most: () => Math.min(this.#options.max, this.#openable),
      onShare: (from: number, to: number, why: string | undefined) => this.#heedShare(from, to, why),
    };
    return new FleetMember(fleet, home, this.#runtime);
  }

  /** How many connections callers, `min` and the forecast ask for. */
  get #demand(): number {
    const { min, keepMin } = this.#options;
    const asked = this.#follows ? this.#sizing!.forecast.target : 0;
    const busy = this.#slots.count(SlotState.leased) + this.#slots.count(SlotState.checking);
    return Math.max(keepMin ? min : 0, asked, busy + this.#waiters.length);
  }

  /** The fleet's share of this pool has changed: what is too much goes, and who waits may be served. */
  #heedShare(from: number, to: number, why: string | undefined): void {
    const { max } = this.#options;
    const now = this.#readClock();
    if (why !== undefined) this.#observer?.onResized?.(Math.min(max, from), Math.min(max, to), why);
    try {
      this.#shrinkTo(Math.min(max, to));
      this.#serve(now);
      this.#grow(now);
    } catch (fault) {
      this.#giveUp(fault);
    }
  }

  /**
   * Takes the pool off its server until `reset()`, as for maintenance: idle connections close at once, leased ones when they are
   * released, and nothing is opened, probes included. Its circuit is `open` meanwhile.
   */
  isolate({ waiting = 'hold' }: IsolateOptions = {}): void {
    const error = isolation(this.stats());
    this.#breaker.isolate(waiting === 'reject', this.#readClock());
    this.#endStaleReads();
    this.#purge();
    for (const slot of this.#slots) {
      if (slot.state === SlotState.opening) this.#giveUpOpening(slot, error);
      else if (slot.state === SlotState.checking) this.#close(slot, 'evicted');
    }
    this.#lastOpenError = error;
    if (waiting === 'reject') this.#failAll(error, this.#now, 'rejected');
    this.#wake();
  }

  /** Ends an isolation, or what the circuit holds against the server: connections are opened for all who wait. */
  reset(): void {
    const now = this.#readClock();
    this.#breaker.reset(now);
    this.#lastOpenError = undefined;
    this.#nextOpenAt = now;
    this.#nextFillAt = now;
    this.#fillBackoffMs = 0;
    this.#grow(now);
    this.#wake();
  }

  /**
   * Closes the pool: new acquires are refused, callers already queued are served, leases are awaited, then every
   * connection is closed. Calling again returns the same promise.
   */
  drain({ deadlineMs, waiting = 'serve' }: DrainOptions = {}): Promise<void> {
    if (this.#drain !== undefined) return this.#drain.promise;
    const now = this.#readClock();
    let resolve!: () => void;
    const promise = new Promise<void>((settle) => {
      resolve = settle;
    });
    const deadlineAt = deadlineMs === undefined ? Number.POSITIVE_INFINITY : now + deadlineMs;
    this.#drain = { promise, resolve, deadlineAt };
    if (waiting === 'reject') this.#rejectAll(now);
    else this.#serve(now);
    this.#advanceDrain();
    this.#arm(deadlineAt);
    return promise;
  }

  /**
   * Gives the pool up in favour of another: everybody in the queue is rejected with a `PoolError` of code `HANDED_BACK`, and
   * so is whoever comes; idle connections are closed, leased ones when they come back.
   */
  handBack(): Promise<void> {
    this.#handedBack = true;
    if (this.#drain !== undefined) this.#rejectAll(this.#readClock());
    try {
      return this.drain({ waiting: 'reject' });
    } catch {
      // A fault is why we are here, and it may strike again: nobody waits any more, and that is what counts.
      return this.#drain!.promise;
    }
  }

  #advanceDrain(): void {
    const drain = this.#drain;
    if (drain === undefined || this.#waiters.length > 0) return;
    this.#endStaleReads();
    for (const slot of this.#slots) {
      if (slot.state === SlotState.idle || slot.state === SlotState.warming) this.#close(slot, 'drain');
      else if (slot.state === SlotState.opening)
        this.#giveUpOpening(slot, this.#refusal('POOL_CLOSED', undefined));
    }
    if (this.#slots.size > 0) return;
    this.#timer?.cancel();
    this.#keepAlive();
    if (this.#fleet === undefined) drain.resolve();
    else this.#fleet.leave().then(drain.resolve);
  }

  #rejectAll(now: number): void {
    this.#failAll(this.#closedRefusal(undefined), now, 'rejected');
  }

  #endDrain(drain: Drain, now: number): void {
    drain.deadlineAt = Number.POSITIVE_INFINITY;
    this.#rejectAll(now);
    for (const slot of this.#slots) {
      if (slot.state === SlotState.leased || slot.state === SlotState.checking) this.#close(slot, 'drain');
    }
    this.#advanceDrain();
  }

  // ── What it tells ────────────────────────────────────────────────────────────────────────────────────────────────

  /** The pool's numbers now. */
  stats(): PoolStats {
    const slots = this.#slots;
    const { min, max } = this.#options;
    const leased = slots.count(SlotState.leased);
    const checking = slots.count(SlotState.checking);
    const waiting = this.#waiters.length;
    return {
      open: slots.open,
      idle: slots.count(SlotState.idle),
      leased,
      checking,
      warming: slots.count(SlotState.warming),
      stale: slots.count(SlotState.stale),
      opening: slots.count(SlotState.opening),
      closing: slots.count(SlotState.closing),
      waiting,
      min,
      max,
      target: Math.min(this.#limit, Math.max(min, this.#demand)),
      limit: Math.min(this.#limit, this.#usable),
      circuit: this.#heedsCircuit ? this.#breaker.state : 'closed',
    };
  }

  /** How the pool stands in its fleet; undefined when it is in none. */
  get fleet(): FleetReport | undefined {
    return this.#fleet?.report();
  }

  /** What the queries of this pool have taught. Nothing is learned unless `readsQueries`. */
  get profiles(): QueryProfiles {
    return this.#lessons.profiles;
  }

  /** Whether an optimisation, acting or in shadow, needs to know what a connection is wanted for: else hints need no `sql`. */
  get readsQueries(): boolean {
    return this.rollout.readsQueries;
  }

  /** How many connections the forecast asks for, and what the load is like; undefined while the flag `forecaster` is off. */
  get outlook(): Outlook | undefined {
    return this.rollout.attended.forecaster ? this.#sizing?.outlook(this.#now) : undefined;
  }

  /** Changes the setting of an optimisation, from the next decision on. */
  setFlag(name: OptimizationName, setting: FlagSetting): void {
    this.rollout.set(name, setting, this.#readClock());
    this.#heedFlags();
  }

  /** Takes an optimisation back that threw `error`. */
  tripFlag(name: OptimizationName, error: unknown): void {
    const kind = error instanceof Error ? error.name : typeof error;
    this.rollout.trip(name, `it threw a ${kind}`, this.#readClock());
    this.#heedFlags();
  }

  /** What the pool has done so far; the live object, for those who read it often. */
  get counters(): Readonly<PoolCounters> {
    return this.#counters;
  }

  get options(): Readonly<ResolvedOptions> {
    return this.#options;
  }

  /** Numbers and durations of the pool's whole life. Durations are of the timed leases. */
  report(): PoolReport {
    const now = this.#readClock();
    return {
      stats: this.stats(),
      counters: structuredClone(this.#counters),
      wait: this.#waitTimes.summary(),
      use: this.#useTimes.summary(),
      create: this.#createTimes.summary(),
      statements: this.statementCounters,
      pooler: poolerReport(this.pooler),
      fleet: this.fleet,
      sizing: this.#sizing?.report(now, this.#options, this.#timingMask + 1, !this.#limitProbe.isEnough),
      limit: this.rollout.attended.limitProbe ? this.#limitProbe.report(this.#options.max) : undefined,
      names: this.rollout.attended.addressWatch ? this.#addresses.report() : [],
      leaks: leakReports(this.#slots, this.#driver, this.#callers, now),
      connections: connectionReports(this.#slots, now),
      queries: this.profiles.costliest(QUERIES_REPORTED),
      flags: this.rollout.report(),
    };
  }

  /** Connections in the order of their birth, closing ones left out. */
  *connections(): IterableIterator<{ connection: C; state: SlotState }> {
    for (const { connection, state } of this.#slots) {
      if (connection !== undefined && state !== SlotState.closing) yield { connection, state };
    }
  }

  /** Every slot as it stands now, for those who look on. */
  slots(): Iterable<Readonly<Slot<C>>> {
    return this.#slots;
  }

  /** Idle connections, the longest idle first. */
  *idleConnections(): IterableIterator<C> {
    for (const slot of this.#slots.idle()) yield slot.connection!;
  }

  /** Callers in the queue, first come first. */
  waiters(): Iterable<Waiter<C>> {
    return this.#waiters;
  }

  /** Where a connection of this pool stands; undefined when it has none such. */
  stateOf(connection: C): SlotState | undefined {
    return this.#slots.of(connection)?.state;
  }

  /** Leased connections whose lifetime is over and that upkeep has told to go: they close when they are released. */
  pastLifetime(): number {
    let count = 0;
    const now = this.#readClock();
    for (const slot of this.#slots) {
      if (slot.state === SlotState.leased && slot.retiring !== undefined && now >= slot.expiresAt) count += 1;
    }
    return count;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  get idle(): number {
    return this.#slots.count(SlotState.idle);
  }

  get open(): number {
    return this.#slots.open;
  }

  get opening(): number {
    return this.#slots.count(SlotState.opening);
  }

  // ── Upkeep ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A fast loop may never let a timer run, so the pace of timing is set here as well as in the upkeep. */
  #readLeaseClock(): void {
    const now = this.#readClock();
    if ((this.#leaseCount & (this.#timingMask | PACING_MASK)) === 0) this.#paceTiming(now);
  }

  #readClock(): number {
    this.#now = this.#runtime.now();
    return this.#now;
  }

  #wake(): void {
    if (!this.#inUse) this.#wokeAt = this.#now;
    this.#inUse = true;
    this.#arm(this.#now + UPKEEP_INTERVAL_MS);
  }

  /** One timer serves every deadline: it is set for the earliest. */
  #arm(dueAt: number): void {
    if (dueAt >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = dueAt;
    this.#timer = this.#runtime.schedule(Math.max(0, dueAt - this.#now), () => this.#onTimer());
  }

  #onTimer(): void {
    const dueAt = this.#timerAt;
    const lateMs = this.#readClock() - dueAt;
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (lateMs > STALL_MS) this.#standStill(lateMs);
    // Timers count whole milliseconds and may come a fraction early; what was due then is due now.
    else this.#lookAfter(Math.max(this.#now, dueAt), 0);
  }

  #standStill(lateMs: number): void {
    this.#stalledUntil = this.#now;
    this.#runtime.afterPoll(() => this.#lookAfter(this.#readClock(), lateMs));
  }

  #lookAfter(now: number, stalledMs: number): void {
    try {
      this.#tick(now, stalledMs);
    } catch (fault) {
      this.#giveUp(fault);
    }
  }

  #tick(now: number, stalledMs: number): void {
    this.#endOverdue(now);
    if (this.#staleReads.isOn || this.rollout.acting.staleReads) this.#lookAfterStale(now);
    this.#timeOut(now, stalledMs);
    this.#advanceCircuit(now);
    this.#tellHopeless(now);
    if (this.rollout.acting.degradedShed) this.#shedLow(now);
    if (this.#stallsAct) this.#advised('stallWatchdog', undefined, () => this.#watchStalls(now, stalledMs));
    this.#lookForSilent(now);
    if (this.rollout.attended.limitProbe) this.#probeLimit(now, stalledMs);
    if (this.rollout.attended.forecaster) this.#observe(now);
    if (this.#inUse && this.rollout.acting.addressWatch) this.#lookUpNames(now);
    this.#reap(now);
    this.#askQuietIdle(now);
    this.#proveAhead(now);
    this.#weighFlags(now, stalledMs);
    if (this.rollout.attended.lanes) this.#watchLanes(now);
    this.#lookForLeaks(now);
    if (this.#callers !== undefined) this.#forgetHolders();
    if (this.#nesting !== undefined) this.#lookForNested(this.#nesting, now, stalledMs);
    if (this.#drain !== undefined && now >= this.#drain.deadlineAt) this.#endDrain(this.#drain, now);
    this.#fleet?.observe();
    this.#grow(now);
    const { queuedAt = Number.NEGATIVE_INFINITY } = this.#waiters.head ?? {};
    const isWeighed = this.rollout.onProbation && now - queuedAt < WEIGHED_FOR_MS;
    this.#inUse = isWeighed || this.#leaseCount !== this.#leaseCountAtTick;
    this.#leaseCountAtTick = this.#leaseCount;
    this.#rested = !this.#inUse;
    this.#paceTiming(now);
    // A pool that is drained has nothing left to look at.
    const isOver = this.#drain !== undefined && this.#slots.size + this.#waiters.length === 0;
    if (!isOver) this.#arm(this.#nextDueAt(now));
  }

  #lookForLeaks(now: number): void {
    for (const slot of suspectedLeaks(this.#slots, this.#options, now)) {
      slot.leakReported = true;
      this.#counters.leaksSuspected += 1;
      this.#observer?.onLeakSuspected?.(slot, now - slot.leasedAt, lastFingerprint(slot, this.#driver));
    }
  }

  /** What a request has in its context is not to outlive it on a connection that is idle. */
  #forgetHolders(): void {
    for (const slot of this.#slots.idle()) slot.holder = undefined;
  }

  #lookForNested(nesting: Nesting<C>, now: number, stalledMs: number): void {
    const isFull = this.#waiters.length > 0 && this.#slots.count(SlotState.leased) >= this.#bound;
    if (stalledMs > 0) nesting.restart();
    if (!isFull) nesting.found = undefined;
    if (stalledMs > 0 || !isFull) return;
    const bytesAtRest = (connection: C) => this.#driver.bytesAtRest!(connection);
    if (nesting.look(this.#slots, this.#waiters, bytesAtRest, now)) {
      this.#counters.nestedAcquires += 1;
      this.#observer?.onNestedAcquires?.(nesting.found!);
    }
    if (nesting.found !== undefined && this.#options.failNestedAcquires) this.#failNested(nesting, now);
  }

  /** One of those who block each other gives up what it holds, once it knows that it gets nothing: the latest has waited least. */
  #failNested(nesting: Nesting<C>, now: number): void {
    const { waiters } = nesting.found!;
    const latest = waiters[waiters.length - 1]!;
    this.#waiters.remove(latest);
    this.#counters.rejected += 1;
    this.#fail(latest, nestedAcquire(describeNested(nesting.found!), this.stats()), now);
    nesting.restart();
    this.#advanceDrain();
  }

  #advanceCircuit(now: number): void {
    const { released, closed } = this.#counters;
    const served = released - closed.broken;
    this.#breaker.tick(Math.max(0, served - this.#servedAtTick), now);
    this.#servedAtTick = served;
    const held = this.#breaker.holds && now - this.#breaker.troubleSince >= UNBOUNDED_WAIT_MS;
    const full = this.#serverLimit.inForce && this.#lastOpenError !== undefined;
    if (this.#heedsCircuit && (held || full)) this.#tellHeld(now);
  }

  /** Whoever waits for what the server would only refuse is told so. */
  #tellHopeless(now: number): void {
    if (this.#waiters.length === 0 || !this.#heedsCircuit) return;
    // Such a pool tries again in place of telling.
    if (this.#options.openRetryMs > 0 && !this.#breaker.isIsolated) return;
    const isAlone = this.#live === 0 && this.#slots.count(SlotState.opening) === 0;
    const isHopeless = this.#breaker.isIsolated
      ? this.#breaker.refuses
      : isAlone && this.#breaker.noneLeft(now);
    if (isHopeless) this.#failAll(this.#lastOpenError, now, this.#refusalsCount);
  }

  #tellHeld(now: number): void {
    for (const waiter of this.#waiters.takeUnbounded(now - UNBOUNDED_WAIT_MS, TIMEOUTS_PER_TURN)) {
      this.#counters[this.#refusalsCount] += 1;
      this.#fail(waiter, this.#lastOpenError, now);
    }
  }

  /** Whether the circuit decides; it is kept up to date in any case. */
  get #heedsCircuit(): boolean {
    return (this.rollout.acting.breaker && this.rollout.acting.errorClassify) || this.#breaker.isIsolated;
  }

  /** As what callers count who are told why nothing is opened: nothing has failed where the pool is isolated. */
  get #refusalsCount(): 'openErrors' | 'rejected' {
    return this.#breaker.isIsolated ? 'rejected' : 'openErrors';
  }

  /** Connections that are open, in whatever use. */
  get #live(): number {
    return this.#slots.open - this.#slots.count(SlotState.opening) - this.#slots.count(SlotState.stale);
  }

  #watchLanes(now: number): void {
    this.#advised('lanes', undefined, () =>
      this.#lanes.tick(now, this.#slots.count(SlotState.leased), this.#options.max),
    );
    this.#heedFlags();
    if (this.#slots.count(SlotState.idle) > 0) this.#serve(now);
    const { queuedAt = now } = this.#waiters.first('fast') ?? {};
    const mayServe =
      this.#slots.count(SlotState.idle) > 0 && this.#slots.count(SlotState.leased) < this.#usable;
    if (mayServe && now - queuedAt >= STARVED_MS) this.#endStarvation(now);
  }

  /** Whoever may have any connection must not wait beside one that is idle. */
  #endStarvation(now: number): void {
    this.rollout.trip('lanes', 'callers waited beside an idle connection', now);
    this.#heedFlags();
    this.#serve(now);
  }

  /** Looked for after a poll only: what the event loop has not read yet is not silence. */
  #lookForSilent(now: number): void {
    const isSilent = (slot: Slot<C>) => this.#now - slot.leasedAt > SILENT_MS;
    if (!this.#slots.shared().some((slot) => now - slot.leasedAt > SILENT_MS)) return;
    this.#runtime.afterPoll(() => {
      this.#readClock();
      for (const slot of this.#slots.shared().filter(isSilent)) {
        slot.fellSilent = true;
        if (slot.holders > 1) this.#driver.onSilent?.(slot.connection!);
      }
    });
  }

  #weighFlags(now: number, stalledMs: number): void {
    const { openErrors, timedOut, rejected, closed } = this.#counters;
    const totals = {
      leases: this.#leaseCount,
      failed: openErrors + timedOut + rejected,
      faults: closed.broken + closed.check,
      opened: this.#counters.opened,
    };
    const queuedAt = this.rollout.onProbation ? this.#waiters.queuedAt(WAITS_WEIGHED) : [];
    for (const change of this.rollout.tick(now, totals, stalledMs, queuedAt)) {
      if (change.to === 'reverted' || change.to === 'given_up') this.#counters.takenBack[change.name] += 1;
      this.#observer?.onFlagChanged?.(change);
    }
    this.#heedFlags();
  }

  #endOverdue(now: number): void {
    for (const slot of overdue(this.#slots, now)) {
      if (slot.state === SlotState.opening) {
        this.#giveUpOpening(slot, lateness('open', this.#options.openTimeoutMs, this.stats()));
      } else if (slot.state === SlotState.checking) {
        const { checkTimeoutMs } = this.#options;
        this.#observer?.onChecked?.(slot, checkTimeoutMs, lateness('check', checkTimeoutMs, this.stats()));
        this.#proofFailed(slot);
      } else if (slot.state === SlotState.warming) {
        this.#warmUpOverran(slot, this.#options.warmTimeoutMs);
        this.#replace();
      } else if (slot.state === SlotState.closing) {
        this.#gone(slot);
      }
    }
  }

  /** The slot waits in `closing` for what the driver still makes of it, at most `closeTimeoutMs`. */
  #giveUpOpening(slot: Slot<C>, error: PoolError): void {
    this.#openFailed(slot, error);
    slot.abort?.abort(error);
  }

  #timeOut(now: number, stalledMs: number): void {
    const expired = this.#waiters.takeExpired(now, TIMEOUTS_PER_TURN);
    if (expired.length === 0) return;
    const stats = this.stats();
    const openError = this.#lastOpenError;
    const cause = causeOfWaiting(this.#predicament(stats, now), now);
    for (const waiter of expired) {
      this.#counters[waiter.isSecond ? 'secondsTimedOut' : 'timedOut'] += 1;
      this.#fail(waiter, acquireTimeout(now - waiter.queuedAt, cause, stats, stalledMs, openError), now);
    }
    this.#advanceDrain();
    if (expired.length === TIMEOUTS_PER_TURN) {
      this.#runtime.afterPoll(() => this.#timeOut(this.#readClock(), stalledMs));
    }
  }

  #predicament(stats: PoolStats, now: number): Predicament<C> {
    const driver = this.#driver;
    const error = this.#lastOpenError;
    const silentMs = (slot: Slot<C>) =>
      this.#stalls.beyondLimitMs(slot, driver.bytesHeard!(slot.connection!), now);
    return {
      stats,
      slots: this.#slots,
      openFailure: error === undefined ? undefined : { error, pattern: this.#classify(error, 'connect') },
      granted: this.#heedsServerLimit ? this.#serverLimit.granted : UNLIMITED,
      fleet: this.fleet,
      nested: this.#nesting?.found,
      leakThresholdMs: this.#options.leakThresholdMs,
      silentMs: (slot) => (this.#stallsAct ? this.#advised('stallWatchdog', 0, () => silentMs(slot)) : 0),
      isAtRest: ({ connection }) => driver.bytesAtRest?.(connection!) !== undefined,
    };
  }

  // ── Which connections go, and how many there are to be ───────────────────────────────────────────────────────────

  #reap(now: number): void {
    this.#endLifetimes(now);
    for (const slot of idleTooLong(this.#slots, this.#options, this.#leastKept, now))
      this.#close(slot, 'idle');
    if (!this.#follows || this.#options.idleTimeoutMs === 0) return;
    const surplus = this.#advised('forecaster', 0, () => this.#sizing!.surplus(this.#slots.open, now));
    for (const slot of idleBeyond(this.#slots, this.#slots.open - surplus)) this.#close(slot, 'idle');
  }

  #endLifetimes(now: number): void {
    const due = pastLifetime(this.#slots, now);
    if (this.#options.lifetimeJitter > 0)
      return this.#rotate([...new Set([...due, ...this.#findMisplaced(now)])], now);
    for (const slot of due) {
      slot.leavesFor = 'lifetime';
      this.#leave(slot);
    }
    this.#rotate([...new Set(this.#findMisplaced(now))], now);
  }

  /** Connections that lead to a wrong place, or to a slow one. */
  #findMisplaced(now: number): Slot<C>[] {
    return [...this.#findAstray(), ...this.#findOutliers(now)];
  }

  #findAstray(): Slot<C>[] {
    if (!this.rollout.acting.addressWatch) return [];
    return this.#advised('addressWatch', [], () => this.#addresses.astray(this.#slots));
  }

  #findOutliers(now: number): Slot<C>[] {
    if (!this.rollout.acting.selection) return [];
    return this.#advised('selection', [], () => this.#outliers.find(this.#slots, now));
  }

  /** Connections that have to go are replaced one after another, while nothing else is the matter. */
  #rotate(due: readonly Slot<C>[], now: number): void {
    if (!this.#mayRotate) return this.#putOffRotation(now);
    if (due.length === 0 || now < this.#rotation.nextAt) return;
    const idleFirst = [...due].sort((one, other) => one.state - other.state);
    const view = {
      slots: this.#slots,
      open: this.#slots.open,
      room: this.#room(now),
      leastKept: this.#leastKept,
      maxLifetimeMs: this.#options.maxLifetimeMs,
      slowly: this.#follows && this.#sizing!.policy.rotatesSlowly,
    };
    for (const step of this.#rotation.steps(idleFirst, view, now)) this.#take(step, now);
  }

  #take({ slot, how }: Step<C>, now: number): void {
    slot.leavesFor = now >= slot.expiresAt ? 'lifetime' : this.#addresses.isAstray(slot) ? 'moved' : 'slow';
    if (slot.leavesFor === 'slow') this.#outliers.replaced(now);
    slot.isOwed = how === 'make_room';
    if (how === 'replace') this.#open(now, 'replacement', undefined, slot);
    else this.#leave(slot);
  }

  get #mayRotate(): boolean {
    const isTroubled = this.#heedsCircuit && (!this.#breaker.fills || this.#serverLimit.inForce);
    return this.#drain === undefined && this.#now >= this.#nextFillAt && !isTroubled;
  }

  /** While the server is in trouble what works is precious, and those on their way out stay. */
  #putOffRotation(now: number): void {
    this.#rotation.putOff(now);
    if (!this.#heedsCircuit || this.#breaker.fills) return;
    for (const slot of this.#slots) {
      if (slot.leavesFor === undefined || slot.state === SlotState.closing) continue;
      if (slot.retiring === slot.leavesFor) slot.retiring = undefined;
      slot.leavesFor = undefined;
      slot.isOwed = false;
    }
  }

  /** The one that was opened in place of another is there. */
  #replaced(slot: Slot<C>, former: Slot<C>): void {
    // Else every connection there ever was would be remembered by the one that came after it.
    slot.replaces = undefined;
    if (former.leavesFor !== undefined) this.#leave(former);
  }

  #leave(slot: Slot<C>): void {
    const { state, leavesFor } = slot;
    if (state === SlotState.idle) this.#close(slot, leavesFor!);
    else if (state === SlotState.leased) slot.retiring ??= leavesFor;
    // While it is checked it is looked at again later.
    else if (state === SlotState.checking) slot.leavesFor = undefined;
  }

  /** So many connections no idle timeout closes. */
  get #leastKept(): number {
    const { min } = this.#options;
    return this.#follows ? Math.max(min, this.#sizing!.forecast.protect) : min;
  }

  #probeLimit(now: number, stalledMs: number): void {
    const probe = this.#limitProbe;
    const { size, use } = probe;
    if (use < this.#bound && this.#isPressed(now)) probe.letGo('a caller had no time for it', now);
    const { released, shared, sharedLate } = this.#counters;
    const view = {
      now,
      released,
      useTimes: this.#useTimes,
      leased: this.#slots.count(SlotState.leased),
      waiting: this.#waiters.length,
      min: this.#options.min,
      max: this.#bound,
      shared: shared + sharedLate,
      stalled: stalledMs > 0,
      trouble: this.#troubleOfProbe,
    };
    const acts = this.rollout.acting.limitProbe;
    const holds = this.#advised('limitProbe', undefined, () => probe.step(view, acts));
    // What threw may hold callers back, and is not heard again.
    if (holds === undefined) this.#limitProbe = this.#newLimitProbe();
    else if (holds.plainMs > 0) this.rollout.recordRegret('limitProbe', holds.smartMs, holds.plainMs);
    const { size: found, reason } = this.#limitProbe;
    const { max } = this.#options;
    if (found !== size) this.#observer?.onResized?.(Math.min(size, max), Math.min(found, max), reason);
    if (this.#limitProbe.use > use) this.#serve(now);
  }

  /** Why the work of two sizes cannot be compared now. */
  get #troubleOfProbe(): string | undefined {
    if (this.#heedsCircuit && this.#breaker.state !== 'closed') return 'the circuit is not closed';
    if (this.#allowed(this.#now) < this.#options.max)
      return 'the budget of the fleet allows fewer connections';
    const isUneven = this.#lanes.mixed || this.#sizing?.policy.comparable === false;
    return isUneven ? 'some queries hold their connections for far longer than others' : undefined;
  }

  #newLimitProbe(): LimitProbe {
    return new LimitProbe(this.#now, () => this.#runtime.random());
  }

  #observe(now: number): void {
    this.#sizing ??= this.#newSizing(now);
    const sizing = this.#sizing;
    this.#lessons.history = sizing.history;
    const demand = this.#slots.count(SlotState.leased) + this.#waiters.length;
    const view = {
      now,
      restedUntil: this.#rested ? (this.#inUse ? this.#wokeAt : now) : Number.NEGATIVE_INFINITY,
      peak: Math.max(
        this.#peakDemand,
        this.#live - this.#slots.count(SlotState.warming) - unused(this.#slots, sizing.observedAt),
      ),
      demand,
      arrivals: this.#leaseCount + this.#waiters.length,
      open: this.#slots.open,
      limit: this.#limit,
      useTimes: this.#useTimes,
      createTimes: this.#createTimes,
      options: this.#options,
    };
    const observed = this.#advised('forecaster', undefined, () => sizing.observe(view));
    if (observed !== false) this.#peakDemand = demand;
    if (observed === undefined) {
      this.#sizing = undefined;
      this.#lessons.history = undefined;
    }
  }

  #newSizing(now: number): Sizing {
    return new Sizing(this.rollout.acting, this.#openings, now, {
      onDecision: (flag, smartMs, plainMs) => {
        if (this.rollout.attended[flag]) this.rollout.recordRegret(flag, smartMs, plainMs);
      },
      onSeasonFault: (error) => this.tripFlag('seasonal', error),
      onWorkload: (change) => this.#observer?.onWorkloadChanged?.(change),
    });
  }

  /** A few leases within a moment, as after an early tick, say nothing about the pace. */
  #paceTiming(now: number): void {
    const leases = this.#leaseCount - this.#pacedLeaseCount;
    const elapsedMs = now - this.#pacedAt;
    if (leases <= PACING_MASK && elapsedMs < UPKEEP_INTERVAL_MS) return;
    this.#timingMask = timingMask(leases, elapsedMs);
    this.#pacedLeaseCount = this.#leaseCount;
    this.#pacedAt = now;
  }

  /** When there is something to do next; infinite when nothing is until somebody calls. */
  #nextDueAt(now: number): number {
    return Math.min(
      this.#waiters.earliestDeadline(),
      nextSlotDueAt(this.#slots, this.#options, this.#leastKept, this.#rotation.nextAt),
      this.#hasUpkeep ? now + UPKEEP_INTERVAL_MS : NEVER,
      this.#nextQuestionAt(),
      this.#waiters.length > 0 ? this.#nextOpeningAt(now) : NEVER,
      this.#waiters.length > 0 && this.#nesting !== undefined ? now + STUCK_MS : NEVER,
      this.#staleReads.isOn ? this.#staleReads.until : NEVER,
      this.#drain === undefined ? this.#nextSizeAt(now) : this.#drain.deadlineAt,
    );
  }

  /** Whether there is more to look after than single deadlines. */
  get #hasUpkeep(): boolean {
    const holdsBack =
      this.#waiters.length > 0 && (this.#slots.count(SlotState.idle) > 0 || this.#usable < UNLIMITED);
    return this.#inUse || holdsBack || this.#slots.shared().some(({ holders }) => holders > 1);
  }

  /** When a connection is to be asked next whether it is alive. */
  #nextQuestionAt(): number {
    let dueAt = this.#stallsAct ? this.#stalls.dueAt : NEVER;
    // While as many are asked as may be, the end of a check looks for the next.
    if (this.rollout.acting.learnedValidation && this.#slots.count(SlotState.checking) < CHECKS_AT_ONCE) {
      for (const slot of this.#slots.idle()) dueAt = Math.min(dueAt, usedAt(slot) + this.#trust.keepAliveMs);
    }
    return dueAt;
  }

  /** When a connection may be opened for those who wait. */
  #nextOpeningAt(now: number): number {
    return Math.min(
      this.#nextOpenAt > now ? this.#nextOpenAt : NEVER,
      this.#heedsCircuit ? this.#breaker.dueAt(now) : NEVER,
      this.#heedsServerLimit ? Math.max(this.#serverLimit.probeAt, now + UPKEEP_INTERVAL_MS) : NEVER,
    );
  }

  /** When there are to be more connections, or fewer, though nobody calls. */
  #nextSizeAt(now: number): number {
    const { keepMin, min } = this.#options;
    const { open } = this.#slots;
    const lacks = keepMin && open < Math.min(min, this.#allowed(now)) && !this.#breaker.isIsolated;
    // What could be opened now has been: the rest has no room yet, or the circuit is against it.
    const fillsAt = Math.max(this.#nextFillAt, this.#filling.nextAt);
    const nextDueAt = () => this.#sizing!.nextDueAt(open, this.#options, now);
    return Math.min(
      lacks ? (fillsAt > now ? fillsAt : now + UPKEEP_INTERVAL_MS) : NEVER,
      !this.#inUse && this.#follows ? this.#advised('forecaster', NEVER, nextDueAt) : NEVER,
    );
  }

  #setDeadline(slot: Slot<C>, now: number, timeoutMs: number): void {
    slot.deadlineAt = timeoutMs === 0 ? Number.POSITIVE_INFINITY : now + timeoutMs;
    this.#arm(slot.deadlineAt);
  }

  // ── Errors ────────────────────────────────────────────────────────────────────────────────────────────────────

  #closedRefusal(hint: Hint | undefined): PoolError {
    return this.#refusal(this.#handedBack ? 'HANDED_BACK' : 'POOL_CLOSED', hint);
  }

  #refusal(code: RefusalCode, hint: Hint | undefined): PoolError {
    return refusal(code, this.stats(), this.#options.maxWaiters, hint?.signal?.reason);
  }
}

/**
 * Makes a pool.
 * @throws {PoolError} code `INVALID_OPTIONS`, naming every bad option.
 */
export function createPool<C>(parts: PoolParts<C>): Pool<C> {
  return new Pool(parts);
}

/** The optimisations that go by the queries and can act on connections of this driver. */
function readersOn<C>({ canShare }: Driver<C>): readonly OptimizationName[] {
  return QUERY_READERS.filter(
    (name) => (name !== 'pipelining' && name !== 'autoPrepare') || canShare !== undefined,
  );
}
