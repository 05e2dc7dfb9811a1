import type { BatchObservableResult, Histogram, Meter, Observable } from '@opentelemetry/api';
import type { PoolRegistry, PoolSeries } from '../registry.js';
import { COUNT_METRICS, COUNTS, type CountMetric } from './counts.js';
import {
  METRIC_CONNECTION_COUNT,
  METRIC_CONNECTION_CREATE_TIME,
  METRIC_CONNECTION_IDLE_MAX,
  METRIC_CONNECTION_IDLE_MIN,
  METRIC_CONNECTION_LIMIT,
  METRIC_CONNECTION_PENDING_REQUESTS,
  METRIC_CONNECTION_USE_TIME,
  METRIC_CONNECTION_WAIT_TIME,
} from './semconv.js';

/** In seconds. OpenTelemetry's default buckets are made for milliseconds and would put every wait into the first. */
const WAIT_BUCKETS = [
  0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const USE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const CREATE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

type Told = Pick<Meter, 'addBatchObservableCallback' | 'removeBatchObservableCallback'>;

/** Every instrument, made with one meter. Counts are pulled when they are collected; only durations are pushed. */
export class PoolInstruments {
  readonly waitTime: Histogram;
  readonly useTime: Histogram;
  readonly createTime: Histogram;
  readonly #meter: Told;
  readonly #registry: PoolRegistry;
  readonly #connectionCount: Observable;
  readonly #idleMax: Observable;
  readonly #idleMin: Observable;
  readonly #limit: Observable;
  readonly #pending: Observable;
  readonly #opening: Observable;
  readonly #counts: Readonly<Record<CountMetric, Observable>>;
  readonly #tell = (result: BatchObservableResult) => this.#tellAll(result);

  constructor(meter: Meter, registry: PoolRegistry) {
    this.#meter = meter;
    this.#registry = registry;
    const upDown = (name: string, unit: string, description: string) =>
      meter.createObservableUpDownCounter(name, { unit, description });
    const seconds = (name: string, description: string, explicitBucketBoundaries: number[]) =>
      meter.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries } });

    this.#connectionCount = upDown(METRIC_CONNECTION_COUNT, '{connection}', 'Connections, by state.');
    this.#idleMax = upDown(METRIC_CONNECTION_IDLE_MAX, '{connection}', 'Most idle connections allowed.');
    this.#idleMin = upDown(METRIC_CONNECTION_IDLE_MIN, '{connection}', 'Fewest connections kept open.');
    this.#limit = upDown(METRIC_CONNECTION_LIMIT, '{connection}', 'Most open connections allowed.');
    this.#pending = upDown(
      METRIC_CONNECTION_PENDING_REQUESTS,
      '{request}',
      'Callers waiting for a connection.',
    );
    this.#opening = upDown('enhanced_pool.connection.opening', '{connection}', 'Connections being opened.');
    this.#counts = Object.fromEntries(
      Object.entries(COUNT_METRICS).map(([name, options]) => [
        name,
        meter.createObservableCounter(name, options),
      ]),
    ) as unknown as Record<CountMetric, Observable>;
    this.waitTime = seconds(METRIC_CONNECTION_WAIT_TIME, 'Time until an acquire was served.', WAIT_BUCKETS);
    this.useTime = seconds(METRIC_CONNECTION_USE_TIME, 'Time between acquire and release.', USE_BUCKETS);
    this.createTime = seconds(
      METRIC_CONNECTION_CREATE_TIME,
      'Time a connection took to open.',
      CREATE_BUCKETS,
    );
    meter.addBatchObservableCallback(this.#tell, this.#observables());
  }

  /** Another meter takes over: two that tell of the same pools would be counted twice. */
  retire(): void {
    this.#meter.removeBatchObservableCallback(this.#tell, this.#observables());
  }

  #observables(): Observable[] {
    return [
      this.#connectionCount,
      this.#idleMax,
      this.#idleMin,
      this.#limit,
      this.#pending,
      this.#opening,
      ...Object.values(this.#counts),
    ];
  }

  #tellAll(result: BatchObservableResult): void {
    for (const series of this.#registry.open()) this.#tellOne(result, series);
    for (const series of this.#registry.closed()) this.#tellOne(result, series);
    this.#registry.trimClosed();
  }

  /** A pool that is closed, or not there yet, is told as zero. */
  #tellOne(result: BatchObservableResult, series: PoolSeries): void {
    const stats = series.stats();
    const { attributes } = series;
    result.observe(this.#connectionCount, stats?.idle ?? 0, series.idleAttributes);
    const used = stats === undefined ? 0 : stats.leased + stats.checking;
    result.observe(this.#connectionCount, used, series.usedAttributes);
    result.observe(this.#idleMax, stats?.limit ?? 0, attributes);
    result.observe(this.#idleMin, stats?.min ?? 0, attributes);
    result.observe(this.#limit, stats?.limit ?? 0, attributes);
    result.observe(this.#pending, stats?.waiting ?? 0, attributes);
    result.observe(this.#opening, stats?.opening ?? 0, attributes);
    COUNTS.forEach(({ metric, always }, index) => {
      const value = series.count(index);
      if (value > 0 || always) result.observe(this.#counts[metric], value, series.countAttributes(index));
    });
  }
}
