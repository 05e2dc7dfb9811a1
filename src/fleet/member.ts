import { attempt } from '../attempt.js';
import type { Runtime, Timer } from '../runtime.js';
import { type FleetBudget, LEAST_SHARE, type ResolvedBudget, resolveBudget, staticShare } from './budget.js';
import type { LeaseGrant, LeaseNews, LeaseStore, OtherLease } from './lease-store.js';
import { askFor, type HeldLease, isShort, shareAt, shareChangesAt, shareWithoutLease } from './share.js';

/** A pool's place in a fleet. */
export interface FleetParts {
  budget: FleetBudget;
  /** Where the members' leases are kept; without it every member has its static share. */
  leases?: LeaseStore;
}

/** What a member asks of its pool, and tells it. */
export interface FleetHome {
  /** Connections that count: all that are not gone. */
  held(): number;
  /** Connections that are, or will be, of use. */
  open(): number;
  /** How many its callers could use now. */
  demand(): number;
  /** The pool's own maximum. */
  most(): number;
  /** The share has changed, or how it is come by: then `why` says so. */
  onShare(from: number, to: number, why: string | undefined): void;
}

/**
 * How a member comes by its share: it has not begun yet, by a lease, by the lease it had or by none because the store cannot be asked, or
 * by an equal part because there is no store.
 */
export type FleetState = 'starting' | 'leased' | 'away' | 'static';

/** What `report()` tells of a pool's part in its fleet. */
export interface FleetReport {
  readonly state: FleetState;
  /** Most connections of all members together. */
  readonly budget: number;
  /** How many of them this pool may have now. */
  readonly share: number;
  /** How many it may have when nobody can be asked. */
  readonly staticShare: number;
  /** How many it has, those being opened and closed included. */
  readonly held: number;
  /** Members known to be there, this one included; undefined while the store has not been heard. */
  readonly members: number | undefined;
}

/** Members of one fleet that start at once begin spread over five milliseconds for each, a second at most. */
const START_SPREAD_MS = { each: 5, most: 1_000 } as const;

/** From one renewal to the next, in parts of the lease. */
const RENEWS_EVERY = 1 / 3;
const RETRIES_EVERY = 1 / 20;
/** An answer that takes longer comes too late to be of use. */
const ANSWERS_WITHIN = 1 / 5;

/** Closing a pool is not to wait for longer. */
const LEAVES_WITHIN_MS = 1_000;

/** While somebody is short, so often and never more often than the store can bear: 100 renewals a second in all. */
const CONTENDED_EVERY_MS = { least: 250, each: 10 } as const;

/** The first question of one that is short is not held up. */
const ASKS_AGAIN_MS = 20;

/**
 * One pool's part in a budget that many share. It renews its lease, asks for as much as its callers can use, for as much as is fair
 * while others are short, and lets its share shrink when the store cannot be asked.
 */
export class FleetMember {
  readonly #budget: ResolvedBudget;
  readonly #leases: LeaseStore | undefined;
  readonly #home: FleetHome;
  readonly #runtime: Runtime;
  readonly #startsAt: number;
  /** What the timer calls. */
  readonly #due: () => void;
  #state: FleetState = 'starting';
  #lease: HeldLease | undefined = undefined;
  #others: readonly OtherLease[] = [];
  /** Whether somebody is short while nobody is to be spared; then idle connections are not kept. */
  #isContended = false;
  /** Until then nobody is given more than it has. */
  #graceUntil = 0;
  /** The most that callers could have used at once since the last renewal. */
  #peak = 0;
  #number = 0;
  #asking: AbortController | undefined = undefined;
  #sentAt = 0;
  /** What the store was told, or is being told, that the pool keeps to until it is answered. */
  #ceiling = 0;
  #renewAt: number;
  #told = 0;
  #timer: Timer | undefined = undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #leaving: Promise<void> | undefined = undefined;

  /** @throws {PoolError} code `INVALID_OPTIONS`. */
  constructor({ budget, leases }: FleetParts, home: FleetHome, runtime: Runtime) {
    this.#budget = resolveBudget(budget);
    this.#leases = leases;
    this.#home = home;
    this.#runtime = runtime;
    const { each, most } = START_SPREAD_MS;
    const now = runtime.now();
    this.#startsAt = now + runtime.random() * Math.min(most, each * this.#budget.members);
    this.#renewAt = this.#startsAt;
    // A pool that the application has dropped without closing it is to be collected, and its share to come free.
    const self = new WeakRef(this);
    this.#due = () => {
      const member = self.deref();
      if (member === undefined) giveBack(leases);
      else member.#onTimer();
    };
    if (leases !== undefined) {
      leases.onNews = (news) => {
        const member = self.deref();
        if (member !== undefined) member.#hear(news);
      };
    }
    this.#arm(now);
  }

  /** How many connections the pool may have now: never more than the others leave of the budget. */
  share(now: number): number {
    const share = this.#shareNow(now);
    return this.#asking === undefined ? share : Math.min(share, this.#ceiling);
  }

  #shareNow(now: number): number {
    if (this.#lease !== undefined) return shareAt(this.#lease, this.#budget, now);
    if (this.#state === 'away') return shareWithoutLease(this.#startsAt, this.#budget, now);
    return this.#state === 'static' ? staticShare(this.#budget) : 0;
  }

  /** Notes how many connections the callers could use now. */
  observe(): void {
    this.#peak = Math.max(this.#peak, this.#home.demand());
  }

  /** More connections are wanted than the share allows. */
  need(now: number): void {
    this.observe();
    if (this.#state !== 'leased' || now < this.#graceUntil) return;
    // What the pool's own maximum keeps from it the others cannot give.
    if (this.share(now) >= this.#home.most()) return;
    this.#renewBy(now, this.#sentAt + (this.#isContended ? this.#contendedMs() : ASKS_AGAIN_MS));
  }

  /** The pool has no connections any more. Resolves when the others can have its share, and soon in any case: then its lease ends by itself. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  async #leave(): Promise<void> {
    this.#timer?.cancel();
    if (this.#leases === undefined) return;
    this.#leases.onNews = undefined;
    // Neither timers nor the store's sockets keep a process alive that has nothing else to do than to close its pool.
    const alive = this.#runtime.keepAlive();
    const left = giveBack(this.#leases);
    await Promise.race([
      left,
      new Promise<void>((resolve) => this.#runtime.schedule(LEAVES_WITHIN_MS, resolve)),
    ]);
    alive.cancel();
  }

  report(): FleetReport {
    return {
      state: this.#state,
      budget: this.#budget.maxConnections,
      share: Math.min(this.#home.most(), this.share(this.#runtime.now())),
      staticShare: staticShare(this.#budget),
      held: this.#home.held(),
      members: this.#lease === undefined ? undefined : this.#others.length + 1,
    };
  }

  #onTimer(): void {
    // A timer may come a fraction early; what was due then is due now.
    const now = Math.max(this.#runtime.now(), this.#timerAt);
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (this.#leases === undefined) {
      this.#state = 'static';
      this.#tell(undefined, now);
      return;
    }
    this.observe();
    if (this.#asking !== undefined && now >= this.#sentAt + ANSWERS_WITHIN * this.#budget.leaseMs) {
      this.#asking.abort();
      this.#failed(now);
    }
    if (this.#asking === undefined && now >= this.#renewAt) this.#renew(this.#leases, now);
    else this.#tell(undefined, now);
    this.#arm(now);
  }

  #renew(leases: LeaseStore, now: number): void {
    const home = this.#home;
    const most = home.most();
    const want = Math.min(most, Math.max(LEAST_SHARE, this.#peak));
    const asked = askFor({ want, open: home.open(), most }, this.#others, this.#isContended, this.#budget);
    // It keeps to less at once, so that the others can be told that it does.
    const share = Math.min(this.share(now), asked);
    if (this.#lease !== undefined && share < this.#lease.granted)
      this.#lease = { ...this.#lease, granted: share };
    this.#tell(undefined, now);
    this.#number += 1;
    this.#sentAt = now;
    this.#peak = 0;
    const asking = new AbortController();
    this.#asking = asking;
    this.#ceiling = Math.max(home.held(), share);
    const isLate = () => this.#asking !== asking || this.#leaving !== undefined;
    const request = { number: this.#number, ceiling: this.#ceiling, asked, want };
    attempt(() => leases.renew(request, asking.signal)).then(
      (grant) => {
        if (!isLate()) this.#granted(grant, want, now);
      },
      () => {
        if (!isLate()) this.#failed(this.#runtime.now());
      },
    );
  }

  #granted(grant: LeaseGrant, want: number, sentAt: number): void {
    const now = this.#runtime.now();
    const { granted, graceMs, others } = grant;
    const wasAway = this.#state === 'away';
    this.#asking = undefined;
    this.#lease = { granted, since: sentAt };
    this.#others = others;
    this.#graceUntil = now + graceMs;
    this.#isContended = graceMs <= 0 && (granted < want || others.some(isShort));
    this.#state = 'leased';
    const owes = this.#home.held() > granted;
    const jitter = 0.8 + 0.4 * this.#runtime.random();
    const regularMs = RENEWS_EVERY * this.#budget.leaseMs * jitter;
    const soonMs = (graceMs > 0 ? graceMs : this.#contendedMs()) * jitter + ASKS_AGAIN_MS;
    const isSoon = this.#isContended || owes || graceMs > 0;
    this.#renewAt = now + (isSoon ? Math.min(regularMs, soonMs) : regularMs);
    this.#tell(wasAway ? 'the leases of the fleet are back' : undefined, now);
    this.#arm(now);
  }

  #failed(now: number): void {
    const isNews = this.#state !== 'away';
    this.#asking = undefined;
    this.#state = 'away';
    this.#renewAt = now + RETRIES_EVERY * this.#budget.leaseMs * (0.75 + this.#runtime.random() / 2);
    this.#tell(isNews ? 'the leases of the fleet cannot be renewed' : undefined, now);
    this.#arm(now);
  }

  #hear(news: LeaseNews): void {
    if (this.#leaving !== undefined) return;
    const now = this.#runtime.now();
    if (news === 'short') this.#isContended = true;
    this.#renewBy(now, now + this.#runtime.random() * CONTENDED_EVERY_MS.least);
  }

  #renewBy(now: number, at: number): void {
    if (at >= this.#renewAt) return;
    this.#renewAt = at;
    this.#arm(now);
  }

  #contendedMs(): number {
    const { least, each } = CONTENDED_EVERY_MS;
    return Math.max(least, each * (this.#others.length + 1));
  }

  #tell(why: string | undefined, now: number): void {
    const share = this.share(now);
    if (share === this.#told && why === undefined) return;
    const from = this.#told;
    this.#told = share;
    this.#home.onShare(from, share, why);
  }

  #arm(now: number): void {
    if (this.#leaving !== undefined) return;
    const answerBy = this.#sentAt + ANSWERS_WITHIN * this.#budget.leaseMs;
    const changesAt = shareChangesAt(this.#lease ?? { since: this.#startsAt }, this.#budget, now);
    const dueAt = Math.min(this.#asking === undefined ? this.#renewAt : answerBy, changesAt);
    if (dueAt >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = dueAt;
    this.#timer = this.#runtime.schedule(Math.max(0, dueAt - now), this.#due);
  }
}

async function giveBack(leases: LeaseStore | undefined): Promise<void> {
  try {
    await leases?.leave();
  } catch {
    // It ends by itself.
  }
}
