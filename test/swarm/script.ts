import { seeded } from '../../bench/statistics.js';
import type { OptimizationFlags, PoolOptions } from '../../src/index.js';
import { BUILT_OPTIMIZATIONS } from '../../src/rollout/flags.js';

/** What happens in a run, and when. */
export type Happening = { readonly atMs: number } & (
  | {
      readonly kind: 'call';
      /** Alone on the machine. */
      readonly workMs: number;
      readonly sql: string;
      readonly ends: 'ok' | 'failed' | 'dirty' | 'leaked';
      readonly deadlineMs?: number;
      readonly abortAfterMs?: number;
      /** Needs another connection before it is done. */
      readonly nests?: boolean;
      /** Tries to share a connection first. */
      readonly shares?: boolean;
      /** The name of the statement, where it is prepared. */
      readonly statement?: string;
      /** Nobody may have its connection any more before that has answered. */
      readonly leavesDoubt?: boolean;
    }
  | { readonly kind: 'down'; readonly forMs: number }
  | { readonly kind: 'slow opens'; readonly forMs: number; readonly openMs: number }
  | { readonly kind: 'full'; readonly forMs: number; readonly limit: number }
  | { readonly kind: 'kill'; readonly share: number }
  /** A share of what is open carries nothing any more, and ends after so long. */
  | { readonly kind: 'mute'; readonly share: number; readonly forMs: number }
  /** The server's name leads elsewhere; for so long it cannot be looked up. */
  | { readonly kind: 'move'; readonly hiddenMs: number }
  | { readonly kind: 'stall'; readonly forMs: number }
  | { readonly kind: 'isolate'; readonly forMs: number; readonly waiting: 'hold' | 'reject' }
  | { readonly kind: 'resize'; readonly max: number; readonly min: number }
);

/** All that a run is made of: the same script gives the same run, to the last event. */
export interface Script {
  readonly seed: number;
  readonly options: PoolOptions & { readonly max: number };
  readonly flags: OptimizationFlags;
  /** Statements at work at once beyond which each takes longer. */
  readonly knee: number;
  readonly openMs: number;
  /** Whether connections that nobody waits for are warmed. */
  readonly warms: boolean;
  /** In the order of time. */
  readonly happenings: readonly Happening[];
}

/** Faults are over by then, calls soon after. */
export const QUIET_AFTER_MS = 8_000;
const LASTS_MS = 10_000;

const QUERIES = ['SELECT a FROM point WHERE id = 1', 'SELECT sum(a) FROM big', 'UPDATE t SET a = 1', 'BEGIN'];
const SETTINGS = ['off', 'shadow', 'on', 'auto'] as const;

/** Any configuration, workload and bad luck. */
export function scriptOf(seed: number): Script {
  const random = seeded(seed);
  const below = (most: number) => random() * most;
  const whole = (least: number, most: number) => least + Math.floor(below(most - least + 1));
  const one = <T>(among: readonly T[]): T => among[Math.floor(below(among.length))]!;
  const max = one([1, 2, 3, 5, 8, 20]);
  const options = {
    max,
    min: Math.min(max, one([0, 0, 1, 4])),
    acquireTimeoutMs: one([0, 50, 400, 5_000]),
    openTimeoutMs: one([100, 1_000]),
    checkTimeoutMs: one([50, 500]),
    closeTimeoutMs: one([50, 500]),
    checkAfterIdleMs: one([0, 20, 500]),
    idleTimeoutMs: one([0, 100, 2_000]),
    maxLifetimeMs: one([0, 0, 0, 1_500]),
    maxUses: one([0, 0, 0, 7]),
    maxWaiters: one([0, 40]),
    openRetryMs: one([0, 0, 30]),
    leakThresholdMs: one([0, 300]),
  };
  const flags = {
    ...Object.fromEntries(BUILT_OPTIMIZATIONS.map((name) => [name, one(SETTINGS)])),
    // What they find is seldom: half of the pools look for it.
    stallWatchdog: one([...SETTINGS, 'on', 'on'] as const),
    addressWatch: one([...SETTINGS, 'on', 'on'] as const),
  };
  const [knee, openMs] = [whole(1, 12), one([1, 5, 40])];
  const happenings = [...calls(random), ...faults(random, whole(0, 6), max)];
  return {
    seed,
    options: { ...options, warmTimeoutMs: one([50, 500]) },
    flags,
    knee,
    openMs,
    warms: one([false, true]),
    happenings: happenings.sort((before, after) => before.atMs - after.atMs),
  };
}

/** Steady, and now and then many at once. */
function calls(random: () => number): Happening[] {
  const perSecond = 1 + 80 * random();
  const slowShare = random() < 0.5 ? 0 : 0.3 * random();
  const burstEveryMs = random() < 0.5 ? Number.POSITIVE_INFINITY : 500 + 3_000 * random();
  const list: Happening[] = [];
  const call = (atMs: number) => {
    const isSlow = random() < slowShare;
    const ends = random();
    list.push({
      atMs,
      kind: 'call',
      workMs: isSlow ? 50 + 300 * random() : 0.5 + 8 * random(),
      sql: isSlow ? QUERIES[1]! : QUERIES[Math.floor(random() * QUERIES.length)]!,
      ends: ends < 0.85 ? 'ok' : ends < 0.93 ? 'failed' : ends < 0.995 ? 'dirty' : 'leaked',
      ...(random() < 0.1 ? { deadlineMs: 1 + 200 * random() } : {}),
      ...(random() < 0.05 ? { abortAfterMs: 50 * random() } : {}),
      ...(random() < 0.02 ? { nests: true } : {}),
      ...(random() < 0.2 ? { shares: true } : {}),
      ...(random() < 0.2 ? { statement: `s${Math.floor(4 * random())}` } : {}),
      ...(random() < 0.02 ? { leavesDoubt: true } : {}),
    });
  };
  const gapMs = () => (-Math.log(1 - random()) * 1_000) / perSecond;
  for (let atMs = 0; atMs < LASTS_MS; atMs += gapMs()) call(atMs);
  for (let atMs = burstEveryMs; atMs < LASTS_MS; atMs += burstEveryMs) {
    for (let count = 1 + 30 * random(); count > 0; count -= 1) call(atMs);
  }
  return list;
}

function faults(random: () => number, count: number, max: number): Happening[] {
  return Array.from({ length: count }, (): Happening => {
    const atMs = random() * QUIET_AFTER_MS * 0.9;
    const forMs = random() * (QUIET_AFTER_MS - atMs);
    const chance = Math.floor(10 * random());
    if (chance === 0) return { atMs, kind: 'down', forMs };
    if (chance === 1) return { atMs, kind: 'slow opens', forMs, openMs: 50 + 2_000 * random() };
    if (chance === 2) return { atMs, kind: 'full', forMs, limit: 1 + Math.floor(max * random()) };
    if (chance === 3) return { atMs, kind: 'kill', share: random() };
    if (chance === 4) return { atMs, kind: 'stall', forMs: 60 + 400 * random() };
    if (chance === 5) return { atMs, kind: 'isolate', forMs, waiting: random() < 0.5 ? 'hold' : 'reject' };
    if (chance === 6) return { atMs, kind: 'mute', share: random() < 0.5 ? 1 : random(), forMs };
    if (chance <= 8) return { atMs, kind: 'move', hiddenMs: random() < 0.5 ? 0 : forMs };
    const wanted = 1 + Math.floor(12 * random());
    return { atMs, kind: 'resize', max: wanted, min: Math.floor(wanted * random() * 0.5) };
  });
}
