import type { DiagLogger } from '@opentelemetry/api';
import type {
  FollowQuery,
  Host,
  PoolControl,
  PoolInfo,
  PoolSetup,
  Watching,
  WatchSource,
} from '../adapters/host.js';
import { type FleetParts, type Observer, Pool, type PoolReport, WatchedPool } from '../src/index.js';
import { together } from '../src/observer.js';
import { OPTIMIZATION_NAMES } from '../src/rollout/flags.js';
import { checkOverrides, differencesOf, type Settings } from './config.js';
import type { PoolConsole } from './console/console.js';
import { flagsOf, isInEngineShare } from './flags.js';
import { type FollowedPool, PoolRegistry, type PoolSeries } from './registry.js';
import { spanCallers } from './telemetry/callers.js';
import { PoolObserver } from './telemetry/observer.js';
import { QueryFollower } from './telemetry/queries.js';
import type { Signals } from './telemetry/signals.js';
import { inBackground } from './telemetry/spans.js';
import type { FleetConfig, Mode, PoolOverrides } from './types.js';

/** What is remembered of a pool that is to run, or runs, on the engine, or is watched. */
interface Known {
  readonly info: PoolInfo;
  readonly series: PoolSeries;
  /** Takes it off the engine. */
  control: PoolControl | undefined;
  /** Ends the watching. */
  source: WatchSource | undefined;
}

/** Whom to tell what happens in a pool. */
interface Listeners {
  readonly observer: Observer<unknown> | undefined;
  readonly follow: FollowQuery | undefined;
}

/** What one instrumentation answers the patches. */
export class InstrumentationHost implements Host {
  readonly registry = new PoolRegistry();
  readonly signals: Signals;
  /** Those for pools that are yet to come. */
  settings: Settings;
  /** Undefined unless it was asked for. */
  console: PoolConsole | undefined = undefined;
  readonly #log: DiagLogger;
  readonly #onNewPool: () => void;
  readonly #overrides = new WeakMap<PoolInfo, PoolOverrides>();
  readonly #byInfo = new WeakMap<PoolInfo, Known>();
  readonly #byPool = new WeakMap<FollowedPool, Known>();
  #switchedOff = false;

  constructor(settings: Settings, signals: Signals, log: DiagLogger, onNewPool: () => void) {
    this.settings = settings;
    this.signals = signals;
    this.#log = log;
    this.#onNewPool = onNewPool;
  }

  enabled(): boolean {
    return !this.#switchedOff;
  }

  setUp(info: PoolInfo): PoolSetup | undefined {
    if (this.#modeOf(info) !== 'enhance') return undefined;
    const { options, compatibility, pooler } = this.settings;
    const overrides = this.#overridesFor(info);
    const { series } = this.#get(info);
    const { observer, follow } = this.#listeners(series);
    return {
      options: { ...options, ...overrides.options },
      observer: overrides.warm === undefined ? observer : this.#tellingOfWarmUps(observer, info),
      flags: this.#flagsOf(info),
      fleet: this.#fleetOf(info, overrides.fleet ?? this.settings.fleet),
      differences: differencesOf(overrides.compatibility ?? compatibility),
      background: inBackground,
      callers: spanCallers,
      follow,
      pooler: { ...pooler, ...overrides.pooler },
      warn: (message) => this.#log.warn(`a ${info.library} pool: ${message}`),
      warm: overrides.warm,
    };
  }

  watch(info: PoolInfo, source: WatchSource): Watching | undefined {
    if (this.#switchedOff) return undefined;
    if (this.#modeOf(info) === undefined) return undefined;
    const known = this.#get(info);
    const { observer, follow } = this.#listeners(known.series);
    const watched = new WatchedPool(source.facts, observer);
    known.control = undefined;
    known.source = source;
    this.#follow(watched, known);
    return { watched, follow };
  }

  adopted(info: PoolInfo, engine: Pool<unknown>, control?: PoolControl): void {
    const known = this.#byInfo.get(info);
    if (known === undefined) return;
    known.control = control;
    this.#follow(engine, known);
  }

  fellBack(info: PoolInfo, reason: string): void {
    this.#log.warn(`a ${info.library} pool is the library's own again: ${reason}`);
  }

  declined(info: PoolInfo, error: unknown): void {
    const known = this.#byInfo.get(info);
    if (known !== undefined) this.registry.forget(known.series);
    this.#byInfo.delete(info);
    const why = error instanceof Error ? error.message : String(error);
    this.#log.warn(`a ${info.library} pool stays stock: ${why}`);
  }

  /** When stock has taken a pool back the engine's end is not the pool's: then that is watched. */
  closed(info: PoolInfo, pool: Pool<unknown> | WatchedPool): void {
    const known = this.#byInfo.get(info);
    if (known?.series.pool === pool) this.registry.close(known.series);
  }

  /**
   * The settings have changed: pools that run on the engine get their flags anew, or go back to the library's own code if they
   * are not to run there any more. Those that are watched stay so.
   */
  refresh(): void {
    for (const { engine, info, control } of this.#running()) {
      if (this.#modeOf(info) !== 'enhance') {
        control?.fallBack('the configuration says that it is not to run on the engine');
        continue;
      }
      const flags = this.#flagsOf(info);
      for (const name of OPTIMIZATION_NAMES) engine.setFlag(name, flags[name]);
    }
  }

  /**
   * While it is switched off new pools are stock; those that run on the engine go back to the library's own code, for good,
   * and nothing is told of any pool.
   */
  switchOff(off: boolean, reason: string): void {
    this.#switchedOff = off;
    if (!off) return;
    for (const { control } of this.#running()) control?.fallBack(reason);
    for (const { series, source } of this.#known()) {
      if (!(series.pool instanceof WatchedPool)) continue;
      source?.stop();
      this.registry.close(series);
    }
  }

  /** Of every open pool, by its name. */
  reports(): Map<string, PoolReport> {
    const reports = new Map<string, PoolReport>();
    for (const { name, pool } of this.registry.open())
      if (pool !== undefined) reports.set(name, pool.report());
    return reports;
  }

  #running(): (Known & { engine: Pool<unknown> })[] {
    return this.#known().flatMap((known) => {
      const { pool } = known.series;
      return pool instanceof Pool ? [{ ...known, engine: pool }] : [];
    });
  }

  #known(): Known[] {
    return [...this.registry.open()].flatMap(({ pool }) =>
      pool === undefined ? [] : (this.#byPool.get(pool) ?? []),
    );
  }

  /** The series of a pool, its own if it had one already. */
  #get(info: PoolInfo): Known {
    const known = this.#byInfo.get(info);
    if (known !== undefined) return known;
    this.#onNewPool();
    const series = this.registry.add(info, this.#overridesFor(info).name);
    const added: Known = { info, series, control: undefined, source: undefined };
    this.#byInfo.set(info, added);
    return added;
  }

  #follow(pool: FollowedPool, known: Known): void {
    known.series.follow(pool);
    this.#byPool.set(pool, known);
  }

  /** Undefined for a pool that is nobody's business. */
  #modeOf(info: PoolInfo): Mode | undefined {
    const overrides = this.#overridesFor(info);
    if (!this.settings.libraries.includes(info.library) || overrides.enabled === false) return undefined;
    const mode = overrides.mode ?? this.settings.mode;
    return mode === 'enhance' && !isInEngineShare(info, this.settings) ? 'observe' : mode;
  }

  #listeners(series: PoolSeries): Listeners {
    const { metrics, acquireSpans, connectSpans, checkSpans, querySpans } = this.settings.telemetry;
    const silent = !metrics && acquireSpans === 'none' && !connectSpans && !checkSpans && !querySpans;
    const queries = querySpans ? new QueryFollower(this.signals, series.attributes) : undefined;
    const observer = silent ? undefined : new PoolObserver(this.signals, series, queries);
    return { observer: this.#withConsole(observer, series), follow: queries?.follow };
  }

  /** With the console listening as well, while there is one. */
  #withConsole(observer: Observer<unknown> | undefined, { name }: PoolSeries): Observer<unknown> | undefined {
    return this.console === undefined ? observer : this.console.beside(observer, name);
  }

  /** What the application's `warm` meets is its own, and nobody else's to tell: the first time as a warning. */
  #tellingOfWarmUps(observer: Observer<unknown> | undefined, { library }: PoolInfo): Observer<unknown> {
    let level: 'warn' | 'debug' = 'warn';
    const onWarmed: Observer<unknown>['onWarmed'] = (_slot, _tookMs, error) => {
      if (error === undefined) return;
      this.#log[level](`a connection of a ${library} pool could not be warmed`, error);
      level = 'debug';
    };
    return observer === undefined ? { onWarmed } : together(observer, { onWarmed });
  }

  /** Undefined for a pool that belongs to none. */
  #fleetOf(info: PoolInfo, config: FleetConfig | false | undefined): FleetParts | undefined {
    if (config === undefined || config === false) return undefined;
    // Few have one.
    const { fleetOf }: typeof import('./fleet.js') = require('./fleet.js');
    return fleetOf(info, config, (message) => this.#log.warn(message));
  }

  #flagsOf(info: PoolInfo) {
    return flagsOf(info, this.settings, this.#overridesFor(info), (message) => this.#log.warn(message));
  }

  /** The hook is asked once for each pool, whether that is to run on the engine or to be watched. */
  #overridesFor(info: PoolInfo): PoolOverrides {
    let overrides = this.#overrides.get(info);
    if (overrides === undefined) {
      overrides = this.#askForOverrides(info);
      this.#overrides.set(info, overrides);
    }
    return overrides;
  }

  /** A hook that fails costs its pool the overrides, and nothing else. */
  #askForOverrides(info: PoolInfo): PoolOverrides {
    try {
      const { good, faults } = checkOverrides(this.settings.pools?.(info) ?? {});
      if (faults.length === 0) return good;
      this.#log.error(`what pools() answered for a ${info.library} pool is ignored: ${faults.join('; ')}`);
    } catch (error) {
      this.#log.error(`pools() failed for a ${info.library} pool, which goes without overrides`, error);
    }
    return {};
  }
}
