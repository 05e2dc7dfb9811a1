import {
  createPool,
  type Lease,
  type Pool,
  PoolError,
  type PoolOptions,
  SlotState,
} from '../../src/index.js';
import { inCallersContext } from '../callback.js';
import type { Differences } from '../differences.js';
import type { Host, PoolInfo, PoolSetup } from '../host.js';
import { numberOr, wholeOr } from '../native-options.js';
import { currentHint } from '../query-hint.js';
import { endsSession, PgDriver, type PooledClient } from './driver.js';
import type { ConnectCallback, PgClient, PgPool, QueryCallback, Release } from './shapes.js';

type ClientLease = Lease<PooledClient>;

const nothing = () => {};

/** What the application sees of a `pg.Pool` that runs on the engine: its calls, events, counts and messages. */
export class PgFacade {
  readonly engine: Pool<PooledClient>;
  readonly #pool: PgPool;
  readonly #driver: PgDriver;
  readonly #differences: Readonly<Differences>;
  readonly #onEnded: () => void;
  #ended = false;
  /** While a wrapped stock `connect` runs, the pool looks as if it had room and nobody idle: that way leads to `newClient`. */
  passing = false;

  constructor(pool: PgPool, info: PoolInfo, setup: PoolSetup, host: Host) {
    this.#pool = pool;
    this.#differences = setup.differences;
    this.#driver = new PgDriver(pool, setup.differences, (pooled, error) =>
      this.#idleClientFailed(pooled, error),
    );
    this.engine = createPool<PooledClient>({
      driver: this.#driver,
      options: { ...engineOptions(pool, setup.differences), ...setup.options },
      ...(setup.observer === undefined ? {} : { observer: setup.observer }),
    });
    this.#showTruth();
    host.adopted(info, this.engine as Pool<unknown>);
    this.#onEnded = () => host.closed(info, this.engine as Pool<unknown>);
  }

  /** `pool.connect`: by callback, or by a promise of the pool's own class. */
  connect(done?: ConnectCallback): unknown {
    const pool = this.#pool;
    if (pool.ending) return refuse(pool, new Error('Cannot use a pool after calling end on the pool'), done);
    this.#heedMax();
    const hint = currentHint();
    const lease = this.engine.tryAcquire(hint);
    if (done === undefined) return this.#promiseClient(lease);
    if (lease === undefined) this.#queue(done);
    else process.nextTick(() => this.#hand(lease, done));
    return undefined;
  }

  /** `pool.query` on a connection of its own, which an SQL error does not cost. */
  query(text: unknown, values: unknown, done: QueryCallback): void {
    const pool = this.#pool;
    if (pool.ending) {
      done(new Error('Cannot use a pool after calling end on the pool'));
      return;
    }
    this.#heedMax();
    const lease = this.engine.tryAcquire(currentHint());
    if (lease !== undefined) return this.#start(lease, text, values, done);
    this.#request((waited) => this.#start(waited, text, values, done), done);
  }

  /** Runs `text` on a client that came through somebody else's `connect`: a wrapper's or a subclass's. */
  queryOn(client: PgClient, release: Release, text: unknown, values: unknown, done: QueryCallback): void {
    const lease = this.#driver.of(client)?.lease;
    if (lease !== undefined && !lease.released) {
      client.on('error', lease.connection.onError);
      return this.#dispatch(lease, text, values, done);
    }
    client.query(text, values, (error: unknown, result: unknown) => {
      release(error);
      done(error, result);
    });
  }

  /** The stock `end` was called: serve whom it left waiting, wait for leases, close everything, then say so. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.engine.drain({ waiting: this.#differences.waitersSettleOnEnd ? 'serve' : 'reject' }).then(() => {
      this.#pool.ended = true;
      this.#onEnded();
      this.#pool._endCallback?.();
    });
  }

  get totalCount(): number {
    return this.engine.open;
  }

  get idleCount(): number {
    return this.engine.idle;
  }

  /** A caller for whom a connection is being opened does not count, as in pg-pool. */
  get waitingCount(): number {
    return Math.max(0, this.engine.waiting - this.engine.opening);
  }

  get expiredCount(): number {
    return this.engine.pastLifetime();
  }

  #promiseClient(lease: ClientLease | undefined): Promise<unknown> {
    const { Promise: PromiseClass } = this.#pool;
    if (lease === undefined) {
      const client = new PromiseClass((resolve, reject) => {
        this.#queue((error, given) => (error ? reject(error) : resolve(given)));
      });
      return client.catch(rethrowWithCallersStack);
    }
    const { client } = lease.connection;
    if (this.#pool.options.verify === undefined || lease.connection.seen) {
      this.#checkOut(lease);
      return PromiseClass.resolve(client);
    }
    return new PromiseClass((resolve, reject) => {
      this.#hand(lease, (error, given) => (error ? reject(error) : resolve(given)));
    });
  }

  #queue(done: ConnectCallback): void {
    this.#request(
      (lease) => this.#hand(lease, done),
      (error) => done(error, undefined, nothing),
    );
  }

  #request(serve: (lease: ClientLease) => void, fail: (error: unknown) => void): void {
    const bind = this.#differences.callbacksKeepContext ? inCallersContext : <F>(callback: F) => callback;
    this.engine.request(
      bind(serve),
      bind((error: unknown) => {
        // Stock never settles those who still wait at end().
        const unsettled = isPoolError(error, 'POOL_CLOSED') && !this.#differences.waitersSettleOnEnd;
        if (!unsettled) fail(nativeError(error));
      }),
      currentHint(),
    );
  }

  /** Gives a leased client to its holder, verified if it is new and the application asked for that. */
  #hand(lease: ClientLease, done: ConnectCallback): void {
    const pooled = lease.connection;
    const { client } = pooled;
    const { verify } = this.#pool.options;
    const isNew = !pooled.seen;
    const release = this.#checkOut(lease);
    if (verify === undefined || !isNew) {
      done(undefined, client, release);
      return;
    }
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
    this.#tellAcquired(lease);
    const release = (error?: unknown) => this.#release(lease, error);
    client.release = release;
    lease.connection.lease = lease;
    client.removeListener('error', onError);
    return release;
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
    client.on('error', onError);
    this.#giveBack(lease, error, Boolean(error) || this.#driver.isBroken(lease.connection));
  }

  #giveBack(lease: ClientLease, error: unknown, broken: boolean): void {
    const { client } = lease.connection;
    client._poolUseCount = (client._poolUseCount ?? 0) + 1;
    this.#pool.emit('release', error, client);
    if (!broken && this.#pool.options.allowExitOnIdle === true) client.unref?.();
    lease.release(broken ? 'broken' : error ? 'failed' : 'ok');
  }

  #start(lease: ClientLease, text: unknown, values: unknown, done: QueryCallback): void {
    this.#tellAcquired(lease);
    this.#dispatch(lease, text, values, done);
  }

  #dispatch(lease: ClientLease, text: unknown, values: unknown, done: QueryCallback): void {
    const pooled = lease.connection;
    const { client } = pooled;
    const finish = (error: unknown, broken: boolean, result?: unknown) => {
      if (pooled.onQueryDied !== died) return;
      pooled.onQueryDied = undefined;
      this.#giveBack(lease, error, broken);
      if (error) done(error);
      else done(undefined, result);
    };
    const died = (error: unknown) => finish(error, true);
    pooled.onQueryDied = died;
    this.#pool.log('dispatching query');
    try {
      client.query(text, values, (error: unknown, result: unknown) => {
        this.#pool.log('query dispatched');
        finish(error, Boolean(error) && this.#losesClient(pooled, error), result);
      });
    } catch (error) {
      process.nextTick(() => finish(error, true));
    }
  }

  /** Whether a failed statement costs the client; one that does not may still await the server's word that it is ready. */
  #losesClient(pooled: PooledClient, error: unknown): boolean {
    if (!this.#differences.sqlErrorsKeepConnection || endsSession(error)) return true;
    pooled.settling = pooled.client.readyForQuery === false;
    return false;
  }

  #idleClientFailed(pooled: PooledClient, error: Error): void {
    const { client } = pooled;
    const wasIdle = this.engine.stateOf(pooled) === SlotState.idle;
    (error as Error & { client?: PgClient }).client = client;
    client.removeListener('error', pooled.onError);
    client.on('error', () => {
      this.#pool.log('additional client error after disconnection due to error', error);
    });
    this.engine.evict(pooled, 'broken');
    // While the engine checks a client, its death is the check's result and nobody's error.
    if (wasIdle) this.#pool.emit('error', error, client);
  }

  /** `pool.options.max` may be changed at any time. */
  #heedMax(): void {
    const max = wholeOr(this.#pool.options.max, this.engine.options.max);
    if (max !== this.engine.options.max && max >= 1) {
      this.engine.resize({ max, min: Math.min(this.engine.options.min, max) });
    }
  }

  /** The arrays that other software reads, computed when it reads them. */
  #showTruth(): void {
    show(this.#pool, '_clients', () => [
      ...[...this.engine.connections()].map(({ connection }) => connection.client),
      ...this.#driver.connecting,
    ]);
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
  }
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
    return new Error('Connection terminated due to connection timeout', { cause: error });
  }
  return error;
}

function isPoolError(error: unknown, code: PoolError['code']): boolean {
  return error instanceof PoolError && error.code === code;
}

function refuse(pool: PgPool, error: Error, done: ((error: unknown) => void) | undefined): unknown {
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
