import type { Attributes } from '@opentelemetry/api';
import type { PoolInfo } from '../adapters/host.js';
import type {
  FleetReport,
  Outlook,
  PoolCounters,
  PoolReport,
  PoolStats,
  Rollout,
  Slot,
  StatementCounters,
} from '../src/index.js';
import { databaseIdentity, defaultPoolName } from './telemetry/attributes.js';
import { type Apart, COUNTED, type Counted } from './telemetry/metric-table.js';
import { ATTR_POOL_NAME } from './telemetry/semconv.js';

/**
 * So many closed pools are told as zero for as long as the process lives: a metrics SDK repeats the last value of a
 * series for ever, and only a reader knows whether it has seen the zero. Of those beyond, each is told once; what one reader's
 * collection is told, an SDK records for all of its readers.
 */
const MOST_CLOSED = 100;

/** While nobody collects, so many closed pools wait to be told; as many series as an SDK takes of one metric by default. */
const MOST_UNTOLD = 2_000;

/** Names in use in this process, whoever uses them. */
const namesInUse = new Set<string>();

/** What telemetry reads of a pool: one that runs on the engine, or a stock one that is watched. */
export interface FollowedPool {
  readonly counters: Readonly<PoolCounters>;
  readonly waiting: number;
  /** Absent where nothing is there to be rolled out. */
  readonly rollout?: Rollout;
  readonly outlook?: Outlook | undefined;
  readonly statementCounters?: Readonly<StatementCounters> | undefined;
  /** Absent where no budget is shared. */
  readonly fleet?: FleetReport | undefined;
  stats(): PoolStats;
  report(): PoolReport;
  slots(): Iterable<Readonly<Slot<unknown>>>;
}

/** The time series of one pool: its name and its database. When it is closed, a later pool of the same carries them on. */
export class PoolSeries {
  readonly name: string;
  readonly attributes: Attributes;
  /** The same for all pools whose series have the same attributes. */
  readonly key: string;
  readonly #attributesApart: Map<Apart, Attributes>;
  /** What earlier pools of this key had counted, or this one before it was handed back. */
  #past: ReadonlyMap<Counted, number>;
  #counters: Readonly<PoolCounters> | undefined = undefined;
  #statements: Readonly<StatementCounters> | undefined = undefined;
  /** Weak, so that telemetry keeps no pool alive that the application has dropped. */
  #pool: WeakRef<FollowedPool> | undefined = undefined;
  #wasToldOpen = false;

  /** @param closed pools by their keys: if one is of this key, what it counted and told goes on here. */
  constructor(name: string, identity: Attributes, closed: ReadonlyMap<string, PoolSeries>) {
    this.name = name;
    this.attributes = Object.freeze({ ...identity, [ATTR_POOL_NAME]: name });
    this.key = JSON.stringify(this.attributes);
    const before = closed.get(this.key);
    this.#past = before?.counts() ?? new Map();
    this.#attributesApart = before === undefined ? new Map() : before.#attributesApart;
  }

  /** Tells of `pool` from now on, on top of what was counted before. */
  follow(pool: FollowedPool): void {
    this.#past = this.counts();
    this.#pool = new WeakRef(pool);
    this.#counters = pool.counters;
    this.#statements = pool.statementCounters;
  }

  /** Its pool is closed: its gauges are zero from now on, its counts stay. */
  finish(): void {
    this.#pool = undefined;
    this.#wasToldOpen = this.#attributesApart.size > 0;
  }

  /** Whether it was told of before its pool was closed, so that somebody keeps values that have to become zero. */
  get wasToldOpen(): boolean {
    return this.#wasToldOpen;
  }

  /** Whether the pool it followed is gone without having been closed. */
  get orphaned(): boolean {
    return this.#pool !== undefined && this.#pool.deref() === undefined;
  }

  get pool(): FollowedPool | undefined {
    return this.#pool?.deref();
  }

  /** What was counted of it, earlier pools of its key included. */
  count(series: Counted): number {
    const now = this.#counters === undefined ? 0 : series.read(this.#counters, this.#statements);
    return (this.#past.get(series) ?? 0) + now;
  }

  counts(): ReadonlyMap<Counted, number> {
    return new Map(COUNTED.map((series) => [series, this.count(series)]));
  }

  /** The attributes of one of its series; the same frozen object every time. */
  attributesWith(apart: Apart): Attributes {
    let attributes = this.#attributesApart.get(apart);
    if (attributes === undefined) {
      attributes = Object.freeze({ ...this.attributes, ...apart });
      this.#attributesApart.set(apart, attributes);
    }
    return attributes;
  }

  /** Whether the series with these attributes has ever been told. */
  hasTold(apart: Apart): boolean {
    return this.#attributesApart.has(apart);
  }
}

/** The pools that are told of, by name. */
export class PoolRegistry {
  readonly #open = new Map<string, PoolSeries>();
  /** By their keys: pools of one name may have been of different databases. */
  readonly #closed = new Map<string, PoolSeries>();
  #lookForOrphansAt = MOST_CLOSED;

  /** A series under the name that was asked for, or by the conventions; `#2`, `#3`… tell apart pools of one name. */
  add(info: PoolInfo, askedName?: string): PoolSeries {
    const name = freeName(askedName ?? defaultPoolName(info));
    namesInUse.add(name);
    if (this.#open.size >= this.#lookForOrphansAt) this.#closeOrphans();
    const series = new PoolSeries(name, databaseIdentity(info), this.#closed);
    this.#closed.delete(series.key);
    this.#open.set(name, series);
    return series;
  }

  /** Its pool is closed. */
  close(series: PoolSeries): void {
    if (!this.#forgetOpen(series)) return;
    series.finish();
    this.#closed.set(series.key, series);
    if (this.#closed.size > MOST_UNTOLD) this.#closed.delete(this.#leastMissed());
  }

  /** Its pool never came to be. */
  forget(series: PoolSeries): void {
    this.#forgetOpen(series);
  }

  isOpen(name: string): boolean {
    return this.#open.has(name);
  }

  open(): Iterable<PoolSeries> {
    this.#closeOrphans();
    return this.#open.values();
  }

  closed(): Iterable<PoolSeries> {
    return this.#closed.values();
  }

  /** All closed ones have been told as zero now. */
  trimClosed(): void {
    for (const key of this.#closed.keys()) {
      if (this.#closed.size <= MOST_CLOSED) return;
      this.#closed.delete(key);
    }
  }

  /** Of the closed ones: the oldest of which nobody keeps a value, else the oldest. */
  #leastMissed(): string {
    for (const [key, { wasToldOpen }] of this.#closed) if (!wasToldOpen) return key;
    return this.#closed.keys().next().value!;
  }

  /** Pools that the application dropped without closing them. */
  #closeOrphans(): void {
    for (const series of this.#open.values()) if (series.orphaned) this.close(series);
    this.#lookForOrphansAt = Math.max(MOST_CLOSED, 2 * this.#open.size);
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
