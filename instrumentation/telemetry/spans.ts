import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { BackgroundWork } from '../../adapters/background.js';
import { type CheckReason, type Lease, type OpenReason, SharedLease } from '../../src/index.js';
import type { PassedOverReason } from '../../src/selection/cheapest.js';
import { type Placement, placementOf } from '../../src/selection/packing.js';
import {
  ATTR_CONNECTION_ID,
  ATTR_DECISION_CHOSEN,
  ATTR_DECISION_REASON,
  ATTR_DECISION_RUNNER_UP,
} from './attribute-table.js';
import { errorDescription, errorType } from './attributes.js';
import { ATTR_ERROR_TYPE } from './semconv.js';
import { ACQUIRE_SPAN, CHECK_SPAN, CONNECT_SPAN } from './signal-table.js';

/** What was decided, why, and what was next best. */
export interface Decision {
  readonly chosen:
    | 'idle_connection'
    | 'checked_connection'
    | 'released_connection'
    | 'opened_connection'
    | 'shared_connection'
    | 'open'
    | 'check'
    | 'refuse'
    | 'give_up';
  readonly reason: string;
  readonly runnerUp?: string;
}

/** A caller in the queue who will have a span: it is made when the wait is over and everything is known. */
export interface AcquireNote {
  readonly caller: Context;
  readonly position: number;
  /** The opening of a connection on its behalf. */
  connect: SpanContext | undefined;
}

/** An acquire that is over. */
export interface PastAcquire {
  readonly caller: Context;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Attributes;
  readonly links?: Link[];
  readonly error?: unknown;
}

/** The key under which OpenTelemetry's SDK notes that nothing is to be traced; keys of one name are one symbol. */
const SUPPRESSED = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
const UNTRACED = ROOT_CONTEXT.setValue(SUPPRESSED, true);

/**
 * Runs what a pool does on its own account in no request's trace. Our own statements make no spans; but what is opened
 * must not be told to be silent, for a socket hands the context it was born in to every callback that it ever calls.
 */
export function inBackground<T>(what: BackgroundWork, work: () => T): T {
  return context.with(what === 'open' || what === 'close' ? ROOT_CONTEXT : UNTRACED, work);
}

/** Whether an acquire in the context `active` is to have a span. */
export function isTraced(active: Context, requireParentSpan: boolean): boolean {
  if (isSuppressed(active)) return false;
  const parent = trace.getSpan(active);
  // A trace that is not sampled stays so: making a span only to find that out would cost half a span.
  if (parent !== undefined) return (parent.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0;
  return !requireParentSpan;
}

export function isSuppressed(active: Context): boolean {
  return active.getValue(SUPPRESSED) === true;
}

export function tellAcquire(
  tracer: Tracer,
  { caller, startedAt, endedAt, attributes, links = [], error }: PastAcquire,
): void {
  const options = { kind: SpanKind.INTERNAL, startTime: startedAt, links };
  const span = startSpanIn(caller, tracer, ACQUIRE_SPAN.name, options, attributes);
  if (error !== undefined) tellFailure(span, error);
  span.end(endedAt);
}

/**
 * Begins a span in the trace of `caller`. Where a trace begins with it a sampler may go by its attributes; in one that is
 * sampled they follow at half of the price, for the SDK copies those of the beginning twice.
 */
export function startSpanIn(
  caller: Context,
  tracer: Tracer,
  name: string,
  options: SpanOptions,
  attributes: Attributes,
): Span {
  if (trace.getSpan(caller) === undefined) return tracer.startSpan(name, { ...options, attributes }, caller);
  return tracer.startSpan(name, options, caller).setAttributes(attributes);
}

/** A trace of its own: a connection outlives the request that happened to need it first, which links to it. */
export function startConnectSpan(tracer: Tracer, identity: Attributes, id: number, why: OpenReason): Span {
  const attributes = { ...identity, [ATTR_CONNECTION_ID]: id, ...OPENED[why] };
  return tracer.startSpan(CONNECT_SPAN.name, { kind: SpanKind.CLIENT, root: true, attributes }, ROOT_CONTEXT);
}

/** A trace of its own, too: what is checked was left by requests that are over. */
export function startCheckSpan(tracer: Tracer, identity: Attributes, why: CheckReason, links: Link[]): Span {
  const attributes = { ...identity, ...CHECKED[why] };
  return tracer.startSpan(
    CHECK_SPAN.name,
    { kind: SpanKind.INTERNAL, root: true, attributes, links },
    ROOT_CONTEXT,
  );
}

/** The context of what `span` caused. */
export function under(span: Span | undefined): Context {
  return span === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, span);
}

export function decided({ chosen, reason, runnerUp }: Decision): Attributes {
  const attributes: Attributes = { [ATTR_DECISION_CHOSEN]: chosen, [ATTR_DECISION_REASON]: reason };
  if (runnerUp !== undefined) attributes[ATTR_DECISION_RUNNER_UP] = runnerUp;
  return attributes;
}

export function tellError(span: Span, error: unknown): void {
  span.setAttribute(ATTR_ERROR_TYPE, errorType(error));
  tellFailure(span, error);
}

export function tellFailure(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: errorDescription(error) });
}

const PASSED_OVER: Readonly<Record<PassedOverReason, string>> = {
  statement: 'the connection used last had not prepared the statement, this one has',
  settings: 'the connection used last had other session settings, this one has those that were named',
  slow: 'the connection used last was slower than its queries are elsewhere',
  doubtful: 'the connection used last is likely to be dead',
  lifetime: 'the connection used last is at the end of its lifetime',
};

/** Why a connection is opened. */
const OPENED: Readonly<Record<OpenReason, Attributes>> = {
  waiter: decided({
    chosen: 'open',
    reason: 'a caller waits and no connection is idle',
    runnerUp: 'released_connection',
  }),
  min: decided({
    chosen: 'open',
    reason: 'fewer connections were open than min',
    runnerUp: 'open_when_asked',
  }),
  forecast: decided({
    chosen: 'open',
    reason: 'the forecast expects callers for it',
    runnerUp: 'open_when_asked',
  }),
  silence: decided({
    chosen: 'open',
    reason: 'the server is to be asked about connections that are silent, and none is idle',
    runnerUp: 'wait_on',
  }),
  replacement: decided({ chosen: 'open', reason: 'it takes the place of one that has to go' }),
};

/** The same for people. */
export function whyOpened(why: OpenReason): string {
  return String(OPENED[why][ATTR_DECISION_REASON]);
}

/** Why connections are checked for which no caller waits. */
const CHECKED: Readonly<Record<CheckReason, Attributes>> = {
  suspect: decided({
    chosen: 'check',
    reason: 'several connections were lost: the older ones may be dead',
    runnerUp: 'check_when_asked',
  }),
  quiet: decided({
    chosen: 'check',
    reason: 'they had been idle for nearly as long as something lets them be',
    runnerUp: 'check_when_asked',
  }),
  forecast: decided({
    chosen: 'check',
    reason: 'the forecast expects callers for them',
    runnerUp: 'check_when_asked',
  }),
  silence: decided({
    chosen: 'check',
    reason: 'others are silent: the server is asked about them over this one',
    runnerUp: 'wait_on',
  }),
};

const SHARED: Readonly<Record<Placement, string>> = {
  first: 'spread: no shared connection had room for less than a millisecond of work, and this one was idle',
  packed: 'packed: a shared connection had room for less than a millisecond of work',
  spread: 'spread: no connection was idle, and this one had the least work in flight',
};

/** Why a caller who did not wait got this connection; asked at once, as what he shares it with changes. */
export function whyAtOnce(lease: Lease<unknown>): Decision {
  if (lease instanceof SharedLease)
    return { chosen: 'shared_connection', reason: SHARED[placementOf(lease.slot)] };
  const { chosenOver: passedOver } = lease.slot;
  if (passedOver === undefined) {
    return { chosen: 'idle_connection', reason: 'the connection used last was idle' };
  }
  return { chosen: 'idle_connection', reason: PASSED_OVER[passedOver], runnerUp: 'newest_idle_connection' };
}

/** Why a caller who had waited got this connection. */
export function whyServed(lease: Lease<unknown>, openedFor: boolean, wasChecked: boolean): Decision {
  if (wasChecked) {
    return { chosen: 'checked_connection', reason: 'it had been idle for so long that it was checked first' };
  }
  if (lease.slot.uses > 1) {
    if (!openedFor) {
      return { chosen: 'released_connection', reason: 'no connection was idle: waited for a release' };
    }
    return {
      chosen: 'released_connection',
      reason: 'it was released before the connection opened for this caller was ready',
      runnerUp: 'opened_connection',
    };
  }
  if (openedFor) {
    return {
      chosen: 'opened_connection',
      reason: 'no connection was idle: opened one',
      runnerUp: 'released_connection',
    };
  }
  return {
    chosen: 'opened_connection',
    reason: 'no connection was idle: waited, and one that was being opened came first',
    runnerUp: 'released_connection',
  };
}
