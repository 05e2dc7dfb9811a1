import { EventEmitter } from 'node:events';
import type { Lease } from '../../src/index.js';
import type { PooledConnection } from './driver.js';
import type { MysqlFacade } from './facade.js';
import { isKnown } from './known-source.js';
import type { MysqlConnection, MysqlPool, MysqlPromiseConnection, MysqlPromisePool } from './shapes.js';

const PATCHED = Symbol.for('opentelemetry-instrumentation-enhanced-pool.mysql2.promise');

/** Where a wrapper keeps its lease. */
const LEASE = Symbol('lease');

interface Wrapper extends MysqlPromiseConnection {
  [LEASE]: Lease<PooledConnection> | undefined;
}

/**
 * Spares the promise pools of this mysql2 what costs more than the engine: the detour over `process.nextTick` where a
 * connection is idle, the context that a callback is tied to, and the event wiring of a wrapper that nobody listens to. And a wrapper knows its lease, so that
 * a stale one cannot release the connection of another holder.
 * @param bypassed the facade of a core pool, if nobody is to notice that its `getConnection` is bypassed.
 */
export function shortenPromisePool(pool: MysqlPool, bypassed: Bypassed): void {
  const promisePool = pool.promise?.();
  if (promisePool === undefined) return;
  const prototype = Object.getPrototypeOf(promisePool) as MysqlPromisePool;
  if (Object.hasOwn(prototype, PATCHED)) return;
  Object.defineProperty(prototype, PATCHED, { value: true });
  const stock = prototype.getConnection;
  let wrappers: Wrapper | undefined;

  const wrap = (connection: MysqlConnection, lease: Lease<PooledConnection> | undefined) => {
    wrappers ??= patchedWrappers(connection);
    return newWrapper(wrappers, connection, lease);
  };

  for (const name of ['query', 'execute'] as const) {
    const ask = prototype[name];
    prototype[name] = isKnown(ask)
      ? askingWithStack(name, ask, prototype, bypassed)
      : askingAsStock(name, ask, bypassed);
  }

  prototype.getConnection = function getConnection(this: MysqlPromisePool) {
    const facade = this.Promise === Promise ? bypassed(this.pool) : undefined;
    if (facade === undefined) return stock.call(this);
    const idle = facade.takeIdle();
    if (idle !== undefined) return Promise.resolve(wrap(idle.connection, idle.lease));
    return new Promise((resolve, reject) => {
      facade.getConnection((error, connection) => {
        if (error) reject(error);
        else resolve(wrap(connection!, facade.of(connection!)?.lease));
      }, true);
    });
  };
}

/** As a promise pool calls it: without values there is no argument for them. */
interface MysqlCore extends MysqlPool {
  query(sql: unknown, ...valuesAndDone: unknown[]): unknown;
  execute(sql: unknown, ...valuesAndDone: unknown[]): unknown;
}

type Method = MysqlPromisePool['query'];
type Bypassed = (core: MysqlPool) => MysqlFacade | undefined;

function askingAsStock(name: 'query' | 'execute', ask: Method, bypassed: Bypassed): Method {
  return {
    [name](this: MysqlPromisePool, sql: unknown, args: unknown): Promise<unknown> {
      const facade = this.Promise === Promise ? bypassed(this.pool) : undefined;
      if (facade === undefined) return ask.call(this, sql, args);
      facade.promises = true;
      try {
        return ask.call(this, sql, args);
      } finally {
        facade.promises = false;
      }
    },
  }[name]!;
}

/**
 * What stock's method does, in one function: the capture of the caller's stack is half of what a query costs its client, and
 * each function between the caller and the capture adds to that.
 */
function askingWithStack(
  name: 'query' | 'execute',
  ask: Method,
  prototype: MysqlPromisePool,
  bypassed: Bypassed,
): Method {
  return {
    [name](this: MysqlPromisePool, sql: unknown, args: unknown): Promise<unknown> {
      const core = this.pool as MysqlCore;
      const facade = this.Promise === Promise ? bypassed(core) : undefined;
      // For a callback stock has words.
      if (facade === undefined || typeof args === 'function') return ask.call(this, sql, args);
      const holder: { stack?: unknown } = {};
      if (core.config.connectionConfig.trace) Error.captureStackTrace(holder, prototype[name]);
      return new Promise((resolve, reject) => {
        const done = (error: Error | null, rows: unknown, fields: unknown) => {
          if (error) reject(withStack(error, holder.stack));
          else resolve([rows, fields]);
        };
        facade.promises = true;
        try {
          if (args === undefined || (name === 'execute' && !args)) core[name](sql, done);
          else core[name](sql, args, done);
        } finally {
          facade.promises = false;
        }
      });
    },
  }[name]!;
}

/** @param stack is not a text where the application prepares its stack traces itself. */
function withStack(error: Error, stack: unknown): Error {
  if (typeof stack !== 'string' || stack === '') return error;
  const frames = stack.indexOf('\n');
  error.stack = `${error.name}: ${error.message}${frames < 0 ? '' : stack.slice(frames)}`;
  return error;
}

/** What mysql2's constructor makes, but for the wiring. */
function newWrapper(
  prototype: Wrapper,
  connection: MysqlConnection,
  lease: Lease<PooledConnection> | undefined,
): Wrapper {
  const wrapper: Wrapper = Object.create(prototype);
  (EventEmitter as unknown as () => void).call(wrapper);
  wrapper.connection = connection;
  wrapper.Promise = Promise;
  wrapper[LEASE] = lease;
  return wrapper;
}

/** The prototype of the wrappers, which get their wiring when the first listener is added, and release their own lease only. */
function patchedWrappers(connection: MysqlConnection): Wrapper {
  const prototype = Object.getPrototypeOf(connection.promise()) as Wrapper;
  const { release } = prototype;
  prototype.release = function releaseOwn(this: Wrapper) {
    const lease = this[LEASE];
    if (lease?.released === true) lease.release();
    else release.call(this);
  };
  for (const name of ['on', 'addListener', 'once', 'prependListener', 'prependOnceListener'] as const) {
    const add = prototype[name];
    prototype[name] = function addWired(this: Wrapper, event, listener) {
      // mysql2's own wiring consists of a listener for this event, and so does ours.
      if (event !== 'newListener' && this.listenerCount('newListener') === 0) wire(this);
      return add.call(this, event, listener);
    };
  }
  return prototype;
}

/** The events of a connection that mysql2 tells the listeners of its wrapper. */
const FORWARDED: readonly (string | symbol)[] = ['error', 'drain', 'connect', 'end', 'enqueue'];

/** As mysql2: the wrapper listens to its connection while somebody listens to the wrapper. */
function wire(wrapper: MysqlPromiseConnection): void {
  const forwards = new Map<string | symbol, (...told: unknown[]) => void>();
  wrapper.on('newListener', (event) => {
    if (!FORWARDED.includes(event) || wrapper.listenerCount(event) > 0) return;
    const forward = (...told: unknown[]) => {
      wrapper.emit(event, ...told);
    };
    forwards.set(event, forward);
    wrapper.connection.on(event, forward);
  });
  wrapper.on('removeListener', (event) => {
    const forward = forwards.get(event);
    if (forward === undefined || wrapper.listenerCount(event) > 0) return;
    forwards.delete(event);
    wrapper.connection.removeListener(event, forward);
  });
}
