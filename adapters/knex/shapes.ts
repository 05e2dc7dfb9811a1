import type { EventEmitter } from 'node:events';

/** The part of a driver's connection that knex and we rely on. */
export interface KnexConnection {
  /** Set by knex on a connection that must not be used again: why. */
  __knex__disposed?: unknown;
  /** By which knex's events name it. */
  readonly __knexUid?: string;
}

/** What knex tells of a statement, when it is sent and once it has failed or was answered. */
export interface StatementEvent {
  readonly __knexUid?: string;
  /** That of a builder's statement; knex's own, such as BEGIN, are told of when they are sent only, and have none. */
  readonly __knexQueryUid?: string;
  /** As it is sent. */
  readonly sql?: string;
  /** The driver's own answer: pg's result, or mysql2's rows and fields. */
  readonly response?: unknown;
}

/** What tarn's constructor takes. */
export interface TarnOptions {
  create: (done: CreateCallback) => unknown;
  destroy: (connection: KnexConnection) => unknown;
  validate?: (connection: KnexConnection) => unknown;
  log?: (message: string, level: 'warn') => unknown;
  min: number;
  max: number;
  acquireTimeoutMillis?: number;
  createTimeoutMillis?: number;
  destroyTimeoutMillis?: number;
  idleTimeoutMillis?: number;
  reapIntervalMillis?: number;
  createRetryIntervalMillis?: number;
  propagateCreateError?: boolean;
}

export type CreateCallback = (error: unknown, connection?: KnexConnection) => void;

/** What `acquire` returns. */
export interface PendingOperation {
  promise: Promise<KnexConnection>;
  isRejected: boolean;
  possibleTimeoutCause: unknown;
  abort(): void;
  reject(error: unknown): void;
  resolve(connection: KnexConnection): void;
}

export type TarnEvent =
  | 'acquireRequest'
  | 'acquireSuccess'
  | 'acquireFail'
  | 'release'
  | 'createRequest'
  | 'createSuccess'
  | 'createFail'
  | 'startReaping'
  | 'stopReaping'
  | 'poolDestroyRequest'
  | 'poolDestroySuccess';

/** The part of a tarn pool that we rely on. */
export interface TarnPool {
  creator: TarnOptions['create'];
  destroyer: TarnOptions['destroy'];
  validate: NonNullable<TarnOptions['validate']>;
  log: NonNullable<TarnOptions['log']>;
  min: number;
  max: number;
  acquireTimeoutMillis: number;
  createTimeoutMillis: number;
  destroyTimeoutMillis: number;
  idleTimeoutMillis: number;
  reapIntervalMillis: number;
  createRetryIntervalMillis: number;
  propagateCreateError: boolean;
  destroyed: boolean;
  /** The next event's number: one counter for acquires, creates and destroys. */
  eventId: number;
  emitter: EventEmitter;
  acquire(): PendingOperation;
  release(connection: KnexConnection): boolean;
  check(): void;
  destroy(): Promise<unknown>;
  isEmpty(): boolean;
  numUsed(): number;
  numFree(): number;
  numPendingAcquires(): number;
  numPendingValidations(): number;
  numPendingCreates(): number;
  /** Tells every listener; one that throws is logged. */
  _executeEventHandlers(event: TarnEvent, ...told: unknown[]): void;
  /** Destroys a connection with its events, its timeout and its log line; never rejects. */
  _destroy(connection: KnexConnection): Promise<unknown>;
}

export type TarnPoolClass = new (options: TarnOptions) => TarnPool;

export type TimeoutErrorClass = new (message: string, options?: ErrorOptions) => Error;

/** Where a dialect's settings say the server is. */
export interface ConnectionSettings {
  host?: string;
  /** SQL Server's name for the host. */
  server?: string;
  port?: unknown;
  database?: string;
  connectionString?: string;
  query_timeout?: unknown;
  pipeline?: unknown;
  /** Makes the sockets, in place of the driver. */
  stream?: unknown;
}

export interface KnexConfig {
  connection?: unknown;
  connectionPool?: unknown;
  pool?: KnexPoolConfig;
}

/** What an application may give as `pool` beside tarn's own options. */
export interface KnexPoolConfig {
  validate?: unknown;
  maxConnectionLifetimeMillis?: unknown;
}

/** The part of a knex client that we rely on. */
export interface KnexClient extends EventEmitter {
  readonly config: KnexConfig;
  readonly driverName?: string;
  readonly logger: { warn(message: string): void };
  readonly connectionSettings?: ConnectionSettings;
  /** Set while the connection settings come from a function and can expire. */
  readonly connectionConfigExpirationChecker?: (() => boolean) | null;
  pool?: TarnPool | undefined;
  /** False when the application brought its own pool. Absent before knex 3.3. */
  readonly _ownsPool?: boolean;
  acquireConnection(): Promise<KnexConnection>;
  /** Runs a compiled statement on a connection. */
  _query?(connection: KnexConnection, compiled: unknown): Promise<unknown>;
  validateConnection(connection: KnexConnection): unknown;
  releaseConnection(connection: KnexConnection): Promise<void>;
  getPoolSettings(config: KnexPoolConfig | undefined): TarnOptions;
  poolDefaults?(): KnexPoolConfig;
  initializePool(config?: KnexConfig): void;
}

/** A part of what a builder will ask: a condition, a join, columns. */
export interface BuilderPart {
  readonly grouping?: unknown;
  readonly type?: unknown;
  readonly column?: unknown;
  readonly table?: unknown;
}

/** The part of a builder that tells what it will ask. */
export interface KnexBuilder {
  readonly _connection?: KnexConnection;
  readonly _method?: unknown;
  readonly _single?: { readonly table?: unknown; readonly lock?: unknown };
  readonly _statements?: readonly BuilderPart[];
  readonly _timeout?: unknown;
  readonly _transacting?: unknown;
  readonly isRawInstance?: boolean;
  readonly sql?: unknown;
}

/** What knex's PostgreSQL dialect gives its driver. */
export interface Asked {
  readonly text: string;
  readonly values: unknown[];
}

export interface KnexRunner {
  client: KnexClient;
  readonly builder: KnexBuilder;
  ensureConnection(work: unknown, params?: { readonly stream?: unknown }): Promise<unknown>;
}

/** Classes of knex, as `require('knex/lib/client')` and its like give them. */
export type KnexClass = (abstract new (...given: never[]) => unknown) & { readonly prototype: unknown };

export interface KnexClasses {
  /** `knex/lib/client` */
  Client: KnexClass;
  /** `knex/lib/execution/runner` */
  Runner?: KnexClass | undefined;
  /** `knex/lib/execution/transaction` */
  Transaction?: KnexClass | undefined;
}
