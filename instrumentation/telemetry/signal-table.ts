import {
  ATTR_CHECK_OUTCOME,
  ATTR_CHECK_TOOK_MS,
  ATTR_CHECKS,
  ATTR_CHECKS_FAILED,
  ATTR_CIRCUIT_FROM,
  ATTR_CIRCUIT_STATE,
  ATTR_CONNECTION_ID,
  ATTR_DECISION_CHOSEN,
  ATTR_DECISION_REASON,
  ATTR_DECISION_RUNNER_UP,
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
import { ATTR_DB_QUERY_SUMMARY, ATTR_DB_RESPONSE_STATUS_CODE, ATTR_ERROR_TYPE } from './semconv.js';

const DECISION = [ATTR_DECISION_CHOSEN, ATTR_DECISION_REASON, ATTR_DECISION_RUNNER_UP];

/** A kind of span. */
export interface SpanRow {
  readonly name: string;
  readonly kind: 'internal' | 'client';
  /** Where it stands in a trace, and what it is linked to. */
  readonly place: string;
  readonly when: string;
  /** Those it may carry, beside the pool's identity. */
  readonly attributes: readonly string[];
}

export const ACQUIRE_SPAN: SpanRow = {
  name: 'pool.acquire',
  kind: 'internal',
  place:
    'in the caller’s trace, linked to the `pool.connect` of the connection it got or that was opened for it',
  when: 'a caller waited or failed; `telemetry.acquireSpans`',
  attributes: [
    ...DECISION,
    ATTR_WAITED_MS,
    ATTR_QUEUE_POSITION,
    ATTR_CONNECTION_ID,
    ATTR_QUERY_TYPE,
    ATTR_ERROR_TYPE,
  ],
};

export const CONNECT_SPAN: SpanRow = {
  name: 'pool.connect',
  kind: 'client',
  place: 'a trace of its own',
  when: 'a connection is opened; `telemetry.connectSpans`',
  attributes: [...DECISION, ATTR_CONNECTION_ID, ATTR_ERROR_TYPE],
};

export const CHECK_SPAN: SpanRow = {
  name: 'pool.health_check',
  kind: 'internal',
  place:
    'a trace of its own, linked to the span in which a connection was lost, or to those whose connections are silent',
  when: 'connections are checked for which no caller waits, up to 32 of them; `telemetry.checkSpans`',
  attributes: [...DECISION, ATTR_CHECKS, ATTR_CHECKS_FAILED],
};

/** Its name is the summary of the query, or the database where there is none. */
export const QUERY_SPAN: SpanRow = {
  name: '{db.query.summary}',
  kind: 'client',
  place: 'in the caller’s trace; the wait for a connection is its attribute, and there is no `pool.acquire`',
  when: '`pool.query` and `pool.execute`; off unless `telemetry.querySpans` is set',
  attributes: [
    ...DECISION,
    ATTR_DB_QUERY_SUMMARY,
    ATTR_WAITED_MS,
    ATTR_CONNECTION_ID,
    ATTR_DB_RESPONSE_STATUS_CODE,
    ATTR_ERROR_TYPE,
  ],
};

export const SPANS: readonly SpanRow[] = [ACQUIRE_SPAN, CONNECT_SPAN, CHECK_SPAN, QUERY_SPAN];

/** A kind of log event. */
export interface EventRow {
  readonly name: string;
  readonly severity: 'INFO' | 'WARN' | 'ERROR';
  readonly when: string;
  /** Those it may carry, beside the pool's identity. */
  readonly attributes: readonly string[];
}

export const RESIZED_EVENT: EventRow = {
  name: 'enhanced_pool.resized',
  severity: 'INFO',
  when: 'the most connections allowed changed',
  attributes: [ATTR_LIMIT_FROM, ATTR_LIMIT_TO, ATTR_DECISION_REASON],
};

export const LEAK_EVENT: EventRow = {
  name: 'enhanced_pool.lease.suspected_leak',
  severity: 'WARN',
  when: 'a lease is held beyond `leakThresholdMs`; its trace and span are those of whoever took it',
  attributes: [ATTR_CONNECTION_ID, ATTR_HELD_MS, ATTR_QUERY_FINGERPRINT],
};

export const NESTED_EVENT: EventRow = {
  name: 'enhanced_pool.acquire.nested',
  severity: 'ERROR',
  when: 'those who hold the connections wait for others; its trace and span are those of the one who waits longest',
  attributes: [ATTR_NESTED_HELD, ATTR_NESTED_WAITING, ATTR_STUCK_MS],
};

export const FLAG_EVENT: EventRow = {
  name: 'enhanced_pool.optimization.changed',
  severity: 'INFO',
  when: 'an optimisation was accepted, taken back, tried again or set',
  attributes: [ATTR_OPTIMIZATION, ATTR_OPTIMIZATION_FROM, ATTR_OPTIMIZATION_STAGE, ATTR_DECISION_REASON],
};

export const CIRCUIT_EVENT: EventRow = {
  name: 'enhanced_pool.circuit.changed',
  severity: 'WARN',
  when: 'the pool’s trust in its server changed',
  attributes: [ATTR_CIRCUIT_FROM, ATTR_CIRCUIT_STATE, ATTR_DECISION_REASON],
};

export const MOVED_EVENT: EventRow = {
  name: 'enhanced_pool.server.moved',
  severity: 'WARN',
  when: 'the server’s name no longer stands for addresses to which connections lead: these are replaced',
  attributes: [ATTR_SERVER_FROM, ATTR_SERVER_TO],
};

export const WORKLOAD_EVENT: EventRow = {
  name: 'enhanced_pool.workload.changed',
  severity: 'INFO',
  when: 'the load became one of another kind; needs the flag `forecaster`',
  attributes: [ATTR_WORKLOAD_AXIS, ATTR_WORKLOAD_FROM, ATTR_WORKLOAD_TO],
};

export const EVENTS: readonly EventRow[] = [
  RESIZED_EVENT,
  LEAK_EVENT,
  NESTED_EVENT,
  FLAG_EVENT,
  CIRCUIT_EVENT,
  MOVED_EVENT,
  WORKLOAD_EVENT,
];

/** Something that is told on a span. */
export interface SpanEventRow {
  readonly name: string;
  readonly on: string;
  readonly attributes: readonly string[];
}

export const CHECKED_EVENT: SpanEventRow = {
  name: 'enhanced_pool.connection.checked',
  on: '`pool.health_check`, one for each connection',
  attributes: [ATTR_CONNECTION_ID, ATTR_CHECK_OUTCOME, ATTR_CHECK_TOOK_MS, ATTR_ERROR_TYPE],
};

const CAUSES =
  'the `pool.connect` or `pool.health_check` whose end caused it, or the span of whoever held a connection that was lost';

export const SPAN_EVENTS: readonly SpanEventRow[] = [
  CHECKED_EVENT,
  { ...RESIZED_EVENT, on: CAUSES },
  { ...CIRCUIT_EVENT, on: CAUSES },
];
