import { Block, type BlockMeasures, type Totals } from './block.js';
import {
  acts,
  type FlagSetting,
  type Flags,
  OPTIMIZATION_NAMES,
  type OptimizationName,
  QUERY_READERS,
  WEIGHED_BY_REGRET,
} from './flags.js';
import { Case } from './guardrails.js';

/** A block lasts so long at least, and until so many leases were given, but not for ever. */
const BLOCK_MS = 1_000;
const BLOCK_LEASES = 8;
const LONGEST_BLOCK_MS = 15_000;
/** The upkeep comes round about so often. */
const UPKEEP_MS = 100;
/** What one arrangement left behind is not counted against the next. */
const SETTLING_MS = 100;

/** Pairs after which an optimisation that nothing was proven against is accepted, and its case renewed. */
const PAIRS_OF_A_TRIAL = 14;
/** An accepted one is still without work for one block in so much time. */
const WATCH_EVERY_MS = 60_000;

const NOBODY: readonly number[] = [];

const COOL_DOWN_MS = 600_000;
const REVERTS_UNTIL_GIVEN_UP = 3;

/** Extra cost by which a decision may exceed the plain one's before it is taken back, and over how much. */
const REGRET_RATIO = 1.25;
const REGRET_DECISIONS = 100;

/** Where a flag stands. `off`, `shadow` and `on` are the user's word; the others are stages of `auto`. */
export type FlagStage = 'off' | 'shadow' | 'on' | 'trial' | 'accepted' | 'reverted' | 'given_up';

/** What is told of one flag. */
export interface FlagReport {
  readonly name: OptimizationName;
  readonly stage: FlagStage;
  /** Whether it acts at this instant. */
  readonly acting: boolean;
  /** Share of the pool's time in which it acted. */
  readonly exposure: number;
  /** Cost of its decisions above the plain ones', in the unit of the decision; negative is a gain. */
  readonly regret: number;
  readonly reverts: number;
  /** Why it was reverted last. */
  readonly reason: string | undefined;
}

/** A flag moved from one stage to another. */
export interface FlagChange {
  readonly name: OptimizationName;
  readonly from: FlagStage;
  readonly to: FlagStage;
  readonly reason: string;
}

interface FlagState {
  readonly name: OptimizationName;
  stage: FlagStage;
  against: Case;
  renewals: number;
  reverts: number;
  reason: string | undefined;
  retryAt: number;
  watchedAt: number;
  /** Whether the pair that runs has the optimisation in its first block; undefined while it takes no part. */
  smartFirst: boolean | undefined;
  actedMs: number;
  plainCost: number;
  smartCost: number;
  decisions: number;
  regret: number;
}

/**
 * Lets optimisations prove themselves. While one of `auto` is on trial, pairs of blocks run with it and without it, in an
 * order drawn by chance, each flag's apart from the others': what differs between the blocks of a pair for any other reason
 * is then as often for it as against it. One that is proven to make a guardrail worse is taken back at once, for ten
 * minutes, then twenty; after the third time for good. (Switchback experiments; issue 8.)
 */
export class Rollout {
  /** Which optimisations act now; read at every decision. */
  readonly acting: Record<OptimizationName, boolean>;
  /** Which optimisations act, or may come to act, or decide in shadow: the others need no work at all. */
  readonly attended: Record<OptimizationName, boolean>;
  /** Whether one of those goes by the queries. */
  readsQueries = false;
  readonly #states: readonly FlagState[];
  readonly #random: () => number;
  readonly #readers: readonly OptimizationName[];
  readonly #block = new Block();
  readonly #changes: FlagChange[] = [];
  #first: BlockMeasures | undefined = undefined;
  #inPair = false;
  #settling = true;
  #beganAt: number;
  #blockAt: number;
  #tickAt: number;

  /** `readers`: which of those that go by the queries can act here. */
  constructor(
    flags: Flags,
    random: () => number,
    now: number,
    readers: readonly OptimizationName[] = QUERY_READERS,
  ) {
    this.#random = random;
    this.#readers = readers;
    this.#beganAt = now;
    this.#blockAt = now;
    this.#tickAt = now;
    this.acting = {} as Record<OptimizationName, boolean>;
    this.attended = {} as Record<OptimizationName, boolean>;
    this.#states = OPTIMIZATION_NAMES.map((name) => {
      const setting = flags[name];
      this.acting[name] = acts(setting);
      return newState(name, setting === 'auto' ? 'trial' : setting, now);
    });
    for (const state of this.#states) this.#attend(state);
    this.#startPair(now, { leases: 0, failed: 0, faults: 0, opened: 0 });
  }

  /** Whether there is anything to measure. */
  get onProbation(): boolean {
    return this.#states.some(
      ({ stage }) => stage === 'trial' || stage === 'accepted' || stage === 'reverted',
    );
  }

  /** Of a wait that began before the block that part counts which lies in it. */
  recordWait(waitedMs: number): void {
    if (!this.#settling) this.#block.recordWait(Math.min(waitedMs, this.#tickAt - this.#blockAt + UPKEEP_MS));
  }

  /** `ratio`: how long it was held over what the same query took before. */
  recordHold(ratio: number): void {
    if (!this.#settling) this.#block.recordHold(ratio);
  }

  /** Compares a decision with the plain one: what each cost, in the same unit. */
  recordRegret(name: OptimizationName, smartCost: number, plainCost: number): void {
    const state = this.#state(name);
    state.regret += smartCost - plainCost;
    state.smartCost += smartCost;
    state.plainCost += plainCost;
    state.decisions += 1;
  }

  /** The user's new word for a flag. `auto` begins with a trial, and forgets earlier reverts. */
  set(name: OptimizationName, setting: FlagSetting, now: number): void {
    const state = this.#state(name);
    const to = setting === 'auto' ? 'trial' : setting;
    if (state.stage === to) return;
    state.reverts = 0;
    state.reason = undefined;
    state.against = new Case();
    state.watchedAt = now;
    state.smartFirst = undefined;
    this.acting[name] = acts(setting);
    this.#move(state, to, 'it was set');
  }

  /** An exception in an optimisation, or a broken promise of the pool: it is taken back at once. */
  trip(name: OptimizationName, reason: string, now: number): void {
    const state = this.#state(name);
    if (state.stage === 'trial' || state.stage === 'accepted') this.#revert(state, reason, now);
  }

  /**
   * The upkeep's part.
   * @param queuedAt when those who wait now joined the queue: a block in which nobody is served is not a good one.
   * @returns what changed since the last one.
   */
  tick(
    now: number,
    totals: Totals,
    lateMs: number,
    queuedAt: readonly number[] = NOBODY,
  ): readonly FlagChange[] {
    const elapsedMs = now - this.#tickAt;
    this.#tickAt = now;
    for (const state of this.#states) {
      if (this.acting[state.name]) state.actedMs += elapsedMs;
      this.#weighRegret(state, now);
      if (state.stage === 'reverted' && now >= state.retryAt)
        this.#move(state, 'trial', 'its cool-down is over');
    }
    if (this.#settling && now - this.#blockAt >= SETTLING_MS) {
      this.#settling = false;
      this.#block.start(totals);
    }
    this.#block.recordLag(lateMs);
    if (this.#blockIsOver(now, totals, queuedAt.length > 0)) {
      for (const at of queuedAt) this.#block.recordWait(now - Math.max(at, this.#blockAt));
      this.#endBlock(now, totals);
    }
    return this.#changes.splice(0);
  }

  report(): FlagReport[] {
    const livedMs = Math.max(1, this.#tickAt - this.#beganAt);
    return this.#states.map(({ name, stage, actedMs, regret, reverts, reason }) => ({
      name,
      stage,
      acting: this.acting[name],
      exposure: actedMs / livedMs,
      regret,
      reverts,
      reason,
    }));
  }

  #state(name: OptimizationName): FlagState {
    return this.#states.find((state) => state.name === name)!;
  }

  #blockIsOver(now: number, totals: Totals, someoneWaits: boolean): boolean {
    if (this.#settling) return false;
    const lastedMs = now - this.#blockAt;
    if (lastedMs >= LONGEST_BLOCK_MS) return true;
    return lastedMs >= BLOCK_MS && (someoneWaits || this.#block.leasesSince(totals) >= BLOCK_LEASES);
  }

  #endBlock(now: number, totals: Totals): void {
    const measures = this.#block.end(totals);
    if (!this.#inPair) {
      this.#startPair(now, totals);
    } else if (this.#first === undefined) {
      this.#first = measures;
      this.#arrange((state) => state.smartFirst === false);
      this.#startBlock(now, totals);
    } else {
      this.#judge(this.#first, measures, now);
      this.#startPair(now, totals);
    }
  }

  #judge(first: BlockMeasures, second: BlockMeasures, now: number): void {
    for (const state of this.#states) {
      if (state.smartFirst === undefined) continue;
      state.against.add(
        ...((state.smartFirst ? [first, second] : [second, first]) as [BlockMeasures, BlockMeasures]),
      );
      state.watchedAt = now;
      const guardrail = state.against.verdict();
      if (guardrail !== undefined) {
        this.#revert(
          state,
          `${guardrail} was worse with it over ${state.against.pairs} pairs of blocks`,
          now,
        );
      } else if (state.against.pairs >= PAIRS_OF_A_TRIAL) {
        state.renewals += 1;
        state.against = new Case(state.renewals);
        if (state.stage === 'trial') this.#move(state, 'accepted', 'no guardrail got worse');
      }
    }
  }

  #startPair(now: number, totals: Totals): void {
    for (const state of this.#states) {
      state.smartFirst = this.#takesPart(state, now) ? this.#random() < 0.5 : undefined;
    }
    this.#inPair = this.#states.some(({ smartFirst }) => smartFirst !== undefined);
    this.#first = undefined;
    this.#arrange(({ smartFirst }) => smartFirst === true);
    this.#startBlock(now, totals);
  }

  #takesPart({ name, stage, against, watchedAt }: FlagState, now: number): boolean {
    if (WEIGHED_BY_REGRET.includes(name)) return false;
    if (stage === 'trial') return true;
    return stage === 'accepted' && (against.suspicious || now - watchedAt >= WATCH_EVERY_MS);
  }

  #arrange(isSmart: (state: FlagState) => boolean): void {
    for (const state of this.#states) {
      this.acting[state.name] = state.smartFirst === undefined ? actsAlone(state) : isSmart(state);
    }
  }

  #startBlock(now: number, totals: Totals): void {
    this.#blockAt = now;
    this.#settling = true;
    this.#block.start(totals);
  }

  #weighRegret(state: FlagState, now: number): void {
    if (state.decisions < REGRET_DECISIONS) return;
    const { smartCost, plainCost } = state;
    state.decisions = 0;
    state.smartCost = 0;
    state.plainCost = 0;
    if (state.stage !== 'trial' && state.stage !== 'accepted') return;
    if (smartCost > REGRET_RATIO * plainCost + REGRET_DECISIONS) {
      this.#revert(state, `its decisions cost ${ratioOf(smartCost, plainCost)} times the plain ones`, now);
    } else if (state.stage === 'trial' && WEIGHED_BY_REGRET.includes(state.name)) {
      this.#move(state, 'accepted', 'its decisions cost no more than the plain ones');
    }
  }

  #revert(state: FlagState, reason: string, now: number): void {
    state.reverts += 1;
    state.reason = reason;
    state.against = new Case(state.renewals + state.reverts);
    state.smartFirst = undefined;
    state.retryAt = now + COOL_DOWN_MS * 2 ** (state.reverts - 1);
    this.acting[state.name] = false;
    this.#move(state, state.reverts >= REVERTS_UNTIL_GIVEN_UP ? 'given_up' : 'reverted', reason);
  }

  #move(state: FlagState, to: FlagStage, reason: string): void {
    this.#changes.push({ name: state.name, from: state.stage, to, reason });
    state.stage = to;
    this.#attend(state);
  }

  #attend({ name, stage }: FlagState): void {
    this.attended[name] = stage !== 'off' && stage !== 'given_up';
    this.readsQueries = this.#readers.some((reader) => this.attended[reader]);
  }
}

/** Whether one that takes no part in a pair acts. */
function actsAlone({ name, stage }: FlagState): boolean {
  return stage === 'on' || stage === 'accepted' || (stage === 'trial' && WEIGHED_BY_REGRET.includes(name));
}

function newState(name: OptimizationName, stage: FlagStage, now: number): FlagState {
  return {
    name,
    stage,
    against: new Case(),
    renewals: 0,
    reverts: 0,
    reason: undefined,
    retryAt: Number.POSITIVE_INFINITY,
    watchedAt: now,
    smartFirst: undefined,
    actedMs: 0,
    plainCost: 0,
    smartCost: 0,
    decisions: 0,
    regret: 0,
  };
}

function ratioOf(smartCost: number, plainCost: number): string {
  return plainCost > 0 ? (smartCost / plainCost).toFixed(1) : 'infinitely many';
}
