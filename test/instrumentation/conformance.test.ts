import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { SeverityNumber, SpanKind } from '@opentelemetry/api';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { DataPointType, type MetricData } from '@opentelemetry/sdk-metrics';
import { expect } from 'chai';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';
import { ATTRIBUTES, IDENTITY } from '../../instrumentation/telemetry/attribute-table.js';
import { METRICS, type MetricRow, seriesAtMost } from '../../instrumentation/telemetry/metric-table.js';
import { EVENTS, QUERY_SPAN, SPAN_EVENTS, SPANS } from '../../instrumentation/telemetry/signal-table.js';
import { checkoutDirectory } from '../checkout.js';
import { CollectedMetrics, CollectedSpans, forgetProviders } from './collected.js';
import { liveThrough } from './eventful-life.js';
import { openFakePool } from './fake-library.js';

describe('what is emitted', () => {
  let metrics: CollectedMetrics;
  let spans: CollectedSpans;
  let logs: InMemoryLogRecordExporter;
  let loggers: LoggerProvider;
  let instrumentation: EnhancedPoolInstrumentation;

  before(async () => {
    metrics = new CollectedMetrics();
    spans = new CollectedSpans();
    logs = new InMemoryLogRecordExporter();
    loggers = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter: logs })] });
    instrumentation = new EnhancedPoolInstrumentation({
      telemetry: { acquireSpans: 'all', querySpans: true },
      optimizations: { lanes: 'auto' },
      fleet: { maxConnections: 4, members: 1 },
    });
    instrumentation.setMeterProvider(metrics.provider);
    instrumentation.setTracerProvider(spans.provider);
    instrumentation.setLoggerProvider(loggers);
    const pool = openFakePool({}, { max: 2, leakThresholdMs: 1, maxWaiters: 2, keepMin: true })!;
    await spans.inRequest(() => liveThrough(pool));
    await metrics.collect();
    await pool.close();
  });

  after(async () => {
    instrumentation.disable();
    await metrics.stop();
    await spans.stop();
    await loggers.shutdown();
    forgetProviders();
  });

  it('as metrics is what the table says, name by name', async () => {
    const collected = await metrics.collect();
    expect([...collected.keys()]).to.have.members(METRICS.map(({ name }) => name));
    for (const metric of collected.values()) {
      const row = METRICS.find(({ name }) => name === metric.descriptor.name)!;
      expect(metric.descriptor.unit, row.name).to.equal(row.unit);
      expect(instrumentOf(metric), row.name).to.equal(row.instrument);
      expect(metric.dataPoints.length, `series of ${row.name}`).to.be.within(1, seriesAtMost(row));
      for (const { attributes } of metric.dataPoints) {
        expect(Object.keys(attributes), row.name).to.have.members([...IDENTITY, ...row.attributes]);
        expectKnown(attributes, row.name);
      }
    }
  });

  it('as spans is what the table says', async () => {
    await spans.provider.forceFlush();
    for (const { name, kind, attributes } of SPANS) {
      const found = await spans.named(name === QUERY_SPAN.name ? 'SELECT item' : name);
      expect(found, name).to.have.length.above(0);
      for (const span of found) {
        expect(span.kind, name).to.equal(kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL);
        expect([...IDENTITY, ...attributes], name).to.include.members(Object.keys(span.attributes));
        expectKnown(span.attributes, name);
      }
      const seen = new Set(found.flatMap((span) => Object.keys(span.attributes)));
      expect([...seen], `all attributes of ${name}`).to.include.members(attributes.slice());
    }
  });

  it('as events of spans is what the table says', async () => {
    const found = (await spans.all()).flatMap(({ events }) => events);
    expect(new Set(found.map(({ name }) => name))).to.deep.equal(
      new Set(SPAN_EVENTS.map(({ name }) => name)),
    );
    for (const { name, attributes: allowed } of SPAN_EVENTS) {
      const told = found.filter((event) => event.name === name).map(({ attributes = {} }) => attributes);
      for (const attributes of told) {
        expect(allowed, name).to.include.members(Object.keys(attributes));
        expectKnown(attributes, name);
      }
      expect([...new Set(told.flatMap(Object.keys))], `all attributes of ${name}`).to.have.members([
        ...allowed,
      ]);
    }
  });

  it('as log events is what the table says', () => {
    const found = logs.getFinishedLogRecords();
    expect(new Set(found.map(({ eventName }) => eventName))).to.deep.equal(
      new Set(EVENTS.map(({ name }) => name)),
    );
    for (const { eventName, severityNumber, attributes } of found) {
      const row = EVENTS.find(({ name }) => name === eventName)!;
      expect(severityNumber, row.name).to.equal(SeverityNumber[row.severity]);
      expect(Object.keys(attributes), row.name).to.have.members([...IDENTITY, ...row.attributes]);
    }
  });

  it('has bounded series: no attribute of a metric takes values that nobody can foresee', () => {
    for (const row of METRICS) {
      for (const name of row.attributes) {
        expect(ATTRIBUTES[name]?.values, `${name} of ${row.name}`).to.be.an('array');
      }
      // Most are seven stages of each optimisation.
      expect(seriesAtMost(row), row.name).to.be.at.most(126);
    }
  });

  it('keeps to the naming rules of OpenTelemetry', () => {
    const own = [...METRICS.map(({ name }) => name), ...Object.keys(ATTRIBUTES)].filter((name) =>
      name.startsWith('enhanced_pool'),
    );
    for (const name of own) expect(name).to.match(/^enhanced_pool(\.[a-z]+(_[a-z]+)*)+$/);
    for (const { name, unit, instrument } of METRICS) {
      expect(name).not.to.match(/_total$/);
      expect(unit, name).to.match(instrument === 'histogram' ? /^s$/ : /^(1|s|\{[a-z]+\})$/);
    }
  });

  it('is in docs/telemetry.md as it is in the tables', () => {
    execFileSync(process.execPath, [join(checkoutDirectory(), 'scripts/telemetry-docs.mjs'), '--check']);
  });
});

function expectKnown(attributes: Readonly<Record<string, unknown>>, where: string): void {
  for (const [name, value] of Object.entries(attributes)) {
    const row = ATTRIBUTES[name];
    expect(row, `${name} of ${where}`).to.not.equal(undefined);
    if (row?.values !== undefined) expect(row.values, `${name} of ${where}`).to.include(value);
    else if (row?.type === 'int') expect(Number.isInteger(value), `${name} of ${where}`).to.equal(true);
    else expect(typeof value, `${name} of ${where}`).to.equal(row?.type === 'double' ? 'number' : row?.type);
  }
}

function instrumentOf(metric: MetricData): MetricRow['instrument'] {
  if (metric.dataPointType === DataPointType.HISTOGRAM) return 'histogram';
  if (metric.dataPointType === DataPointType.GAUGE) return 'gauge';
  return metric.dataPointType === DataPointType.SUM && metric.isMonotonic ? 'counter' : 'up-down counter';
}
