import {
  type Callers,
  type FleetParts,
  type Observer,
  type OptimizationFlags,
  type Pool,
  PoolError,
  type PoolFacts,
  type PoolOptions,
  type PoolParts,
  type WatchedPool,
} from '../src/index.js';
import type { Background } from './background.js';
import { type Differences, ENHANCED } from './differences.js';
import type { PoolerConfig } from './pg/pooler.js';
import type { WarmHook } from './warming.js';

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

/** A Node callback: an error first, then what there is to tell. */
export type Callback = (error: unknown, ...told: unknown[]) => void;

/** Told, in a sentence, what whoever runs the application had better know. */
export type Warn = (message: string) => void;

/**
 * Follows a query that the pool itself runs for its caller, from the wait for a connection to the answer: calls `run`
 * once and at once, with the callback that is to be told in place of `done`.
 */
export type FollowQuery = (sql: unknown, done: Callback, run: (done: Callback) => void) => void;

/** How a pool is to run. */
export interface PoolSetup {
  /** Engine options that stand above those read from the native pool. */
  readonly options: PoolOptions;
  readonly observer: Observer<unknown> | undefined;
  readonly differences: Readonly<Differences>;
  /** Settings of the optimisations that are not to have their defaults. */
  readonly flags?: OptimizationFlags;
  /** The budget that the pool shares with others. */
  readonly fleet?: FleetParts | undefined;
  /** Runs what the pool does on its own account, so that telemetry keeps it out of the trace of whoever caused it. */
  readonly background?: Background;
  /** Tells callers apart; undefined where nobody can. */
  readonly callers?: Callers;
  /** Undefined while nobody wants to know of single queries. */
  readonly follow?: FollowQuery | undefined;
  /** What stands between a pool and its PostgreSQL, where it is not to be found out. */
  readonly pooler?: PoolerConfig | undefined;
  /** Undefined where nobody listens. */
  readonly warn?: Warn | undefined;
  /** What the application wants done on connections that are opened ahead of demand. */
  readonly warm?: WarmHook | undefined;
}

/** What can be done with a pool that runs on the engine. */
export interface PoolControl {
  /**
   * Gives the pool back to the library's own code, for good: callers in the queue and all that come go there, connections
   * that are leased count against its limit until they come back.
   */
  fallBack(reason: string): void;
}

/** A pool that stays stock, for those who want to watch it. */
export interface WatchSource {
  facts(): PoolFacts;
  /** Ends the watching, for good: from then on the pool is as if we had never been here. */
  stop(): void;
}

/** Where a watched pool's doings are told. */
export interface Watching {
  readonly watched: WatchedPool;
  /** Undefined while nobody wants to know of single queries. */
  readonly follow?: FollowQuery | undefined;
}

/**
 * Who the patches ask. The instrumentation is one; `plainHost` serves those who apply the patches themselves.
 */
export interface Host {
  /** Read whenever a pool is first used: while it is false, new pools stay stock. */
  enabled(): boolean;
  /** How a pool is to run; undefined leaves it stock. */
  setUp(info: PoolInfo): PoolSetup | undefined;
  /** A pool now runs on `engine`; `control` can take it off again. */
  adopted(info: PoolInfo, engine: Pool<unknown>, control?: PoolControl): void;
  /** A pool that ran on the engine is the library's own again; `closed` follows when the engine's last connection is gone. */
  fellBack?(info: PoolInfo, reason: string): void;
  /** A pool stays stock, or is stock again: where what happens there is to be told; undefined when nobody wants to know. */
  watch?(info: PoolInfo, source: WatchSource): Watching | undefined;
  /** A pool stays stock because the engine refused its options. */
  declined?(info: PoolInfo, error: unknown): void;
  /** Its native pool was closed and all its connections are gone, or those of the engine that it ran on. */
  closed(info: PoolInfo, pool: Pool<unknown> | WatchedPool): void;
}

/** What a patch leaves on the prototype that it changed, for whoever comes after it, another copy of this package included. */
export interface Patched<P> {
  /** Asked of pools that are yet to be used; undefined while nobody wants them. */
  host: Host | undefined;
  /** Runs one pool on the engine if it is unused, whoever the host is. */
  enhance(pool: P): void;
}

/** The latest host decides on pools that are yet to be used; those who name none leave it to whoever is there. */
export function appoint(patched: Patched<never>, host: Host | undefined): void {
  patched.host = host ?? patched.host ?? plainHost;
}

/** What `build` makes of a pool as its host wants it; undefined, and the pool untouched, where it is to stay stock or that fails. */
export function takeOver<Facade>(
  info: PoolInfo,
  host: Host,
  build: (setup: PoolSetup) => Facade,
): Facade | undefined {
  try {
    const setup = host.setUp(info);
    return setup === undefined ? undefined : build(setup);
  } catch (error) {
    host.declined?.(info, error);
    return undefined;
  }
}

/**
 * What `begin` makes of a stock pool that the host wants to watch; undefined where it does not. Whatever goes wrong on the way
 * costs the watching and nothing else.
 */
export function startWatch<Watch extends WatchSource>(
  info: PoolInfo,
  host: Host,
  begin: (watching: Watching) => Watch,
): Watch | undefined {
  let watch: Watch | undefined;
  const source: WatchSource = { facts: () => watch!.facts(), stop: () => watch!.stop() };
  let watching: Watching | undefined;
  try {
    watching = host.watch?.(info, source);
    if (watching !== undefined) watch = begin(watching);
  } catch {
    if (watching !== undefined) host.closed(info, watching.watched);
  }
  return watch;
}

/** What a host is told of a pool that runs on the engine. */
export interface Announced {
  /** The library's own code has taken the pool back. */
  fellBack(reason: string): void;
  /** All connections of the engine are gone. */
  closed(): void;
}

/** Tells the host of a pool's engine, before anything of the pool is changed: should the host fail, the engine is closed. */
export function announce(info: PoolInfo, engine: Pool<unknown>, host: Host, control: PoolControl): Announced {
  try {
    host.adopted(info, engine, control);
  } catch (error) {
    engine.drain({ waiting: 'reject' });
    throw error;
  }
  return {
    fellBack: (reason) => host.fellBack?.(info, reason),
    closed: () => host.closed(info, engine),
  };
}

/** The parts of an engine that are the same whatever library it serves. */
export function commonParts(
  { observer, flags, fleet, callers }: PoolSetup,
  control: PoolControl,
): Pick<PoolParts<unknown>, 'observer' | 'flags' | 'fleet' | 'callers' | 'onFault'> {
  return {
    callers,
    observer,
    flags,
    fleet,
    onFault: (fault) => control.fallBack(`the engine failed: ${messageOf(fault)}`),
  };
}

/** Whether a caller is to be served by the library's own code, because the engine has given the pool up. */
export function isHandedBack(error: unknown): boolean {
  return error instanceof PoolError && error.code === 'HANDED_BACK';
}

/** Takes over every pool, with the default options and no telemetry. */
export const plainHost: Host = {
  enabled: () => true,
  setUp: () => ({ options: {}, observer: undefined, differences: ENHANCED }),
  adopted() {},
  closed() {},
};

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
