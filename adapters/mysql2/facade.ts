import type { AsyncResource } from 'node:async_hooks';
import {
  createPool,
  type Hint,
  type Lease,
  type Pool,
  PoolError,
  type PoolOptions,
  SlotState,
} from '../../src/index.js';
import { callersContext, inContext } from '../callback.js';
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
import { numberOr } from '../native-options.js';
import { currentHint, statementHint } from '../query-hint.js';
import { textOf } from '../statement-text.js';
import { warmUpOf } from '../warming.js';
import { MysqlDriver, type PooledConnection } from './driver.js';
import type {
  ConnectionCallback,
  MysqlCommand,
  MysqlConnection,
  MysqlConnectionClass,
  MysqlPool,
  MysqlPoolConfig,
  MysqlPoolPrototype,
  MysqlQueue,
} from './shapes.js';

type ConnectionLease = Lease<PooledConnection>;

/** Sends a statement out, or tells its caller why not; without a lease the connection is stock's, which has taken the pool back. */
export type StatementStart = (error: unknown, connection?: MysqlConnection, lease?: ConnectionLease) => void;

/** As mysql2 calls the end of a connection that the server closes; for an idle one it makes no error. */
const LOST = { code: 'PROTOCOL_CONNECTION_LOST' };

/** How often stock looks for idle connections above `maxIdle`, and for those past `idleTimeout`. */
const SWEEP_INTERVAL_MS = 1_000;

/** What the application sees of a mysql2 pool that runs on the engine: its calls, events, counts and messages. */
export class MysqlFacade implements PoolControl {
  readonly engine: Pool<PooledConnection>;
  readonly follow: FollowQuery | undefined;
  /** Set while `pool.query` or `pool.execute` asks for a connection: what it will run. */
  statement: unknown = undefined;
  /** Whether it is prepared first, as `pool.execute` does. */
  prepares = false;
  /** The context of its caller, where his callback is to be called in it. */
  context: AsyncResource | undefined = undefined;
  /** While the `query` or `execute` of a promise pool asks: what only settles a promise needs no context, and may run at once. */
  promises = false;
  readonly #pool: MysqlPool;
  readonly #PoolConnection: MysqlConnectionClass;
  readonly #driver: MysqlDriver;
  readonly #differences: Readonly<Differences>;
  readonly #announced: Announced;
  #ended = false;
  readonly #letGo: () => void;
  #fallen = false;
  #heededLimit: unknown;
  #startsAtOnce = false;

  /** `letGo`: from then on the patches leave the pool to the stock code. */
  constructor(
    pool: MysqlPool,
    PoolConnection: MysqlConnectionClass,
    info: PoolInfo,
    setup: PoolSetup,
    host: Host,
    letGo: () => void,
  ) {
    this.#pool = pool;
    this.#PoolConnection = PoolConnection;
    this.#letGo = letGo;
    this.#differences = setup.differences;
    this.follow = setup.follow;
    this.#heededLimit = pool.config.connectionLimit;
    this.#driver = new MysqlDriver(
      pool,
      PoolConnection,
      setup.differences,
      warmUpOf(setup, undefined, ({ connection }) => connection),
    );
    this.engine = createPool<PooledConnection>({
      driver: this.#driver,
      options: { ...engineOptions(pool.config, setup.differences), ...setup.options },
      ...commonParts(setup, this),
    });
    this.#announced = announce(info, this.engine as Pool<unknown>, host, this);
    this.#showTruth();
  }

  /** `pool.getConnection`. A callback that only settles a promise needs no context: the promise has its own. */
  getConnection(done: ConnectionCallback, settlesPromise = false): void {
    const { statement, promises } = this;
    this.statement = undefined;
    this.promises = false;
    if (this.#pool._closed) return fail(done, 'Pool is closed.');
    const reads = statement !== undefined && this.engine.readsQueries;
    const hint = reads ? hintOf(statement, this.prepares) : currentHint();
    const lease = this.engine.tryAcquire(hint);
    if (lease === undefined) {
      const known = statement === undefined ? undefined : this.context;
      const keepsContext = this.#differences.callbacksKeepContext && !settlesPromise;
      const context = known ?? (keepsContext ? callersContext() : undefined);
      return this.#waitInLine(done, context, hint, statement, (given) => {
        this.#take(given, statement !== undefined);
        process.nextTick(hand, given.connection, done, context);
      });
    }
    if (statement === undefined) this.engine.noteHolder(lease);
    this.#take(lease, statement !== undefined);
    if (promises) hand(lease.connection, done);
    else process.nextTick(hand, lease.connection, done);
  }

  /**
   * Runs one statement of `pool.query` or `pool.execute`. One that had to wait starts in the same turn of the event loop in which another one of
   * these ended on its connection; whoever had that before may release it as often as he likes, until the statement has `ended`.
   */
  run(start: StatementStart, sql: unknown, prepares: boolean, context: AsyncResource | undefined): void {
    const { promises } = this;
    this.promises = false;
    if (this.#pool._closed) return fail(start, 'Pool is closed.');
    const hint = this.engine.readsQueries ? hintOf(sql, prepares) : currentHint();
    const lease = this.engine.tryAcquire(hint);
    if (lease === undefined) {
      // A promise needs none, but whoever follows the statement itself, as its span does, is to find it in its caller's.
      const callers = context ?? (this.#differences.callbacksKeepContext ? callersContext() : undefined);
      return this.#waitInLine(start, callers, hint, sql, (given) => {
        this.#take(given, true);
        this.#start(start, given, callers);
      });
    }
    this.#take(lease, true);
    if (promises) start(null, lease.connection.connection, lease);
    else process.nextTick(start, null, lease.connection.connection, lease);
  }

  /**
   * In this turn of the event loop where the last statement ended as the server ends one; else as stock does, a tick later. By then the connection is
   * destroyed where its holder does so after the release, or where the rest of an answer that could not be read has met nobody. Of a statement that fails
   * at once the next one has a stack of its own: else a long queue of such overflowed it.
   */
  #start(start: StatementStart, lease: ConnectionLease, context: AsyncResource | undefined): void {
    if (!this.#startsAtOnce) return process.nextTick(startIn, context, start, lease);
    this.#startsAtOnce = false;
    startIn(context, start, lease);
  }

  /** A statement is over; `failure`: what went wrong. */
  ended(connection: MysqlConnection, lease: ConnectionLease | undefined, failure: unknown): void {
    if (lease !== undefined) {
      const pooled = lease.connection;
      // One that died has left the pool.
      if (pooled.lease !== lease) return;
      handOver(pooled);
    }
    this.#startsAtOnce = !failure || isServers(failure);
    try {
      connection.release();
    } finally {
      this.#startsAtOnce = false;
    }
  }

  createQuery(sql: unknown, values: unknown, cb: unknown): MysqlCommand {
    const { connectionConfig } = this.#pool.config;
    const command = this.#PoolConnection.createQuery(sql, values, cb, connectionConfig);
    if (command.namedPlaceholders === undefined)
      command.namedPlaceholders = connectionConfig.namedPlaceholders;
    return command;
  }

  /** Whether a callback that is given now is to be called in its caller's context. */
  get keepsContext(): boolean {
    return this.#differences.callbacksKeepContext && !this.promises;
  }

  /** A connection for a caller who need not wait, if there is one. */
  takeIdle(): PooledConnection | undefined {
    if (this.#pool._closed) return undefined;
    const lease = this.engine.tryAcquire(currentHint());
    if (lease === undefined) return undefined;
    this.engine.noteHolder(lease);
    this.#take(lease, false);
    handOver(lease.connection);
    return lease.connection;
  }

  /**
   * An argument of `pool.query` or `pool.execute`. A callback is tied to its caller's context, for an answer comes in that of
   * the socket, and the engine hears the answer where it wants to.
   */
  bound(given: unknown): unknown {
    if (typeof given !== 'function') return given;
    const callback = given as (...told: unknown[]) => unknown;
    const context = this.keepsContext ? callersContext() : undefined;
    this.context = context;
    return (...told: unknown[]) => {
      this.heed(told[0], told[1]);
      return context === undefined
        ? callback(...told)
        : context.runInAsyncScope(callback, undefined, ...told);
    };
  }

  /** The engine hears what came of a statement, where it wants to. */
  heed(error: unknown, result: unknown): void {
    if (!this.engine.rollout.acting.errorClassify) return;
    if (error) this.engine.heed(error);
    else if ((result as { affectedRows?: number } | undefined)?.affectedRows) this.engine.wrote();
  }

  /** What the pool remembers of a connection that it still has. */
  of(connection: MysqlConnection): PooledConnection | undefined {
    return this.#driver.connections.get(connection);
  }

  /** `connection.release`, and `pool.releaseConnection`, which may be called by itself. */
  release(connection: MysqlConnection): void {
    const pooled = this.of(connection);
    if (pooled === undefined || !pooled.held) return;
    const lease = pooled.lease!;
    pooled.held = false;
    pooled.lease = undefined;
    lease.release('ok');
    const { state } = lease.slot;
    if (state === SlotState.idle) this.#tellFree(pooled);
    else if (state === SlotState.checking) this.#tellFreeOnceClean(lease);
  }

  /** A connection died, was destroyed or ended: it leaves at once, whoever has it. */
  remove(connection: MysqlConnection): void {
    const pooled = this.of(connection);
    if (pooled === undefined) return;
    this.#driver.connections.delete(connection);
    const { lease } = pooled;
    pooled.held = false;
    pooled.lease = undefined;
    const error = connection._fatalError ?? (this.#endedByServer(connection) ? LOST : undefined);
    if (error) this.engine.heed(error, pooled);
    if (lease === undefined) this.engine.evict(pooled, 'broken');
    else lease.release('broken');
  }

  #endedByServer({ stream, _closing: isClosing }: MysqlConnection): boolean {
    return stream?.readableEnded === true && isClosing !== true && !this.#pool._closed;
  }

  /** Connections that are leased count against stock's limit until they come back; then they are closed. */
  fallBack(reason: string): void {
    if (this.#fallen || this.#ended) return;
    this.#fallen = true;
    this.#hideTruth();
    this.#letGo();
    this.engine.handBack().then(this.#announced.closed);
    this.#announced.fellBack(reason);
  }

  /** `pool.end` told the engine first: stock's own `end`, which comes next, finds nobody in the queue. */
  beforeEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pool._closed = true;
    this.engine.drain({ waiting: 'reject' }).then(this.#announced.closed);
  }

  /** Stock's `end` has told every connection to quit; a release is of no effect any more. */
  afterEnd(): void {
    for (const pooled of this.#driver.connections.values()) {
      pooled.held = false;
      pooled.lease?.release('broken');
      pooled.lease = undefined;
    }
  }

  /** As stock, once a second, and keeping the process alive as stock does; idle timeouts are the engine's. */
  sweep(): void {
    const pool = this.#pool;
    clearTimeout(pool._removeIdleTimeoutConnectionsTimer);
    pool._removeIdleTimeoutConnectionsTimer = setTimeout(() => {
      const surplus = this.engine.idle - numberOr(pool.config.maxIdle, Number.POSITIVE_INFINITY);
      const oldest = surplus > 0 ? [...this.engine.idleConnections()].slice(0, surplus) : [];
      for (const pooled of oldest) this.engine.evict(pooled, 'idle');
      pool._removeIdleTimeoutConnections!();
    }, SWEEP_INTERVAL_MS);
  }

  /** For the next connection that is released, opened or found sound. */
  #waitInLine(
    done: StatementStart,
    context: AsyncResource | undefined,
    hint: Hint | undefined,
    statement: unknown,
    serve: (lease: ConnectionLease) => void,
  ): void {
    this.#heedLimit();
    if (this.engine.idle === 0 && this.#driver.connections.size >= this.engine.options.max) {
      const { waitForConnections, queueLimit } = this.#pool.config;
      if (!waitForConnections) return fail(done, 'No connections available.');
      if (queueLimit && this.#queueLength >= queueLimit) {
        done(new Error('Queue limit reached.'));
        return;
      }
      this.#pool.emit('enqueue');
    }
    this.engine.request(
      serve,
      (error) => {
        const callback = context === undefined ? done : inContext(context, done);
        if (isHandedBack(error)) (this.#pool as MysqlPoolPrototype).getConnection(callback);
        else process.nextTick(callback, nativeError(error));
      },
      hint,
      undefined,
      textOf(statement, 'sql') !== undefined,
    );
  }

  /** Callers for whom no connection is on its way: those for whom one is do not stand in stock's queue. */
  get #queueLength(): number {
    return Math.max(0, this.engine.waiting - this.engine.opening - this.#driver.checking);
  }

  #take(lease: ConnectionLease, forStatement: boolean): void {
    const pooled = lease.connection;
    pooled.lease = lease;
    pooled.forStatement = forStatement;
    if (!pooled.free) return;
    pooled.free = false;
    this.#pool.emit('acquire', pooled.connection);
  }

  #tellFree(pooled: PooledConnection): void {
    pooled.free = true;
    this.#pool.emit('release', pooled.connection);
  }

  #tellFreeOnceClean({ connection: pooled, slot }: ConnectionLease): void {
    // On the next tick every promise that waits for this one has settled, the engine's decision with them.
    const decided = () => {
      if (slot.state === SlotState.idle && !pooled.free) this.#tellFree(pooled);
    };
    const decide = () => process.nextTick(decided);
    pooled.cleaning!.then(decide, decide);
  }

  /** `pool.config.connectionLimit` may be changed at any time. */
  #heedLimit(): void {
    const { connectionLimit } = this.#pool.config;
    if (connectionLimit === this.#heededLimit) return;
    this.#heededLimit = connectionLimit;
    this.engine.resize({ max: maxOf(connectionLimit) });
  }

  /** The queues are stock's own again. */
  #hideTruth(): void {
    const pool = this.#pool;
    const Queue = pool._freeConnections.constructor as new () => MysqlQueue;
    for (const name of ['_allConnections', '_freeConnections', '_connectionQueue'] as const) {
      Object.defineProperty(pool, name, {
        configurable: true,
        enumerable: true,
        writable: true,
        value: new Queue(),
      });
    }
    for (const connection of this.#driver.connections.keys()) pool._allConnections.push(connection);
    intoFastMode(pool);
  }

  /** The queues that other software reads, computed when it reads them. */
  #showTruth(): void {
    const pool = this.#pool;
    const Queue = pool._freeConnections.constructor as new () => MysqlQueue;
    show(pool, '_allConnections', Queue, () => this.#driver.connections.keys());
    show(pool, '_freeConnections', Queue, () =>
      [...this.engine.idleConnections()].map(({ connection }) => connection),
    );
    show(pool, '_connectionQueue', Queue, () => {
      const length = this.#queueLength;
      return length === 0 ? [] : [...this.engine.waiters()].slice(-length).map(({ resolve }) => resolve);
    });
    intoFastMode(pool);
  }
}

function fail(done: ConnectionCallback, message: string): void {
  process.nextTick(done, new Error(message));
}

function hand(pooled: PooledConnection, done: ConnectionCallback, context?: AsyncResource): void {
  handOver(pooled);
  if (context === undefined) done(null, pooled.connection);
  else context.runInAsyncScope(done, undefined, null, pooled.connection);
}

/** Whether it is the server's answer to a statement, after which nothing more of that comes. */
function isServers(failure: unknown): boolean {
  return typeof (failure as { sqlState?: unknown }).sqlState === 'string';
}

function startIn(context: AsyncResource | undefined, start: StatementStart, lease: ConnectionLease): void {
  const { connection } = lease.connection;
  if (context === undefined) start(null, connection, lease);
  else context.runInAsyncScope(start, undefined, null, connection, lease);
}

/** Until now the release that freed it counted, so that a second one of that holder found it released. */
function handOver(pooled: PooledConnection): void {
  // One that died on the way has no lease any more.
  pooled.held = pooled.lease !== undefined;
  pooled.connection._released = false;
}

function hintOf(statement: unknown, prepares: boolean): Hint | undefined {
  const sql = textOf(statement, 'sql');
  return sql === undefined ? currentHint() : statementHint(sql, 'mysql', prepares ? sql : undefined);
}

function engineOptions(config: MysqlPoolConfig, differences: Readonly<Differences>): PoolOptions {
  return {
    min: 0,
    max: maxOf(config.connectionLimit),
    // mysql2 has its own deadline for connecting, and none for waiting.
    acquireTimeoutMs: 0,
    openTimeoutMs: 0,
    idleTimeoutMs: idleTimeoutMs(config, differences),
    checkAfterIdleMs: differences.checkedOnBorrow ? 500 : 0,
    // `queueLimit` is read whenever somebody queues: it may be changed at any time.
    maxWaiters: 0,
  };
}

/** 0 is without limit; a fraction admits the connection that crosses it. */
export function maxOf(connectionLimit: unknown): number {
  const limit = Number(connectionLimit);
  return limit === 0 || !(limit < Number.MAX_SAFE_INTEGER)
    ? Number.MAX_SAFE_INTEGER
    : Math.max(1, Math.ceil(limit));
}

function idleTimeoutMs(
  { idleTimeout, maxIdle, connectionLimit }: MysqlPoolConfig,
  differences: Readonly<Differences>,
): number {
  const works = maxIdle !== undefined && maxIdle < connectionLimit;
  const timeoutMs = numberOr(idleTimeout, 60_000);
  if (works) return timeoutMs === 0 ? SWEEP_INTERVAL_MS : timeoutMs;
  return differences.idleTimeoutAlwaysWorks ? timeoutMs : 0;
}

/** mysql2's own words for what befell the engine; the engine's numbers stay as the cause. */
function nativeError(error: unknown): unknown {
  if (!(error instanceof PoolError) || error.code !== 'POOL_CLOSED') return error;
  return new Error('Pool is closed.', { cause: error });
}

function show(
  pool: MysqlPool,
  name: string,
  Queue: new () => MysqlQueue,
  read: () => Iterable<unknown>,
): void {
  Object.defineProperty(pool, name, {
    configurable: true,
    enumerable: true,
    get() {
      const queue = new Queue();
      for (const item of read()) queue.push(item);
      return queue;
    },
    set() {},
  });
}
