import type { Hint } from '../hint.js';
import type { Lane, QueryProfile } from '../query/profiles.js';

/** A query is slow when it holds its connection for so many times the pool's median, and for so long at least. */
const SLOW_RATIO = 10;
const SLOW_MS = 20;
/** A slow one is fast again below this share of that bound. */
const FAST_AGAIN = 0.7;
/**
 * Share of a query's latest runs that are slow, from which on it is slow, and below which no longer. One text may stand for many
 * short runs and a few long ones: then it says nothing.
 */
const SLOW_RUNS = { enter: 0.8, leave: 0.6 } as const;
/** Weight of the latest run in that share. */
const RUN_WEIGHT = 1 / 20;
/** What fewer runs have taught puts nobody into the slow lane. */
const RUNS_TO_JUDGE = 3;

/**
 * A slow caller who has waited so long goes before the fast ones. With a second in its place, and one query in ten in the
 * wrong lane, the slow ones' p99 was up to 15 % above that of first in, first out; with 125 ms it is at most 10 % (`test/simulation/lanes.test.ts`).
 */
const AGEING_MS = 125;
/**
 * A slow caller who has waited for so many times what its kind takes may have what is kept for the fast, too. Near the limit of
 * what the pool can bear, the slow ones' mean was up to 15 % above that of first in, first out, and so it is 14 % at most.
 */
const PATIENCE = 2;
/** A lane is stuck in which nothing ended for as long as that, but for the first time at least and the second at most. */
const STUCK_MS = { least: 1_000, most: 5_000 } as const;

/** Share of the busy connections that slow queries hold, from which on a load is mixed, and below which no longer. */
const SLOW_SHARE = { enter: 0.2, leave: 0.1 } as const;
/** Fast queries to one slow query, from which on a load is mixed, and below which no longer. */
const FAST_PER_SLOW = { enter: 0.5, leave: 0.1 } as const;
/** Without a fast query for so long there is nobody to keep a connection for. */
const FAST_GONE_MS = 500;
/** Averages forget with this time constant. */
const MEMORY_MS = 500;

/** More than one connection is kept for the fast only while the slow ones then load theirs no more than this. */
const SLOW_LOAD = 0.7;
const MOST_RESERVED = 0.2;
/** In a smaller pool even one is kept only on that condition. */
const SMALL_POOL = 5;

/** How far the logarithm of the median moves towards a sample. */
const MEDIAN_STEP = 0.05;

/** Who is the first in a lane, since when, and what its kind has taught. */
export interface FirstInLane {
  readonly queuedAt: number;
  readonly profile?: Pick<QueryProfile, 'typicalMs'> | undefined;
}

/**
 * Keeps slow queries from filling the pool: of `max` connections they hold at most all but a reserve, of which there is one
 * or, where the slow can spare them, up to a fifth. Fast callers go first, yet one connection is always the slow lane's and
 * whoever has waited for 125 ms goes before them. That is the c-mu rule with a bound on starvation. Only while the load is
 * mixed; else the queue is first in, first out. How busy the pool is does not matter: what is kept is missed only by the slow
 * who fill all the rest, and lanes that first wait for a busy pool come too late, when the slow have it.
 *
 * Lanes are for single statements, which end by themselves. Whoever may hold a connection while it waits for another (a
 * session, a transaction) is in the fast lane, and a slow lane in which nothing ends is let out: lanes cannot deadlock.
 */
export class Lanes {
  /** Whether the load calls for lanes. */
  mixed = false;
  /** Connections that slow queries may not have. */
  reserve = 0;
  /** Connections that slow queries have. */
  slowHeld = 0;
  /** Median hold of the pool's statements, in milliseconds. */
  medianMs = 0;
  #slowBusy = 0;
  #busy = 0;
  #fastRecent = 0;
  #slowRecent = 0;
  #tickedAt = 0;
  #slowEndedAt = 0;
  #fastAt = Number.NEGATIVE_INFINITY;
  #leases = 0;
  #slowLeases = 0;
  #leasedSum = 0;
  #slowSum = 0;

  /** What is called slow now, in milliseconds. */
  get slowMs(): number {
    return Math.max(SLOW_RATIO * this.medianMs, SLOW_MS);
  }

  /** By what its runs have taught, else by the caller's estimate; what is not known is fast. */
  laneOf(profile: QueryProfile, hint: Hint | undefined): Lane {
    if (profile.runs >= RUNS_TO_JUDGE) return profile.lane;
    const estimateMs = hint?.estimatedDurationMs;
    return estimateMs !== undefined && estimateMs > this.slowMs && hint!.requiresTransaction !== true
      ? 'slow'
      : 'fast';
  }

  /** Takes in how long a statement kept a connection to itself, which its profile has already learned. */
  learn(profile: QueryProfile, heldMs: number): void {
    this.heldFor(heldMs);
    const isSlow = profile.lane === 'slow';
    const wasSlow = heldMs > (isSlow ? this.slowMs * FAST_AGAIN : this.slowMs) ? 1 : 0;
    profile.slowShare += (wasSlow - profile.slowShare) * Math.max(RUN_WEIGHT, 1 / profile.runs);
    profile.lane = profile.slowShare >= SLOW_RUNS[isSlow ? 'leave' : 'enter'] ? 'slow' : 'fast';
  }

  /** Takes in how long a statement kept a connection busy, its own or one that it shared. */
  heldFor(heldMs: number): void {
    if (this.medianMs === 0) this.medianMs = heldMs;
    else this.medianMs *= heldMs > this.medianMs ? 1 + MEDIAN_STEP : 1 / (1 + MEDIAN_STEP);
  }

  /** A slow query has a lease. */
  slowBegan(): void {
    this.slowHeld += 1;
  }

  /** A timed lease was given, in the slow lane after `slowBegan`; with it `leased` connections are out. */
  took(lane: Lane, leased: number, now: number): void {
    this.#leases += 1;
    this.#leasedSum += leased;
    if (lane === 'slow') this.#slowLeases += 1;
    else this.#fastAt = now;
    this.#slowSum += this.slowHeld;
  }

  /** A slow query's lease ended. */
  slowEnded(now: number): void {
    this.slowHeld -= 1;
    this.#slowEndedAt = now;
  }

  /** While the load is mixed: whether a newcomer may have an idle connection, though there are others in the queue. */
  admits(
    lane: Lane,
    firstFast: FirstInLane | undefined,
    firstSlow: FirstInLane | undefined,
    max: number,
  ): boolean {
    if (firstFast !== undefined) return false;
    return lane === 'fast' || (firstSlow === undefined && this.slowHeld < this.#slowRoom(max));
  }

  /** While the load is mixed: whose turn it is, undefined when the slow have to wait beside a free connection. */
  next(
    now: number,
    firstFast: FirstInLane | undefined,
    firstSlow: FirstInLane | undefined,
    max: number,
  ): Lane | undefined {
    if (firstSlow === undefined) return firstFast === undefined ? undefined : 'fast';
    const hasRoom = this.slowHeld < this.#slowRoom(max) || this.#lostPatience(now, firstSlow);
    if (firstFast === undefined) return hasRoom ? 'slow' : undefined;
    const isDue = this.slowHeld === 0 || now - firstSlow.queuedAt >= AGEING_MS;
    return hasRoom && isDue ? 'slow' : 'fast';
  }

  /** Never none, also when `max` has just been lowered. */
  #slowRoom(max: number): number {
    return Math.max(1, max - this.reserve);
  }

  /** Also when nothing ended in the slow lane since its first caller came: somebody there may be waiting for just this caller. */
  #lostPatience(now: number, { queuedAt, profile }: FirstInLane): boolean {
    const patienceMs = profile === undefined ? STUCK_MS.most : PATIENCE * profile.typicalMs;
    const stuckMs = Math.max(STUCK_MS.least, Math.min(patienceMs, STUCK_MS.most));
    return now - queuedAt >= patienceMs || now - Math.max(queuedAt, this.#slowEndedAt) >= stuckMs;
  }

  /** The upkeep's part: judges the load of the time since the last one. */
  tick(now: number, leased: number, max: number): void {
    const keep = Math.exp(-Math.max(0, now - this.#tickedAt) / MEMORY_MS);
    const leases = this.#leases;
    const busy = leases === 0 ? leased : this.#leasedSum / leases;
    const slowBusy = leases === 0 ? this.slowHeld : this.#slowSum / leases;
    this.#busy = busy + (this.#busy - busy) * keep;
    this.#slowBusy = slowBusy + (this.#slowBusy - slowBusy) * keep;
    this.#slowRecent = this.#slowRecent * keep + this.#slowLeases;
    this.#fastRecent = this.#fastRecent * keep + leases - this.#slowLeases;
    this.#leases = 0;
    this.#slowLeases = 0;
    this.#leasedSum = 0;
    this.#slowSum = 0;
    this.#tickedAt = now;
    const bound = this.mixed ? 'leave' : 'enter';
    this.mixed =
      max > 1 &&
      now - this.#fastAt < FAST_GONE_MS &&
      this.#slowBusy > SLOW_SHARE[bound] * this.#busy &&
      this.#fastRecent > FAST_PER_SLOW[bound] * this.#slowRecent;
    this.reserve = this.mixed ? this.#reserveOf(max) : 0;
  }

  #reserveOf(max: number): number {
    const spared = Math.floor(max - this.#slowBusy / SLOW_LOAD);
    const wanted = Math.ceil(this.#busy - this.#slowBusy) + 1;
    const most = Math.min(Math.max(1, Math.ceil(MOST_RESERVED * max)), wanted);
    return Math.max(max >= SMALL_POOL ? 1 : 0, Math.min(spared, most));
  }
}
