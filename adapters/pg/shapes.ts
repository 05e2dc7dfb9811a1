import type { EventEmitter } from 'node:events';
import type { SessionSocket } from '../sessions.js';

/** The part of a `pg` client that we rely on; `pg.Client`, `pg.native.Client` and most custom clients have it. */
export interface PgClient extends EventEmitter {
  connect(done: (error?: Error | null) => void): unknown;
  query(text: unknown, values?: unknown, done?: QueryCallback): unknown;
  end(done?: () => void): unknown;
  release?: (error?: unknown) => void;
  ref?(): void;
  unref?(): void;
  /** 'I' idle, 'T' in a transaction, 'E' in a failed one; recent versions only. */
  getTransactionStatus?(): string | null;
  /** The session's number, by the server; a pooler's own where one is in between. */
  readonly processID?: number | null;
  readonly host?: unknown;
  /** False while a statement is unanswered; absent on the native client. */
  readyForQuery?: boolean;
  isConnected?(): boolean;
  /** What awaits an answer; recent versions only. */
  readonly _activeQuery?: unknown;
  /** The same on versions of before. */
  readonly activeQuery?: unknown;
  connection?: {
    stream?: SessionSocket & {
      destroy(error?: Error): void;
      cork?(): void;
      uncork?(): void;
    };
    /** Texts of named statements that the server has, by name. */
    parsedStatements?: Record<string, string>;
    /** Sends a Close message; the answer is of no consequence. */
    close?(what: { type: 'S'; name: string }): void;
    /** Sends a Parse message. */
    parse?(what: { name: string; text: string }): void;
    sync?(): void;
    /** There is an event for every message of the server's. */
    on?(event: 'parseComplete' | 'bindComplete' | 'readyForQuery', told: () => void): void;
    /** Before pg's own listener is told. */
    prependListener?(event: 'readyForQuery' | 'errorMessage', told: (error: unknown) => void): void;
    removeListener?(event: 'parseComplete', told: () => void): void;
  };
  /** While true, statements are sent before those ahead of them are answered; read when one is issued. */
  pipeline?: boolean;
  /** Statements that are yet to be sent. */
  readonly _queryQueue?: PgQuery[];
  /** Sends the next of them, if it may. */
  _pulseQueryQueue?(): void;
  /** What versions that can pipeline have. */
  _pulsePipelinedQueryQueue?(): void;
  _queryable?: boolean;
  _ending?: boolean;
  _poolUseCount?: number;
}

/** A statement as pg sends it. */
export interface PgQuery {
  name?: string | undefined;
  readonly text?: unknown;
  readonly values?: unknown;
  /** How many rows its portal gives at a time. */
  readonly rows?: unknown;
  readonly portal?: unknown;
}

export type QueryCallback = (error: unknown, result?: unknown) => void;
export type Release = (error?: unknown) => void;
export type Verify = (client: PgClient, done: (error?: unknown) => void) => void;
export type ConnectCallback = (error: unknown, client?: PgClient, release?: Release) => void;

/** pg-pool's options; every client option may stand beside them. */
export interface PgPoolOptions {
  max?: unknown;
  min?: unknown;
  idleTimeoutMillis?: unknown;
  connectionTimeoutMillis?: unknown;
  maxUses?: unknown;
  maxLifetimeSeconds?: unknown;
  allowExitOnIdle?: boolean;
  query_timeout?: unknown;
  pipeline?: unknown;
  onConnect?: (client: PgClient) => unknown;
  verify?: Verify;
  connectionString?: string;
  database?: string;
  host?: string;
  port?: unknown;
  /** Makes the sockets, in place of the driver. */
  stream?: unknown;
}

/** The part of a `pg-pool` pool that we rely on. */
export interface PgPool extends EventEmitter {
  readonly options: PgPoolOptions;
  readonly Client: new (options: PgPoolOptions) => PgClient;
  readonly Promise: PromiseConstructor;
  log(message: string, ...more: unknown[]): void;
  ending: boolean;
  ended: boolean;
  _clients: PgClient[];
  _idle: unknown[];
  _pendingQueue: unknown[];
  /** Clients whose lifetime is over. */
  readonly _expired?: WeakSet<PgClient>;
  _endCallback?: () => void;
  connect(done?: ConnectCallback): unknown;
}

/** The methods of `pg-pool`'s prototype that a patch replaces. */
export interface PgPoolPrototype extends PgPool {
  query(text: unknown, values?: unknown, done?: QueryCallback): unknown;
  newClient(pendingItem: { callback: ConnectCallback }): unknown;
  _pulseQueue(): unknown;
  _release(client: PgClient, idleListener: unknown, error?: unknown): unknown;
  _isFull(): boolean;
}

export type PgPoolClass = (abstract new (...given: never[]) => unknown) & { readonly prototype: unknown };
