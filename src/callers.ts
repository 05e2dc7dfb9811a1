/**
 * PORT: on whose behalf a connection is asked for, where somebody can tell. The engine knows no asynchronous contexts.
 * Asked when a caller has to wait, and for leases of more than one statement.
 */
export interface Callers {
  /** Who calls now: remembered for as long as the caller waits or holds a connection. Undefined when nobody can tell. */
  current(): unknown;
  /** What the calls of one task have in common, as those of one request; undefined when nobody can tell. */
  taskOf(caller: unknown): unknown;
  /** How a reader of a report finds the caller, as by the ids of a trace and a span; undefined when nobody can tell. */
  describe(caller: unknown): string | undefined;
}
