import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { diag, logs, type Tracer, trace } from '@opentelemetry/api';
import {
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { patchKnex, patchMysql2Pool, patchPgPool } from '../adapters/patches.js';
import { settle } from '../instrumentation/config.js';
import { InstrumentationHost } from '../instrumentation/host.js';
import { PoolInstruments } from '../instrumentation/telemetry/metrics.js';
import type { TelemetryConfig } from '../instrumentation/types.js';
import type { OptimizationFlags } from '../src/index.js';
import { OPTIMIZATION_NAMES, OPTIMIZATIONS } from '../src/rollout/flags.js';
import type { Library } from './reads/client.js';

/**
 * As it is shipped, once the trials have ended well: what is on trial by default is on. A trial under way would have a pool share
 * connections for a second, and for the next one not.
 */
export const SETTLED: OptimizationFlags = Object.fromEntries(
  OPTIMIZATION_NAMES.filter((name) => OPTIMIZATIONS[name].fallback === 'auto').map((name) => [name, 'on']),
);

/** Puts the copy of a library that is loaded now on our engine. */
export function patchLibrary(library: Library, host: InstrumentationHost): void {
  if (library === 'pg') {
    patchPgPool(Object.getPrototypeOf(require('pg').Pool), host);
  } else if (library === 'mysql2') {
    patchMysql2Pool(require(join(dirname(require.resolve('mysql2')), 'lib/base/pool.js')), host);
  } else {
    const inKnex = createRequire(require.resolve('knex'));
    const [Client, Runner, Transaction] = ['client', 'execution/runner', 'execution/transaction'].map(
      (file) => inKnex(`./lib/${file}.js`),
    );
    patchKnex({ Client, Runner, Transaction }, host);
  }
}

const EXPORT_INTERVAL_MS = 1_000;

/** Takes what is aggregated and sends it nowhere. */
const nowhere: PushMetricExporter = {
  export: (_metrics, done) => done({ code: 0 }),
  forceFlush: async () => {},
  shutdown: async () => {},
};

/** What a bench wants told, and where spans go: nowhere, unless it brings a tracer. */
export interface Observing {
  readonly telemetry?: TelemetryConfig;
  readonly tracer?: Tracer;
  readonly optimizations?: OptimizationFlags;
}

/**
 * What a registered instrumentation answers the patches, at its default settings unless others are given, with
 * OpenTelemetry's metrics SDK collecting from it every second.
 */
export function observedHost({
  telemetry = {},
  tracer = trace.getTracer('bench'),
  optimizations = {},
}: Observing = {}): {
  host: InstrumentationHost;
  /** Has the metrics collected now, as an exporter does once a minute. */
  collect(): Promise<void>;
  stop(): Promise<void>;
} {
  const provider = collectingProvider();
  const settings = settle({ telemetry, optimizations });
  const signals = {
    tracer,
    logger: logs.getLogger('bench'),
    instruments: undefined as PoolInstruments | undefined,
    telemetry: settings.telemetry,
  };
  const host = new InstrumentationHost(
    settings,
    signals,
    diag.createComponentLogger({ namespace: 'bench' }),
    () => {},
  );
  if (settings.telemetry.metrics) {
    signals.instruments = new PoolInstruments(provider.getMeter('bench'), host.registry);
  }
  return { host, collect: () => provider.forceFlush(), stop: () => provider.shutdown() };
}

/** Metrics that are aggregated, collected every second, and thrown away. */
export function collectingProvider(): MeterProvider {
  return new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({ exporter: nowhere, exportIntervalMillis: EXPORT_INTERVAL_MS }),
    ],
  });
}
