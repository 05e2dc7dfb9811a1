import type { Route } from './health/addresses.js';
import type { Dialect } from './query/classify.js';
import type { CloseReason } from './slots.js';

/** The text of a statement, of which only the fingerprint is ever told. */
export interface LastStatement {
  readonly sql: string;
  readonly dialect: Dialect;
  /** When it was sent, by the clock of the process (`performance.now`). */
  readonly startedAt: number;
}

/**
 * PORT: what an adapter supplies so that the engine can keep connections of type `C`.
 */
export interface Driver<C> {
  /**
   * Opens one connection. `signal` aborts when the open deadline has passed or the pool closes; a connection that
   * arrives afterwards is closed by the engine, so ignoring the signal is safe.
   */
  open(signal: AbortSignal): Promise<C>;
  /** Proves a connection alive by asking the server; rejects when it is not. */
  check(connection: C): Promise<void>;
  /** Closes a connection; the slot counts against `max` until this settles or `closeTimeoutMs` has passed. */
  close(connection: C, reason: CloseReason): Promise<void> | void;
  /**
   * Makes a connection ready that was opened ahead of demand, before it goes idle; undefined where there is nothing to do. `signal`
   * aborts once a caller waits for the connection, or `warmTimeoutMs` is over: then the connection is closed, since nobody can tell
   * what is still to come on it. What it rejects with is told, and the connection used all the same unless it is broken.
   */
  warm?(connection: C, signal: AbortSignal): Promise<void> | undefined;
  /** Whether what is known without asking the server (socket state, `error`) makes the connection unusable. */
  isBroken?(connection: C, error?: unknown): boolean;
  /** Whether the connection must be checked by `check` before every lease, however short it was idle. */
  mustCheck?(connection: C): boolean;
  /** Whether a connection has prepared the statement that a hint names: its name, or its text where that is what the library goes by. */
  hasPrepared?(connection: C, statement: string): boolean;
  /** Whether several statements may now be in flight at once on a connection that nobody holds. Without it none are. */
  canShare?(connection: C): boolean;
  /**
   * A shared connection has given no answer for a while, for the first of those on it waits for a lock or is slow: the others
   * may be sent elsewhere. Told at every upkeep while that lasts.
   */
  onSilent?(connection: C): void;
  /** Bytes received so far on a connection that owes an answer; undefined when it owes none, or nobody can tell. */
  bytesHeard?(connection: C): number | undefined;
  /** Bytes received so far on a connection that owes no answer; undefined when it owes one, or nobody can tell. */
  bytesAtRest?(connection: C): number | undefined;
  /** From now on it is to be known what is run on the connection, whoever holds it: asked for once, where leaks are looked for. */
  rememberStatements?(connection: C): void;
  /** The statement that was run last; undefined when nobody can tell. */
  lastStatement?(connection: C): LastStatement | undefined;
  /**
   * Asks over `connection` whose sessions the server is not working for, though an answer is owed on them. What cannot be told
   * is left out; rejects only when `connection` itself is of no use.
   */
  findDead?(connection: C, silent: readonly C[]): Promise<readonly C[]>;
  /** Cuts a connection that is proven dead: at once, and whoever awaits an answer on it is told `error`. */
  sever?(connection: C, error: Error): void;
  /** The way to the server; undefined where it has no name that was looked up, or nobody can tell. */
  route?(connection: C): Route | undefined;
  /** All addresses that a server's name stands for, as for a connection that is opened now; rejects where that cannot be told. */
  lookUp?(host: string): Promise<readonly string[]>;
  /** Whether a released connection still carries its last holder's open transaction or state. */
  isDirty?(connection: C): boolean;
  /** Settles once the statements that the last holder of a dirty connection did not await are answered; undefined when all are. */
  unanswered?(connection: C): Promise<void> | undefined;
  /** Makes a dirty connection clean; without it dirty connections are closed. */
  reset?(connection: C): Promise<void>;
}
