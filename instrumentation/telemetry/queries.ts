import { type Attributes, type Context, context, SpanKind } from '@opentelemetry/api';
import type { FollowQuery } from '../../adapters/host.js';
import { classify, type Dialect } from '../../src/index.js';
import { ATTR_CONNECTION_ID, ATTR_WAITED_MS } from './attribute-table.js';
import { errorType } from './attributes.js';
import {
  ATTR_DB_NAMESPACE,
  ATTR_DB_QUERY_SUMMARY,
  ATTR_DB_RESPONSE_STATUS_CODE,
  ATTR_DB_SYSTEM_NAME,
  ATTR_ERROR_TYPE,
} from './semconv.js';
import type { Signals } from './signals.js';
import { type Decision, decided, isTraced, tellPast } from './spans.js';

/** A query under way that will have a span. */
export interface QueryNote {
  readonly caller: Context;
  readonly startedAt: number;
  waitedMs: number;
  connectionId: number | undefined;
  /** Why it got this connection, where it had to wait. */
  decision: Decision | undefined;
}

/** Makes one span for each query that a pool runs for its caller, once it is over and everything is known. */
export class QueryFollower {
  /** The query that asks for a connection at this moment. */
  asking: QueryNote | undefined = undefined;
  readonly #signals: Signals;
  readonly #identity: Attributes;
  readonly #dialect: Dialect;
  readonly #fallbackName: string;

  constructor(signals: Signals, identity: Attributes) {
    this.#signals = signals;
    this.#identity = identity;
    const system = String(identity[ATTR_DB_SYSTEM_NAME]);
    this.#dialect = system === 'mysql' || system === 'mariadb' ? 'mysql' : 'postgresql';
    this.#fallbackName = String(identity[ATTR_DB_NAMESPACE] ?? system);
  }

  readonly follow: FollowQuery = (sql, done, run) => {
    const { telemetry } = this.#signals;
    const caller = context.active();
    if (!telemetry.querySpans || !isTraced(caller, telemetry.requireParentSpan)) {
      run(done);
      return;
    }
    const note: QueryNote = {
      caller,
      startedAt: performance.now(),
      waitedMs: 0,
      connectionId: undefined,
      decision: undefined,
    };
    this.asking = note;
    try {
      run((error, ...told) => {
        this.#tell(note, sql, error);
        done(error, ...told);
      });
    } finally {
      this.asking = undefined;
    }
  };

  #tell(
    { caller, startedAt, waitedMs, connectionId, decision }: QueryNote,
    sql: unknown,
    error: unknown,
  ): void {
    const attributes: Attributes = { ...this.#identity, [ATTR_WAITED_MS]: waitedMs };
    let name = this.#fallbackName;
    const summary = typeof sql === 'string' ? classify(sql, this.#dialect).summary : '';
    if (summary !== '') {
      name = summary;
      attributes[ATTR_DB_QUERY_SUMMARY] = summary;
    }
    if (connectionId !== undefined) attributes[ATTR_CONNECTION_ID] = connectionId;
    if (decision !== undefined) Object.assign(attributes, decided(decision));
    const endedAt = performance.now();
    if (!error) {
      tellPast(this.#signals.tracer, name, SpanKind.CLIENT, { caller, startedAt, endedAt, attributes });
      return;
    }
    const status = statusOf(error);
    if (status !== undefined) attributes[ATTR_DB_RESPONSE_STATUS_CODE] = status;
    attributes[ATTR_ERROR_TYPE] = status ?? errorType(error);
    tellPast(this.#signals.tracer, name, SpanKind.CLIENT, { caller, startedAt, endedAt, attributes, error });
  }
}

const SQLSTATE = /^[0-9A-Z]{5}$/;

/** PostgreSQL's SQLSTATE, or MySQL's number. */
function statusOf(error: unknown): string | undefined {
  const { code, errno, sqlState } = error as { code?: unknown; errno?: unknown; sqlState?: unknown };
  if (typeof sqlState === 'string' && typeof errno === 'number') return String(errno);
  return typeof code === 'string' && SQLSTATE.test(code) && !code.startsWith('E') ? code : undefined;
}
