import { attempt } from '../../src/attempt.js';
import {
  type Driver,
  type Hint,
  type LastStatement,
  type Lease,
  PoolError,
  type Route,
} from '../../src/index.js';
import { lastStatementOn, rememberStatements } from '../last-statement.js';
import { PipelinedClient } from '../pg/pipelined.js';
import type { PgPooler } from '../pg/pooler.js';
import type { PgClient } from '../pg/shapes.js';
import type { PgStatement } from '../pg/statements.js';
import { lookUp, type Sessions } from '../sessions.js';
import type { WarmUp } from '../warming.js';
import { sessionsOf } from './sessions.js';
import type {
  CreateCallback,
  KnexClient,
  KnexConnection,
  TarnEvent,
  TarnPool,
  TimeoutErrorClass,
} from './shapes.js';
import { UNKNOWN_REASON } from './timeout-error.js';
import { type Transactions, transactionsOf } from './transactions.js';
import type { Kind } from './workload.js';

/** A connection in the pool and what we remember of it. */
export class PooledConnection {
  readonly connection: KnexConnection;
  /** Its holder's lease. */
  lease: Lease<PooledConnection> | undefined = undefined;
  /** Whether it is leased for one statement of a builder: a transaction that one began is for the next to end. */
  forStatement = false;
  /** The kind of that builder, until its SQL shows what it is. */
  kind: Kind | undefined = undefined;
  /** Statements in flight of a holder who runs several; counted while his lease is timed. */
  unanswered = 0;
  /** The only one of them, and since when. */
  sent: Hint | undefined = undefined;
  sentAt = 0;
  /** What its holder's latest failed statement met. */
  failure: unknown = undefined;
  /** It arrived after its deadline, when its creation had been reported as failed: it goes without a word. */
  readonly late: boolean;
  /** Undefined where statements cannot share it. */
  readonly pipelined: PipelinedClient | undefined;

  constructor(connection: KnexConnection, late: boolean, pipelines: boolean) {
    this.connection = connection;
    this.late = late;
    this.pipelined = pipelines ? new PipelinedClient(connection as PgClient) : undefined;
  }
}

/** A connection on its way, in tarn's shape. */
export interface PendingCreate {
  readonly promise: Promise<KnexConnection>;
}

/** Told by the driver, so that the facade's counts and waiters are as tarn's. */
export interface DriverListener {
  /** `event` has listeners: tell them. */
  tell(event: TarnEvent, ...told: unknown[]): void;
  onCreateFailed(error: unknown): void;
  onClosing(connection: KnexConnection): void;
  sendElsewhere(statement: PgStatement): void;
}

/** How the engine opens, checks and closes the connections of one knex pool: by the functions that knex gave it. */
export class KnexDriver implements Driver<PooledConnection> {
  readonly #pool: TarnPool;
  readonly #client: KnexClient;
  readonly #listener: DriverListener;
  readonly #timeoutErrorClass: () => Promise<TimeoutErrorClass>;
  readonly #pooled = new WeakMap<KnexConnection, PooledConnection>();
  /** Those that are open, by the name that knex's events have for them. */
  readonly #named = new Map<string, PooledConnection>();
  readonly #stockValidate: TarnPool['validate'];
  /** Undefined where open transactions are left to the next holder, or nobody can tell of them. */
  readonly #transactions: Transactions | undefined;
  /** Undefined where the driver does not tell of its sessions. */
  readonly #sessions: Sessions<KnexConnection> | undefined;
  readonly #pipelines: boolean;
  readonly canShare?: (pooled: PooledConnection) => boolean;
  readonly warm: WarmUp<PooledConnection>;
  /** Undefined where the driver is not pg. */
  readonly #pooler: PgPooler | undefined;
  /** Whether only the pool's own, asynchronous `validate` can judge a connection. */
  #validatesAsync: boolean;
  readonly pendingCreates = new Set<PendingCreate>();
  /** While its arrival is told a connection counts as free, as in tarn. */
  arrived: PooledConnection | undefined = undefined;

  constructor(
    pool: TarnPool,
    client: KnexClient,
    validatesAsync: boolean,
    rollsBack: boolean,
    pooler: PgPooler | undefined,
    listener: DriverListener,
    warm: WarmUp<PooledConnection>,
    timeoutErrorClass: () => Promise<TimeoutErrorClass>,
  ) {
    this.#pool = pool;
    this.#client = client;
    this.#validatesAsync = validatesAsync;
    this.#stockValidate = pool.validate;
    this.#transactions = rollsBack ? transactionsOf(client.driverName) : undefined;
    this.#sessions = sessionsOf(client.driverName);
    this.#pipelines = pipelines(client);
    if (this.#pipelines) {
      this.canShare = ({ connection, pipelined }) =>
        pipelined?.canShare === true && !connection.__knex__disposed && !this.mustCheck();
    }
    this.#pooler = pooler;
    this.#listener = listener;
    this.warm = warm;
    this.#timeoutErrorClass = timeoutErrorClass;
  }

  of(connection: KnexConnection): PooledConnection | undefined {
    return this.#pooled.get(connection);
  }

  /** The same by what knex's events call it. */
  named(uid: string): PooledConnection | undefined {
    return this.#named.get(uid);
  }

  open(signal: AbortSignal): Promise<PooledConnection> {
    const pool = this.#pool;
    const id = pool.eventId++;
    this.#listener.tell('createRequest', id);
    const create: PendingCreate = { promise: callbackOrPromise(pool.creator) };
    this.pendingCreates.add(create);
    signal.addEventListener('abort', () => {
      if (isOpenTimeout(signal.reason)) this.#timedOut(create, id, signal.reason);
    });
    const fail = (error: unknown) => {
      this.#pooler?.failed(error);
      if (this.pendingCreates.has(create)) this.#fail(create, id, error);
      throw error;
    };
    return create.promise.then((connection) => {
      const proof = this.#pooler?.welcomed(connection as PgClient);
      if (proof === undefined) return this.#arrive(create, id, connection);
      return this.#arriveProven(create, id, connection, proof).catch(fail);
    }, fail);
  }

  /** A pooler whose server is away welcomes clients as ever. */
  async #arriveProven(
    create: PendingCreate,
    id: number,
    connection: KnexConnection,
    proof: Promise<void>,
  ): Promise<PooledConnection> {
    try {
      await proof;
    } catch (error) {
      await attempt(() => this.#pool.destroyer(connection)).catch(() => {});
      throw error;
    }
    return this.#arrive(create, id, connection);
  }

  #arrive(create: PendingCreate, id: number, connection: KnexConnection): PooledConnection {
    const pooled = new PooledConnection(connection, !this.pendingCreates.delete(create), this.#pipelines);
    if (pooled.late) return pooled;
    this.#pooled.set(connection, pooled);
    if (connection.__knexUid !== undefined) this.#named.set(connection.__knexUid, pooled);
    this.arrived = pooled;
    this.#listener.tell('createSuccess', id, connection);
    this.arrived = undefined;
    return pooled;
  }

  async #timedOut(create: PendingCreate, id: number, cause: PoolError): Promise<void> {
    this.pendingCreates.delete(create);
    const TimeoutError = await this.#timeoutErrorClass();
    this.#fail(create, id, new TimeoutError(UNKNOWN_REASON, { cause }));
  }

  #fail(create: PendingCreate, id: number, error: unknown): void {
    this.pendingCreates.delete(create);
    this.#listener.tell('createFail', id, error);
    this.#listener.onCreateFailed(error);
  }

  /** What knex's own `validate` finds without asking anybody; where that is not all it does, nothing. */
  isBroken({ connection }: PooledConnection): boolean {
    if (this.mustCheck()) return false;
    if (connection.__knex__disposed) {
      this.#client.logger.warn(`Connection Error: ${connection.__knex__disposed}`);
      return true;
    }
    try {
      const valid = this.#client.validateConnection(connection);
      if (!isPromise(valid)) return !valid;
      valid.then(undefined, () => {});
      this.#validatesAsync = true;
      return false;
    } catch (error) {
      this.#logThrown(error);
      return true;
    }
  }

  mustCheck(): boolean {
    return (
      this.#validatesAsync ||
      Boolean(this.#client.connectionConfigExpirationChecker) ||
      this.#pool.validate !== this.#stockValidate
    );
  }

  async check({ connection }: PooledConnection): Promise<void> {
    let valid: unknown;
    try {
      valid = await this.#pool.validate(connection);
    } catch (error) {
      this.#logThrown(error);
      throw error;
    }
    if (!valid) throw new Error('validate returned false');
    // Where knex's `validate` is all there is it asks nobody, and the engine wants to know.
    if (this.mustCheck()) return;
    await (this.#pooler?.ask(connection as PgClient) ?? this.#sessions?.ask(connection));
  }

  bytesHeard({ connection }: PooledConnection): number | undefined {
    return this.#sessions?.bytesHeard(connection);
  }

  bytesAtRest({ connection }: PooledConnection): number | undefined {
    return this.#sessions?.bytesAtRest(connection);
  }

  rememberStatements({ connection }: PooledConnection): void {
    if (this.#sessions !== undefined) rememberStatements(connection, this.#sessions.runs);
  }

  lastStatement({ connection }: PooledConnection): LastStatement | undefined {
    return this.#sessions && lastStatementOn(connection, this.#sessions.dialect);
  }

  async findDead(
    { connection }: PooledConnection,
    silent: readonly PooledConnection[],
  ): Promise<PooledConnection[]> {
    const connections = silent.map((pooled) => pooled.connection);
    const dead = (await this.#sessions?.findDead(connection, connections)) ?? [];
    return silent.filter((pooled) => dead.includes(pooled.connection));
  }

  sever({ connection }: PooledConnection, error: Error): void {
    this.#sessions?.sever(connection, error);
  }

  route({ connection }: PooledConnection): Route | undefined {
    return this.#client.connectionSettings?.stream === undefined
      ? this.#sessions?.route(connection)
      : undefined;
  }

  lookUp(host: string): Promise<readonly string[]> {
    return lookUp(host);
  }

  onSilent({ pipelined }: PooledConnection): void {
    for (const statement of pipelined?.behind ?? []) this.#listener.sendElsewhere(statement);
  }

  isDirty({ connection, forStatement }: PooledConnection): boolean {
    if (this.#transactions === undefined || forStatement || connection.__knex__disposed) return false;
    return this.#transactions.isOpen(connection);
  }

  unanswered({ connection }: PooledConnection): Promise<void> | undefined {
    return this.#transactions?.unanswered(connection);
  }

  async reset({ connection }: PooledConnection): Promise<void> {
    await this.#transactions?.rollBack(connection);
  }

  close({ connection, late }: PooledConnection): Promise<void> {
    this.#listener.onClosing(connection);
    if (connection.__knexUid !== undefined) this.#named.delete(connection.__knexUid);
    const closing = late ? attempt(() => this.#pool.destroyer(connection)) : this.#pool._destroy(connection);
    return closing.then(() => {});
  }

  #logThrown(error: unknown): void {
    this.#pool.log(
      `Tarn: resource validator threw an exception ${(error as Error | undefined)?.stack}`,
      'warn',
    );
  }
}

/** Whether statements may share the connections of a client: knex's own PostgreSQL dialect, unless the application pipelines itself. */
export function pipelines({ driverName, connectionSettings }: KnexClient): boolean {
  return driverName === 'pg' && !connectionSettings?.pipeline;
}

function callbackOrPromise(create: TarnPool['creator']): Promise<KnexConnection> {
  return new Promise((resolve, reject) => {
    const done: CreateCallback = (error, connection) => (error ? reject(error) : resolve(connection!));
    attempt(() => create(done)).then((created) => {
      if (created) resolve(created as KnexConnection);
    }, reject);
  });
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as Promise<unknown> | undefined | null)?.then === 'function';
}

function isOpenTimeout(reason: unknown): reason is PoolError {
  return reason instanceof PoolError && reason.code === 'OPEN_TIMEOUT';
}
