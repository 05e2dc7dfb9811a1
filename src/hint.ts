import type { Dialect } from './query/classify.js';

/** What is left out is `normal`. */
export type Priority = 'low' | 'normal' | 'high';

/** What a caller knows of the query it wants a connection for; every field may be left out. */
export interface QueryCharacteristics {
  /** The SQL text; never exported. */
  sql?: string;
  dialect?: Dialect;
  /** The name under which a connection keeps the statement once it has prepared it; for MySQL the text itself. */
  statement?: string;
  /**
   * A name for the session settings under which its holder works, such as a tenant's `search_path` or a role. Where the flag `affinity` acts it
   * gets an idle connection whose latest holder named the same, if there is one: what the server planned there still holds. Settings are still
   * the holder's to make: a connection that others have used since has theirs.
   */
  settings?: string;
  /** A name for the kind of query, such as `'report'`. */
  queryType?: string;
  /** 0 (trivial) to 1 (as heavy as they come). */
  estimatedComplexity?: number;
  /** Expected time on the server, in milliseconds. */
  estimatedDurationMs?: number;
  readOnly?: boolean;
  requiresTransaction?: boolean;
  /**
   * How much depends on it. It counts where the flag `degradedShed` acts, and only while the server is in trouble or callers come faster
   * than they are served: those of low priority are then turned away with code `SHED`, those of high priority are served first.
   */
  priority?: Priority;
}

/** A query's characteristics and how long, and whether at all, its caller still waits. */
export interface Hint extends QueryCharacteristics {
  /**
   * Longest wait for this acquire in milliseconds, in place of the pool's `acquireTimeoutMs`; 0 waits for ever. What is no number from
   * 0 on counts as not said: a hint costs nobody a query.
   */
  deadlineMs?: number;
  /** Calls the wait off; the acquire then rejects with a `PoolError` of code `ABORTED` whose cause is the signal's reason. */
  signal?: AbortSignal;
}

/** The longest wait that a hint asks for. */
export function deadlineOf(hint: Hint | undefined): number | undefined {
  const deadlineMs: unknown = hint?.deadlineMs;
  return typeof deadlineMs === 'number' && deadlineMs >= 0 ? deadlineMs : undefined;
}
