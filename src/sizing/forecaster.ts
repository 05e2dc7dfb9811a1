import { BurstAlarm } from './burst-alarm.js';
import { coldWaitMs, keepingMs } from './cost.js';
import { Forbearance, type Queue } from './forbearance.js';
import { Ledger } from './ledger.js';
import { type Observation, STEP_MS } from './observation.js';
import { Seasonal } from './seasonal.js';
import { Trend } from './trend.js';
import { type Gap, LEAST_KEPT_MS, WarmFloor } from './warm-floor.js';

/** Who may ask for connections; the first two need no proof, for without the others the pool does the same. */
export type Expert = 'reactive' | 'floor' | 'seasonal' | 'trend' | 'burst';

/** What the forecaster asks for, and on whose word. */
export interface Forecast {
  /** Connections that should be open; beyond this they are needed no more. */
  readonly target: number;
  /** Connections worth opening before anybody waits for them. */
  readonly ahead: number;
  /** Connections up to this are needed though their idle timeout may be over. */
  readonly protect: number;
  readonly reason: Expert;
}

export interface ForecastListener {
  /** A decision is known to have cost so much, and the plain one would have, in milliseconds of a caller's wait. */
  readonly onDecision: (flag: 'forecaster' | 'seasonal', smartMs: number, plainMs: number) => void;
  /** The season threw; the other experts go on without it. */
  readonly onSeasonFault: (error: unknown) => void;
}

/** Experts are scored over no more steps than this, however slowly connections open. */
const LONGEST_HORIZON_STEPS = 50;

/**
 * Several experts say how many connections will be needed by the time one could be opened. Each is heard while its own
 * record is better than what the pool would have done without it, and the highest word counts.
 */
export class Forecaster {
  readonly #floor: WarmFloor;
  readonly #trend = new Trend();
  readonly #burst = new BurstAlarm();
  readonly #seasonal: Seasonal;
  readonly #useSeasonal: () => boolean;
  readonly #listener: ForecastListener;
  readonly #forbearance = new Forbearance();
  readonly #seasonGate = new Ledger();
  readonly #trendGate = new Ledger();
  readonly #burstGate = new Ledger();
  #periodMs = 0;
  /** What the season said last. */
  #expected = 0;
  /** What was said at the beginning of the stretch that is being scored, and what came of it so far. */
  readonly #said = { open: 0, trend: 0, burst: 0 };
  #stretchMs = 0;
  #peak = 0;
  #load = 0;

  /**
   * @param useSeasonal asked at every step whether the forecast may go by what recurs.
   */
  constructor(now: number, useSeasonal: () => boolean, listener: ForecastListener) {
    this.#listener = listener;
    this.#seasonal = new Seasonal(now);
    this.#useSeasonal = useSeasonal;
    this.#floor = new WarmFloor((gap) => this.#weigh(gap));
  }

  /** Of what recurs, in milliseconds; 0 while nothing is known to. */
  get periodMs(): number {
    return this.#periodMs;
  }

  step(seen: Observation): Forecast {
    this.#score(seen);
    this.#floor.step(seen);
    this.#followSeason(seen);
    const trend = this.#trend.step(seen);
    const burst = this.#burst.step(seen);
    if (this.#stretchMs === 0) Object.assign(this.#said, { open: seen.open, trend, burst });

    const within = (connections: number) => Math.max(seen.min, Math.min(seen.limit, connections));
    const keep = within(this.#floor.kept(seen.now, seen.idleTimeoutMs, this.foreseen));
    let ahead = 0;
    let reason: Expert = keep > seen.peak ? 'floor' : 'reactive';
    const hear = (expert: Expert, says: number, gate: Ledger) => {
      if (says <= ahead || !gate.trusts) return;
      ahead = says;
      if (ahead > keep) reason = expert;
    };
    if (this.#useSeasonal()) hear('seasonal', this.#expected, this.#seasonGate);
    hear('trend', trend, this.#trendGate);
    hear('burst', burst, this.#burstGate);
    const target = within(Math.max(keep, ahead));
    const protect = this.#floor.protectedAt(seen.now, seen.idleTimeoutMs, this.foreseen);
    return {
      target,
      ahead: Math.min(seen.limit, ahead),
      protect: within(Math.max(protect, ahead)),
      reason,
    };
  }

  /** Whether a queue is left to what comes back. */
  forbears(queue: Queue): boolean {
    return this.#forbearance.forbears(queue, this.#floor.missMs(queue.open + 1));
  }

  /** Up to so many connections are the season's care: they need not be kept until they are needed again. */
  get foreseen(): number {
    return this.#useSeasonal() ? this.#wouldForesee : 0;
  }

  /** The same, whether the season may act or only watches. */
  get #wouldForesee(): number {
    return this.#seasonGate.trusts ? this.#seasonal.highest : 0;
  }

  /** When, with nothing happening until then, fewer than the `kept` connections are to stay. */
  fallsAt(kept: number, idleTimeoutMs: number): number {
    return this.#floor.fallsAt(kept, idleTimeoutMs, this.foreseen);
  }

  /** When, with nothing happening until then, more than `level` connections will be asked for. */
  nextAbove(level: number, now: number, connectMs: number): number {
    if (level >= this.foreseen) return Number.POSITIVE_INFINITY;
    return this.#askSeason((season) => season.nextAbove(level, now, connectMs), Number.POSITIVE_INFINITY);
  }

  #askSeason(ask: (season: Seasonal) => number, silent: number): number {
    try {
      return ask(this.#seasonal);
    } catch (error) {
      this.#listener.onSeasonFault(error);
      return silent;
    }
  }

  #weigh({ level, missMs, keptMs, plainMs, seen }: Gap): void {
    const seasonMs = keepingMs(1, LEAST_KEPT_MS) + (this.#expected >= level ? 0 : missMs);
    const { onDecision } = this.#listener;
    const bySeason = level <= this.foreseen;
    const wouldBe = level <= this.#wouldForesee;
    this.#seasonGate.add(seasonMs, keptMs, seen.now);
    if (wouldBe) onDecision('seasonal', seasonMs, keptMs);
    onDecision('forecaster', bySeason ? seasonMs : keptMs, plainMs);
  }

  #followSeason(seen: Observation): void {
    const idle = Math.max(0, Math.min(this.#expected, seen.limit) - seen.peak);
    if (idle > 0 && !seen.stalled) {
      const idleMs = keepingMs(idle, Math.min(seen.elapsedMs, LEAST_KEPT_MS));
      if (this.#seasonGate.trusts) this.#listener.onDecision('seasonal', idleMs, 0);
      this.#seasonGate.add(idleMs, 0, seen.now);
    }
    this.#expected = this.#askSeason((season) => season.step(seen), 0);
    // A period a slot longer or shorter is the same one, seen better.
    if (Math.abs(this.#seasonal.periodMs - this.#periodMs) > this.#periodMs / 8) this.#seasonGate.clear();
    this.#periodMs = this.#seasonal.periodMs;
  }

  /** A stretch is as long as a connection takes to open; what was said at its beginning is held against what came. */
  #score(seen: Observation): void {
    if (seen.stalled) {
      this.#stretchMs = 0;
      return;
    }
    if (this.#stretchMs === 0) {
      this.#peak = 0;
      this.#load = 0;
    }
    this.#stretchMs += seen.elapsedMs;
    this.#peak = Math.max(this.#peak, seen.peak);
    this.#load = Math.max(this.#load, seen.load);
    const horizon = Math.min(LONGEST_HORIZON_STEPS, Math.ceil((seen.connectMs + STEP_MS) / STEP_MS));
    // Steps are a little longer or shorter than STEP_MS: half a one more or less is the same stretch.
    if (this.#stretchMs < (horizon - 0.5) * STEP_MS) return;
    this.#stretchMs = 0;
    const { holdMs, connectMs, limit, now } = seen;
    const came = { peak: Math.min(this.#peak, limit), load: Math.min(this.#load, limit), holdMs, connectMs };
    const { open, trend, burst } = this.#said;
    const naiveMs = coldWaitMs(came, open);
    const judge = (says: number, gate: Ledger) => {
      const warm = Math.min(says, limit);
      if (warm <= open) return;
      const idle = Math.max(0, warm - Math.max(open, came.peak));
      gate.add(coldWaitMs(came, warm) + keepingMs(idle, LEAST_KEPT_MS), naiveMs, now);
    };
    judge(trend, this.#trendGate);
    judge(burst, this.#burstGate);
  }
}
