import type { BatchObservableResult, Histogram, Meter, Observable } from '@opentelemetry/api';
import type { PoolRegistry, PoolSeries } from '../registry.js';
import {
  CHECK_DURATION,
  type CountRow,
  CREATE_TIME,
  type DurationRow,
  type GaugeRow,
  METRICS,
  type MetricRow,
  snapshotOf,
  USE_TIME,
  WAIT_TIME,
} from './metric-table.js';

/** So many series of one metric an SDK takes by default, and none is ever let go: beyond, zeros would keep out counts that are to come. */
const MOST_SERIES = 1_999;

type Told = Pick<Meter, 'addBatchObservableCallback' | 'removeBatchObservableCallback'>;

/** Every instrument, made with one meter. Counts are pulled when they are collected; only durations are pushed. */
export class PoolInstruments {
  readonly waitTime: Histogram;
  readonly useTime: Histogram;
  readonly createTime: Histogram;
  readonly checkDuration: Histogram;
  readonly #meter: Told;
  readonly #registry: PoolRegistry;
  readonly #gauges: readonly { readonly row: GaugeRow; readonly observable: Observable }[];
  readonly #counts: readonly { readonly row: CountRow; readonly observable: Observable }[];
  /** Of all who were ever told of, for whom the SDK keeps places: as many as there can be places for, and one. */
  readonly #keysTold = new Set<string>();
  readonly #tell = (result: BatchObservableResult) => this.#tellAll(result);

  constructor(meter: Meter, registry: PoolRegistry) {
    this.#meter = meter;
    this.#registry = registry;
    this.#gauges = METRICS.filter(isGauge).map((row) => ({ row, observable: observableOf(meter, row) }));
    this.#counts = METRICS.filter(isCount).map((row) => ({ row, observable: observableOf(meter, row) }));
    this.waitTime = histogramOf(meter, WAIT_TIME);
    this.useTime = histogramOf(meter, USE_TIME);
    this.createTime = histogramOf(meter, CREATE_TIME);
    this.checkDuration = histogramOf(meter, CHECK_DURATION);
    meter.addBatchObservableCallback(this.#tell, this.#observables());
  }

  /** Another meter takes over: two that tell of the same pools would be counted twice. */
  retire(): void {
    this.#meter.removeBatchObservableCallback(this.#tell, this.#observables());
  }

  #observables(): Observable[] {
    return [...this.#gauges, ...this.#counts].map(({ observable }) => observable);
  }

  #tellAll(result: BatchObservableResult): void {
    const open = [...this.#registry.open()];
    for (const { key } of open) if (this.#keysTold.size <= MOST_SERIES) this.#keysTold.add(key);
    for (const series of open) this.#tellOne(result, series);
    for (const series of this.#registry.closed()) this.#tellOne(result, series);
    this.#registry.trimClosed();
  }

  /** What is not so any more, a pool that is closed to begin with, is told as zero where it was ever told. */
  #tellOne(result: BatchObservableResult, series: PoolSeries): void {
    const { pool } = series;
    const snapshot = pool === undefined ? undefined : snapshotOf(pool);
    for (const { row, observable } of this.#gauges) {
      for (const { apart, read } of row.series) {
        const value = snapshot === undefined ? undefined : read(snapshot);
        if (value !== undefined || series.hasTold(apart))
          result.observe(observable, value ?? 0, series.attributesWith(apart));
      }
    }
    for (const { row, observable } of this.#counts) {
      const hasRoom = this.#keysTold.size * row.series.length <= MOST_SERIES;
      const fromZero = pool !== undefined && hasRoom && !row.onceCounted;
      for (const each of row.series) {
        const value = series.count(each);
        if (value > 0 || fromZero) result.observe(observable, value, series.attributesWith(each.apart));
      }
    }
  }
}

function isGauge(row: MetricRow): row is GaugeRow {
  return row.instrument === 'gauge' || row.instrument === 'up-down counter';
}

function isCount(row: MetricRow): row is CountRow {
  return row.instrument === 'counter';
}

function observableOf(meter: Meter, { name, instrument, unit, meaning }: GaugeRow | CountRow): Observable {
  const options = { unit, description: sentence(meaning) };
  if (instrument === 'counter') return meter.createObservableCounter(name, options);
  if (instrument === 'gauge') return meter.createObservableGauge(name, options);
  return meter.createObservableUpDownCounter(name, options);
}

function histogramOf(meter: Meter, { name, unit, meaning, buckets }: DurationRow): Histogram {
  return meter.createHistogram(name, {
    unit,
    description: sentence(meaning),
    advice: { explicitBucketBoundaries: [...buckets] },
  });
}

function sentence(meaning: string): string {
  return `${meaning[0]!.toUpperCase()}${meaning.slice(1)}.`;
}
