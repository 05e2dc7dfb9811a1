import type { Hint } from './hint.js';
import type { Outcome } from './lease.js';
import { type QueryKind, type QueryProfile, QueryProfiles } from './query/profiles.js';
import { type OptimizationName, QUERY_READERS } from './rollout/flags.js';
import type { Rollout } from './rollout/rollout.js';
import type { Lanes } from './selection/lanes.js';
import type { Survival } from './selection/survival.js';
import type { History } from './sizing/what-if.js';
import type { Slot } from './slots.js';
import type { PoolCounters } from './stats.js';

/** The optimisations that go by what queries and leases have taught. */
const LEARNERS: readonly OptimizationName[] = [...QUERY_READERS, 'forecaster'];

/** Who goes by what leases have shown. */
interface Learners {
  readonly rollout: Rollout;
  readonly lanes: Lanes;
  readonly survival: Survival;
  /** What the leases of each kind of query took together. */
  readonly totals: PoolCounters['queries'];
  /** Told of an adviser that threw. */
  readonly trip: (name: OptimizationName, error: unknown) => void;
}

/**
 * What timed leases teach, and to whom. An adviser that throws over it costs its flag, and nobody an answer: what is learned serves
 * several optimisations, so whichever it was that threw, none of them goes by it any more.
 */
export class Lessons {
  /** What the queries of the pool have taught. */
  readonly profiles = new QueryProfiles();
  /** Where arrivals and uses are remembered; undefined until somebody asks how many connections there should be. */
  history: History | undefined = undefined;
  readonly #learners: Learners;

  constructor(learners: Learners) {
    this.#learners = learners;
  }

  /** What a caller's query has taught so far; undefined where no optimisation wants to know. */
  profileOf(hint: Hint | undefined): QueryProfile | undefined {
    if (!this.#learners.rollout.readsQueries) return undefined;
    try {
      return this.profiles.ofHint(hint);
    } catch (error) {
      this.#failed(error, LEARNERS);
      return undefined;
    }
  }

  /** Somebody got a connection after waiting for so long. */
  waited({ depth, track }: Slot<unknown>, waitedMs: number, now: number): void {
    this.#attempt(() => {
      this.history?.arrived(now - waitedMs);
      if (depth === 1) this.#learners.rollout.recordWait(waitedMs);
      track.waited(waitedMs);
    });
  }

  /** A lease that was given at `since` has ended. */
  used(slot: Slot<unknown>, since: number, outcome: Outcome, now: number): void {
    this.#attempt(() => {
      this.history?.heldFor(now - since);
      if (slot.depth > 1) this.#ranShared(slot, since, now);
      else this.#ranAlone(slot, now - since, outcome, now);
    });
  }

  /** One statement took so long of a holder who runs several, in a transaction say: his lease teaches nothing of it. */
  ran(profile: QueryProfile | undefined, tookMs: number, outcome: Outcome): void {
    if (profile?.classification?.sessionStateful !== false) return;
    this.#attempt(() => this.#teach(profile, tookMs, outcome));
  }

  /** Whether a connection was alive after it had been idle for so long. */
  survived(idledMs: number, alive: boolean): void {
    this.#attempt(() => this.#learners.survival.learn(idledMs, alive), ['selection']);
  }

  /** Behind others on a shared connection is in the queue, too. */
  #ranShared({ leasedAt }: Slot<unknown>, since: number, now: number): void {
    this.#countRun('select', now - Math.max(leasedAt, since));
    this.#learners.rollout.recordWait(Math.max(0, leasedAt - since));
  }

  #ranAlone({ track, profile, idledMs }: Slot<unknown>, heldMs: number, outcome: Outcome, now: number): void {
    track.learn(profile, heldMs, outcome, now);
    if (idledMs !== undefined) this.survived(idledMs, outcome !== 'broken');
    if (profile === undefined) return;
    this.#countRun(profile.kind, heldMs);
    if (profile === this.profiles.session || profile === this.profiles.other)
      return profile.learn(heldMs, outcome);
    if (profile.runs > 0) this.#learners.rollout.recordHold(heldMs / profile.usualMs(now));
    this.#teach(profile, heldMs, outcome);
  }

  #teach(profile: QueryProfile, tookMs: number, outcome: Outcome): void {
    const { rollout, lanes } = this.#learners;
    profile.learn(tookMs, outcome);
    if (rollout.attended.lanes) this.#attempt(() => lanes.learn(profile, tookMs), ['lanes']);
  }

  #countRun(kind: QueryKind, heldMs: number): void {
    const totals = this.#learners.totals[kind];
    totals.runs += 1;
    totals.heldMs += heldMs;
  }

  #attempt(lesson: () => void, taughtTo: readonly OptimizationName[] = LEARNERS): void {
    try {
      lesson();
    } catch (error) {
      this.#failed(error, taughtTo);
    }
  }

  #failed(error: unknown, taughtTo: readonly OptimizationName[]): void {
    for (const name of taughtTo) this.#learners.trip(name, error);
  }
}
