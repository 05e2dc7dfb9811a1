import type { Attributes } from '@opentelemetry/api';
import type { PoolInfo } from '../adapters/host.js';
import type { Pool, PoolCounters, PoolStats } from '../src/index.js';
import { databaseIdentity, defaultPoolName } from './telemetry/attributes.js';
import { COUNTS } from './telemetry/counts.js';
import { ATTR_CONNECTION_STATE, ATTR_POOL_NAME } from './telemetry/semconv.js';

/**
 * So many closed pools are told as zero for as long as the process lives: a metrics SDK repeats the last value of a
 * series for ever, and only a reader knows whether it has seen the zero. Of those beyond, each is told once.
 */
const MOST_CLOSED = 100;

/** Names in use in this process, whoever uses them. */
const namesInUse = new Set<string>();

/** The time series of one pool name. When the pool is closed, a later pool of the same name carries them on. */
export class PoolSeries {
  readonly name: string;
  readonly attributes: Attributes;
  readonly idleAttributes: Attributes;
  readonly usedAttributes: Attributes;
  readonly #countAttributes: (Attributes | undefined)[] = [];
  /** What earlier pools of this name had counted. */
  readonly #past: number[];
  #counters: Readonly<PoolCounters> | undefined = undefined;
  /** Weak, so that telemetry keeps no pool alive that the application has dropped. */
  #engine: WeakRef<Pool<unknown>> | undefined = undefined;

  constructor(name: string, identity: Attributes, past: number[] = COUNTS.map(() => 0)) {
    this.name = name;
    this.attributes = Object.freeze({ ...identity, [ATTR_POOL_NAME]: name });
    this.idleAttributes = this.#with(ATTR_CONNECTION_STATE, 'idle');
    this.usedAttributes = this.#with(ATTR_CONNECTION_STATE, 'used');
    this.#past = past;
  }

  follow(engine: Pool<unknown>): void {
    this.#engine = new WeakRef(engine);
    this.#counters = engine.counters;
  }

  /** Its pool is closed: its gauges are zero from now on, its counts stay. */
  finish(): void {
    this.#engine = undefined;
  }

  /** Whether the pool it followed is gone without having been closed. */
  get orphaned(): boolean {
    return this.#engine !== undefined && this.#engine.deref() === undefined;
  }

  get engine(): Pool<unknown> | undefined {
    return this.#engine?.deref();
  }

  stats(): PoolStats | undefined {
    return this.engine?.stats();
  }

  /** The value of `COUNTS[index]`, earlier pools of this name included. */
  count(index: number): number {
    const now = this.#counters === undefined ? 0 : COUNTS[index]!.read(this.#counters);
    return this.#past[index]! + now;
  }

  counts(): number[] {
    return COUNTS.map((_, index) => this.count(index));
  }

  countAttributes(index: number): Attributes {
    const { attribute } = COUNTS[index]!;
    if (attribute === undefined) return this.attributes;
    this.#countAttributes[index] ??= this.#with(...attribute);
    return this.#countAttributes[index]!;
  }

  #with(attribute: string, value: string): Attributes {
    return Object.freeze({ ...this.attributes, [attribute]: value });
  }
}

/** The pools that are told of, by name. */
export class PoolRegistry {
  readonly #open = new Map<string, PoolSeries>();
  readonly #closed = new Map<string, PoolSeries>();

  /** A series under the name that was asked for, or by the conventions; `#2`, `#3`… tell apart pools of one name. */
  add(info: PoolInfo, askedName?: string): PoolSeries {
    const name = freeName(askedName ?? defaultPoolName(info));
    namesInUse.add(name);
    const series = new PoolSeries(name, databaseIdentity(info), this.#closed.get(name)?.counts());
    this.#closed.delete(name);
    this.#open.set(name, series);
    return series;
  }

  /** Its pool is closed. */
  close(series: PoolSeries): void {
    if (!this.#forgetOpen(series)) return;
    series.finish();
    this.#closed.set(series.name, series);
  }

  /** Its pool never came to be. */
  forget(series: PoolSeries): void {
    this.#forgetOpen(series);
  }

  open(): Iterable<PoolSeries> {
    for (const series of this.#open.values()) if (series.orphaned) this.close(series);
    return this.#open.values();
  }

  closed(): Iterable<PoolSeries> {
    return this.#closed.values();
  }

  /** All closed ones have been told as zero now. */
  trimClosed(): void {
    for (const name of this.#closed.keys()) {
      if (this.#closed.size <= MOST_CLOSED) return;
      this.#closed.delete(name);
    }
  }

  #forgetOpen(series: PoolSeries): boolean {
    if (this.#open.get(series.name) !== series) return false;
    this.#open.delete(series.name);
    namesInUse.delete(series.name);
    return true;
  }
}

function freeName(wish: string): string {
  let name = wish;
  for (let number = 2; namesInUse.has(name); number += 1) name = `${wish}#${number}`;
  return name;
}
