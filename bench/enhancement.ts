import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { diag, logs, type MeterProvider, type Tracer, trace } from '@opentelemetry/api';
import { settle } from '../instrumentation/config.js';
import { InstrumentationHost } from '../instrumentation/host.js';
import { PoolInstruments } from '../instrumentation/telemetry/metrics.js';
import type { TelemetryConfig } from '../instrumentation/types.js';
import type { OptimizationFlags, Pool } from '../src/index.js';
import { OPTIMIZATION_NAMES, OPTIMIZATIONS } from '../src/rollout/flags.js';
import { collectingProvider } from './collecting.js';
import type { Library } from './reads/client.js';

/**
 * As it is shipped, once the trials have ended well: what is on trial by default is on. A trial under way would have a pool share
 * connections for a second, and for the next one not.
 */
export const SETTLED: OptimizationFlags = Object.fromEntries(
  OPTIMIZATION_NAMES.filter((name) => OPTIMIZATIONS[name].fallback === 'auto').map((name) => [name, 'on']),
);

/** Puts the copy of a library that is loaded now on our engine; as in an application, no adapter is loaded but its own. */
export function patchLibrary(library: Library, host: InstrumentationHost): void {
  if (library === 'pg') {
    const { patchPgPool } = require('../adapters/pg/patch.js') as typeof import('../adapters/pg/patch.js');
    patchPgPool(Object.getPrototypeOf(require('pg').Pool), host);
  } else if (library === 'mysql2') {
    const { patchMysql2Pool } =
      require('../adapters/mysql2/patch.js') as typeof import('../adapters/mysql2/patch.js');
    patchMysql2Pool(require(join(dirname(require.resolve('mysql2')), 'lib/base/pool.js')), host);
  } else {
    const { patchKnex } = require('../adapters/knex/patch.js') as typeof import('../adapters/knex/patch.js');
    const inKnex = createRequire(require.resolve('knex'));
    const [Client, Runner, Transaction] = ['client', 'execution/runner', 'execution/transaction'].map(
      (file) => inKnex(`./lib/${file}.js`),
    );
    patchKnex({ Client, Runner, Transaction }, host);
  }
}

/** What a bench wants told, and where spans go: nowhere, unless it brings a tracer. */
export interface Observing {
  readonly telemetry?: TelemetryConfig;
  readonly tracer?: Tracer;
  readonly optimizations?: OptimizationFlags;
  /** The application's own; undefined: one that is made for this, as `collectingProvider` does. */
  readonly meters?: MeterProvider | undefined;
}

/**
 * What a registered instrumentation answers the patches, at its default settings unless others are given, with
 * OpenTelemetry's metrics SDK collecting from it every second.
 */
export function observedHost({
  telemetry = {},
  tracer = trace.getTracer('bench'),
  optimizations = {},
  meters,
}: Observing = {}): {
  host: InstrumentationHost;
  /** Has the metrics collected now, as an exporter does once a minute. */
  collect(): Promise<void>;
  stop(): Promise<void>;
} {
  const own = meters === undefined ? collectingProvider() : undefined;
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
    signals.instruments = new PoolInstruments((meters ?? own!).getMeter('bench'), host.registry);
  }
  return { host, collect: async () => own?.forceFlush(), stop: async () => own?.shutdown() };
}

/** Puts the copy of a library that is loaded now on our engine, which is then told. */
export function enhance(
  library: Library,
  observing: Observing,
): { engine(): Pool<unknown> | undefined; stop(): Promise<void> } {
  let engine: Pool<unknown> | undefined;
  const { host, stop } = observedHost(observing);
  const adopted = host.adopted.bind(host);
  host.adopted = (info, given, control) => {
    engine = given;
    adopted(info, given, control);
  };
  patchLibrary(library, host);
  return { engine: () => engine, stop };
}
