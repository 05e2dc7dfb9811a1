import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';

/** A reader of metrics that collects when a test asks, and never by a clock. */
export class CollectingReader {
  readonly reader: PeriodicExportingMetricReader;
  readonly #exporter: InMemoryMetricExporter;

  constructor(temporality = AggregationTemporality.CUMULATIVE) {
    this.#exporter = new InMemoryMetricExporter(temporality);
    this.reader = new PeriodicExportingMetricReader({
      exporter: this.#exporter,
      exportIntervalMillis: 2 ** 30,
      exportTimeoutMillis: 2 ** 29,
    });
  }

  /** All metrics of one fresh collection, by name. */
  async collect(): Promise<Map<string, MetricData>> {
    this.#exporter.reset();
    await this.reader.forceFlush();
    const scopes = this.#exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
    return new Map(
      scopes.flatMap(({ metrics: all }) => all.map((metric) => [metric.descriptor.name, metric])),
    );
  }

  /** Values of one metric, keyed by the attributes that `key` names. */
  async values(name: string, ...key: string[]): Promise<Record<string, unknown>> {
    const points: DataPoint<unknown>[] = (await this.collect()).get(name)?.dataPoints ?? [];
    return Object.fromEntries(
      points.map(({ attributes, value }) => [key.map((attribute) => attributes[attribute]).join(' '), value]),
    );
  }
}

/** A provider with such a reader. */
export class CollectedMetrics extends CollectingReader {
  readonly provider = new MeterProvider({ readers: [this.reader] });

  stop(): Promise<void> {
    return this.provider.shutdown();
  }
}

/** Spans, and the context that they need to find their parents. */
export class CollectedSpans {
  readonly provider: TracerProvider;
  readonly #exporter = new InMemorySpanExporter();

  constructor(sampler?: Sampler) {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const processor = new SimpleSpanProcessor({ exporter: this.#exporter });
    this.provider = new TracerProvider({ spanProcessors: [processor], ...(sampler && { sampler }) });
  }

  /** Runs `work` in a span of an application. */
  async inRequest<T>(work: () => Promise<T>): Promise<T> {
    const span = this.provider.getTracer('application').startSpan('request');
    try {
      return await context.with(trace.setSpan(context.active(), span), work);
    } finally {
      span.end();
    }
  }

  async all(): Promise<readonly ReadableSpan[]> {
    await this.provider.forceFlush();
    return this.#exporter.getFinishedSpans();
  }

  async named(name: string): Promise<ReadableSpan[]> {
    return (await this.all()).filter((span) => span.name === name);
  }

  /** All that have ended since the last collection. */
  async collect(): Promise<ReadableSpan[]> {
    await this.provider.forceFlush();
    const found = this.#exporter.getFinishedSpans().slice();
    this.#exporter.reset();
    return found;
  }

  async stop(): Promise<void> {
    context.disable();
    await this.provider.shutdown();
  }
}

/** Undoes what a test told the API. */
export function forgetProviders(): void {
  metrics.disable();
  trace.disable();
  context.disable();
}
