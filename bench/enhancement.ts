import { diag, logs, trace } from '@opentelemetry/api';
import {
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { settle } from '../instrumentation/config.js';
import { InstrumentationHost } from '../instrumentation/host.js';
import { PoolInstruments } from '../instrumentation/telemetry/metrics.js';

const EXPORT_INTERVAL_MS = 1_000;

/** Takes what is aggregated and sends it nowhere. */
const nowhere: PushMetricExporter = {
  export: (_metrics, done) => done({ code: 0 }),
  forceFlush: async () => {},
  shutdown: async () => {},
};

/**
 * What a registered instrumentation answers the patches at its default settings, with OpenTelemetry's metrics SDK
 * collecting from it every second.
 */
export function observedHost(): { host: InstrumentationHost; stop(): Promise<void> } {
  const provider = new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({ exporter: nowhere, exportIntervalMillis: EXPORT_INTERVAL_MS }),
    ],
  });
  const settings = settle({});
  const signals = {
    tracer: trace.getTracer('bench'),
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
  signals.instruments = new PoolInstruments(provider.getMeter('bench'), host.registry);
  return { host, stop: () => provider.shutdown() };
}
