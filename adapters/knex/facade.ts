import {
  createPool,
  type Hint,
  type Lease,
  type Pool,
  PoolError,
  type PoolOptions,
  SharedLease,
  SlotState,
} from '../../src/index.js';
import { inBackground } from '../background.js';
import { inCallersContext } from '../callback.js';
import { intoFastMode } from '../fast-mode.js';
import {
  type Announced,
  announce,
  commonParts,
  type Host,
  isHandedBack,
  type PoolControl,
  type PoolInfo,
  type PoolSetup,
} from '../host.js';
import { wholeOr } from '../native-options.js';
import type { PipelinedClient } from '../pg/pipelined.js';
import { PgPooler } from '../pg/pooler.js';
import type { PgStatement } from '../pg/statements.js';
import { changedRows as changedRowsOfPg } from '../pg/transaction.js';
import { currentHint } from '../query-hint.js';
import { warmUpOf } from '../warming.js';
import { Acquisition, Acquisitions, ServedElsewhere } from './acquisition.js';
import { type DriverListener, KnexDriver, type PooledConnection, pipelines } from './driver.js';
import type {
  KnexClient,
  KnexConnection,
  KnexRunner,
  PendingOperation,
  StatementEvent,
  TarnEvent,
  TarnPool,
  TarnPoolClass,
} from './shapes.js';
import { type KnexStatementHome, KnexStatements, Ride } from './statements.js';
import { timeoutErrorClassOf, UNKNOWN_REASON } from './timeout-error.js';
import { KnexWatch } from './watch.js';
import { KnexWorkload } from './workload.js';

/** What a facade is made for: a client, the stock class of its pool, and whether only `validate` can judge a connection. */
export interface KnexPoolOrigin {
  readonly client: KnexClient;
  readonly StockPool: TarnPoolClass;
  readonly validatesAsync: boolean;
}

type ConnectionLease = Lease<PooledConnection>;

/** The ride of a builder of which nobody wants to know more. */
const ON_FOOT = new Ride(undefined, undefined);

/** What knex and the application see of a tarn pool that runs on the engine: its calls, events, counts and errors. */
export class KnexFacade implements DriverListener, PoolControl, KnexStatementHome {
  readonly engine: Pool<PooledConnection>;
  /** While a builder asks for the connection of its one statement. */
  ride: Ride | undefined = undefined;
  returning: Ride | undefined = undefined;
  forSecond = false;
  /** Undefined where no statement can share a connection. */
  readonly statements: KnexStatements | undefined;
  readonly #workload: KnexWorkload;
  readonly #pool: TarnPool;
  readonly #origin: KnexPoolOrigin;
  readonly #info: PoolInfo;
  readonly #host: Host;
  readonly #setup: PoolSetup;
  readonly #driver: KnexDriver;
  /** Undefined where the driver is not pg. */
  readonly #pooler: PgPooler | undefined;
  readonly #announced: Announced;
  readonly #stopListening: () => void;
  /** In the order of the queue. */
  readonly #waiting = new Acquisitions();
  /** Those who came too late, when the pool was closing. */
  readonly #turnedAway = new Set<PendingOperation>();
  readonly #min: number;
  #keepsMin = false;
  #reaping = false;
  /** Whether stock has taken the pool back. */
  fallen = false;

  constructor(pool: TarnPool, origin: KnexPoolOrigin, info: PoolInfo, setup: PoolSetup, host: Host) {
    this.#pool = pool;
    this.#origin = origin;
    this.#info = info;
    this.#host = host;
    this.#setup = setup;
    const { openTransactionsRolledBack } = setup.differences;
    this.#pooler = origin.client.driverName === 'pg' ? new PgPooler(setup.pooler, setup.warn) : undefined;
    this.#driver = new KnexDriver(
      pool,
      origin.client,
      origin.validatesAsync,
      openTransactionsRolledBack,
      this.#pooler,
      this,
      warmUpOf(
        setup,
        ({ pipelined }) => pipelined && this.statements?.prepareAhead(pipelined, this.#pipelined()),
        ({ connection }) => connection,
      ),
      () => timeoutErrorClassOf(origin.StockPool),
    );
    const options = { ...engineOptions(pool, setup), ...setup.options };
    this.#min = options.min ?? 0;
    this.engine = createPool<PooledConnection>({
      driver: inBackground(this.#driver, setup.background),
      // Many clients only build queries: nothing opens before the first acquire.
      options: options.keepMin === true ? { ...options, min: 0 } : options,
      ...commonParts(setup, this),
    });
    this.engine.pooler = this.#pooler;
    this.statements =
      this.#pooler !== undefined && pipelines(origin.client)
        ? new KnexStatements(this.engine, origin.client, this, this.#pooler)
        : undefined;
    this.#workload = new KnexWorkload(this.engine, origin.client.driverName);
    this.#announced = announce(info, this.engine as Pool<unknown>, host, this);
    this.#showTruth();
    this.#stopListening = this.#listen(origin.client);
  }

  get streamsReleaseOnce(): boolean {
    return this.#setup.differences.streamsReleaseOnce;
  }

  acquire(): PendingOperation {
    const id = this.#pool.eventId++;
    if (this.#hears('acquireRequest')) this.tell('acquireRequest', id);
    const { ride } = this;
    const hint = hintOf(ride);
    const lease = this.#shareFor(ride) ?? this.engine.tryAcquire(hint);
    if (lease === undefined) return this.#queue(id, ride, hint);
    if (ride === undefined) this.engine.noteHolder(lease);
    return new Acquisition(Promise.resolve(this.#hand(id, lease, ride)), this.engine);
  }

  /** The ride of a runner's builder, which is about to ask for a connection. */
  rideOf(runner: KnexRunner, streams: boolean): Ride {
    const kind = streams ? undefined : this.#workload.kindOf(runner.builder);
    if (kind === undefined) return ON_FOOT;
    return this.statements?.board(runner, kind) ?? new Ride(kind, undefined);
  }

  #shareFor(ride: Ride | undefined): ConnectionLease | undefined {
    return ride?.costMs === undefined ? undefined : this.engine.tryShare(ride.costMs);
  }

  release(connection: KnexConnection): boolean {
    if (this.#hears('release')) this.tell('release', connection);
    const { returning } = this;
    if (returning?.isShared === true) return this.#giveUpRide(returning);
    const lease = this.#driver.of(connection)?.lease;
    if (lease === undefined) return false;
    const { failure } = lease.connection;
    lease.connection.failure = undefined;
    const error = connection.__knex__disposed ?? failure;
    // knex may hear of the connection's end only after its next holder has it.
    if (error !== undefined) this.#pooler?.failed(error);
    const lost = error !== undefined && this.engine.heed(error, lease.connection);
    return lease.release(lost || this.#isRefused(lease) ? 'broken' : failure === undefined ? 'ok' : 'failed');
  }

  /** knex tells of every statement by events, those in transactions included. */
  #listen(client: KnexClient): () => void {
    const named = ({ __knexUid: uid }: StatementEvent) =>
      uid === undefined ? undefined : this.#driver.named(uid);
    const onQuery = (statement: StatementEvent) => {
      const found = named(statement);
      if (found !== undefined) this.#workload.sends(found, statement);
    };
    const onError = (error: unknown, statement: StatementEvent) => {
      const found = named(statement);
      if (found === undefined) return;
      found.failure = error;
      this.#workload.answered(found, statement, true);
    };
    const onResponse = (_: unknown, statement: StatementEvent) => {
      if (changedRows(statement.response)) this.engine.wrote();
      const found = named(statement);
      if (found !== undefined) this.#workload.answered(found, statement, false);
    };
    client.on('query', onQuery).on('query-error', onError).on('query-response', onResponse);
    return () => client.off('query', onQuery).off('query-error', onError).off('query-response', onResponse);
  }

  /** One that was sent gives its place back when it is answered; this one may never have come to that. */
  #giveUpRide(ride: Ride): boolean {
    ride.leave()?.release('ok');
    return true;
  }

  of(connection: KnexConnection): PooledConnection | undefined {
    return this.#driver.of(connection);
  }

  get isEnding(): boolean {
    return this.#pool.destroyed;
  }

  giveBackShared(lease: SharedLease<PooledConnection>, error: unknown, ended: boolean): void {
    const pooled = lease.connection;
    if (error) {
      this.#pooler?.failed(error);
      this.engine.heed(error, pooled);
    }
    lease.release(ended || pooled.connection.__knex__disposed ? 'broken' : error ? 'failed' : 'ok');
  }

  sendElsewhere(statement: PgStatement): void {
    this.statements?.sendElsewhere(statement);
  }

  /** Whether a connection that comes back for the next in the queue must not be handed on. */
  #isRefused(lease: ConnectionLease): boolean {
    return !lease.released && this.engine.waiting > 0 && this.#driver.isBroken(lease.connection);
  }

  #queue(id: number, ride: Ride | undefined, hint: Hint | undefined): Acquisition {
    let settle!: (outcome: KnexConnection | Promise<KnexConnection>) => void;
    const promise = new Promise<KnexConnection>((resolve) => {
      settle = resolve;
    });
    const acquisition = new Acquisition(promise, this.engine);
    this.#waiting.add(acquisition);
    const serve = (lease: ConnectionLease) => {
      this.#waiting.delete(acquisition);
      settle(this.#hand(id, lease, ride));
    };
    const fail = (error: unknown) => {
      const elsewhere = isHandedBack(error) || error instanceof ServedElsewhere;
      if (!elsewhere) return settle(this.#rejection(id, acquisition, error));
      this.#waiting.delete(acquisition);
      settle(error instanceof ServedElsewhere ? error.connection : this.#pool.acquire().promise);
    };
    // Only listeners run on the stack of whoever serves; the caller's own continuation hangs on the promise.
    const bind = this.#hearsOutcome() ? inCallersContext : <F>(callback: F) => callback;
    const { forSecond } = this;
    const isStatement = ride?.kind?.hint !== undefined && !ride.isTold;
    acquisition.waiter = this.engine.request(bind(serve), bind(fail), hint, ride?.costMs, isStatement);
    if (acquisition.waiter !== undefined) acquisition.waiter.isSecond = forSecond;
    if (!this.#keepsMin) this.#keepMin();
    return acquisition;
  }

  #hearsOutcome(): boolean {
    return (
      this.#setup.differences.callbacksKeepContext &&
      (this.#hears('acquireSuccess') || this.#hears('acquireFail'))
    );
  }

  #keepMin(): void {
    this.#keepsMin = true;
    if (this.engine.options.min !== this.#min) this.engine.resize({ min: this.#min });
  }

  #hand(
    id: number,
    lease: ConnectionLease,
    ride: Ride | undefined,
  ): KnexConnection | Promise<KnexConnection> {
    const pooled = lease.connection;
    if (lease instanceof SharedLease) {
      ride!.isShared = true;
      ride!.lease = lease;
    } else {
      pooled.lease = lease;
      pooled.forStatement = ride !== undefined;
      pooled.kind = ride?.isTold === true ? undefined : ride?.kind;
      pooled.unanswered = 0;
      // It may be of one that shared the connection.
      pooled.failure = undefined;
      const { pipelined } = pooled;
      if (pipelined?.client.pipeline === true) pipelined.endPipelining();
      if (pipelined !== undefined) {
        pipelined.isHeld = ride === undefined;
        this.statements?.nameInTransactions(pipelined);
      }
    }
    if (!this.#reaping) this.#startReaping();
    return this.#hears('acquireSuccess') ? this.#tellAcquired(id, pooled.connection) : pooled.connection;
  }

  /** As in tarn, listeners hear of it after the call that served, and before the caller. */
  async #tellAcquired(id: number, connection: KnexConnection): Promise<KnexConnection> {
    await undefined;
    this.tell('acquireSuccess', id, connection);
    return connection;
  }

  async #rejection(id: number, acquisition: Acquisition, error: unknown): Promise<never> {
    const native = await this.#nativeError(error, acquisition.possibleTimeoutCause);
    acquisition.isRejected = true;
    this.tell('acquireFail', id, native);
    // Until then it counts, as in tarn.
    this.#waiting.delete(acquisition);
    throw native;
  }

  /** tarn's own words for what befell the engine; the engine's numbers stay as the cause. */
  async #nativeError(error: unknown, possibleTimeoutCause: unknown): Promise<unknown> {
    if (!(error instanceof PoolError)) return error;
    if (error.code === 'POOL_CLOSED') return new Error('aborted', { cause: error });
    if (error.code !== 'ACQUIRE_TIMEOUT' && error.code !== 'OPEN_TIMEOUT') return error;
    const message =
      error.code === 'ACQUIRE_TIMEOUT' && possibleTimeoutCause
        ? (possibleTimeoutCause as Error).message
        : UNKNOWN_REASON;
    const TimeoutError = await timeoutErrorClassOf(this.#origin.StockPool);
    return new TimeoutError(message, { cause: error });
  }

  onCreateFailed(error: unknown): void {
    for (const acquisition of this.#waiting) acquisition.possibleTimeoutCause = error;
  }

  /** Whether a connection is to be released to the engine. */
  knows(connection: KnexConnection): boolean {
    return !this.fallen || this.#driver.of(connection)?.lease !== undefined;
  }

  /** Connections that are leased count as used until they come back; then they are closed. */
  fallBack(reason: string): void {
    const pool = this.#pool;
    if (this.fallen || pool.destroyed) return;
    this.#stopReaping();
    this.#stopListening();
    const { max } = pool;
    const min = this.#min;
    const used = this.#connections().map(({ connection }) => new Borrowed(connection));
    this.fallen = true;
    const own = { used, free: [], pendingCreates: [], pendingValidations: [], pendingAcquires: [], min, max };
    for (const [name, value] of Object.entries(own)) {
      Object.defineProperty(pool, name, { configurable: true, enumerable: true, writable: true, value });
    }
    intoFastMode(pool);
    KnexWatch.start(pool, this.#info, this.#host);
    this.engine.handBack().then(this.#announced.closed);
    this.#announced.fellBack(reason);
  }

  #returned(connection: KnexConnection): void {
    const pool = this.#pool as TarnPool & { used: Borrowed[]; _tryAcquireOrCreate(): void };
    const borrowed = pool.used.find(({ resource }) => resource === connection);
    if (borrowed === undefined) return;
    pool.used = pool.used.filter((other) => other !== borrowed);
    borrowed.returned();
    pool._tryAcquireOrCreate();
  }

  destroy(): Promise<unknown> {
    const pool = this.#pool;
    const id = pool.eventId++;
    this.tell('poolDestroyRequest', id);
    this.#stopReaping();
    this.#stopListening();
    pool.destroyed = true;
    return this.engine
      .drain({ waiting: this.#setup.differences.waitersSettleOnEnd ? 'serve' : 'reject' })
      .then(() => this.#abortTurnedAway())
      .then(() => {
        this.tell('poolDestroySuccess', id);
        pool.emitter.removeAllListeners();
        this.#announced.closed();
      });
  }

  /** A caller of a pool that is closing: tarn has no connection for it, and aborts it when the others have given theirs back. */
  turnAway(pending: PendingOperation): PendingOperation {
    this.#turnedAway.add(pending);
    const forget = () => this.#turnedAway.delete(pending);
    pending.promise.then(forget, forget);
    return pending;
  }

  async #abortTurnedAway(): Promise<void> {
    const late = [...this.#turnedAway];
    for (const pending of late) pending.abort();
    await Promise.allSettled(late.map(({ promise }) => promise));
  }

  /** tarn's reaping round. The engine has already closed whatever was due; only the end of reaping is left to tell. */
  check(): void {
    if (this.#pool.isEmpty()) this.#stopReaping();
  }

  onClosing(connection: KnexConnection): void {
    if (this.fallen) return this.#returned(connection);
    // In a later turn: a caller for whom a dead connection was set aside joins the queue first.
    queueMicrotask(() => this.check());
  }

  #startReaping(): void {
    this.#reaping = true;
    this.tell('startReaping');
  }

  #stopReaping(): void {
    if (this.#reaping) this.tell('stopReaping');
    this.#reaping = false;
  }

  tell(event: TarnEvent, ...told: unknown[]): void {
    if (this.#hears(event)) this.#pool._executeEventHandlers(event, ...told);
  }

  #hears(event: TarnEvent): boolean {
    return this.#pool.emitter.listenerCount(event) > 0;
  }

  *#pipelined(): IterableIterator<PipelinedClient> {
    for (const { connection } of this.engine.connections()) {
      if (connection.pipelined !== undefined) yield connection.pipelined;
    }
  }

  // ── Counts and lists, computed when they are read ─────────────────────────────────────────────────────────────

  /** A connection that is being validated counts as used. */
  get numUsed(): number {
    const { leased, checking } = this.engine.stats();
    return leased + checking;
  }

  get numFree(): number {
    return this.engine.idle + (this.#driver.arrived === undefined ? 0 : 1);
  }

  get numPendingCreates(): number {
    return this.#driver.pendingCreates.size;
  }

  /** Callers for whom a connection is being validated. */
  get numPendingValidations(): number {
    return Math.min(this.engine.stats().checking, this.#waiting.size);
  }

  get numPendingAcquires(): number {
    return this.#waiting.size - this.numPendingValidations + this.#turnedAway.size;
  }

  #showTruth(): void {
    const pool = this.#pool;
    show(pool, 'used', () => this.#connections().map(asResource));
    show(pool, 'free', () => [...this.engine.idleConnections(), ...this.#arrivals()].map(asResource));
    show(pool, 'pendingCreates', () => [...this.#driver.pendingCreates]);
    show(pool, 'pendingValidations', () => [...this.#waiting].slice(0, this.numPendingValidations));
    show(pool, 'pendingAcquires', () => [
      ...[...this.#waiting].slice(this.numPendingValidations),
      ...this.#turnedAway,
    ]);
    const bound = (name: 'min' | 'max', read: () => number) =>
      show(pool, name, read, (value) => this.#resize(name, value));
    bound('max', () => this.engine.options.max);
    bound('min', () => (this.#keepsMin ? this.engine.options.min : this.#min));
    intoFastMode(pool);
  }

  #arrivals(): PooledConnection[] {
    return this.#driver.arrived === undefined ? [] : [this.#driver.arrived];
  }

  #connections(): PooledConnection[] {
    const idle = new Set(this.engine.idleConnections());
    return [...this.engine.connections()]
      .filter(({ state }) => state !== SlotState.stale)
      .map(({ connection }) => connection)
      .filter((pooled) => !idle.has(pooled));
  }

  /** `pool.min` and `pool.max` may be changed at any time. */
  #resize(name: 'min' | 'max', value: unknown): void {
    const { min, max } = this.engine.options;
    const wanted = { min, max, [name]: wholeOr(value, this.engine.options[name]) };
    if (wanted.max >= 1) this.engine.resize({ max: wanted.max, min: Math.min(wanted.min, wanted.max) });
  }
}

/** What is known of what a caller will run: his own word first, then what his builder's kind became last. */
function hintOf(ride: Ride | undefined): Hint | undefined {
  const told = currentHint();
  if (ride?.kind === undefined) return told;
  const { hint: expected } = ride.kind;
  if (told === undefined) return expected;
  ride.isTold = told.sql !== undefined || told.requiresTransaction === true;
  const readOnly = told.readOnly ?? expected?.readOnly;
  return readOnly === undefined ? { ...expected, ...told } : { ...expected, ...told, readOnly };
}

/** A connection that was leased when stock took the pool back, in the shape of tarn's resources in use. */
class Borrowed {
  readonly resource: KnexConnection;
  readonly promise: Promise<void>;
  readonly returned: () => void;

  constructor(resource: KnexConnection) {
    this.resource = resource;
    let returned!: () => void;
    this.promise = new Promise((resolve) => {
      returned = resolve;
    });
    this.returned = returned;
  }
}

function changedRows(response: unknown): boolean {
  if (Array.isArray(response))
    return Boolean((response[0] as { affectedRows?: number } | undefined)?.affectedRows);
  return changedRowsOfPg(response);
}

/** A destroy that takes too long is first tarn's to report. */
const DESTROY_GRACE_MS = 100;

function engineOptions(pool: TarnPool, { differences }: PoolSetup): PoolOptions {
  return {
    min: pool.min,
    max: Math.min(pool.max, Number.MAX_SAFE_INTEGER),
    acquireTimeoutMs: finite(pool.acquireTimeoutMillis),
    openTimeoutMs: finite(pool.createTimeoutMillis),
    closeTimeoutMs: finite(pool.destroyTimeoutMillis + DESTROY_GRACE_MS),
    checkTimeoutMs: finite(pool.acquireTimeoutMillis),
    idleTimeoutMs: finite(pool.idleTimeoutMillis),
    openRetryMs: pool.propagateCreateError ? 0 : finite(pool.createRetryIntervalMillis),
    keepMin: differences.minKeptFilled,
    // knex validates before every hand-out whatever the time: `KnexDriver.isBroken` and `mustCheck` do.
    checkAfterIdleMs: 0,
    // Stock queues without bound; a bound would be an error that the application never had.
    maxWaiters: 0,
  };
}

/** tarn takes an infinite time for one that never ends; the engine's word for that is 0. */
function finite(timeMs: number): number {
  return Number.isFinite(timeMs) ? timeMs : 0;
}

function asResource({ connection }: PooledConnection): { resource: KnexConnection } {
  return { resource: connection };
}

function show(
  pool: TarnPool,
  name: string,
  read: () => unknown,
  write: (value: unknown) => void = () => {},
): void {
  Object.defineProperty(pool, name, { configurable: true, enumerable: true, get: read, set: write });
}
