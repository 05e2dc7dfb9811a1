import type { Histogram } from '../histogram.js';
import { CapacityCurve } from './capacity-curve.js';
import { STEP_MS } from './observation.js';
import { PairedTrial, type RequiredRatio, type Verdict, type Work } from './paired-trial.js';
import { RecentMean } from './recent-mean.js';

/** Callers wait all the time for so long before anything is tried. */
const SATURATED_MS = 2_000;
/** Fewer leases a second are too few to tell sizes apart. */
const LEAST_PER_SECOND = 100;
/** A quarter of the maximum is tried first; where that does less, half as many, and then a quarter fewer. */
const SHRINKS = [0.25, 0.5, 0.75] as const;
const LEAST_SIZE = 2;
/** A smaller size has to do so much of what the maximum does, and to hold leases for no more than this share of the time. */
const AS_GOOD: RequiredRatio = { shown: 0.985, certain: 0.95 };
const SHORTER_HOLD = 0.9;
/** A quarter more are tried now and then, and twice as many once the load is another: they have to do this much more. */
const GROW = 1.25;
const OTHERWISE = 2;
const BETTER: RequiredRatio = { shown: 1.1, certain: 1.1 };
/** Between trials of a smaller size that fail, and of a larger one; doubled by each. */
const SHRINK_EVERY_MS = { least: 10_000, most: 600_000 } as const;
const GROW_EVERY_MS = { least: 3_000, most: 60_000 } as const;
const USUAL_NOISE = 0.05;
const NOISE_WEIGHT = 0.05;
/** Many pools do not try at once. */
const JITTER = 0.2;
/** The load is another when leases are held, or come back, this many times as long or as often as when the size was found. */
const OTHER_LOAD = 1.5;
const OTHER_LOAD_STEPS = 3;
const USUAL_WEIGHT = 0.05;
/** Callers are gone when nobody has waited for so long. */
const GONE_MS = 10_000;
/**
 * While callers wait and not one lease comes back for so long, holders may be waiting for a second connection: the brake is
 * released, and stays so for a while, longer each time.
 */
const STUCK_MS = 250;
const STUCK_COOL_DOWN_MS = { least: 60_000, most: 3_600_000 } as const;
/** A maximum is worth lowering to half, and worth raising where throughput grows with it at least half as fast. */
const WORTH_LOWERING = 0.5;
const WORTH_RAISING = 0.5;
/** Nothing is said of more than so many times the maximum. */
const FORESEEABLE = 8;

/** What a pool knows of its use when its upkeep comes round. */
export interface LimitView {
  readonly now: number;
  /** Leases that came back, ever. */
  readonly released: number;
  readonly useTimes: Pick<Histogram, 'count' | 'sumMs'>;
  readonly leased: number;
  readonly waiting: number;
  readonly min: number;
  /** The upper bound by the word of the user, the server and the fleet. */
  readonly max: number;
  /** Leases of connections that others share, ever: where there are new ones, leases say nothing about how many connections are at work. */
  readonly shared: number;
  /** Whether the event loop stood still meanwhile. */
  readonly stalled: boolean;
  /** Why sizes are not to be compared now, as when the server is in trouble; undefined where nothing is against it. */
  readonly trouble: string | undefined;
}

/** Milliseconds that a lease holds its connection, as decided and with the maximum; 0 where nothing is known. */
export interface LimitDecision {
  readonly smartMs: number;
  readonly plainMs: number;
}

const NO_DECISION: LimitDecision = { smartMs: 0, plainMs: 0 };

/** What `report()` tells of how many connections the database can put to use. */
export interface LimitReport {
  /** The most connections in use at once that the probe allows now; `max` while it allows all. */
  readonly size: number;
  /** Why it is that many. */
  readonly reason: string;
  /** Trials of other sizes that came to a verdict. */
  readonly trials: number;
  /** Connections with which the database was seen to do as much as with `max`; undefined while that is not known. */
  readonly enough: number | undefined;
  /** Another maximum, where that would be better; for a larger one it is foretold, if things go on as they are. */
  readonly better: BetterMax | undefined;
  /** The same in a sentence. */
  readonly advice: string | undefined;
}

/** What another maximum does, over what this one does. */
export interface BetterMax {
  readonly max: number;
  /** Leases that come back a second. */
  readonly throughputRatio: number;
  /** How long each is held. */
  readonly holdRatio: number;
}

/** What a pool did since the last look. */
interface ProbedWork extends Work {
  readonly shares: boolean;
}

/** What was found when a size was tried against the maximum. */
interface Found {
  readonly size: number;
  readonly throughputRatio: number;
  readonly holdRatio: number;
}

/**
 * Finds the size beyond which more connections make the database slower, while callers wait for connections all the time: paired
 * trials of a quarter of what there may be against all, then of half; from what was found it looks now and then
 * whether a few more would do more, and then goes back to the maximum at once. Time alone cannot tell: a load whose queries have
 * become longer looks like a crowd.
 *
 * It can hold nobody up for ever. Who waits is served in the order of arrival by whatever comes back; and when nothing comes back for a
 * quarter of a second, as when all holders wait for a second connection, it lets go.
 */
export class LimitProbe {
  readonly #curve = new CapacityCurve();
  readonly #noise = new Noise();
  readonly #random: () => number;
  #at: number;
  #released = 0;
  #shared = 0;
  readonly #recentHold = new RecentMean();
  #max = Number.POSITIVE_INFINITY;
  #size = Number.POSITIVE_INFINITY;
  #reason = 'nothing was tried yet';
  #trial: PairedTrial | undefined = undefined;
  #trials = 0;
  #found: Found | undefined = undefined;
  #tried: Found | undefined = undefined;
  #saturatedSince: number;
  #waitedAt = Number.NEGATIVE_INFINITY;
  #stuckMs = 0;
  #stuckCoolDownMs: number = STUCK_COOL_DOWN_MS.least;
  #nextTrialAt = 0;
  #shrinkEveryMs: number = SHRINK_EVERY_MS.least;
  #growEveryMs: number = GROW_EVERY_MS.least;
  /** What the load has been like since the size was found: leases a millisecond and what they take; and for how many steps it is another. */
  #usual: { pace: number; holdMs: number } | undefined = undefined;
  #otherSteps = 0;
  /** Which of `SHRINKS` comes next. */
  #boldness = 0;
  /** Leases and callers in the queue, when somebody last waited. */
  #demand = 0;

  constructor(now: number, random: () => number) {
    this.#random = random;
    this.#at = now;
    this.#saturatedSince = now;
  }

  /** How many connections may be leased at once; infinite where that is nobody's business. */
  get use(): number {
    return this.#trial?.use ?? this.#size;
  }

  /** How many connections there may be: those that are tried again in a moment stay open. */
  get open(): number {
    return this.#trial === undefined ? this.#size : Math.max(this.#trial.incumbent, this.#trial.candidate);
  }

  /** The size that was found; infinite where the maximum is as good as any. */
  get size(): number {
    return this.#size;
  }

  get reason(): string {
    return this.#reason;
  }

  /**
   * The upkeep's part.
   * @param acts whether sizes may be tried; else it only learns from what the load itself tries.
   * @returns what a lease takes of the database, by its decision and with the maximum.
   */
  step(view: LimitView, acts: boolean): LimitDecision {
    const { now, max } = view;
    if (now - this.#at < STEP_MS / 2) return NO_DECISION;
    const work = this.#workSince(view);
    if (max !== this.#max) this.#begin(max, now);
    if (work.waiting > 0) {
      this.#waitedAt = now;
      this.#demand = work.leased + work.waiting;
    } else {
      this.#saturatedSince = now;
    }
    if (!work.shares && !view.stalled) this.#curve.learn(work.completed, work.elapsedMs, work.holdMs, now);
    this.#noise.learn(work, this.use);
    this.#decide(view, work, acts);
    return work.waiting > 0 ? (this.#holds ?? NO_DECISION) : NO_DECISION;
  }

  #decide(view: LimitView, work: ProbedWork, acts: boolean): void {
    const { now, stalled, trouble } = view;
    if (!acts) return this.#release('the probe does not act', now);
    if (trouble !== undefined) return this.#release(trouble, now);
    if (now - this.#waitedAt > GONE_MS) return this.#release('nobody waits any more', now);
    if (this.#isStuck(work)) return this.letGo('callers waited and no lease came back', now);
    if (this.#size < this.#max && this.#isOtherLoad(work)) return this.#tryMore(OTHERWISE * this.#size);
    if (stalled) this.#trial?.disturb();
    else if (this.#trial !== undefined) this.#goOn(this.#trial, work, now);
    else this.#consider(view, work, now);
  }

  /** How long a lease holds its connection with so many as are enough, and with the maximum. */
  get #holds(): LimitDecision | undefined {
    const enough = this.#enough;
    const smartMs = enough === undefined ? undefined : this.#curve.holdMs(enough);
    const plainMs = this.#curve.holdMs(this.#max);
    return smartMs === undefined || plainMs === undefined ? undefined : { smartMs, plainMs };
  }

  report(max: number): LimitReport {
    const better = this.#better(max);
    return {
      size: Math.min(max, this.#size),
      reason: this.#reason,
      trials: this.#trials,
      enough: this.#enough,
      better,
      advice: better === undefined ? undefined : adviceOf(better, max),
    };
  }

  /** Whether a larger maximum would gain nothing. */
  get isEnough(): boolean {
    const elasticity = this.#elasticity;
    return elasticity !== undefined && elasticity < WORTH_RAISING;
  }

  get #enough(): number | undefined {
    return this.#found?.size ?? this.#curve.enough(this.#max);
  }

  /** How throughput grows with the size, by the last trial against the maximum, else by what the load itself has tried. */
  get #elasticity(): number | undefined {
    const tried = this.#found ?? this.#tried;
    if (tried === undefined) return this.#curve.elasticity(this.#max);
    return Math.log(tried.throughputRatio) / Math.log(tried.size / this.#max);
  }

  #better(max: number): BetterMax | undefined {
    const enough = this.#enough;
    const holdRatio = this.#found?.holdRatio ?? ratioOf(this.#holds);
    if (enough !== undefined && enough <= WORTH_LOWERING * max && holdRatio !== undefined) {
      return { max: enough, throughputRatio: this.#found?.throughputRatio ?? 1, holdRatio };
    }
    const elasticity = this.#elasticity;
    if (elasticity === undefined || elasticity < WORTH_RAISING || this.#demand <= max) return undefined;
    const wanted = Math.min(this.#demand, FORESEEABLE * max);
    const throughputRatio = (wanted / max) ** Math.min(1, elasticity);
    return { max: wanted, throughputRatio, holdRatio: wanted / max / throughputRatio };
  }

  #workSince({ now, released, shared, useTimes, leased, waiting }: LimitView): ProbedWork {
    const work = {
      elapsedMs: now - this.#at,
      completed: released - this.#released,
      holdMs: this.#recentHold.next(useTimes),
      leased,
      waiting,
      shares: shared > this.#shared,
    };
    this.#at = now;
    this.#shared = shared;
    this.#released = released;
    return work;
  }

  #begin(max: number, now: number): void {
    this.#max = max;
    this.#found = undefined;
    this.#tried = undefined;
    this.#release('the maximum is another', now);
  }

  #isStuck({ waiting, completed, elapsedMs }: Work): boolean {
    this.#stuckMs = waiting > 0 && completed === 0 && this.use < this.#max ? this.#stuckMs + elapsedMs : 0;
    return this.#stuckMs >= STUCK_MS;
  }

  /** Back to the maximum, and for a while nothing is tried: callers may be holding connections while they wait for others. */
  letGo(reason: string, now: number): void {
    this.#stuckMs = 0;
    this.#release(reason, now);
    this.#nextTrialAt = now + this.#stuckCoolDownMs;
    this.#stuckCoolDownMs = Math.min(2 * this.#stuckCoolDownMs, STUCK_COOL_DOWN_MS.most);
  }

  /** Back to the maximum. */
  #release(reason: string, now: number): void {
    this.#saturatedSince = now;
    if (this.#trial === undefined && this.#size === Number.POSITIVE_INFINITY) return;
    this.#trial = undefined;
    this.#size = Number.POSITIVE_INFINITY;
    this.#reason = reason;
  }

  #consider(view: LimitView, work: ProbedWork, now: number): void {
    if (now - this.#saturatedSince < SATURATED_MS || now < this.#nextTrialAt || work.shares) return;
    if (work.completed * 1_000 < LEAST_PER_SECOND * work.elapsedMs) return;
    if (this.#size < this.#max) return this.#tryMore(Math.ceil(GROW * this.#size));
    this.#found = undefined;
    this.#tryFewer(view.min);
  }

  #tryMore(wanted: number): void {
    const more = Math.min(this.#max, wanted);
    this.#trial = new PairedTrial(this.#size, more, BETTER, this.#noise.deviation);
  }

  #tryFewer(min: number): void {
    const fewer = Math.max(min, LEAST_SIZE, Math.ceil(SHRINKS[this.#boldness]! * this.#max));
    if (fewer < this.#max) this.#trial = new PairedTrial(this.#max, fewer, AS_GOOD, this.#noise.deviation);
  }

  #goOn(trial: PairedTrial, work: Work, now: number): void {
    const verdict = trial.step(work);
    if (verdict === undefined) return;
    this.#trials += 1;
    if (trial.candidate > trial.incumbent) this.#endGrowing(trial, verdict, now);
    else this.#endShrinking(trial, verdict, now);
  }

  #endShrinking(trial: PairedTrial, verdict: Verdict, now: number): void {
    const { candidate, throughputRatio, holdRatio, pairs } = trial;
    const tried = { size: candidate, throughputRatio, holdRatio };
    // The further apart two sizes are, the better they tell how throughput grows.
    if (pairs > 0 && candidate <= (this.#tried?.size ?? candidate)) this.#tried = tried;
    this.#trial = undefined;
    if (verdict === 'incumbent' || holdRatio > SHORTER_HOLD) {
      this.#waitToShrink(now);
      this.#reason = `${candidate} connections did less than ${this.#max}`;
      return;
    }
    this.#found = tried;
    this.#size = candidate;
    this.#boldness = 0;
    this.#usual = undefined;
    this.#shrinkEveryMs = SHRINK_EVERY_MS.least;
    this.#growEveryMs = GROW_EVERY_MS.least;
    this.#nextTrialAt = now + this.#jittered(this.#growEveryMs);
    this.#reason = `${candidate} connections did ${Math.round(100 * throughputRatio)} % of what ${this.#max} did`;
  }

  #endGrowing(trial: PairedTrial, verdict: Verdict, now: number): void {
    this.#trial = undefined;
    if (verdict === 'candidate') {
      this.#found = undefined;
      this.#tried = undefined;
      this.#waitToShrink(now);
      return this.#release(`${trial.candidate} connections did more than ${trial.incumbent}`, now);
    }
    this.#nextTrialAt = now + this.#jittered(this.#growEveryMs);
    this.#growEveryMs = Math.min(2 * this.#growEveryMs, GROW_EVERY_MS.most);
  }

  #waitToShrink(now: number): void {
    this.#boldness = Math.min(this.#boldness + 1, SHRINKS.length - 1);
    this.#nextTrialAt = now + this.#jittered(this.#shrinkEveryMs);
    this.#shrinkEveryMs = Math.min(2 * this.#shrinkEveryMs, SHRINK_EVERY_MS.most);
  }

  #jittered(durationMs: number): number {
    return durationMs * (1 + JITTER * this.#random());
  }

  /** Whether for several steps leases were held, or came back, as they were not when the size was found. */
  #isOtherLoad(work: Work): boolean {
    if (work.completed === 0 || work.holdMs === 0 || work.leased > this.#size) return false;
    const now = { pace: work.completed / work.elapsedMs, holdMs: work.holdMs };
    this.#usual ??= now;
    const usual = this.#usual;
    const isOther = isFarFromOne(now.pace / usual.pace) || isFarFromOne(now.holdMs / usual.holdMs);
    this.#otherSteps = isOther ? this.#otherSteps + 1 : 0;
    if (this.#otherSteps < OTHER_LOAD_STEPS) {
      usual.pace += USUAL_WEIGHT * (now.pace - usual.pace);
      usual.holdMs += USUAL_WEIGHT * (now.holdMs - usual.holdMs);
      return false;
    }
    this.#otherSteps = 0;
    this.#usual = undefined;
    return true;
  }
}

/** By how much, as a share, the throughput of a step is off from that of the step before, the size being the same. */
class Noise {
  #variance = USUAL_NOISE ** 2;
  #pace = 0;
  #use = 0;

  get deviation(): number {
    return Math.sqrt(this.#variance);
  }

  learn({ completed, elapsedMs, waiting }: Work, use: number): void {
    const before = use === this.#use ? this.#pace : 0;
    this.#pace = waiting > 0 ? completed / elapsedMs : 0;
    this.#use = use;
    if (before === 0 || this.#pace === 0) return;
    // Two that are each off by this are apart by its square root of two times as much.
    const squared = Math.log(this.#pace / before) ** 2 / 2;
    this.#variance += NOISE_WEIGHT * (squared - this.#variance);
  }
}

function adviceOf({ max: other, throughputRatio, holdRatio }: BetterMax, max: number): string {
  return other < max
    ? `max ${max} is large: with ${other} connections the database did as much, and each lease held its connection for ` +
        `${Math.round(100 * holdRatio)} % of the time`
    : `max ${max} is small: callers wait while the database does more with every connection; with ${other} it would do up to ` +
        `${throughputRatio.toFixed(1)} times as much, if that goes on`;
}

function ratioOf(holds: LimitDecision | undefined): number | undefined {
  return holds === undefined ? undefined : holds.smartMs / holds.plainMs;
}

function isFarFromOne(ratio: number): boolean {
  return Math.max(ratio, 1 / ratio) > OTHER_LOAD;
}
