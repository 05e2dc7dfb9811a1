import type { Observer, OptimizationFlags, Pool, PoolOptions } from '../src/index.js';
import type { Background } from './background.js';
import { type Differences, ENHANCED } from './differences.js';

/** The libraries whose pools can run on the engine. */
export type Library = 'pg' | 'mysql2' | 'knex';

/** What is known of a native pool when it is taken over. */
export interface PoolInfo {
  readonly library: Library;
  /** The application's own pool object. */
  readonly pool: object;
  /** The database product, by OpenTelemetry's `db.system.name`. */
  readonly system: string;
  readonly database: string | undefined;
  readonly serverAddress: string | undefined;
  readonly serverPort: number | undefined;
}

/** How a pool is to run. */
export interface PoolSetup {
  /** Engine options that stand above those read from the native pool. */
  readonly options: PoolOptions;
  readonly observer: Observer<unknown> | undefined;
  readonly differences: Readonly<Differences>;
  /** Settings of the optimisations that are not to have their defaults. */
  readonly flags?: OptimizationFlags;
  /** Runs what the pool does on its own account, so that telemetry keeps it out of the trace of whoever caused it. */
  readonly background?: Background;
}

/**
 * Who the patches ask. The instrumentation is one; `plainHost` serves those who apply the patches themselves.
 */
export interface Host {
  /** Read whenever a pool is first used: while it is false, new pools stay stock. */
  enabled(): boolean;
  /** How a pool is to run; undefined leaves it stock. */
  setUp(info: PoolInfo): PoolSetup | undefined;
  /** A pool now runs on `engine`. */
  adopted(info: PoolInfo, engine: Pool<unknown>): void;
  /** A pool stays stock because the engine refused its options. */
  declined?(info: PoolInfo, error: unknown): void;
  /** Its native pool was closed and all its connections are gone. */
  closed(info: PoolInfo, engine: Pool<unknown>): void;
}

/** Takes over every pool, with the default options and no telemetry. */
export const plainHost: Host = {
  enabled: () => true,
  setUp: () => ({ options: {}, observer: undefined, differences: ENHANCED }),
  adopted() {},
  closed() {},
};
