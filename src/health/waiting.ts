import type { FleetReport } from '../fleet/member.js';
import { type Slot, SlotState } from '../slots.js';
import type { PoolStats } from '../stats.js';
import { FAILURES, type FailurePattern, type Mitigation } from './failure.js';
import { describeHolders } from './holders.js';
import { describeNested, type NestedAcquires } from './nesting.js';

/** That a younger lease runs nothing is no wonder: it is between two statements. */
const IN_HAND_MS = 1_000;

/** What is known of a pool in which somebody waited in vain. */
export interface Predicament<C> {
  readonly stats: PoolStats;
  readonly slots: Iterable<Slot<C>>;
  /** Why the latest connection could not be opened; undefined where it could. */
  readonly openFailure: { readonly error: unknown; readonly pattern: FailurePattern } | undefined;
  /** How many connections the server is known to grant; infinite while it has refused none. */
  readonly granted: number;
  readonly fleet: Pick<FleetReport, 'budget' | 'share'> | undefined;
  readonly nested: Pick<NestedAcquires<unknown>, 'held' | 'stuckMs'> | undefined;
  /** 0 where leases are not looked at for leaks. */
  readonly leakThresholdMs: number;
  /** For how long no byte has come on a connection that owes an answer; 0 when that is not unusual, or nobody can tell. */
  readonly silentMs: (slot: Slot<C>) => number;
  /** Whether it owes no answer; false where nobody can tell. */
  readonly isAtRest: (slot: Slot<C>) => boolean;
}

/** What to try where connections cannot be opened. */
const TRY: Partial<Record<Mitigation, string>> = {
  hold: 'look whether it runs and what stands in between; the pool goes on by itself once it answers',
  refuse: 'set that right in the configuration or on the server, which is asked again twice a minute',
  spare: 'relieve it, or send less',
};
const TRY_FULL =
  "close what other clients hold there, lower max or let all processes share a budget, or raise the server's own limit";

/**
 * What keeps those who wait, and what to try, as the middle of a sentence. First what is certain: callers who block each other,
 * connections that cannot be opened; then what most of the held ones have in common; then who bounds how many there are.
 */
export function causeOfWaiting<C>(it: Predicament<C>, now: number): string {
  const { stats, openFailure, nested } = it;
  if (nested !== undefined) return describeNested(nested);
  const isFull = openFailure !== undefined && FAILURES[openFailure.pattern].mitigation === 'limit';
  if (openFailure !== undefined && !isFull) return describeOpenFailure(openFailure);
  const bound = boundOf(it);
  if (stats.leased >= bound.most) return describeHeld(it, bound, now);
  if (isFull) {
    const beside = stats.leased > 0 ? ` beside the ${stats.leased} that are held` : '';
    return `the server has no connection to spare${beside} (${wordsOf(openFailure.error)}); ${TRY_FULL}`;
  }
  return stats.opening > 0
    ? `connections are slow to open (${stats.opening} on their way): look at the server and the network`
    : 'connections are being checked, warmed or closed';
}

function describeOpenFailure({ error, pattern }: NonNullable<Predicament<unknown>['openFailure']>): string {
  const { mitigation, what } = FAILURES[pattern];
  const advice = TRY[mitigation];
  return `connections cannot be opened (${wordsOf(error)})${advice === undefined ? '' : `: ${what}; ${advice}`}`;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Who says how many connections there may be. */
interface Bound {
  readonly most: number;
  /** Those connections, as the beginning of a sentence. */
  readonly which: string;
  /** How many they are, where it is not the user who says so. */
  readonly howMany: string;
  /** What gives room, where nothing is wrong with those who hold them. */
  readonly advice: string;
}

function boundOf<C>({ stats, granted, fleet }: Predicament<C>): Bound {
  const { max, limit } = stats;
  const share = fleet?.share ?? max;
  if (granted < Math.min(max, share))
    return {
      most: Math.max(1, granted),
      which: 'all connections that the server grants this pool',
      howMany: ` (${granted} of its ${max})`,
      advice: TRY_FULL,
    };
  if (fleet !== undefined && share < max)
    return {
      most: share,
      which: 'all connections that the fleet leaves this pool',
      howMany: ` (${share} of its ${max}, out of a budget of ${fleet.budget})`,
      advice: 'raise the budget, or send less',
    };
  return {
    most: limit,
    which: 'all connections',
    howMany: '',
    advice: 'look for slow queries or leases that are not released, or raise max',
  };
}

function describeHeld<C>(it: Predicament<C>, { which, howMany, advice }: Bound, now: number): string {
  const held = [...it.slots].filter(({ state }) => state === SlotState.leased);
  const common = inCommon(it, held, now);
  const what = common === undefined ? '' : `, ${common.count} of ${held.length} ${common.how}`;
  return `${which} are held${howMany}${what}: ${describeHolders(held, now)}; ${common?.advice ?? advice}`;
}

interface InCommon {
  readonly count: number;
  readonly how: string;
  readonly advice: string;
}

/** What more of those who hold connections have in common than anything else; undefined when it is that they work. */
function inCommon<C>(it: Predicament<C>, held: readonly Slot<C>[], now: number): InCommon | undefined {
  const { leakThresholdMs } = it;
  let [silent, longestMs, leaked, resting, working] = [0, 0, 0, 0, 0];
  for (const slot of held) {
    const silentMs = it.silentMs(slot);
    longestMs = Math.max(longestMs, silentMs);
    if (silentMs > 0) silent += 1;
    else if (leakThresholdMs > 0 && now - slot.leasedAt >= leakThresholdMs) leaked += 1;
    else if (now - slot.leasedAt >= IN_HAND_MS && it.isAtRest(slot)) resting += 1;
    else working += 1;
  }
  const most = Math.max(silent, leaked, resting, working);
  if (silent === most && silent > 0)
    return {
      count: silent,
      how: `with an answer owed and no byte come for up to ${Math.round(longestMs)} ms`,
      advice: 'look for locks and long statements on the server, then for a network that drops packets',
    };
  if (leaked === most && leaked > 0)
    return {
      count: leaked,
      how: `for longer than leakThresholdMs (${leakThresholdMs} ms)`,
      advice: 'release each lease in a finally block; the pool’s report (leaks) tells who took those',
    };
  if (resting > working)
    return {
      count: resting,
      how: 'by holders who run nothing on them now',
      advice:
        'look for leases that are not released and for other work inside transactions; ' +
        'leakThresholdMs tells who took those that are held for long',
    };
  return undefined;
}
