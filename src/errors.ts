import type { PoolStats } from './stats.js';

/** What went wrong, for programs. */
export type PoolErrorCode =
  | 'INVALID_OPTIONS'
  | 'ACQUIRE_TIMEOUT'
  | 'QUEUE_FULL'
  | 'ABORTED'
  | 'OPEN_TIMEOUT'
  | 'CHECK_TIMEOUT'
  | 'POOL_CLOSED'
  /** The engine has given the pool up: the caller is to be served by other means. No adapter lets it through. */
  | 'HANDED_BACK';

/** What the pool was doing when it went wrong. */
export type PoolErrorPhase = 'configure' | 'admit' | 'wait' | 'open' | 'check' | 'drain';

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

/** The pool's numbers as a sentence's tail. */
export function describeStats(stats: PoolStats): string {
  return (
    `${stats.leased} leased, ${stats.idle} idle, ${stats.opening} opening, ${stats.closing} closing ` +
    `of max ${stats.limit}; ${stats.waiting} still waiting`
  );
}

/**
 * Runs `make` without stack capture: an error made in a timer has no caller worth showing, and ten thousand
 * captured stacks would stall the loop that they report about.
 */
export function withoutStack<E extends Error>(make: () => E): E {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
