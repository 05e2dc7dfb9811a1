import { appoint, type Host, type Patched, type PoolInfo, plainHost, takeOver } from '../host.js';
import { KnexFacade } from './facade.js';
import { attach, enhancedClassOf, facadeOf, optionsOf } from './pool-class.js';
import type { KnexClasses, KnexClient, KnexConfig, KnexRunner, TarnPool, TarnPoolClass } from './shapes.js';
import { KnexWatch } from './watch.js';

/** On a prototype that carries it, a copy of this package is at work already. */
const PATCHED = Symbol.for('opentelemetry-instrumentation-enhanced-pool.knex');

/**
 * The database products by knex's `driverName`. Dialects that are not here keep their stock pool: SQLite's is one
 * connection to one file, Oracle's acquire does more than acquire, and of unknown ones we know nothing.
 */
const SYSTEMS: Readonly<Record<string, string>> = {
  pg: 'postgresql',
  pgnative: 'postgresql',
  cockroachdb: 'cockroachdb',
  'pg-redshift': 'aws.redshift',
  mysql: 'mysql',
  mysql2: 'mysql',
  mariadb: 'mariadb',
  mssql: 'microsoft.sql_server',
};

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  postgresql: 5432,
  cockroachdb: 26257,
  'aws.redshift': 5439,
  mysql: 3306,
  mariadb: 3306,
  'microsoft.sql_server': 1433,
};

/** The clients on a patched prototype. */
type Mark = Patched<KnexClient>;

/**
 * Makes the pool of every knex client that is created from now on run on the engine. In place and idempotent: by plain
 * assignment on the prototypes, so that instances, dialects and other instrumentations keep working.
 * @param host decides from now on; left out, whoever decides already, or else `plainHost`.
 */
export function patchKnex(classes: KnexClasses, host?: Host): void {
  appoint(patchedPrototypes(classes), host);
}

/** Runs the pool of one client on the engine if it is unused, and those it makes later; other clients are left to their host. */
export function enhance(client: KnexClient, classes: KnexClasses): void {
  patchedPrototypes(classes).enhance(client);
}

function patchedPrototypes({ Client, Runner }: KnexClasses): Mark {
  if (Runner !== undefined) {
    const runner = Runner.prototype as KnexRunner;
    if (!Object.hasOwn(runner, PATCHED)) {
      Object.defineProperty(runner, PATCHED, { value: true });
      patchEnsureConnection(runner);
    }
  }
  const prototype = Client.prototype as KnexClient & { [PATCHED]?: Mark };
  if (Object.hasOwn(prototype, PATCHED)) return prototype[PATCHED]!;
  const mark = patchInitializePool(prototype);
  Object.defineProperty(prototype, PATCHED, { value: mark });
  return mark;
}

function patchInitializePool(prototype: KnexClient): Mark {
  const { getPoolSettings } = prototype;
  const stock = prototype.initializePool;
  const asked = new WeakSet<KnexClient>();
  const mark: Mark = {
    host: undefined,
    enhance(client) {
      asked.add(client);
      adoptPool(client, client.config, client.getPoolSettings !== getPoolSettings, plainHost);
    },
  };
  prototype.initializePool = function initializePool(this: KnexClient, config?: KnexConfig) {
    const before = this.pool;
    stock.call(this, config);
    const host = asked.has(this) ? plainHost : mark.host;
    if (host !== undefined && this.pool !== undefined && this.pool !== before) {
      adoptPool(this, config ?? this.config, this.getPoolSettings !== getPoolSettings, host);
    }
  };
  return mark;
}

/**
 * A streamed query gives its connection back twice in stock: when the stream closes and when the runner is done. By
 * then another may hold it, so only the first counts. Transactions have no pool here and release nothing.
 */
function patchEnsureConnection(prototype: KnexRunner): void {
  const stock = prototype.ensureConnection;
  prototype.ensureConnection = function ensureConnection(this: KnexRunner, work, params) {
    const facade = this.builder._connection === undefined ? facadeOf(this.client.pool) : undefined;
    if (facade === undefined) return stock.call(this, work, params);
    if (params?.stream !== undefined && facade.streamsReleaseOnce) this.client = releasingOnce(this.client);
    // The way from here to the pool is one synchronous stretch.
    facade.ride = facade.rideOf(this, params?.stream !== undefined);
    try {
      return stock.call(this, work, params);
    } finally {
      facade.ride = undefined;
    }
  };
}

function releasingOnce(client: KnexClient): KnexClient {
  let released = false;
  const releaseConnection: KnexClient['releaseConnection'] = (connection) => {
    if (released) return Promise.resolve();
    released = true;
    return client.releaseConnection(connection);
  };
  return Object.create(client, { releaseConnection: { value: releaseConnection, writable: true } });
}

/** Replaces the unused pool of a client by an enhanced one, where that is wanted and possible. */
function adoptPool(client: KnexClient, config: KnexConfig, ownSettings: boolean, host: Host): void {
  const stock = client.pool;
  const system = SYSTEMS[client.driverName ?? ''];
  const owned = client._ownsPool !== false && !config.connectionPool;
  if (stock === undefined || system === undefined || !owned || !isUnusedTarn(stock) || !host.enabled())
    return;
  const StockPool = stock.constructor as TarnPoolClass;
  const pool = new (enhancedClassOf(StockPool))(optionsOf(stock));
  pool.emitter = stock.emitter;
  const info = describe(client, pool, system);
  const origin = { client, StockPool, validatesAsync: ownSettings || validatesMore(client, config) };
  const facade = takeOver(info, host, (setup) => new KnexFacade(pool, origin, info, setup, host));
  if (facade === undefined) {
    KnexWatch.start(stock, { ...info, pool: stock }, host);
    return;
  }
  attach(pool, facade);
  client.pool = pool;
}

function isUnusedTarn(pool: TarnPool): boolean {
  return typeof pool.creator === 'function' && pool.eventId === 1 && facadeOf(pool) === undefined;
}

/** Whether knex's `validate` does more here than look at the connection: the user's own check, or a lifetime. */
function validatesMore(client: KnexClient, config: KnexConfig): boolean {
  const { validate, maxConnectionLifetimeMillis } = { ...client.poolDefaults?.(), ...config.pool };
  return Boolean(validate) || Boolean(maxConnectionLifetimeMillis);
}

function describe({ connectionSettings = {} }: KnexClient, pool: TarnPool, system: string): PoolInfo {
  const { host, server, port, database, connectionString } = connectionSettings;
  const target =
    connectionString !== undefined && URL.canParse(connectionString) ? new URL(connectionString) : undefined;
  const serverPort = Number(port ?? (target?.port || DEFAULT_PORTS[system]));
  return {
    library: 'knex',
    pool,
    system,
    database: database ?? target?.pathname.slice(1),
    serverAddress: host ?? server ?? target?.hostname,
    serverPort: Number.isInteger(serverPort) ? serverPort : undefined,
  };
}
