import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, type ContextManager, context, metrics, ROOT_CONTEXT, trace } from '@opentelemetry/api';
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

/** Metrics that are collected when a test asks, and never by a clock. */
export class CollectedMetrics {
  readonly provider: MeterProvider;
  readonly #exporter: InMemoryMetricExporter;
  readonly #reader: PeriodicExportingMetricReader;

  constructor(temporality = AggregationTemporality.CUMULATIVE) {
    this.#exporter = new InMemoryMetricExporter(temporality);
    this.#reader = new PeriodicExportingMetricReader({
      exporter: this.#exporter,
      exportIntervalMillis: 2 ** 30,
      exportTimeoutMillis: 2 ** 29,
    });
    this.provider = new MeterProvider({ readers: [this.#reader] });
  }

  /** All metrics of one fresh collection, by name. */
  async collect(): Promise<Map<string, MetricData>> {
    this.#exporter.reset();
    await this.#reader.forceFlush();
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

  stop(): Promise<void> {
    return this.provider.shutdown();
  }
}

/** Spans, and the context that they need to find their parents. */
export class CollectedSpans {
  readonly provider: TracerProvider;
  readonly #exporter = new InMemorySpanExporter();

  constructor(sampler?: Sampler) {
    context.setGlobalContextManager(new Contexts());
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

  async named(name: string): Promise<ReadableSpan[]> {
    await this.provider.forceFlush();
    return this.#exporter.getFinishedSpans().filter((span) => span.name === name);
  }

  async stop(): Promise<void> {
    context.disable();
    await this.provider.shutdown();
  }
}

class Contexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<Given extends unknown[], Work extends (...given: Given) => ReturnType<Work>>(
    active: Context,
    work: Work,
    self?: ThisParameterType<Work>,
    ...given: Given
  ): ReturnType<Work> {
    return this.#storage.run(active, () => work.apply(self, given));
  }

  bind<T>(_active: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}

/** Undoes what a test told the API. */
export function forgetProviders(): void {
  metrics.disable();
  trace.disable();
  context.disable();
}
