import { tracingChannel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import {
  appoint,
  type Callback,
  type FollowQuery,
  type Host,
  type Patched,
  type PoolInfo,
  plainHost,
  takeOver,
} from '../host.js';
import { textOf } from '../statement-text.js';
import { MysqlFacade } from './facade.js';
import { isKnown } from './known-source.js';
import { shortenPromisePool } from './promise-pool.js';
import type {
  ConnectionCallback,
  Done,
  MysqlConnection,
  MysqlConnectionClass,
  MysqlPool,
  MysqlPoolClass,
  MysqlPoolPrototype,
} from './shapes.js';
import { execute, query, type RunMethod } from './statements.js';
import { MysqlWatch } from './watch.js';

/** On a prototype that carries it, a copy of this package is at work already. */
const PATCHED = Symbol.for('opentelemetry-instrumentation-enhanced-pool.mysql2');

/** What is found there. */
interface Mark extends Patched<MysqlPool> {
  readonly PoolConnection: MysqlConnectionClass;
  /** Whether nobody is to notice that the `getConnection` of a pool is bypassed. */
  isBypassable(core: MysqlPool): boolean;
  /** The facade of a pool, if nobody is to notice that its `getConnection` is bypassed. */
  bypassed(core: MysqlPool): MysqlFacade | undefined;
}

/** Pools that were first used while nobody wanted them enhanced stay stock for ever. */
const STOCK = 'stock';

const facades = new WeakMap<MysqlPool, MysqlFacade | typeof STOCK>();

/** Pools that stock has taken back while connections of theirs were leased: their facades know those. */
const fallen = new WeakMap<MysqlPool, MysqlFacade>();

const connects = tracingChannel('mysql2:pool:connect');

/**
 * Makes every pool of this mysql2 class run on the engine, from its first use on; promise pools and clusters ride on
 * it. In place and idempotent: by plain assignment on the prototype, so that instances, subclasses and other
 * instrumentations keep working.
 * @param BasePool what `mysql2/lib/base/pool.js` exports, before mysql2 3.12 what `mysql2/lib/pool.js` does.
 * @param host decides from now on; left out, whoever decides already, or else `plainHost`.
 * @throws if it is of no mysql2 that we know; then nothing is changed.
 */
export function patchMysql2Pool(BasePool: MysqlPoolClass, host?: Host): void {
  const mark = patchedPrototype(BasePool);
  if (mark === undefined) throw new Error('it opens connections in no way that is known');
  appoint(mark, host);
}

/** Runs one unused pool on the engine; other pools of its class are left to the host of their class, if it has one. */
export function enhance(pool: MysqlPool, BasePool: MysqlPoolClass): void {
  patchedPrototype(BasePool)?.enhance(pool);
}

/** Undefined for a mysql2 that we do not know. */
function patchedPrototype(BasePool: MysqlPoolClass): Mark | undefined {
  const prototype = BasePool.prototype as MysqlPoolPrototype & { [PATCHED]?: Mark };
  if (Object.hasOwn(prototype, PATCHED)) return prototype[PATCHED];
  const PoolConnection = connectionClassOf(prototype);
  return PoolConnection === undefined ? undefined : patchMethods(prototype, PoolConnection);
}

function patchMethods(prototype: MysqlPoolPrototype, PoolConnection: MysqlConnectionClass): Mark {
  const stock = pick(
    prototype,
    'getConnection',
    'releaseConnection',
    'query',
    'execute',
    'end',
    '_removeConnection',
    '_removeIdleTimeoutConnections',
  );
  /** mysql2 has its channel since 3.20, as it has this. */
  const hasChannel = Symbol.dispose in prototype;
  const publishes = () => hasChannel && connects.hasSubscribers;

  prototype.getConnection = function getConnection(this: MysqlPoolPrototype, cb: ConnectionCallback) {
    const facade = facadeOf(this, mark.host);
    if (facade === undefined) {
      const watch = MysqlWatch.of(this);
      return watch === undefined ? stock.getConnection.call(this, cb) : watch.getConnection(stock, cb);
    }
    if (publishes()) connects.traceCallback(facade.getConnection, 0, contextOf(this), facade, cb);
    else facade.getConnection(cb);
  };
  const enhancedGetConnection = prototype.getConnection;
  const isBypassable = (core: MysqlPool) =>
    (core as MysqlPoolPrototype).getConnection === enhancedGetConnection && !publishes();
  const mark: Mark = {
    host: undefined,
    enhance: (pool) => void facadeOf(pool, plainHost),
    PoolConnection,
    isBypassable,
    bypassed: (core) => (isBypassable(core) ? adopted(core) : undefined),
  };
  Object.defineProperty(prototype, PATCHED, { value: mark });

  prototype.releaseConnection = function releaseConnection(
    this: MysqlPoolPrototype,
    connection: MysqlConnection,
  ) {
    const facade = adopted(this) ?? keeperOf(this, connection);
    if (facade !== undefined) return facade.release(connection);
    MysqlWatch.of(this)?.releasing(connection);
    stock.releaseConnection.call(this, connection);
  };

  prototype._removeConnection = function _removeConnection(
    this: MysqlPoolPrototype,
    connection: MysqlConnection,
  ) {
    const facade = adopted(this);
    if (facade === undefined) {
      keeperOf(this, connection)?.remove(connection);
      MysqlWatch.of(this)?.removing(connection);
      stock._removeConnection.call(this, connection);
    } else {
      facade.remove(connection);
    }
  };

  prototype.end = function end(this: MysqlPoolPrototype, cb?: Done) {
    const facade = adopted(this);
    facade?.beforeEnd();
    try {
      stock.end.call(this, cb);
    } finally {
      facade?.afterEnd();
      MysqlWatch.of(this)?.ended();
    }
  };

  prototype.query = knowingTheStatement('query', stock.query, query, mark);
  prototype.execute = knowingTheStatement('execute', stock.execute, execute, mark);

  if (stock._removeIdleTimeoutConnections === undefined) return mark;
  prototype._removeIdleTimeoutConnections = function _removeIdleTimeoutConnections(this: MysqlPoolPrototype) {
    const facade = adopted(this);
    if (facade === undefined) stock._removeIdleTimeoutConnections!.call(this);
    else facade.sweep();
  };
  return mark;
}

/** The facade of a pool that runs on the engine; asked for the first time, decides whether it shall. */
export function facadeOf(pool: MysqlPool, host: Host | undefined): MysqlFacade | undefined {
  let facade = facades.get(pool);
  if (facade === undefined) {
    facade = adopt(pool, host) ?? STOCK;
    facades.set(pool, facade);
  }
  return facade === STOCK ? undefined : facade;
}

function adopted(pool: MysqlPool): MysqlFacade | undefined {
  const facade = facades.get(pool);
  return facade === STOCK ? undefined : facade;
}

/** Who is to be told of a connection that the engine had before stock took the pool back. */
function keeperOf(pool: MysqlPool, connection: MysqlConnection): MysqlFacade | undefined {
  const facade = fallen.get(pool);
  return facade?.of(connection) === undefined ? undefined : facade;
}

function adopt(pool: MysqlPool, host: Host | undefined): MysqlFacade | undefined {
  const inUse = pool._closed || pool._allConnections.length > 0;
  const { [PATCHED]: mark } = pool as MysqlPool & { [PATCHED]?: Mark };
  if (inUse || mark === undefined || host === undefined || !host.enabled()) return undefined;
  const info = describe(pool);
  const enhanced = takeOver(info, host, (setup) => {
    const facade: MysqlFacade = new MysqlFacade(pool, mark.PoolConnection, info, setup, host, () => {
      fallen.set(pool, facade);
      facades.set(pool, STOCK);
      MysqlWatch.start(pool, info, host);
    });
    shortenPromisePool(pool, mark.bypassed);
    return facade;
  });
  if (enhanced === undefined) MysqlWatch.start(pool, info, host);
  return enhanced;
}

/** The stock method, which asks for a connection before it returns, and we tell the facade what for; or where it is known what we make of it. */
function knowingTheStatement(
  name: 'query' | 'execute',
  stock: MysqlPoolPrototype['query'],
  known: RunMethod,
  mark: Mark,
) {
  const prepares = name === 'execute';
  const shortens = isKnown(stock);
  return {
    [name](this: MysqlPoolPrototype, sql: unknown, values: unknown, cb: unknown): unknown {
      const facade = facadeOf(this, mark.host);
      if (facade === undefined) {
        const follow = MysqlWatch.of(this)?.follow;
        if (follow === undefined) return stock.call(this, sql, values, cb);
        return followed(follow, textOf(sql, 'sql'), values, cb, (given, done) =>
          stock.call(this, sql, given, done),
        );
      }
      const isShort = shortens && (facade.promises || mark.isBypassable(this));
      const run = (givenValues: unknown, done: unknown) =>
        isShort ? known(facade, sql, givenValues, done) : ask(this, facade, sql, givenValues, done);
      return facade.follow === undefined
        ? run(values, cb)
        : followed(facade.follow, textOf(sql, 'sql'), values, cb, run);
    },
  }[name]!;

  function ask(pool: MysqlPoolPrototype, facade: MysqlFacade, sql: unknown, values: unknown, cb: unknown) {
    const given = facade.bound(values);
    const done = facade.bound(cb);
    facade.statement = sql;
    facade.prepares = prepares;
    try {
      return stock.call(pool, sql, given, done);
    } finally {
      facade.statement = undefined;
      facade.context = undefined;
    }
  }
}

/** Runs a statement that is followed, if its caller is told of its end by a callback. */
function followed(
  follow: FollowQuery,
  sql: unknown,
  values: unknown,
  cb: unknown,
  run: (values: unknown, cb: unknown) => unknown,
): unknown {
  const done = typeof values === 'function' ? values : cb;
  if (typeof done !== 'function') return run(values, cb);
  let command: unknown;
  follow(sql, done as Callback, (told) => {
    command = typeof values === 'function' ? run(told, cb) : run(values, told);
  });
  return command;
}

/**
 * The class that stock opens connections with. It is nowhere to be had from a pool, so stock is made to open one, on a
 * stream that leads nowhere and for a pool that is none.
 */
function connectionClassOf({ getConnection }: MysqlPoolPrototype): MysqlConnectionClass | undefined {
  const connectionConfig = { isServer: true, stream: new EventEmitter(), maxPreparedStatements: 1 };
  let opened: object | undefined;
  const nowhere = {
    config: { connectionLimit: 0, connectionConfig },
    _createConnectionConfig: () => connectionConfig,
    _closed: false,
    _freeConnections: { length: 0 },
    _allConnections: {
      length: 0,
      push: (connection: object) => {
        opened = connection;
      },
    },
  };
  try {
    getConnection.call(nowhere as unknown as MysqlPoolPrototype, () => {});
  } catch {
    // Not a mysql2 that we know: its pools stay stock.
  }
  return opened?.constructor as MysqlConnectionClass | undefined;
}

function describe(pool: MysqlPool): PoolInfo {
  const { database, host, port, socketPath } = pool.config.connectionConfig;
  return {
    library: 'mysql2',
    pool,
    system: 'mysql',
    database: database || undefined,
    serverAddress: socketPath ?? (host || 'localhost'),
    serverPort: socketPath === undefined ? Number(port || 3306) : undefined,
  };
}

/** What mysql2 tells the subscribers of its channel. */
function contextOf(pool: MysqlPool): {
  database: string;
  serverAddress: string;
  serverPort: number | undefined;
} {
  const { database, host, port, socketPath } = pool.config.connectionConfig;
  return {
    database: database || '',
    serverAddress: socketPath || host || 'localhost',
    serverPort: socketPath ? undefined : port || 3306,
  };
}

function pick<T, K extends keyof T>(from: T, ...names: K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}
