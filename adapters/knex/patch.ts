import { type Host, type PoolInfo, plainHost } from '../host.js';
import { KnexFacade } from './facade.js';
import { attach, enhancedClassOf, facadeOf, optionsOf } from './pool-class.js';
import type { KnexClasses, KnexClient, KnexConfig, KnexRunner, TarnPool, TarnPoolClass } from './shapes.js';

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

/**
 * Makes the pool of every knex client that is created from now on run on the engine. In place and idempotent: by plain
 * assignment on the prototypes, so that instances, dialects and other instrumentations keep working.
 */
export function patchKnex({ Client, Runner }: KnexClasses, host: Host = plainHost): void {
  patchOnce(Client.prototype as KnexClient, (client) => patchInitializePool(client, host));
  if (Runner !== undefined) patchOnce(Runner.prototype as KnexRunner, patchEnsureConnection);
}

function patchInitializePool(prototype: KnexClient, host: Host): void {
  const { getPoolSettings } = prototype;
  const stock = prototype.initializePool;
  prototype.initializePool = function initializePool(this: KnexClient, config?: KnexConfig) {
    const before = this.pool;
    stock.call(this, config);
    if (this.pool !== undefined && this.pool !== before) {
      adoptPool(this, config ?? this.config, this.getPoolSettings !== getPoolSettings, host);
    }
  };
}

/**
 * A streamed query gives its connection back twice in stock: when the stream closes and when the runner is done. By
 * then another may hold it, so only the first counts. Transactions have no pool here and release nothing.
 */
function patchEnsureConnection(prototype: KnexRunner): void {
  const stock = prototype.ensureConnection;
  prototype.ensureConnection = function ensureConnection(this: KnexRunner, work, params) {
    const streams = params?.stream !== undefined && this.builder._connection === undefined;
    if (streams && facadeOf(this.client.pool)?.streamsReleaseOnce === true) {
      this.client = releasingOnce(this.client);
    }
    return stock.call(this, work, params);
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
export function adoptPool(client: KnexClient, config: KnexConfig, ownSettings: boolean, host: Host): void {
  const stock = client.pool;
  const system = SYSTEMS[client.driverName ?? ''];
  const owned = client._ownsPool !== false && !config.connectionPool;
  if (stock === undefined || system === undefined || !owned || !isUnusedTarn(stock) || !host.enabled())
    return;
  const StockPool = stock.constructor as TarnPoolClass;
  const pool = new (enhancedClassOf(StockPool))(optionsOf(stock));
  pool.emitter = stock.emitter;
  const info = describe(client, pool, system);
  const setup = host.setUp(info);
  if (setup === undefined) return;
  try {
    const origin = { client, StockPool, validatesAsync: ownSettings || validatesMore(client, config) };
    attach(pool, new KnexFacade(pool, origin, info, setup, host));
    client.pool = pool;
  } catch (error) {
    host.declined?.(info, error);
  }
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

function patchOnce<P extends object>(prototype: P, patch: (prototype: P) => void): void {
  if (Object.hasOwn(prototype, PATCHED)) return;
  Object.defineProperty(prototype, PATCHED, { value: true });
  patch(prototype);
}
