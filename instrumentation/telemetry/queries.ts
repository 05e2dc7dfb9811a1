import { type Attributes, context, type Span, SpanKind } from '@opentelemetry/api';
import type { FollowQuery } from '../../adapters/host.js';
import { classify, type Dialect } from '../../src/index.js';
import { Recent } from '../../src/query/recent.js';
import { ATTR_WAITED_MS } from './attribute-table.js';
import { errorType } from './attributes.js';
import {
  ATTR_DB_NAMESPACE,
  ATTR_DB_QUERY_SUMMARY,
  ATTR_DB_RESPONSE_STATUS_CODE,
  ATTR_DB_SYSTEM_NAME,
  ATTR_ERROR_TYPE,
} from './semconv.js';
import type { Signals } from './signals.js';
import { isTraced, startSpanIn, tellFailure } from './spans.js';

/** What all queries of one summary have in common, as long as none waits. */
interface QueryKind {
  readonly spanName: string;
  readonly attributes: Attributes;
}

/** Of them so many are remembered for each pool. */
const KINDS_AT_MOST = 448;

const CLIENT_SPAN = Object.freeze({ kind: SpanKind.CLIENT });

/** Makes one span for each query that a pool runs for its caller. */
export class QueryFollower {
  /** The span of the query that asks for a connection at this moment. */
  asking: Span | undefined = undefined;
  readonly #signals: Signals;
  readonly #identity: Attributes;
  readonly #dialect: Dialect;
  readonly #kinds = new Recent<QueryKind>(KINDS_AT_MOST);

  constructor(signals: Signals, identity: Attributes) {
    this.#signals = signals;
    this.#identity = identity;
    const system = identity[ATTR_DB_SYSTEM_NAME];
    this.#dialect = system === 'mysql' || system === 'mariadb' ? 'mysql' : 'postgresql';
  }

  readonly follow: FollowQuery = (sql, done, run) => {
    const { telemetry, tracer } = this.#signals;
    const caller = context.active();
    if (!telemetry.querySpans || !isTraced(caller, telemetry.requireParentSpan)) return run(done);
    const { spanName, attributes } = this.#kindOf(sql);
    const span = startSpanIn(caller, tracer, spanName, CLIENT_SPAN, attributes);
    this.asking = span;
    try {
      run((error, ...told) => {
        tellEnd(span, error);
        done(error, ...told);
      });
    } finally {
      this.asking = undefined;
    }
  };

  #kindOf(sql: unknown): QueryKind {
    const summary = typeof sql === 'string' ? classify(sql, this.#dialect).summary : '';
    let kind = this.#kinds.get(summary);
    if (kind === undefined) {
      kind = this.#newKind(summary);
      this.#kinds.set(summary, kind);
    }
    return kind;
  }

  #newKind(summary: string): QueryKind {
    const unnamed: Attributes = { ...this.#identity, [ATTR_WAITED_MS]: 0 };
    if (summary !== '') {
      return {
        spanName: summary,
        attributes: Object.freeze({ ...unnamed, [ATTR_DB_QUERY_SUMMARY]: summary }),
      };
    }
    const spanName = String(unnamed[ATTR_DB_NAMESPACE] ?? unnamed[ATTR_DB_SYSTEM_NAME]);
    return { spanName, attributes: Object.freeze(unnamed) };
  }
}

/** The span reads no clock of ours: the SDK converts a time that it is given, which costs more than to look itself. */
function tellEnd(span: Span, error: unknown): void {
  if (error) {
    const status = statusOf(error);
    if (status !== undefined) span.setAttribute(ATTR_DB_RESPONSE_STATUS_CODE, status);
    span.setAttribute(ATTR_ERROR_TYPE, status ?? errorType(error));
    tellFailure(span, error);
  }
  span.end();
}

const SQLSTATE = /^[0-9A-Z]{5}$/;

/** PostgreSQL's SQLSTATE, or MySQL's number. */
function statusOf(error: unknown): string | undefined {
  const { code, errno, sqlState } = error as { code?: unknown; errno?: unknown; sqlState?: unknown };
  if (typeof sqlState === 'string' && typeof errno === 'number') return String(errno);
  return typeof code === 'string' && SQLSTATE.test(code) && !code.startsWith('E') ? code : undefined;
}
