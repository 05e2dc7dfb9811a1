// The SDK's own register, collecting in memory. APP_INSTRUMENTATIONS lists what it registers, in that order:
// `stock` for those of pg, mysql2 and knex, `enhanced` for ours.
import type { Instrumentation } from '@opentelemetry/instrumentation';
import { KnexInstrumentation } from '@opentelemetry/instrumentation-knex';
import { MySQL2Instrumentation } from '@opentelemetry/instrumentation-mysql2';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { EnhancedPoolInstrumentation } from '../../../instrumentation/index.js';
import type { Telemetry } from './work.js';

const spanExporter = new InMemorySpanExporter();
const spanProcessor = new SimpleSpanProcessor({ exporter: spanExporter });
const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const metricReader = new PeriodicExportingMetricReader({
  exporter: metricExporter,
  exportIntervalMillis: 600_000,
});

const instrumentations = (process.env.APP_INSTRUMENTATIONS ?? '')
  .split(',')
  .flatMap((name): Instrumentation[] => {
    if (name === 'enhanced') return [new EnhancedPoolInstrumentation()];
    if (name !== 'stock') return [];
    return [new PgInstrumentation(), new MySQL2Instrumentation(), new KnexInstrumentation()];
  });

const sdk = new NodeSDK({
  spanProcessors: [spanProcessor],
  metricReaders: [metricReader],
  logRecordProcessors: [],
  autoDetectResources: false,
  instrumentations,
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
  const found: Record<string, number> = {};
  for (const { scope, metrics } of metricExporter.getMetrics().at(-1)?.scopeMetrics ?? []) {
    for (const { descriptor, dataPoints } of metrics) {
      for (const { value, attributes } of dataPoints) {
        const pool = attributes['db.client.connection.pool.name'];
        const state = attributes['db.client.connection.state'] ?? '';
        if (pool === undefined) continue;
        const key = `${scope.name} ${descriptor.name} ${attributes['db.system.name']} ${state}`.trim();
        found[key] =
          (found[key] ?? 0) + (typeof value === 'number' ? value : (value as { count: number }).count);
      }
    }
  }
  return found;
}

function spans(): Telemetry['spans'] {
  const found: Record<string, number> = {};
  for (const { name, instrumentationScope } of spanExporter.getFinishedSpans()) {
    const key = `${instrumentationScope.name} ${name}`;
    found[key] = (found[key] ?? 0) + 1;
  }
  return found;
}
