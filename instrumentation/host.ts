import type { DiagLogger } from '@opentelemetry/api';
import type { Host, PoolControl, PoolInfo, PoolSetup } from '../adapters/host.js';
import type { Observer, Pool } from '../src/index.js';
import { OPTIMIZATION_NAMES } from '../src/rollout/flags.js';
import { checkOverrides, differencesOf, type Settings } from './config.js';
import type { PoolConsole } from './console/console.js';
import { flagsOf, isInEngineShare } from './flags.js';
import { PoolRegistry, type PoolSeries } from './registry.js';
import { PoolObserver } from './telemetry/observer.js';
import { QueryFollower } from './telemetry/queries.js';
import type { Signals } from './telemetry/signals.js';
import { inBackground } from './telemetry/spans.js';
import type { PoolOverrides } from './types.js';

/** What is remembered of a pool that is to run, or runs, on the engine. */
interface TakenOver {
  readonly info: PoolInfo;
  readonly overrides: PoolOverrides;
  readonly series: PoolSeries;
  control: PoolControl | undefined;
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
  readonly #byInfo = new WeakMap<PoolInfo, TakenOver>();
  readonly #byEngine = new WeakMap<Pool<unknown>, TakenOver>();
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
    const { libraries, options, compatibility, telemetry } = this.settings;
    if (!libraries.includes(info.library)) return undefined;
    const overrides = this.#overridesFor(info);
    if (overrides.enabled === false) return undefined;
    if (!isInEngineShare(info, this.settings)) return undefined;
    this.#onNewPool();
    const series = this.registry.add(info, overrides.name);
    this.#byInfo.set(info, { info, overrides, series, control: undefined });
    const { metrics, acquireSpans, connectSpans, querySpans } = telemetry;
    const silent = !metrics && acquireSpans === 'none' && !connectSpans && !querySpans;
    const queries = querySpans ? new QueryFollower(this.signals, series.attributes) : undefined;
    return {
      options: { ...options, ...overrides.options },
      observer: this.#watched(silent ? undefined : new PoolObserver(this.signals, series, queries), series),
      flags: this.#flagsOf(info, overrides),
      differences: differencesOf(overrides.compatibility ?? compatibility),
      background: inBackground,
      follow: queries?.follow,
    };
  }

  /** With the console listening as well, while there is one. */
  #watched(observer: Observer<unknown> | undefined, { name }: PoolSeries): Observer<unknown> | undefined {
    return this.console === undefined ? observer : this.console.beside(observer, name);
  }

  adopted(info: PoolInfo, engine: Pool<unknown>, control?: PoolControl): void {
    const taken = this.#byInfo.get(info);
    if (taken === undefined) return;
    taken.control = control;
    taken.series.follow(engine);
    this.#byEngine.set(engine, taken);
  }

  fellBack(info: PoolInfo, reason: string): void {
    this.#log.warn(`a ${info.library} pool is the library's own again: ${reason}`);
  }

  declined(info: PoolInfo, error: unknown): void {
    const taken = this.#byInfo.get(info);
    if (taken !== undefined) this.registry.forget(taken.series);
    const why = error instanceof Error ? error.message : String(error);
    this.#log.warn(`a ${info.library} pool stays stock: ${why}`);
  }

  closed(info: PoolInfo): void {
    const taken = this.#byInfo.get(info);
    if (taken !== undefined) this.registry.close(taken.series);
  }

  /** The settings have changed: pools that run on the engine get their flags anew. */
  refreshFlags(): void {
    for (const [engine, { info, overrides }] of this.#running()) {
      const flags = this.#flagsOf(info, overrides);
      for (const name of OPTIMIZATION_NAMES) engine.setFlag(name, flags[name]);
    }
  }

  /** While it is switched off new pools are stock; those that run on the engine go back to the library's own code, for good. */
  switchOff(off: boolean, reason: string): void {
    this.#switchedOff = off;
    if (off) this.releaseAll(reason);
  }

  /** Gives every pool back to the library's own code. */
  releaseAll(reason: string): void {
    for (const [, { control }] of [...this.#running()]) control?.fallBack(reason);
  }

  *#running(): IterableIterator<[Pool<unknown>, TakenOver]> {
    for (const { engine } of this.registry.open()) {
      const taken = engine === undefined ? undefined : this.#byEngine.get(engine);
      if (taken !== undefined) yield [engine!, taken];
    }
  }

  #flagsOf(info: PoolInfo, overrides: PoolOverrides) {
    return flagsOf(info, this.settings, overrides, (message) => this.#log.warn(message));
  }

  /** A hook that fails costs its pool the overrides, and nothing else. */
  #overridesFor(info: PoolInfo): PoolOverrides {
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
