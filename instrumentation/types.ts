import type { InstrumentationConfig } from '@opentelemetry/instrumentation';
import type { Differences } from '../adapters/differences.js';
import type { Library, PoolInfo } from '../adapters/host.js';
import type { PoolerConfig } from '../adapters/pg/pooler.js';
import type { WarmHook } from '../adapters/warming.js';
import type {
  FlagSetting,
  FleetBudget,
  OptimizationFlags,
  OptimizationName,
  PoolOptions,
} from '../src/index.js';

/** What is emitted. */
export interface TelemetryConfig {
  /** The pool metrics. Default true. */
  metrics?: boolean;
  /**
   * Which acquires have a span: those that waited or failed; `'all'`, those served at once too, of which a pool tells only those that it times:
   * all of up to 1,000 leases a second, one in 2^k of more, so that 500 to 1,000 a second are; or none. Default `'waited'`.
   */
  acquireSpans?: 'waited' | 'all' | 'none';
  /** Whether an acquire without a span around it goes without its own. Default true. */
  requireParentSpan?: boolean;
  /** A span, in a trace of its own, for every connection that is opened. Default true. */
  connectSpans?: boolean;
  /**
   * A span, in a trace of its own, for each round of checks that no caller waits for, with an event for each connection. Default true.
   */
  checkSpans?: boolean;
  /**
   * A client span for every `pool.query` and `pool.execute`, with the wait for a connection as its attribute: in place of
   * the stock instrumentations, and cheaper. Read when a pool is first used. Default false.
   */
  querySpans?: boolean;
  /**
   * A page that shows what the pools do, for whoever develops on this machine: `true`, or the port to listen on. It
   * listens on the loopback only, and its address, which holds a token, is said on the error output. Default false.
   */
  console?: boolean | number;
}

/**
 * `enhance` runs pools on the engine. `observe` leaves them stock and tells what they do: the same telemetry, nothing of their
 * behaviour changed.
 */
export type Mode = 'enhance' | 'observe';

/** How near to the stock pools: all deliberate differences on, all off, or those named switched one by one. */
export type Compatibility = 'enhanced' | 'strict' | Partial<Differences>;

/** A client of the package `redis`, 4.3 or later; others are made like it, and it is left alone. */
export interface GivenRedisClient {
  duplicate(): unknown;
}

/** The budget of connections to a database server that the pools of many processes share: docs/fleet.md. */
export interface FleetConfig extends FleetBudget {
  /**
   * Where the processes agree on their shares: a URL, for which the package `redis` has to be installed, or a client of that package.
   * Default none: every pool has an equal part.
   */
  redis?: string | GivenRedisClient;
  /** What the pools that share the budget have in common. Default: the database product, host and port. */
  name?: string;
}

/** Who gets how much, for a rollout step by step. A process or a pool always falls on the same side. */
export interface RolloutConfig {
  /** Share in percent of processes, or pools, that run on the engine; the others are observed. Default 100. */
  engine?: number;
  /** What `engine` is a share of. Default `'process'`. */
  by?: 'process' | 'pool';
  /** Share in percent of processes in which an optimisation has its setting; in the others it is off. Default 100 for each. */
  optimizations?: { [Name in OptimizationName]?: number };
  /** What tells this process from others. Default: `service.instance.id` of `OTEL_RESOURCE_ATTRIBUTES`, else host and pid. */
  instanceId?: string;
}

/**
 * Asked for every optimisation of a pool when it is first used, and again every ten seconds. A boolean is `on` or `off`, a
 * number a share of processes in percent; undefined leaves the flag to the rest of the configuration. If it throws, that is
 * logged and the flag left so too.
 */
export type FlagProvider = (
  flag: OptimizationName,
  info: PoolInfo,
) => FlagSetting | boolean | number | undefined;

/** What `pools` may answer for one pool; it stands above everything else in the configuration. */
export interface PoolOverrides {
  /** False leaves this pool stock, and untold of. Default true. */
  enabled?: boolean;
  mode?: Mode;
  /** `db.client.connection.pool.name` in its telemetry. Default: the database, else the server, else its product. */
  name?: string;
  options?: PoolOptions;
  optimizations?: OptimizationFlags;
  pooler?: PoolerConfig;
  /**
   * Makes a connection ready that was opened ahead of demand (for `min`, by the forecast, in place of one that retires), before it goes idle:
   * the driver's own, which nobody else has meanwhile. `signal` aborts when somebody waits for the connection. One that somebody waits
   * for is not warmed, so this is no place for what every connection needs. What it throws is logged and the connection used all the same.
   */
  warm?: WarmHook;
  /** Another budget for this pool; false for none. */
  fleet?: FleetConfig | false;
  compatibility?: Compatibility;
}

export interface EnhancedPoolInstrumentationConfig extends InstrumentationConfig {
  /** Whose pools run on the engine. Default all: `['pg', 'mysql2', 'knex']`. */
  libraries?: Library[];
  /** Engine options for every pool; they stand above those that the application gave its pools. Default none. */
  options?: PoolOptions;
  /** How pools run. Default `'enhance'`. */
  mode?: Mode;
  rollout?: RolloutConfig;
  flagProvider?: FlagProvider;
  /** Flags of the optimisations, by name; see docs/configuration.md for their defaults. */
  optimizations?: OptimizationFlags;
  /** Asked once for every pool, when it is first used. If it throws, that is logged and the pool goes without overrides. */
  pools?: (info: PoolInfo) => PoolOverrides | undefined;
  telemetry?: TelemetryConfig;
  /** What stands between the pools and their PostgreSQL. Default: it is looked for. */
  pooler?: PoolerConfig;
  /** Default none: a pool is limited by its own `max`. */
  fleet?: FleetConfig;
  /** Default `'enhanced'`. */
  compatibility?: Compatibility;
}
