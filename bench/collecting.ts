import {
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';

const EXPORT_INTERVAL_MS = 1_000;

/** Takes what is aggregated and sends it nowhere. */
const nowhere: PushMetricExporter = {
  export: (_metrics, done) => done({ code: 0 }),
  forceFlush: async () => {},
  shutdown: async () => {},
};

/** Metrics that are aggregated, collected every second, and thrown away. */
export function collectingProvider(): MeterProvider {
  return new MeterProvider({ readers: [collectingReader()] });
}

export function collectingReader(): PeriodicExportingMetricReader {
  return new PeriodicExportingMetricReader({ exporter: nowhere, exportIntervalMillis: EXPORT_INTERVAL_MS });
}
