import type { Shortage } from './selection/priorities.js';
import type { PoolStats } from './stats.js';

/** What went wrong, for programs. */
export type PoolErrorCode =
  | 'INVALID_OPTIONS'
  | 'ACQUIRE_TIMEOUT'
  | 'QUEUE_FULL'
  /** Those who hold the connections wait for others, this caller among them; needs the option `failNestedAcquires`. */
  | 'NESTED_ACQUIRE'
  /** The pool was isolated by hand, and is until `reset()`. */
  | 'ISOLATED'
  /** There is not enough for all, and its priority is low; needs the flag `degradedShed`. */
  | 'SHED'
  | 'ABORTED'
  | 'OPEN_TIMEOUT'
  | 'CHECK_TIMEOUT'
  | 'WARM_TIMEOUT'
  | 'POOL_CLOSED'
  /** The engine has given the pool up: the caller is to be served by other means. No adapter lets it through. */
  | 'HANDED_BACK';

/** What the pool was doing when it went wrong. */
export type PoolErrorPhase = 'configure' | 'admit' | 'wait' | 'open' | 'check' | 'warm' | 'drain';

/**
 * An error of the pool itself; errors of the driver pass through untouched.
 * `code` is for programs, `message` for people, `stats` holds the pool's numbers at that instant.
 */
export class PoolError extends Error {
  readonly code: PoolErrorCode;
  readonly phase: PoolErrorPhase;
  readonly stats: PoolStats | undefined;

  constructor(
    code: PoolErrorCode,
    phase: PoolErrorPhase,
    message: string,
    stats?: PoolStats,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PoolError';
    this.code = code;
    this.phase = phase;
    this.stats = stats;
  }
}

/** Why a caller gets nothing, though no time of its own has run out. */
export type RefusalCode = 'POOL_CLOSED' | 'HANDED_BACK' | 'QUEUE_FULL' | 'ABORTED';

/** The error of a caller that is refused; `reason` is what its signal was aborted with. */
export function refusal(
  code: RefusalCode,
  stats: PoolStats,
  maxWaiters: number,
  reason?: unknown,
): PoolError {
  const what = {
    POOL_CLOSED:
      'The pool is closed: no connection can be acquired any more. Acquire before drain() is called.',
    HANDED_BACK: 'The engine has given this pool up: the caller is to be served by other means.',
    QUEUE_FULL:
      `The queue is full: ${stats.waiting} callers wait already (maxWaiters ${maxWaiters}). ` +
      'Raise max or maxWaiters, or send less at once.',
    ABORTED: 'The acquire was aborted by its signal.',
  }[code];
  const phase: PoolErrorPhase = code === 'ABORTED' ? 'wait' : 'admit';
  return new PoolError(code, phase, `${what} (${describeStats(stats)})`, stats, reason);
}

const LATE = {
  open: {
    code: 'OPEN_TIMEOUT',
    what: (timeoutMs: number) =>
      `A connection did not open within ${timeoutMs} ms. Is the server reachable? Else raise openTimeoutMs.`,
  },
  check: {
    code: 'CHECK_TIMEOUT',
    what: (timeoutMs: number) =>
      `A connection did not answer its check within ${timeoutMs} ms and was closed.`,
  },
  warm: {
    code: 'WARM_TIMEOUT',
    what: (timeoutMs: number) =>
      `A connection was not warm within ${timeoutMs} ms and was closed. Warm less, or raise warmTimeoutMs.`,
  },
} as const;

/** The error of a connection that took too long to open, to answer a check, or to be warmed. */
export function lateness(phase: keyof typeof LATE, timeoutMs: number, stats: PoolStats): PoolError {
  const { code, what } = LATE[phase];
  return withoutStack(
    () => new PoolError(code, phase, `${what(timeoutMs)} (${describeStats(stats)})`, stats),
  );
}

/**
 * The error of a caller that got no connection in its time.
 * @param because what kept it, see `causeOfWaiting`.
 * @param stalledMs for how long the event loop stood still meanwhile.
 * @param openError why the latest connection could not be opened; undefined where it could.
 */
export function acquireTimeout(
  waitedMs: number,
  because: string,
  stats: PoolStats,
  stalledMs: number,
  openError: unknown,
): PoolError {
  const stall = stalledMs > 0 ? ` The event loop stood still for ${Math.round(stalledMs)} ms meanwhile.` : '';
  const message = `No connection within ${Math.round(waitedMs)} ms: ${because} (${describeStats(stats)}).${stall}`;
  return withoutStack(() => new PoolError('ACQUIRE_TIMEOUT', 'wait', message, stats, openError));
}

/** The error of those who are not to wait for the end of an isolation, and of what was being opened when it began. */
export function isolation(stats: PoolStats): PoolError {
  const message = `The pool is isolated until reset() is called (${describeStats(stats)}).`;
  return withoutStack(() => new PoolError('ISOLATED', 'admit', message, stats));
}

/** The error of a caller that would wait for ever, as those do who hold what it waits for; `because` as `describeNested`. */
export function nestedAcquire(because: string, stats: PoolStats): PoolError {
  const message = `No connection: ${because} (${describeStats(stats)}).`;
  return withoutStack(() => new PoolError('NESTED_ACQUIRE', 'wait', message, stats));
}

/**
 * The error of a caller of low priority that is turned away.
 * @param queuedMs for how long the first in the queue has waited.
 * @param openError why the latest connection could not be opened; undefined where it could.
 */
export function shed(shortage: Shortage, queuedMs: number, stats: PoolStats, openError: unknown): PoolError {
  const why = {
    trouble: `the server is in trouble (circuit ${stats.circuit})`,
    crowd: `callers come faster than they are served (the first has waited for ${Math.round(queuedMs)} ms)`,
  }[shortage];
  const message =
    `Turned away: its priority is low, and ${why}. Try again later, leave the priority out of its hint, ` +
    `or set the flag degradedShed to off (${describeStats(stats)}).`;
  return withoutStack(() => new PoolError('SHED', 'wait', message, stats, openError));
}

/** The pool's numbers as a sentence's tail. */
function describeStats(stats: PoolStats): string {
  return (
    `${stats.leased} leased, ${stats.idle} idle, ${stats.opening} opening, ${stats.closing} closing ` +
    `of max ${stats.limit}; ${stats.waiting} still waiting`
  );
}

/**
 * Runs `make` without stack capture: an error made in a timer has no caller worth showing, and ten thousand
 * captured stacks would stall the loop that they report about.
 */
function withoutStack<E extends Error>(make: () => E): E {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
