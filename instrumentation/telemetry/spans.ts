import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { BackgroundWork } from '../../adapters/background.js';
import type { Hint, Lease, Waiter } from '../../src/index.js';
import { errorDescription, errorType } from './attributes.js';
import { ATTR_ERROR_TYPE } from './semconv.js';

export const ATTR_DECISION_CHOSEN = 'enhanced_pool.decision.chosen';
export const ATTR_DECISION_REASON = 'enhanced_pool.decision.reason';
export const ATTR_DECISION_RUNNER_UP = 'enhanced_pool.decision.runner_up';
export const ATTR_WAITED_MS = 'enhanced_pool.acquire.waited_ms';
export const ATTR_QUEUE_POSITION = 'enhanced_pool.acquire.queue_position';
export const ATTR_CONNECTION_ID = 'enhanced_pool.connection.id';
export const ATTR_QUERY_TYPE = 'enhanced_pool.query.type';

/** What was decided, why, and what was next best. */
export interface Decision {
  readonly chosen:
    | 'idle_connection'
    | 'checked_connection'
    | 'released_connection'
    | 'opened_connection'
    | 'open'
    | 'refuse'
    | 'give_up';
  readonly reason: string;
  readonly runnerUp?: string;
}

/** The key under which OpenTelemetry's SDK notes that nothing is to be traced; keys of one name are one symbol. */
const SUPPRESSED = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
const UNTRACED = ROOT_CONTEXT.setValue(SUPPRESSED, true);

/**
 * Runs what a pool does on its own account in no request's trace. Our own statements make no spans; but what is opened
 * must not be told to be silent, for a socket hands the context it was born in to every callback that it ever calls.
 */
export function inBackground<T>(what: BackgroundWork, work: () => T): T {
  return context.with(what === 'check' || what === 'reset' ? UNTRACED : ROOT_CONTEXT, work);
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

export function startAcquireSpan(
  tracer: Tracer,
  parent: Context,
  identity: Attributes,
  hint: Hint | undefined,
): Span {
  const span = tracer.startSpan('pool.acquire', { kind: SpanKind.INTERNAL, attributes: identity }, parent);
  if (hint?.queryType !== undefined) span.setAttribute(ATTR_QUERY_TYPE, hint.queryType);
  return span;
}

/** A trace of its own: a connection outlives the request that happened to need it first, which is linked. */
export function startConnectSpan(
  tracer: Tracer,
  identity: Attributes,
  id: number,
  causedBy: Span | undefined,
): Span {
  const links = causedBy?.isRecording() ? [{ context: causedBy.spanContext() }] : [];
  return tracer.startSpan(
    'pool.connect',
    { kind: SpanKind.CLIENT, root: true, links, attributes: { ...identity, [ATTR_CONNECTION_ID]: id } },
    ROOT_CONTEXT,
  );
}

export function tellDecision(span: Span, { chosen, reason, runnerUp }: Decision): void {
  span.setAttribute(ATTR_DECISION_CHOSEN, chosen);
  span.setAttribute(ATTR_DECISION_REASON, reason);
  if (runnerUp !== undefined) span.setAttribute(ATTR_DECISION_RUNNER_UP, runnerUp);
}

export function tellError(span: Span, error: unknown): void {
  span.setAttribute(ATTR_ERROR_TYPE, errorType(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message: errorDescription(error) });
}

/** Why a caller who had waited got this connection. */
export function whyServed(lease: Lease<unknown>, waiter: Waiter<unknown>, wasChecked: boolean): Decision {
  if (wasChecked) {
    return { chosen: 'checked_connection', reason: 'it had been idle for so long that it was checked first' };
  }
  if (lease.slot.uses > 1) {
    if (!waiter.openedFor) {
      return { chosen: 'released_connection', reason: 'no connection was idle: waited for a release' };
    }
    return {
      chosen: 'released_connection',
      reason: 'it was released before the connection opened for this caller was ready',
      runnerUp: 'opened_connection',
    };
  }
  if (waiter.openedFor) {
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
