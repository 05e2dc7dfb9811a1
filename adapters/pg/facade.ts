import {
  createPool,
  type Hint,
  type Lease,
  type Pool,
  PoolError,
  type PoolOptions,
  SharedLease,
  SlotState,
  type Waiter,
} from '../../src/index.js';
import { inBackground } from '../background.js';
import { inCallersContext } from '../callback.js';
import type { Differences } from '../differences.js';
import { intoFastMode } from '../fast-mode.js';
import {
  type Announced,
  announce,
  commonParts,
  type FollowQuery,
  type Host,
  isHandedBack,
  type PoolControl,
  type PoolInfo,
  type PoolSetup,
} from '../host.js';
import { numberOr, wholeOr } from '../native-options.js';
import { currentHint, statementHint } from '../query-hint.js';
import { textOf } from '../statement-text.js';
import { warmUpOf } from '../warming.js';
import { connectionTimeout, PgDriver, type PooledClient } from './driver.js';
import { endsSession } from './failures.js';
import { PgPooler } from './pooler.js';
import type {
  ConnectCallback,
  PgClient,
  PgPool,
  PgPoolPrototype,
  QueryCallback,
  Release,
  Verify,
} from './shapes.js';
import { type PgStatement, PgStatements, type StatementHome } from './statements.js';
import { changedRows } from './transaction.js';

type ClientLease = Lease<PooledClient>;
type Settle = (error: unknown, lease?: ClientLease) => void;

/** What a `pool.query` wants of the `connect` that it calls. */
interface Errand {
  readonly text: unknown;
  readonly statement: PgStatement | undefined;
  /** What it got. */
  lease: ClientLease | undefined;
}

const nothing = () => {};

/** The reason of callers who are left unsettled, as stock leaves them. */
const ABANDONED = new Error('bug: an abandoned caller was told');

/** What the application sees of a `pg.Pool` that runs on the engine: its calls, events, counts and messages. */
export class PgFacade implements PoolControl, StatementHome<PooledClient> {
  readonly engine: Pool<PooledClient>;
  readonly #pool: PgPool;
  readonly #driver: PgDriver;
  readonly #statements: PgStatements<PooledClient>;
  readonly #pooler: PgPooler;
  readonly #differences: Readonly<Differences>;
  readonly #follow: FollowQuery | undefined;
  readonly #announced: Announced;
  #heededMax: unknown;
  #ended = false;
  readonly #letGo: () => void;
  #fallen = false;
  /** Callers left in the queue for ever by `end`. */
  #abandoned = 0;
  /** While `pool.query` itself releases what `connect` gave it, and the error if that did its client no harm. */
  #releasesOwn = false;
  #harmless: unknown = undefined;
  /** While somebody else's `connect` runs for `pool.query`. */
  #errand: Errand | undefined = undefined;
  /** While a wrapped stock `connect` runs, the pool looks as if it had room and nobody idle: that way leads to `newClient`. */
  passing = false;

  /** `letGo`: from then on the patches leave the pool to the stock code. */
  constructor(pool: PgPool, info: PoolInfo, setup: PoolSetup, host: Host, letGo: () => void) {
    this.#pool = pool;
    this.#letGo = letGo;
    this.#differences = setup.differences;
    this.#follow = setup.follow;
    this.#heededMax = pool.options.max;
    this.#pooler = new PgPooler(setup.pooler, setup.warn);
    this.#driver = new PgDriver(
      pool,
      this.#pooler,
      setup.differences,
      (pooled, error) => this.#clientFailed(pooled, error),
      (statement) => this.#statements.sendElsewhere(statement),
      warmUpOf(
        setup,
        (pooled) => this.#statements.prepareAhead(pooled, this.#pooled()),
        ({ client }) => client,
      ),
    );
    this.engine = createPool<PooledClient>({
      driver: inBackground(this.#driver, setup.background),
      options: { ...engineOptions(pool, setup.differences), ...setup.options },
      ...commonParts(setup, this),
    });
    this.engine.pooler = this.#pooler;
    this.#statements = new PgStatements(this.engine, this, this.#pooler, Boolean(pool.options.query_timeout));
    this.engine.statementCounters = this.#statements.counters;
    this.#announced = announce(info, this.engine as Pool<unknown>, host, this);
    this.#showTruth();
  }

  /** `pool.connect`: by callback, or by a promise of the pool's own class. */
  connect(done?: ConnectCallback): unknown {
    const pool = this.#pool;
    if (pool.ending) return refuse(pool, done);
    if (pool.options.max !== this.#heededMax) this.#heedMax();
    const errand = this.#errand;
    if (errand !== undefined && done !== undefined) {
      this.#errand = undefined;
      return this.#connectFor(errand, done);
    }
    const lease = this.engine.tryAcquire(currentHint());
    if (lease !== undefined) this.engine.noteHolder(lease);
    if (done === undefined) return this.#promiseClient(lease);
    if (lease === undefined) this.#request(this.#inContext(this.#handing(done)));
    else process.nextTick(() => this.#hand(lease, done));
    return undefined;
  }

  /** `pool.query` on a connection of its own, which an SQL error does not cost. */
  query(text: unknown, values: unknown, done: QueryCallback): void {
    if (this.#follow === undefined) this.#query(text, values, done);
    else this.#follow(textOf(text, 'text'), done, (told) => this.#query(text, values, told));
  }

  #query(text: unknown, values: unknown, done: QueryCallback): void {
    const pool = this.#pool;
    if (pool.ending) {
      refuse(pool, done);
      return;
    }
    if (pool.options.max !== this.#heededMax) this.#heedMax();
    const statement = this.#statements.of(text, values, done);
    if (statement === undefined) this.#runAlone(text, values, done);
    else this.#run(statement);
  }

  /** On a connection that others use at the same time, if the statement is of a kind that may share one, else on its own. */
  #run(statement: PgStatement): void {
    const costMs = this.#statements.costMsOf(statement.known);
    const shared = this.#shareAt(costMs);
    if (shared !== undefined) return this.#startShared(shared, statement);
    const hint = this.#hintOf(statement.query);
    const lease = this.engine.tryAcquire(hint);
    if (lease !== undefined) this.#startKnown(lease, statement);
    else this.#request(this.#inContext(this.#startingKnown(statement)), hint, costMs, true);
  }

  #runAlone(text: unknown, values: unknown, done: QueryCallback): void {
    const hint = this.#hintOf(text);
    const lease = this.engine.tryAcquire(hint);
    if (lease !== undefined) this.#start(lease, text, values, done);
    else {
      const isStatement = textOf(text, 'text') !== undefined;
      this.#request(this.#inContext(this.#starting(text, values, done)), hint, undefined, isStatement);
    }
  }

  /** A share for a statement that holds a connection for `costMs`; undefined too for one that may not share. */
  #shareAt(costMs: number | undefined): SharedLease<PooledClient> | undefined {
    return costMs === undefined ? undefined : this.engine.tryShare(costMs);
  }

  #hintOf(query: unknown): Hint | undefined {
    return this.engine.readsQueries ? hintOf(query) : currentHint();
  }

  /**
   * `pool.query` where somebody else's `connect` stands before ours, a subclass's or a wrapper's: through it, as stock does. The client
   * is its to use, and so it shares no connection, unless all that it does is to tell of the call (`onlyTells`).
   */
  queryThroughConnect(text: unknown, values: unknown, done: QueryCallback, onlyTells: boolean): void {
    const statement = onlyTells ? this.#statements.of(text, values, done) : undefined;
    const errand: Errand = { text, statement, lease: undefined };
    const connected: ConnectCallback = (error, client) => {
      if (error || client === undefined) return done(error);
      const { lease } = errand;
      if (lease instanceof SharedLease) return this.#startShared(lease, statement!);
      let told = false;
      const finish = (failure: unknown, result?: unknown) => {
        if (told) return;
        told = true;
        client.removeListener('error', finish);
        this.#releasesOwn = true;
        this.#harmless = this.#keepsClient(failure) ? failure : undefined;
        client.release!(failure);
        this.#harmless = undefined;
        this.#releasesOwn = false;
        if (statement !== undefined) statement.answered(failure, result);
        else if (failure) done(failure);
        else done(undefined, result);
      };
      const answered: QueryCallback = (failure, result) => {
        this.#pool.log('query dispatched');
        finish(failure, result);
      };
      client.once('error', finish);
      this.#pool.log('dispatching query');
      try {
        if (statement === undefined || lease === undefined) client.query(text, values, answered);
        else this.#statements.sendAlone(statement, lease.connection, answered, lease);
      } catch (failure) {
        finish(failure);
      }
    };
    this.#errand = errand;
    try {
      this.#pool.connect(connected);
    } finally {
      this.#errand = undefined;
    }
  }

  /** `connect` for a `pool.query` that has come through somebody else's. */
  #connectFor(errand: Errand, done: ConnectCallback): void {
    const { text, statement } = errand;
    const costMs = statement === undefined ? undefined : this.#statements.costMsOf(statement.known);
    const hand = this.#handing(done);
    const settle: Settle = (error, lease) => {
      errand.lease = lease;
      if (!(lease instanceof SharedLease)) return hand(error, lease);
      done(undefined, lease.connection.client, nothing);
    };
    const shared = this.#shareAt(costMs);
    if (shared !== undefined) return process.nextTick(settle, undefined, shared);
    const hint = this.#hintOf(text);
    const lease = this.engine.tryAcquire(hint);
    if (lease === undefined) this.#request(this.#inContext(settle), hint, costMs, statement !== undefined);
    else process.nextTick(settle, undefined, lease);
  }

  /** A callback as it is stored: tied to its caller's context. */
  bound(done: QueryCallback): QueryCallback {
    return this.#inContext(done);
  }

  /** The stock `end` was called: serve whom it left waiting, wait for leases, close everything, then say so. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#differences.waitersSettleOnEnd) this.#abandonWaiters();
    this.engine.drain().then(() => {
      this.#pool.ended = true;
      // Out of the promise: what the callback throws is an uncaught exception.
      queueMicrotask(() => this.#pool._endCallback?.());
      this.#announced.closed();
    });
  }

  /** Clients that are leased count against stock's `max` until they come back; then they are closed. */
  fallBack(reason: string): void {
    if (this.#fallen || this.#ended) return;
    this.#fallen = true;
    this.#hideTruth();
    this.#letGo();
    this.#driver.onForgotten = (client) => {
      const pool = this.#pool;
      pool._clients = pool._clients.filter((other) => other !== client);
      (pool as PgPoolPrototype)._pulseQueue();
    };
    this.engine.handBack().then(this.#announced.closed);
    this.#announced.fellBack(reason);
  }

  get totalCount(): number {
    return this.#driver.clients.size;
  }

  get idleCount(): number {
    return this.engine.idle;
  }

  /** A caller for whom a connection is being opened does not count, as in pg-pool. */
  get waitingCount(): number {
    return Math.max(0, this.engine.waiting - this.engine.opening) + this.#abandoned;
  }

  get expiredCount(): number {
    return this.engine.pastLifetime();
  }

  #promiseClient(lease: ClientLease | undefined): Promise<unknown> {
    const { Promise: PromiseClass, options } = this.#pool;
    const mustVerify = options.verify !== undefined && lease?.connection.seen !== true;
    if (lease !== undefined && !mustVerify) {
      this.#checkOut(lease);
      return PromiseClass.resolve(lease.connection.client);
    }
    return this.#promiseLater(lease, mustVerify);
  }

  /** Apart from the idle path, which would otherwise pay for these closures. */
  #promiseLater(lease: ClientLease | undefined, mustVerify: boolean): Promise<unknown> {
    const { Promise: PromiseClass } = this.#pool;
    const client = mustVerify ? this.#promiseVerified(lease) : new PromiseClass(this.#promiseQueued());
    return client.catch(rethrowWithCallersStack);
  }

  #promiseVerified(lease: ClientLease | undefined): Promise<unknown> {
    return new this.#pool.Promise((resolve, reject) => {
      const done: ConnectCallback = (error, client) => (error ? reject(error) : resolve(client));
      if (lease !== undefined) this.#hand(lease, done);
      else this.#request(this.#inContext(this.#handing(done)));
    });
  }

  /** Nothing but a place in the queue: what only settles a promise needs no context, for the promise has its own. */
  #promiseQueued(): (resolve: (client: PgClient) => void, reject: (error: unknown) => void) => void {
    return (resolve, reject) => {
      this.engine.request(
        (lease) => {
          this.#checkOut(lease);
          resolve(lease.connection.client);
        },
        (error) => {
          if (isHandedBack(error)) resolve(this.#pool.connect() as unknown as PgClient);
          else if (error !== ABANDONED) reject(nativeError(error));
        },
        currentHint(),
      );
    };
  }

  #request(
    settle: Settle,
    hint = currentHint(),
    costMs?: number,
    isStatement = false,
  ): Waiter<PooledClient> | undefined {
    return this.engine.request(
      (lease) => settle(undefined, lease),
      (error) => {
        if (error !== ABANDONED) settle(nativeError(error));
      },
      hint,
      costMs,
      isStatement,
    );
  }

  #handing(done: ConnectCallback): Settle {
    return (error, lease) => {
      if (lease !== undefined) this.#hand(lease, done);
      else if (isHandedBack(error)) this.#pool.connect(done);
      else done(error, undefined, nothing);
    };
  }

  #starting(text: unknown, values: unknown, done: QueryCallback): Settle {
    return (error, lease) => {
      if (lease !== undefined) this.#start(lease, text, values, done);
      else if (isHandedBack(error)) (this.#pool as PgPoolPrototype).query(text, values, done);
      else done(error);
    };
  }

  #startingKnown(statement: PgStatement): Settle {
    const { query, values } = statement;
    const done: QueryCallback = (error, result) => statement.tell(error, result);
    return (error, lease) => {
      if (lease instanceof SharedLease) this.#startShared(lease, statement);
      else if (lease !== undefined) this.#startKnown(lease, statement);
      else if (isHandedBack(error)) (this.#pool as PgPoolPrototype).query(query, values, done);
      else statement.tell(error);
    };
  }

  #inContext<Given extends unknown[]>(callback: (...given: Given) => void): (...given: Given) => void {
    return this.#differences.callbacksKeepContext ? inCallersContext(callback) : callback;
  }

  /** Gives a leased client to its holder, verified if it is new and the application asked for that. */
  #hand(lease: ClientLease, done: ConnectCallback): void {
    const { client } = lease.connection;
    const verify = this.#verifierOf(lease);
    const release = this.#checkOut(lease);
    if (verify === undefined) done(undefined, client, release);
    else this.#verify(verify, client, release, done);
  }

  /** What a client must pass before its first holder has it. */
  #verifierOf({ connection }: ClientLease): Verify | undefined {
    return connection.seen ? undefined : this.#pool.options.verify;
  }

  #verify(verify: Verify, client: PgClient, release: Release, done: ConnectCallback): void {
    verify(client, (error) => {
      if (error) {
        release(error);
        done(error, undefined, nothing);
      } else {
        done(undefined, client, release);
      }
    });
  }

  /** From here on the client's errors are its holder's. */
  #checkOut(lease: ClientLease): Release {
    const { client, onError } = lease.connection;
    lease.connection.isHeld = true;
    this.#statements.nameInTransactions(lease.connection);
    this.#tellAcquiredAlone(lease);
    const release = (error?: unknown) => this.#release(lease, error);
    client.release = release;
    client.removeListener('error', onError);
    return release;
  }

  /** Whoever has a client alone sees the driver exactly as in stock. */
  #tellAcquiredAlone(lease: ClientLease): void {
    const { client } = lease.connection;
    if (client.pipeline === true && !this.#pool.options.pipeline) lease.connection.endPipelining();
    this.#tellAcquired(lease);
  }

  #tellAcquired({ connection }: ClientLease): void {
    connection.seen = true;
    if (this.#pool.options.allowExitOnIdle === true) connection.client.ref?.();
    this.#pool.emit('acquire', connection.client);
  }

  #release(lease: ClientLease, error: unknown): void {
    if (lease.released) {
      lease.release();
      throw new Error('Release called on client which has already been released to the pool.');
    }
    const { client, onError } = lease.connection;
    lease.connection.lent = !this.#releasesOwn;
    lease.connection.isHeld = false;
    client.on('error', onError);
    this.#giveBack(lease, error, Boolean(error) && error !== this.#harmless);
  }

  #giveBack(lease: ClientLease, error: unknown, lost: boolean): void {
    const pooled = lease.connection;
    const { client } = pooled;
    client._poolUseCount = (client._poolUseCount ?? 0) + 1;
    this.#pool.emit('release', error, client);
    const broken = lost || this.#driver.isBroken(pooled);
    if (error) {
      pooled.failed = true;
      this.#pooler.failed(error);
      this.engine.heed(error, pooled);
    }
    lease.release(broken ? 'broken' : error ? 'failed' : 'ok');
    // One that is closed or cleaned first may be what a caller in the queue waits for.
    const idles =
      this.#pool.options.allowExitOnIdle === true && this.engine.stateOf(pooled) === SlotState.idle;
    if (idles) client.unref?.();
  }

  #startShared(lease: SharedLease<PooledClient>, statement: PgStatement): void {
    const pooled = lease.connection;
    pooled.lent = false;
    this.#tellAcquired(lease);
    this.#pool.log('dispatching query');
    this.#statements.share(statement, lease, pooled);
  }

  get isEnding(): boolean {
    return this.#pool.ending;
  }

  giveBackShared(lease: SharedLease<PooledClient>, error: unknown, ended: boolean): void {
    this.#pool.log('query dispatched');
    this.#giveBack(lease, error, ended);
  }

  /** By the queue, which never throws: an engine that closes or was handed back tells so, and this is called from within pg. */
  resend(statement: PgStatement): void {
    const hint = this.#hintOf(statement.query);
    const waiter = this.#request(this.#inContext(this.#startingKnown(statement)), hint, undefined, true);
    if (waiter !== undefined) waiter.isSecond = true;
  }

  /** Runs a query, on a client that is verified first if it is new and the application asked for that. */
  #start(lease: ClientLease, text: unknown, values: unknown, done: QueryCallback): void {
    const { client } = lease.connection;
    this.#begin(lease, done, (answered) => client.query(text, values, answered));
  }

  /** As any other, but by a name where that pays, and what it shows is remembered. */
  #startKnown(lease: ClientLease, statement: PgStatement): void {
    const done: QueryCallback = (error, result) => statement.answered(error, result);
    this.#begin(lease, done, (answered) =>
      this.#statements.sendAlone(statement, lease.connection, answered, lease),
    );
  }

  #begin(lease: ClientLease, done: QueryCallback, send: (answered: QueryCallback) => void): void {
    const verify = this.#verifierOf(lease);
    lease.connection.lent = false;
    this.#tellAcquiredAlone(lease);
    if (verify === undefined) this.#dispatch(lease, done, send);
    else this.#verifyAndDispatch(verify, lease, done, send);
  }

  #verifyAndDispatch(
    verify: Verify,
    lease: ClientLease,
    done: QueryCallback,
    send: (answered: QueryCallback) => void,
  ): void {
    const pooled = lease.connection;
    pooled.answered = (error) => this.#finish(lease, done, error, true);
    verify(pooled.client, (error) => {
      if (error) pooled.answered?.(error);
      else if (!lease.released) this.#dispatch(lease, done, send);
    });
  }

  /** The client calls back with its answer; the pool does when the client dies first, or refuses the query. */
  #dispatch(lease: ClientLease, done: QueryCallback, send: (answered: QueryCallback) => void): void {
    const answered: QueryCallback = (error, result) => {
      this.#pool.log('query dispatched');
      this.#finish(lease, done, error, Boolean(error) && !this.#keepsClient(error), result);
    };
    lease.connection.answered = answered;
    this.#pool.log('dispatching query');
    try {
      send(answered);
    } catch (error) {
      process.nextTick(answered, error);
    }
  }

  /** Whichever comes first. */
  #finish(lease: ClientLease, done: QueryCallback, error: unknown, lost: boolean, result?: unknown): void {
    if (lease.released) return;
    lease.connection.answered = undefined;
    if (!error && changedRows(result)) this.engine.wrote();
    this.#giveBack(lease, error, lost);
    if (error) done(error);
    else done(undefined, result);
  }

  #keepsClient(error: unknown): boolean {
    return this.#differences.sqlErrorsKeepConnection && !endsSession(error);
  }

  /** A client failed while the pool listens to it. */
  #clientFailed(pooled: PooledClient, error: Error): void {
    if (pooled.answered !== undefined) pooled.answered(error);
    // Each of those on it is told by its own callback.
    else if (pooled.sharers.length > 0) this.engine.evict(pooled, 'broken');
    else if (!pooled.closed) this.#idleClientFailed(pooled, error);
  }

  #idleClientFailed(pooled: PooledClient, error: Error): void {
    const { client } = pooled;
    const wasIdle = this.engine.stateOf(pooled) === SlotState.idle;
    (error as Error & { client?: PgClient }).client = client;
    client.removeListener('error', pooled.onError);
    client.on('error', () => {
      this.#pool.log('additional client error after disconnection due to error', error);
    });
    this.engine.heed(error, pooled);
    this.engine.evict(pooled, 'broken');
    // While the engine checks a client, its death is the check's result and nobody's error.
    if (wasIdle) this.#pool.emit('error', error, client);
  }

  /** Stock serves those for whom a connection is being opened and never settles the others. */
  #abandonWaiters(): void {
    const waiters = [...this.engine.waiters()].slice(this.engine.opening);
    this.#abandoned = waiters.length;
    for (const waiter of waiters) this.engine.cancel(waiter, ABANDONED);
  }

  /** `pool.options.max` may be changed at any time. */
  #heedMax(): void {
    this.#heededMax = this.#pool.options.max;
    const { max, min } = this.engine.options;
    const wanted = wholeOr(this.#heededMax, max);
    if (wanted >= 1 && wanted !== max) this.engine.resize({ max: wanted, min: Math.min(min, wanted) });
  }

  *#pooled(): IterableIterator<PooledClient> {
    for (const { connection } of this.engine.connections()) yield connection;
  }

  /** The arrays are stock's own again. */
  #hideTruth(): void {
    const own = { _clients: [...this.#driver.clients], _idle: [], _pendingQueue: [] };
    for (const [name, value] of Object.entries(own)) {
      Object.defineProperty(this.#pool, name, {
        configurable: true,
        enumerable: true,
        writable: true,
        value,
      });
    }
    intoFastMode(this.#pool);
  }

  /** The arrays that other software reads, computed when it reads them. */
  #showTruth(): void {
    show(this.#pool, '_clients', () => [...this.#driver.clients]);
    show(this.#pool, '_idle', () =>
      (this.passing ? [] : [...this.engine.idleConnections()]).map(({ client, onError }) => ({
        client,
        idleListener: onError,
        timeoutId: undefined,
      })),
    );
    show(this.#pool, '_pendingQueue', () =>
      [...this.engine.waiters()].slice(this.engine.opening).map(({ resolve }) => ({ callback: resolve })),
    );
    intoFastMode(this.#pool);
  }
}

/** What `pool.query` was given: a text, a configuration, or an object that submits itself. */
function hintOf(query: unknown): Hint | undefined {
  const text = textOf(query, 'text');
  if (text === undefined) return currentHint();
  const { name } = query as { name?: unknown };
  return statementHint(text, 'postgresql', typeof name === 'string' ? name : undefined);
}

function engineOptions({ options }: PgPool, differences: Readonly<Differences>): PoolOptions {
  const max = Math.max(1, wholeOr(options.max, 10));
  const timeoutMs = numberOr(options.connectionTimeoutMillis, 0);
  return {
    max,
    min: Math.min(wholeOr(options.min, 0), max),
    acquireTimeoutMs: timeoutMs,
    openTimeoutMs: timeoutMs,
    idleTimeoutMs: numberOr(options.idleTimeoutMillis, 0),
    maxLifetimeMs: numberOr(options.maxLifetimeSeconds, 0) * 1_000,
    ...(differences.lifetimesSpread ? {} : { lifetimeJitter: 0 }),
    maxUses: wholeOr(options.maxUses, 0),
    checkAfterIdleMs: differences.checkedOnBorrow ? 500 : 0,
    keepMin: differences.minKeptFilled,
    // Stock queues without bound; a bound would be an error that the application never had.
    maxWaiters: 0,
  };
}

/** pg-pool's own words for what befell the engine; the engine's numbers stay as the cause. */
function nativeError(error: unknown): unknown {
  if (isPoolError(error, 'ACQUIRE_TIMEOUT')) {
    return new Error('timeout exceeded when trying to connect', { cause: error });
  }
  if (isPoolError(error, 'OPEN_TIMEOUT')) {
    return connectionTimeout(error);
  }
  return error;
}

function isPoolError(error: unknown, code: PoolError['code']): boolean {
  return error instanceof PoolError && error.code === code;
}

function refuse(pool: PgPool, done: ((error: unknown) => void) | undefined): unknown {
  const error = new Error('Cannot use a pool after calling end on the pool');
  return done === undefined ? pool.Promise.reject(error) : done(error);
}

/** The stack of an error from a socket leads nowhere; this one leads to the awaiting caller. */
export function rethrowWithCallersStack(error: unknown): never {
  if (error instanceof Error) Error.captureStackTrace(error, rethrowWithCallersStack);
  throw error;
}

function show(pool: PgPool, name: string, read: () => unknown[]): void {
  Object.defineProperty(pool, name, { configurable: true, enumerable: true, get: read, set() {} });
}
