// The SDK's own register, collecting in memory, with the instrumentations that APP_INSTRUMENTATIONS lists.
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { instrumentations } from './instrumentations.js';
import { countOf, sumOf } from './telemetry.js';
import type { Telemetry } from './work.js';

const spanExporter = new InMemorySpanExporter();
const spanProcessor = new SimpleSpanProcessor({ exporter: spanExporter });
const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const metricReader = new PeriodicExportingMetricReader({
  exporter: metricExporter,
  exportIntervalMillis: 600_000,
});

const sdk = new NodeSDK({
  spanProcessors: [spanProcessor],
  metricReaders: [metricReader],
  logRecordProcessors: [],
  autoDetectResources: false,
  instrumentations: instrumentations(),
});
sdk.start();

globalThis.collectTelemetry = async () => {
  await metricReader.forceFlush();
  await spanProcessor.forceFlush();
  const telemetry = { numbers: numbers(), spans: spans() };
  await sdk.shutdown();
  return telemetry;
};

function numbers(): Telemetry['numbers'] {
  const points = (metricExporter.getMetrics().at(-1)?.scopeMetrics ?? []).flatMap(({ scope, metrics }) =>
    metrics.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ value, attributes }) => ({
        scope: scope.name,
        metric: descriptor.name,
        attributes,
        value: typeof value === 'number' ? value : (value as { count: number }).count,
      })),
    ),
  );
  return sumOf(points);
}

function spans(): Telemetry['spans'] {
  return countOf(
    spanExporter
      .getFinishedSpans()
      .map(({ name, instrumentationScope }) => ({ scope: instrumentationScope.name, name })),
  );
}
