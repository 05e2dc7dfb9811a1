import { appoint, type Host, type Patched, type PoolInfo, plainHost, takeOver } from '../host.js';
import { PgFacade, rethrowWithCallersStack } from './facade.js';
import type { ConnectCallback, PgPool, PgPoolClass, PgPoolPrototype, QueryCallback } from './shapes.js';
import { isStock, onlyTells } from './tracers.js';
import { PgWatch } from './watch.js';

/** On a prototype that carries it, a copy of this package is at work already. */
const PATCHED = Symbol.for('opentelemetry-instrumentation-enhanced-pool.pg-pool');

/** Pools that were first used while nobody wanted them enhanced stay stock for ever. */
const STOCK = 'stock';

type Mark = Patched<PgPool>;

const facades = new WeakMap<PgPool, PgFacade | typeof STOCK>();

/**
 * Makes every pool of this `pg-pool` class run on the engine, from its first use on. In place and idempotent: by plain
 * assignment on the prototype, so that instances, subclasses and other instrumentations keep working.
 * @param PoolClass what `require('pg-pool')` gives.
 * @param host decides from now on; left out, whoever decides already, or else `plainHost`.
 */
export function patchPgPool(PoolClass: PgPoolClass, host?: Host): void {
  appoint(patchedPrototype(PoolClass), host);
}

/** Runs one unused pool on the engine; other pools of its class are left to the host of their class, if it has one. */
export function enhance(pool: PgPool, PoolClass: PgPoolClass): void {
  patchedPrototype(PoolClass).enhance(pool);
}

function patchedPrototype(PoolClass: PgPoolClass): Mark {
  const prototype = PoolClass.prototype as PgPoolPrototype & { [PATCHED]?: Mark };
  if (Object.hasOwn(prototype, PATCHED)) return prototype[PATCHED]!;
  const mark: Mark = { host: undefined, enhance: (pool) => void facadeOf(pool, plainHost) };
  Object.defineProperty(prototype, PATCHED, { value: mark });
  patchMethods(prototype, mark);
  return mark;
}

function patchMethods(prototype: PgPoolPrototype, mark: Mark): void {
  const stock = pick(prototype, 'connect', 'query', 'newClient', '_pulseQueue', '_isFull');
  /** Another instrumentation was here first: its wrapper runs, and the stock `connect` in it ends in our `newClient`. */
  const wrapped = !isStock(stock.connect);
  const wrappedByTracers = onlyTells(stock.connect);

  prototype.connect = function connect(this: PgPool, cb?: ConnectCallback) {
    const facade = facadeOf(this, mark.host);
    if (facade === undefined) {
      const watch = PgWatch.of(this);
      return watch === undefined ? stock.connect.call(this, cb) : watch.connect(stock, cb);
    }
    if (!wrapped) return facade.connect(cb);
    facade.passing = true;
    try {
      return stock.connect.call(this, cb);
    } finally {
      facade.passing = false;
    }
  };
  const enhancedConnect = prototype.connect;

  prototype.newClient = function newClient(
    this: PgPoolPrototype,
    pendingItem: { callback: ConnectCallback },
  ) {
    const facade = facadeOf(this, mark.host);
    if (facade === undefined) {
      const watch = PgWatch.of(this);
      return watch === undefined
        ? stock.newClient.call(this, pendingItem)
        : watch.newClient(stock, pendingItem);
    }
    facade.passing = false;
    return facade.connect(pendingItem.callback);
  };

  prototype.query = function query(
    this: PgPoolPrototype,
    text: unknown,
    values?: unknown,
    cb?: QueryCallback,
  ): unknown {
    const facade = facadeOf(this, mark.host);
    if (facade === undefined) {
      const watch = PgWatch.of(this);
      return watch === undefined
        ? stock.query.call(this, text, values, cb)
        : watch.query(stock, text, values, cb);
    }
    if (typeof text === 'function') return stock.query.call(this, text, values, cb);
    if (typeof values === 'function') return query.call(this, text, undefined, values as QueryCallback);
    const ask = (done: QueryCallback) => {
      if (!wrapped && this.connect === enhancedConnect) return facade.query(text, values, done);
      const tellsOnly = wrappedByTracers && onlyTells(this.connect, enhancedConnect);
      return facade.queryThroughConnect(text, values, done, tellsOnly);
    };
    if (cb !== undefined) return ask(facade.bound(cb));
    return new this.Promise((resolve, reject) => {
      ask((error, result) => (error ? reject(error) : resolve(result)));
    }).catch(rethrowWithCallersStack);
  };

  prototype._pulseQueue = function _pulseQueue(this: PgPoolPrototype) {
    const facade = facades.get(this);
    if (facade === undefined || facade === STOCK) {
      const result = stock._pulseQueue.call(this);
      PgWatch.of(this)?.pulsed();
      return result;
    }
    if (this.ending) facade.end();
    return undefined;
  };

  prototype._isFull = function _isFull(this: PgPoolPrototype) {
    const facade = facades.get(this);
    if (facade === undefined || facade === STOCK) return stock._isFull.call(this);
    return !facade.passing && facade.totalCount >= facade.engine.options.max;
  };

  patchCounts(prototype);
}

/** The engine's view of a pool, for those who have the pool in hand; undefined while it is stock. */
export function facadeOf(pool: PgPool, host: Host | undefined): PgFacade | undefined {
  let facade = facades.get(pool);
  if (facade === undefined) {
    facade = adopt(pool, host) ?? STOCK;
    facades.set(pool, facade);
  }
  return facade === STOCK ? undefined : facade;
}

function adopt(pool: PgPool, host: Host | undefined): PgFacade | undefined {
  const inUse = pool.ending || pool._clients.length > 0 || pool._pendingQueue.length > 0;
  if (inUse || host === undefined || !host.enabled()) return undefined;
  const info = describe(pool);
  const facade = takeOver(
    info,
    host,
    (setup) =>
      new PgFacade(pool, info, setup, host, () => {
        facades.set(pool, STOCK);
        PgWatch.start(pool, info, host);
      }),
  );
  if (facade === undefined) PgWatch.start(pool, info, host);
  return facade;
}

/** The counts, straight from the engine: other instrumentations read them at every event. */
function patchCounts(prototype: PgPoolPrototype): void {
  for (const name of ['totalCount', 'idleCount', 'waitingCount', 'expiredCount'] as const) {
    const stock = Object.getOwnPropertyDescriptor(prototype, name)?.get;
    if (stock === undefined) continue;
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: PgPool) {
        const facade = facades.get(this);
        return facade === undefined || facade === STOCK ? stock.call(this) : facade[name];
      },
    });
  }
}

function pick<T, K extends keyof T>(from: T, ...names: K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}

function describe(pool: PgPool): PoolInfo {
  const { options } = pool;
  const target = targetOf(options.connectionString);
  return {
    library: 'pg',
    pool,
    system: 'postgresql',
    database: options.database ?? target?.pathname.slice(1) ?? process.env.PGDATABASE,
    serverAddress: options.host ?? target?.hostname ?? process.env.PGHOST ?? 'localhost',
    serverPort: Number(options.port ?? (target?.port || undefined) ?? process.env.PGPORT ?? 5432),
  };
}

function targetOf(connectionString: string | undefined): URL | undefined {
  return connectionString !== undefined && URL.canParse(connectionString)
    ? new URL(connectionString)
    : undefined;
}
