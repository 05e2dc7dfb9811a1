import { context, type Span, type Tracer } from '@opentelemetry/api';
import type { Lease, Observer, Pool, Slot, Waiter } from '../../src/index.js';
import type { PoolSeries } from '../registry.js';
import type { TelemetryConfig } from '../types.js';
import type { PoolInstruments } from './metrics.js';
import {
  ATTR_CONNECTION_ID,
  ATTR_QUEUE_POSITION,
  ATTR_WAITED_MS,
  isSuppressed,
  isTraced,
  startAcquireSpan,
  startConnectSpan,
  tellDecision,
  tellError,
  whyServed,
} from './spans.js';

/** Where telemetry goes; providers may come, and come again, while pools live. */
export interface Signals {
  tracer: Tracer;
  /** Undefined while there is no SDK to collect them. */
  instruments: PoolInstruments | undefined;
  telemetry: Required<TelemetryConfig>;
}

/** Turns what happens in one pool into metrics and spans. */
export class PoolObserver implements Observer<unknown> {
  readonly #signals: Signals;
  readonly #series: PoolSeries;
  readonly #connecting = new WeakMap<Slot<unknown>, Span>();
  #checked: Slot<unknown> | undefined = undefined;
  #usesWhenChecked = 0;

  constructor(signals: Signals, series: PoolSeries) {
    this.#signals = signals;
    this.#series = series;
  }

  onQueued(waiter: Waiter<unknown>): void {
    const { telemetry, tracer } = this.#signals;
    if (telemetry.acquireSpans === 'none') return;
    const caller = context.active();
    if (!isTraced(caller, telemetry.requireParentSpan)) return;
    const span = startAcquireSpan(tracer, caller, this.#series.attributes, waiter.hint);
    if (!span.isRecording()) return;
    span.setAttribute(ATTR_QUEUE_POSITION, this.#engine?.waiting ?? 1);
    waiter.note = span;
  }

  onLeased(lease: Lease<unknown>, waitedMs: number, waiter: Waiter<unknown> | undefined): void {
    if (lease.timed) this.#signals.instruments?.waitTime.record(waitedMs / 1_000, this.#series.attributes);
    if (waiter === undefined) return this.#tellImmediate(lease);
    const span = waiter.note as Span | undefined;
    if (span === undefined) return;
    tellDecision(span, whyServed(lease, waiter, this.#wasChecked(lease.slot)));
    span.setAttribute(ATTR_WAITED_MS, waitedMs);
    span.setAttribute(ATTR_CONNECTION_ID, lease.slot.id);
    span.end();
  }

  onReleased(_lease: Lease<unknown>, heldMs: number): void {
    this.#signals.instruments?.useTime.record(heldMs / 1_000, this.#series.attributes);
  }

  onFailed(error: unknown, waitedMs: number, waiter: Waiter<unknown> | undefined): void {
    const span = waiter === undefined ? this.#startRefused() : (waiter.note as Span | undefined);
    if (span === undefined) return;
    tellError(span, error);
    tellDecision(
      span,
      waiter === undefined
        ? { chosen: 'refuse', reason: 'the caller could not be let in' }
        : { chosen: 'give_up', reason: 'the wait ended without a connection' },
    );
    span.setAttribute(ATTR_WAITED_MS, waitedMs);
    span.end();
  }

  onOpening(slot: Slot<unknown>, waiter: Waiter<unknown> | undefined): void {
    const { telemetry, tracer } = this.#signals;
    if (!telemetry.connectSpans || isSuppressed(context.active())) return;
    const cause = waiter?.note as Span | undefined;
    const span = startConnectSpan(tracer, this.#series.attributes, slot.id, cause);
    if (!span.isRecording()) return;
    const wanted = waiter !== undefined || (this.#engine?.waiting ?? 0) > 0;
    const reason = wanted
      ? 'a caller waits and no connection is idle'
      : 'fewer connections were open than min';
    tellDecision(span, { chosen: 'open', reason });
    this.#connecting.set(slot, span);
  }

  onOpened(slot: Slot<unknown>, tookMs: number): void {
    this.#signals.instruments?.createTime.record(tookMs / 1_000, this.#series.attributes);
    this.#connecting.get(slot)?.end();
    this.#connecting.delete(slot);
  }

  onOpenFailed(slot: Slot<unknown>, _tookMs: number, error: unknown): void {
    const span = this.#connecting.get(slot);
    if (span === undefined) return;
    tellError(span, error);
    span.end();
    this.#connecting.delete(slot);
  }

  onChecked(slot: Slot<unknown>, _tookMs: number, error: unknown): void {
    if (error !== undefined) return;
    this.#checked = slot;
    this.#usesWhenChecked = slot.uses;
  }

  get #engine(): Pool<unknown> | undefined {
    return this.#series.engine;
  }

  /** Whether this lease is the first since the check. */
  #wasChecked(slot: Slot<unknown>): boolean {
    return slot === this.#checked && slot.uses === this.#usesWhenChecked + 1;
  }

  #tellImmediate(lease: Lease<unknown>): void {
    const { telemetry, tracer } = this.#signals;
    if (telemetry.acquireSpans !== 'all') return;
    const caller = context.active();
    if (!isTraced(caller, telemetry.requireParentSpan)) return;
    const span = startAcquireSpan(tracer, caller, this.#series.attributes, undefined);
    tellDecision(span, { chosen: 'idle_connection', reason: 'the connection used last was idle' });
    span.setAttribute(ATTR_WAITED_MS, 0);
    span.setAttribute(ATTR_CONNECTION_ID, lease.slot.id);
    span.end();
  }

  #startRefused(): Span | undefined {
    const { telemetry, tracer } = this.#signals;
    const caller = context.active();
    if (telemetry.acquireSpans === 'none' || !isTraced(caller, telemetry.requireParentSpan)) return undefined;
    return startAcquireSpan(tracer, caller, this.#series.attributes, undefined);
  }
}
