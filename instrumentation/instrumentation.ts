import {
  createNoopMeter,
  diag,
  type LoggerProvider,
  type Meter,
  type MeterProvider,
  metrics,
  type TracerProvider,
} from '@opentelemetry/api';
import { InstrumentationBase, type InstrumentationModuleDefinition } from '@opentelemetry/instrumentation';
import type { PoolReport } from '../src/index.js';
import { notBuilt } from '../src/rollout/flags.js';
import { checkConfig, checkedOrThrow, merged, settle } from './config.js';
import { configFile, isSwitchedOff, readEnvironment } from './environment.js';
import { InstrumentationHost } from './host.js';
import { dismiss, enlist, someoneIsEnlisted } from './hosts.js';
import { moduleDefinitions, patchLoaded } from './modules.js';
import { PoolInstruments } from './telemetry/metrics.js';
import type { EnhancedPoolInstrumentationConfig } from './types.js';
import { VERSION } from './version.js';
import { watchConfigFile } from './watched-file.js';

const NAME = 'opentelemetry-instrumentation-enhanced-pool';

const log = diag.createComponentLogger({ namespace: NAME });
const warn = (message: string) => log.warn(message);

/**
 * When to look whether an SDK has come after us: the API has no meter that would wait for one. A new pool looks too.
 */
const LOOK_FOR_SDK_AFTER_MS = [0, 100, 1_000, 5_000, 15_000, 60_000];

const ASK_FLAG_PROVIDER_EVERY_MS = 10_000;

const OFF_BY_FILE = 'the configuration file says enabled: false';

/**
 * Runs the pools of pg, mysql2 and knex on the engine and tells OpenTelemetry what they do.
 *
 * The base class's constructor calls `setConfig`, `_updateMetricInstruments`, `init` and `enable` before a field of
 * this class could be set: hence `declare`, and everything begins in `setConfig`.
 */
export class EnhancedPoolInstrumentation extends InstrumentationBase<EnhancedPoolInstrumentationConfig> {
  declare private host: InstrumentationHost;
  declare private switchedOff: boolean;
  declare private offByFile: boolean;
  declare private fromCode: EnhancedPoolInstrumentationConfig;
  declare private endings: (() => void)[];

  /** @throws {PoolError} code `INVALID_OPTIONS`, naming every fault of `config`; the environment's are only logged. */
  constructor(config: EnhancedPoolInstrumentationConfig = {}) {
    super(NAME, VERSION, config);
  }

  /**
   * Pools that are taken over later run by the new configuration; which libraries are patched stays as it was.
   * @throws {PoolError} code `INVALID_OPTIONS`, naming every fault.
   */
  override setConfig(given: EnhancedPoolInstrumentationConfig = {}): void {
    this.fromCode = checkedOrThrow(given);
    this.settleConfig();
  }

  private settleConfig(): void {
    const { fromCode } = this;
    const fromEnvironment = readEnvironment();
    const both = merged(fromEnvironment.good, fromCode);
    const clashes = checkConfig(both).faults;
    const config = clashes.length === 0 ? both : fromCode;
    const settings = settle(config);
    super.setConfig(config);
    if (this.host === undefined) {
      this.switchedOff = isSwitchedOff();
      const { tracer, logger } = this;
      const signals = { tracer, logger, instruments: undefined, telemetry: settings.telemetry };
      this.host = new InstrumentationHost(settings, signals, log, () => {
        this.bindToSdk();
        this.openConsole();
      });
    }
    this.host.settings = settings;
    this.host.signals.telemetry = settings.telemetry;
    this.host.refresh();
    this.offByFile = fromEnvironment.good.enabled === false;
    this.host.switchOff(this.offByFile, OFF_BY_FILE);
    // Undefined while the base class is being constructed.
    if (this.meter !== undefined) this._updateMetricInstruments();
    logLater([...fromEnvironment.faults, ...clashes], notBuilt(settings.optimizations));
  }

  protected override init(): InstrumentationModuleDefinition[] {
    return this.switchedOff ? [] : moduleDefinitions(this.host.settings.libraries, warn);
  }

  override enable(): void {
    if (this.isEnabled()) return;
    super.enable();
    if (this.switchedOff) return;
    if (someoneIsEnlisted()) log.warn('registered more than once: the one that was enabled last decides');
    this.host.switchOff(this.offByFile, OFF_BY_FILE);
    enlist(this.host);
    patchLoaded(this.host.settings.libraries, warn);
    this.endings = this.watch();
    this.lookForSdk();
  }

  /** New pools are stock, and those that ran on the engine are the libraries' own again, with nothing lost. */
  override disable(): void {
    super.disable();
    dismiss(this.host);
    this.host.switchOff(true, 'the instrumentation was disabled');
    this.host.console?.stop();
    this.host.console = undefined;
    for (const end of this.endings?.splice(0) ?? []) end();
  }

  /**
   * What each of the open pools knows, by the pool's name in telemetry: sizes and waits, leaks, flags, what-if, advice (docs/configuration.md,
   * “Reports”). Made anew with every call, at a cost: for a person who looks, not for every request.
   */
  reports(): Map<string, PoolReport> {
    return this.host.reports();
  }

  override setTracerProvider(provider: TracerProvider): void {
    super.setTracerProvider(provider);
    this.host.signals.tracer = this.tracer;
  }

  override setLoggerProvider(provider: LoggerProvider): void {
    super.setLoggerProvider(provider);
    this.host.signals.logger = this.logger;
  }

  protected override _updateMetricInstruments(): void {
    const { signals, registry, settings } = this.host;
    signals.tracer = this.tracer;
    signals.logger = this.logger;
    signals.instruments?.retire();
    const wanted = settings.telemetry.metrics && !isNoop(this.meter);
    signals.instruments = wanted ? new PoolInstruments(this.meter, registry) : undefined;
  }

  /** The file may change at any time, and so may the flag provider's mind. */
  private watch(): (() => void)[] {
    const path = configFile();
    const provider = setInterval(() => {
      if (this.host.settings.flagProvider !== undefined) this.host.refresh();
    }, ASK_FLAG_PROVIDER_EVERY_MS).unref();
    const endings = [() => clearInterval(provider)];
    if (path !== undefined) endings.push(watchConfigFile(path, () => this.settleConfig()));
    return endings;
  }

  /** With the first pool, so that a process without any has no console either. */
  private openConsole(): void {
    const wanted = this.host.settings.telemetry.console;
    if (wanted === false || this.host.console !== undefined) return;
    // Few want it, and it brings an HTTP server along.
    const { PoolConsole } = require('./console/console.js') as typeof import('./console/console.js');
    this.host.console = new PoolConsole(this.host.registry);
    this.host.console.start(wanted === true ? 0 : wanted, log);
  }

  private lookForSdk(looked = 0): void {
    const delayMs = LOOK_FOR_SDK_AFTER_MS[looked];
    if (delayMs === undefined || this.bindToSdk()) return;
    setTimeout(() => this.lookForSdk(looked + 1), delayMs).unref();
  }

  /** Metrics go to an SDK that came after us from now on. True once they go to any. */
  private bindToSdk(): boolean {
    if (!isNoop(this.meter)) return true;
    const provider: MeterProvider = metrics.getMeterProvider();
    if (isNoop(provider.getMeter(NAME, VERSION))) return false;
    this.setMeterProvider(provider);
    return true;
  }
}

/** Not at once: the SDK that brings the logger may be registered after us. */
function logLater(faults: readonly string[], idleFlags: readonly string[]): void {
  if (faults.length === 0 && idleFlags.length === 0) return;
  setImmediate(() => {
    for (const fault of faults) log.warn(`ignored, from the environment: ${fault}`);
    if (idleFlags.length > 0) log.info(`not built yet, so these flags do nothing: ${idleFlags.join(', ')}`);
  });
}

const NoopMeter = createNoopMeter().constructor;

function isNoop(meter: Meter): boolean {
  return meter.constructor === NoopMeter;
}
