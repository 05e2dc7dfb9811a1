import {
  type Attributes,
  type Context,
  context,
  type Link,
  type Span,
  type SpanContext,
  trace,
} from '@opentelemetry/api';
import type {
  CheckReason,
  CircuitChange,
  FlagChange,
  Lease,
  NestedAcquires,
  Observer,
  OpenReason,
  ServerMove,
  Slot,
  Waiter,
  WorkloadChange,
} from '../../src/index.js';
import { PoolError, SlotState } from '../../src/index.js';
import type { FollowedPool, PoolSeries } from '../registry.js';
import {
  ATTR_CHECK_KIND,
  ATTR_CHECK_OUTCOME,
  ATTR_CIRCUIT_FROM,
  ATTR_CIRCUIT_STATE,
  ATTR_CONNECTION_ID,
  ATTR_DECISION_REASON,
  ATTR_HELD_MS,
  ATTR_LIMIT_FROM,
  ATTR_LIMIT_TO,
  ATTR_NESTED_HELD,
  ATTR_NESTED_WAITING,
  ATTR_OPTIMIZATION,
  ATTR_OPTIMIZATION_FROM,
  ATTR_OPTIMIZATION_STAGE,
  ATTR_QUERY_FINGERPRINT,
  ATTR_QUERY_TYPE,
  ATTR_QUEUE_POSITION,
  ATTR_SERVER_FROM,
  ATTR_SERVER_TO,
  ATTR_STUCK_MS,
  ATTR_WAITED_MS,
  ATTR_WORKLOAD_AXIS,
  ATTR_WORKLOAD_FROM,
  ATTR_WORKLOAD_TO,
} from './attribute-table.js';
import { errorType } from './attributes.js';
import { tellEvent } from './events.js';
import { type CheckOutcome, HealthRounds } from './health-rounds.js';
import { LastCheck } from './last-check.js';
import type { Apart } from './metric-table.js';
import type { QueryFollower } from './queries.js';
import { ATTR_ERROR_TYPE } from './semconv.js';
import {
  CIRCUIT_EVENT,
  type EventRow,
  FLAG_EVENT,
  LEAK_EVENT,
  MOVED_EVENT,
  NESTED_EVENT,
  RESIZED_EVENT,
  WORKLOAD_EVENT,
} from './signal-table.js';
import type { Signals } from './signals.js';
import {
  type AcquireNote,
  type Decision,
  decided,
  isSuppressed,
  isTraced,
  startCheckSpan,
  startConnectSpan,
  tellAcquire,
  tellError,
  under,
  whyAtOnce,
  whyServed,
} from './spans.js';
import { Thinning } from './thinning.js';

/** What is noted of a caller in the queue: an acquire that will have a span, or the span of its query. */
type Note = AcquireNote | Span;

const TIMEOUTS: ReadonlySet<string> = new Set(['CHECK_TIMEOUT', 'WARM_TIMEOUT']);

const CHECKS: Readonly<Record<string, Apart>> = Object.fromEntries(
  ['check', 'reset', 'warm'].flatMap((kind) =>
    ['ok', 'failed', 'timeout'].map((outcome) => [
      `${kind} ${outcome}`,
      { [ATTR_CHECK_KIND]: kind, [ATTR_CHECK_OUTCOME]: outcome },
    ]),
  ),
);

/** Of those who hold silent connections. */
const LINKS_AT_MOST = 8;

/** Turns what happens in one pool into metrics, spans and log events. */
export class PoolObserver implements Observer<unknown> {
  readonly #signals: Signals;
  readonly #series: PoolSeries;
  readonly #queries: QueryFollower | undefined;
  readonly #connecting = new WeakMap<Slot<unknown>, Span>();
  /** Under which span a connection was opened. */
  readonly #openedIn = new WeakMap<Slot<unknown>, SpanContext>();
  readonly #rounds = new HealthRounds();
  /** What ended in this turn of the event loop, and so has caused whatever else happens in it. */
  #cause: Span | undefined = undefined;
  readonly #waits = new Thinning();
  readonly #uses = new Thinning();
  readonly #lastCheck = new LastCheck();

  constructor(signals: Signals, series: PoolSeries, queries?: QueryFollower) {
    this.#signals = signals;
    this.#series = series;
    this.#queries = queries;
  }

  onQueued(waiter: Waiter<unknown>): void {
    const query = this.#queries?.asking;
    if (query !== undefined) {
      waiter.note = query;
      return;
    }
    const { telemetry } = this.#signals;
    if (telemetry.acquireSpans === 'none') return;
    const caller = context.active();
    if (!isTraced(caller, telemetry.requireParentSpan)) return;
    const note: AcquireNote = { caller, position: this.#pool?.waiting ?? 1, connect: undefined };
    waiter.note = note;
  }

  onLeased(lease: Lease<unknown>, waitedMs: number, waiter: Waiter<unknown> | undefined): void {
    if (lease.timed && this.#waits.takes(lease.since))
      this.#signals.instruments?.waitTime.record(waitedMs / 1_000, this.#series.attributes);
    if (waiter === undefined) return this.#tellImmediate(lease);
    const note = waiter.note as Note | undefined;
    if (note === undefined) return;
    if (!('position' in note)) {
      note.setAttributes({
        [ATTR_WAITED_MS]: waitedMs,
        [ATTR_CONNECTION_ID]: lease.slot.id,
        ...decided(this.#whyServed(lease, waiter)),
      });
      return;
    }
    const connect = (lease.slot.uses === 1 ? this.#openedIn.get(lease.slot) : undefined) ?? note.connect;
    tellAcquire(this.#signals.tracer, {
      caller: note.caller,
      startedAt: waiter.queuedAt,
      endedAt: waiter.queuedAt + waitedMs,
      attributes: {
        ...this.#series.attributes,
        ...decided(this.#whyServed(lease, waiter)),
        [ATTR_WAITED_MS]: waitedMs,
        [ATTR_QUEUE_POSITION]: note.position,
        [ATTR_CONNECTION_ID]: lease.slot.id,
        ...askedFor(waiter),
      },
      ...linkTo(connect),
    });
  }

  onReleased(lease: Lease<unknown>, heldMs: number): void {
    if (this.#uses.takes(lease.since))
      this.#signals.instruments?.useTime.record(heldMs / 1_000, this.#series.attributes);
  }

  onFailed(error: unknown, waitedMs: number, waiter: Waiter<unknown> | undefined): void {
    if (waiter === undefined) return this.#tellRefused(error);
    const note = waiter.note as Note | undefined;
    if (note === undefined) return;
    if (!('position' in note)) {
      note.setAttribute(ATTR_WAITED_MS, waitedMs);
      return;
    }
    tellAcquire(this.#signals.tracer, {
      caller: note.caller,
      startedAt: waiter.queuedAt,
      endedAt: waiter.queuedAt + waitedMs,
      attributes: {
        ...this.#series.attributes,
        ...decided({ chosen: 'give_up', reason: 'the wait ended without a connection' }),
        [ATTR_WAITED_MS]: waitedMs,
        [ATTR_QUEUE_POSITION]: note.position,
        [ATTR_ERROR_TYPE]: errorType(error),
        ...askedFor(waiter),
      },
      ...linkTo(note.connect),
      error,
    });
  }

  onOpening(slot: Slot<unknown>, waiter: Waiter<unknown> | undefined, why: OpenReason): void {
    const { telemetry, tracer } = this.#signals;
    if (!telemetry.connectSpans || isSuppressed(context.active())) return;
    const span = startConnectSpan(tracer, this.#series.attributes, slot.id, why);
    if (!span.isRecording()) return;
    this.#connecting.set(slot, span);
    this.#openedIn.set(slot, span.spanContext());
    const note = waiter?.note as Note | undefined;
    if (note !== undefined && 'position' in note) note.connect = span.spanContext();
  }

  onOpened(slot: Slot<unknown>, tookMs: number): void {
    this.#signals.instruments?.createTime.record(tookMs / 1_000, this.#series.attributes);
    this.#endConnect(slot);
  }

  onOpenFailed(slot: Slot<unknown>, _tookMs: number, error: unknown): void {
    const span = this.#connecting.get(slot);
    if (span === undefined) return;
    tellError(span, error);
    this.#endConnect(slot);
  }

  onChecking(slot: Slot<unknown>, why: CheckReason, about: readonly Slot<unknown>[] = []): void {
    const { telemetry, tracer } = this.#signals;
    if (!telemetry.checkSpans || isSuppressed(context.active())) return;
    this.#rounds.join(slot, why, () => {
      const causes = [this.#cause, ...about.map(spanOfHolder)].filter((span) => span !== undefined);
      const links = causes.map((span) => ({ context: span.spanContext() }));
      return startCheckSpan(tracer, this.#series.attributes, why, links.slice(0, LINKS_AT_MOST));
    });
  }

  onChecked(slot: Slot<unknown>, tookMs: number, error: unknown): void {
    const outcome = outcomeOf(error);
    this.#recordCheck(slot.retiring === 'dirty' ? 'reset' : 'check', outcome, tookMs);
    this.#blame(this.#rounds.checked(slot, outcome, tookMs, error));
    if (error !== undefined) return;
    this.#lastCheck.ended(slot);
  }

  onWarmed(_slot: Slot<unknown>, tookMs: number, error: unknown): void {
    this.#recordCheck('warm', outcomeOf(error), tookMs);
  }

  #recordCheck(kind: string, outcome: CheckOutcome, tookMs: number): void {
    const apart = CHECKS[`${kind} ${outcome}`]!;
    this.#signals.instruments?.checkDuration.record(tookMs / 1_000, this.#series.attributesWith(apart));
  }

  onLost(slot: Slot<unknown>): void {
    this.#blame(this.#rounds.spanOf(slot) ?? spanOfHolder(slot));
  }

  onClosed(slot: Slot<unknown>): void {
    this.#rounds.leave(slot);
  }

  onResized(from: number, to: number, reason: string): void {
    this.#tellCaused(RESIZED_EVENT, {
      [ATTR_LIMIT_FROM]: from,
      [ATTR_LIMIT_TO]: to,
      [ATTR_DECISION_REASON]: reason,
    });
  }

  onLeakSuspected(slot: Slot<unknown>, heldMs: number, fingerprint: string | undefined): void {
    const told: Attributes = { [ATTR_CONNECTION_ID]: slot.id, [ATTR_HELD_MS]: heldMs };
    if (fingerprint !== undefined) told[ATTR_QUERY_FINGERPRINT] = fingerprint;
    this.#tellEvent(LEAK_EVENT, told, slot.holder as Context | undefined);
  }

  onNestedAcquires({ held, waiters, stuckMs }: NestedAcquires<unknown>): void {
    const told = {
      [ATTR_NESTED_HELD]: held,
      [ATTR_NESTED_WAITING]: waiters.length,
      [ATTR_STUCK_MS]: stuckMs,
    };
    this.#tellEvent(NESTED_EVENT, told, waiters[0]!.caller as Context);
  }

  onFlagChanged({ name, from, to, reason }: FlagChange): void {
    this.#tellEvent(FLAG_EVENT, {
      [ATTR_OPTIMIZATION]: name,
      [ATTR_OPTIMIZATION_FROM]: from,
      [ATTR_OPTIMIZATION_STAGE]: to,
      [ATTR_DECISION_REASON]: reason,
    });
  }

  onCircuitChanged({ from, to, reason }: CircuitChange): void {
    this.#tellCaused(CIRCUIT_EVENT, {
      [ATTR_CIRCUIT_FROM]: from,
      [ATTR_CIRCUIT_STATE]: to,
      [ATTR_DECISION_REASON]: reason,
    });
  }

  onServerMoved({ from, to }: ServerMove): void {
    this.#tellEvent(MOVED_EVENT, { [ATTR_SERVER_FROM]: from.join(), [ATTR_SERVER_TO]: to.join() });
  }

  onWorkloadChanged({ axis, from, to }: WorkloadChange): void {
    this.#tellEvent(WORKLOAD_EVENT, {
      [ATTR_WORKLOAD_AXIS]: axis,
      [ATTR_WORKLOAD_FROM]: from,
      [ATTR_WORKLOAD_TO]: to,
    });
  }

  get #pool(): FollowedPool | undefined {
    return this.#series.pool;
  }

  #tellImmediate(lease: Lease<unknown>): void {
    if (this.#signals.telemetry.acquireSpans !== 'all') return;
    this.#tellAtOnce(lease.since, () => ({
      ...decided(whyAtOnce(lease)),
      [ATTR_CONNECTION_ID]: lease.slot.id,
    }));
  }

  #tellRefused(error: unknown): void {
    if (this.#signals.telemetry.acquireSpans === 'none') return;
    const told = () => ({
      ...decided({ chosen: 'refuse', reason: 'the caller could not be let in' }),
      [ATTR_ERROR_TYPE]: errorType(error),
    });
    this.#tellAtOnce(performance.now(), told, error);
  }

  /** A span of no length, for an acquire that never queued. */
  #tellAtOnce(at: number, told: () => Attributes, error?: unknown): void {
    const { telemetry, tracer } = this.#signals;
    const caller = context.active();
    if (this.#queries?.asking !== undefined || !isTraced(caller, telemetry.requireParentSpan)) return;
    tellAcquire(tracer, {
      caller,
      startedAt: at,
      endedAt: at,
      attributes: { ...this.#series.attributes, ...told(), [ATTR_WAITED_MS]: 0 },
      error,
    });
  }

  /** It ends with this turn of the event loop: what the pool concludes from it happens before, and is told on it. */
  #endConnect(slot: Slot<unknown>): void {
    const span = this.#connecting.get(slot);
    if (span === undefined) return;
    this.#connecting.delete(slot);
    this.#blame(span);
    queueMicrotask(() => span.end());
  }

  #blame(span: Span | undefined): void {
    if (span?.isRecording() !== true) return;
    this.#cause = span;
    queueMicrotask(() => {
      if (this.#cause === span) this.#cause = undefined;
    });
  }

  #whyServed(lease: Lease<unknown>, { openedFor }: Waiter<unknown>): Decision {
    return whyServed(lease, openedFor, this.#lastCheck.cameBefore(lease.slot));
  }

  /** On the span that caused it, too: not everybody who reads traces sees logs. */
  #tellCaused(event: EventRow, attributes: Attributes): void {
    this.#cause?.addEvent(event.name, attributes);
    this.#tellEvent(event, attributes, under(this.#cause));
  }

  #tellEvent(event: EventRow, attributes: Attributes, caller?: Context): void {
    tellEvent(this.#signals.logger, event, { ...this.#series.attributes, ...attributes }, caller);
  }
}

function askedFor({ hint }: Waiter<unknown>): Attributes | undefined {
  return hint?.queryType === undefined ? undefined : { [ATTR_QUERY_TYPE]: hint.queryType };
}

/** Of whoever has leased a connection, while it is recorded. */
function spanOfHolder({ state, holder }: Slot<unknown>): Span | undefined {
  if (state !== SlotState.leased || holder === undefined) return undefined;
  const span = trace.getSpan(holder as Context);
  return span?.isRecording() === true ? span : undefined;
}

function linkTo(span: SpanContext | undefined): { links?: Link[] } {
  return span === undefined ? {} : { links: [{ context: span }] };
}

function outcomeOf(error: unknown): CheckOutcome {
  if (error === undefined) return 'ok';
  const isLate = error instanceof PoolError && TIMEOUTS.has(error.code);
  return isLate ? 'timeout' : 'failed';
}
