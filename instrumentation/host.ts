import type { DiagLogger } from '@opentelemetry/api';
import type { Host, PoolInfo, PoolSetup } from '../adapters/host.js';
import type { Pool } from '../src/index.js';
import { checkOverrides, differencesOf, type Settings } from './config.js';
import { PoolRegistry, type PoolSeries } from './registry.js';
import { PoolObserver, type Signals } from './telemetry/observer.js';
import { inBackground } from './telemetry/spans.js';
import type { PoolOverrides } from './types.js';

/** What one instrumentation answers the patches. */
export class InstrumentationHost implements Host {
  readonly registry = new PoolRegistry();
  readonly signals: Signals;
  /** Those for pools that are yet to come. */
  settings: Settings;
  readonly #log: DiagLogger;
  readonly #onNewPool: () => void;
  readonly #seriesOf = new WeakMap<PoolInfo, PoolSeries>();

  constructor(settings: Settings, signals: Signals, log: DiagLogger, onNewPool: () => void) {
    this.settings = settings;
    this.signals = signals;
    this.#log = log;
    this.#onNewPool = onNewPool;
  }

  enabled(): boolean {
    return true;
  }

  setUp(info: PoolInfo): PoolSetup | undefined {
    const { libraries, options, optimizations, compatibility, telemetry } = this.settings;
    if (!libraries.includes(info.library)) return undefined;
    const overrides = this.#overridesFor(info);
    if (overrides.enabled === false) return undefined;
    this.#onNewPool();
    const series = this.registry.add(info, overrides.name);
    this.#seriesOf.set(info, series);
    const silent = !telemetry.metrics && telemetry.acquireSpans === 'none' && !telemetry.connectSpans;
    return {
      options: { ...options, ...overrides.options },
      observer: silent ? undefined : new PoolObserver(this.signals, series),
      flags: { ...optimizations, ...overrides.optimizations },
      differences: differencesOf(overrides.compatibility ?? compatibility),
      background: inBackground,
    };
  }

  adopted(info: PoolInfo, engine: Pool<unknown>): void {
    this.#seriesOf.get(info)?.follow(engine);
  }

  declined(info: PoolInfo, error: unknown): void {
    const series = this.#seriesOf.get(info);
    if (series !== undefined) this.registry.forget(series);
    const why = error instanceof Error ? error.message : String(error);
    this.#log.warn(`a ${info.library} pool stays stock: ${why}`);
  }

  closed(info: PoolInfo): void {
    const series = this.#seriesOf.get(info);
    if (series !== undefined) this.registry.close(series);
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
