import type { ResolvedOptions } from '../config.js';
import type { Histogram } from '../histogram.js';
import type { OptimizationName } from '../rollout/flags.js';
import { patienceOf, type Queue, soonMs } from './forbearance.js';
import { type Expert, type Forecast, Forecaster, type ForecastListener } from './forecaster.js';
import { type Observation, STEP_MS } from './observation.js';
import type { Openings } from './openings.js';
import { Policies, type Policy } from './policy.js';
import { type QueryMix, QueryMixClass } from './query-mix.js';
import { RecentMean } from './recent-mean.js';
import { Usage, type UsageReport } from './usage.js';
import { History, type WhatIf } from './what-if.js';
import { type Workload, type WorkloadChange, WorkloadClass } from './workload.js';

/** What a pool knows when its upkeep comes round. */
export interface PoolView {
  readonly now: number;
  /** Until when nothing came and went since the last observation; long past when something did from the start. */
  readonly restedUntil: number;
  /** The most leased connections and queued callers at once since the last observation, and those now. */
  readonly peak: number;
  readonly demand: number;
  /** Callers who came, ever. */
  readonly arrivals: number;
  readonly open: number;
  /** The upper bound now in force. */
  readonly limit: number;
  readonly useTimes: Histogram;
  readonly createTimes: Histogram;
  readonly options: ResolvedOptions;
}

const SCALE_DOWN_INTERVAL_MS = 1_000;
/** At most one connection, or this share of them, is scaled down a second. */
const SCALE_DOWN_SHARE = 0.1;
/** While it is at rest and callers are foreseen, a pool looks around this often. */
export const EXPECTANT_INTERVAL_MS = 400;
const HOLD_WEIGHT = 0.1;
/** A queue that is left to what comes back is looked at again after so long at the earliest. */
const REVIEW_MS = 5;
/** Until one was opened: neither a local socket nor the other side of the world. */
const ASSUMED_CONNECT_MS = 50;
/** What was counted over a longer gap says nothing about the pace. */
const LONGEST_STEP_MS = 1_000;

/** What the forecast says at one instant. */
export interface Outlook {
  /** Connections that should be open. */
  readonly target: number;
  /** How callers come. */
  readonly workload: Workload;
  /** How long they hold their connections. */
  readonly mix: QueryMix;
}

/** What `report()` tells of how many connections a pool has. */
export interface SizingReport extends Pick<Outlook, 'workload' | 'mix'> {
  /** On whose word the target is what it is. */
  readonly reason: Expert;
  /** Of what recurs, in milliseconds; 0 while nothing is known to. */
  readonly periodMs: number;
  /** What other maxima would have meant; undefined while too little was seen. */
  readonly whatIf: WhatIf | undefined;
  readonly usage: UsageReport;
}

export interface SizingListener extends ForecastListener {
  readonly onWorkload: (change: WorkloadChange) => void;
}

/** How many connections a pool should have: makes observations of what the pool counts, and asks the forecaster. */
export class Sizing {
  readonly #openings: Openings;
  readonly history = new History();
  readonly #workload = new WorkloadClass();
  readonly #mix = new QueryMixClass();
  readonly #policies = new Policies();
  readonly #listener: SizingListener;
  readonly #forecaster: Forecaster;
  readonly #usage = new Usage();
  #forecast: Forecast = { target: 0, ahead: 0, protect: 0, reason: 'reactive' };
  #limit = 0;
  #demand = 0;
  #arrivals = 0;
  #observedAt: number;
  readonly #recentHold = new RecentMean();
  #holdMs = 0;
  #creates = 0;
  #connectMs = ASSUMED_CONNECT_MS;
  #scaledDownAt: number;

  /**
   * @param acting the live table of which optimisations act.
   */
  constructor(
    acting: Readonly<Record<OptimizationName, boolean>>,
    openings: Openings,
    now: number,
    listener: SizingListener,
  ) {
    this.#listener = listener;
    this.#openings = openings;
    this.#forecaster = new Forecaster(now, () => acting.seasonal, listener);
    this.#observedAt = now;
    this.#scaledDownAt = now;
  }

  get forecast(): Forecast {
    return this.#forecast;
  }

  /**
   * @param each how many leases each timed one stands for.
   * @param mayGain whether the database may be as fast with more connections.
   */
  report(now: number, { max, idleTimeoutMs }: ResolvedOptions, each: number, mayGain: boolean): SizingReport {
    const { workload, mix } = this.outlook(now);
    return {
      reason: this.#forecast.reason,
      workload,
      mix,
      periodMs: this.#forecaster.periodMs,
      whatIf: this.history.replay(max, idleTimeoutMs, each, mayGain),
      usage: this.#usage.report(now),
    };
  }

  outlook(now: number): Outlook {
    return { target: this.#forecast.target, workload: this.#workload.at(now), mix: this.#mix.current };
  }

  get policy(): Policy {
    return this.#policies.current;
  }

  /** How many more connections may begin to open ahead of demand, `opening` being on their way. */
  openingRoom(opening: number): number {
    return this.policy.opensFreely ? Number.POSITIVE_INFINITY : this.#openings.room(opening);
  }

  /**
   * When a queue is to be looked at again that is left to what comes back; undefined where a connection is to be opened for it now, as
   * always where leases differ so much that their mean says nothing of the next.
   * @param leasedLately how many leases are out that began within so many milliseconds, and will come back to the pool.
   */
  forbearsUntil(
    queue: Omit<Queue, 'holdMs' | 'connectMs' | 'leased'>,
    leasedLately: (withinMs: number) => number,
  ): number | undefined {
    const [holdMs, connectMs] = [this.#holdMs, this.#connectMs];
    if (holdMs === 0 || this.#mix.current !== 'oltp') return undefined;
    const leased = leasedLately(soonMs(holdMs, connectMs));
    if (!this.#forecaster.forbears({ ...queue, leased, holdMs, connectMs })) return undefined;
    return queue.now + Math.max(REVIEW_MS, patienceOf(connectMs) - queue.waitedMs);
  }

  /** When it last observed. */
  get observedAt(): number {
    return this.#observedAt;
  }

  /** False when it is too early for another observation: what was counted goes into the next. */
  observe(view: PoolView): boolean {
    const { now, restedUntil, demand } = view;
    if (restedUntil > this.#observedAt) this.#step(view, restedUntil, this.#demand, 0, true);
    if (now - this.#observedAt < STEP_MS / 2) return restedUntil === now;
    this.#learn(view);
    this.#step(view, now, Math.max(view.peak, demand), Math.max(0, view.arrivals - this.#arrivals), false);
    this.#demand = demand;
    this.#arrivals = view.arrivals;
    return true;
  }

  /** How many of `open` connections may be closed now because they are needed no more. */
  surplus(open: number, now: number): number {
    const surplus = open - this.#forecast.target;
    if (surplus <= 0 || !this.policy.scalesDown) {
      this.#scaledDownAt = now;
      return 0;
    }
    const perSecond = Math.max(1, SCALE_DOWN_SHARE * open);
    const allowed = Math.floor(((now - this.#scaledDownAt) * perSecond) / 1_000);
    if (allowed > 0) this.#scaledDownAt = now;
    return Math.min(surplus, allowed);
  }

  /** When a pool at rest with `open` connections, of which `min` stay in any case, has to be looked at again. */
  nextDueAt(open: number, { min, idleTimeoutMs }: ResolvedOptions, now: number): number {
    const { target, ahead } = this.#forecast;
    // Those that will be leased are asked before whether they are alive, so also where enough are open.
    const expectedAt =
      ahead > this.#demand ? now : this.#forecaster.nextAbove(this.#demand, now, this.#connectMs);
    let dueAt = Math.max(expectedAt, now + EXPECTANT_INTERVAL_MS);
    if (open < this.#limit) dueAt = Math.min(dueAt, this.#forecaster.nextAbove(open, now, this.#connectMs));
    if (open > min && idleTimeoutMs > 0) {
      const fallsAt =
        open > target ? now + SCALE_DOWN_INTERVAL_MS : this.#forecaster.fallsAt(target, idleTimeoutMs);
      dueAt = Math.min(dueAt, fallsAt);
    }
    return Math.max(dueAt, now + STEP_MS);
  }

  #learn({ useTimes, createTimes }: PoolView): void {
    const holdMs = this.#recentHold.next(useTimes);
    if (holdMs > 0) this.#holdMs += (this.#holdMs === 0 ? 1 : HOLD_WEIGHT) * (holdMs - this.#holdMs);
    if (createTimes.count > this.#creates) {
      this.#creates = createTimes.count;
      this.#connectMs = createTimes.quantile(0.95);
    }
  }

  #classify(seen: Observation, useTimes: Histogram): void {
    const change = this.#workload.step(seen, this.#forecaster.foreseen > 0);
    if (change !== undefined) this.#listener.onWorkload(change);
    const from = this.#mix.step(seen.now, useTimes);
    if (from !== undefined) this.#listener.onWorkload({ axis: 'mix', from, to: this.#mix.current });
    const shape = this.#workload.isKnown ? this.#workload.at(seen.now) : undefined;
    this.#policies.step(shape, this.#mix.current, seen.now);
  }

  #step(view: PoolView, at: number, peak: number, arrivals: number, atRest: boolean): void {
    const elapsedMs = at - this.#observedAt;
    if (elapsedMs <= 0) return;
    const { min, idleTimeoutMs } = view.options;
    this.#limit = view.limit;
    this.#observedAt = at;
    const seen = {
      now: at,
      elapsedMs,
      atRest,
      stalled: !atRest && elapsedMs > LONGEST_STEP_MS,
      peak,
      load: (arrivals * this.#holdMs) / Math.max(elapsedMs, STEP_MS / 2),
      arrivals,
      open: view.open,
      holdMs: this.#holdMs,
      connectMs: this.#connectMs,
      min,
      limit: view.limit,
      idleTimeoutMs: idleTimeoutMs || Number.POSITIVE_INFINITY,
      unprovenMs: this.policy.unprovenMs,
    };
    this.#usage.step(seen);
    this.#forecast = this.#forecaster.step(seen);
    this.#classify(seen, view.useTimes);
  }
}
