import { type Dialect, type Hint, type Pool, Recent, type Statement } from '../../src/index.js';
import type { PooledConnection } from './driver.js';
import type { KnexBuilder, StatementEvent } from './shapes.js';

/** Texts of `raw` that are remembered. */
const MAX_TEXTS = 1_024;
const MAX_TEXT_LENGTH = 8_192;
/** Steps on the ways to kinds of other builders: beyond, all are forgotten. */
const MAX_STEPS = 8_192;
const MAX_PARTS = 64;

/** The SQL that can be read, by knex's `driverName`. */
const DIALECTS: Readonly<Record<string, Dialect>> = {
  pg: 'postgresql',
  pgnative: 'postgresql',
  cockroachdb: 'postgresql',
  'pg-redshift': 'postgresql',
  mysql: 'mysql',
  mysql2: 'mysql',
  mariadb: 'mysql',
};

/** Builders whose SQL is likely to be the same, and what the last of them became. */
export class Kind {
  /** What its next builder is expected to run; undefined before the first has shown it. */
  hint: Hint | undefined = undefined;
  /** The same as the statements know it, where some may share. */
  expected: Statement | undefined = undefined;
  /** Kinds of builders that have one thing more. Found step by step: to make one name of them all would cost more than to look it up. */
  next: Map<unknown, Kind> | undefined = undefined;
}

/**
 * What the connections of one knex pool are wanted for. A builder has its connection before its SQL is known, and is not
 * compiled for us: what the last builder of its kind became is what it is taken for, until its own SQL shows.
 */
export class KnexWorkload {
  readonly #engine: Pool<PooledConnection>;
  readonly #dialect: Dialect | undefined;
  readonly #byText = new Recent<Kind>(MAX_TEXTS);
  #root = new Kind();
  #steps = 0;

  constructor(engine: Pool<PooledConnection>, driverName: string | undefined) {
    this.#engine = engine;
    this.#dialect = DIALECTS[driverName ?? ''];
  }

  /** Undefined where nobody wants to know, and for builders of several statements. */
  kindOf(builder: KnexBuilder): Kind | undefined {
    if (this.#dialect === undefined || !this.#engine.readsQueries) return undefined;
    if (builder.isRawInstance === true) return this.#ofText(builder.sql);
    const { _method: method, _single: single, _statements: parts } = builder;
    if (single === undefined || parts === undefined) return undefined;
    if (typeof single.table !== 'string' || parts.length > MAX_PARTS) return new Kind();
    let kind = this.#step(this.#step(this.#step(this.#root, method), single.table), single.lock);
    for (const { column, table, type, grouping } of parts) {
      const what = typeof column === 'string' ? column : typeof table === 'string' ? table : type;
      kind = this.#step(this.#step(kind, grouping), what);
    }
    return kind;
  }

  #ofText(sql: unknown): Kind {
    if (typeof sql !== 'string' || sql.length > MAX_TEXT_LENGTH) return new Kind();
    let kind = this.#byText.get(sql);
    if (kind === undefined) {
      kind = new Kind();
      this.#byText.set(sql, kind);
    }
    return kind;
  }

  #step(from: Kind, what: unknown): Kind {
    const known = from.next?.get(what);
    return known ?? this.#firstStep(from, what);
  }

  #firstStep(from: Kind, what: unknown): Kind {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS) {
      this.#steps = 0;
      this.#root = new Kind();
    }
    const kind = new Kind();
    from.next ??= new Map();
    from.next.set(what, kind);
    return kind;
  }

  /** knex sends a statement on a connection. Only one that a holder has alone can tell whose it is. */
  sends(pooled: PooledConnection, { sql, __knexQueryUid: uid }: StatementEvent): void {
    const { lease, kind } = pooled;
    if (sql === undefined) return;
    if (this.#dialect === undefined || lease === undefined || lease.released) return;
    if (kind !== undefined) {
      pooled.kind = undefined;
      if (kind.hint?.sql !== sql) kind.hint = { sql, dialect: this.#dialect, readOnly: false };
      this.#engine.identify(lease, kind.hint);
    } else if (uid !== undefined && !pooled.forStatement && lease.timed && this.#engine.readsQueries) {
      pooled.unanswered += 1;
      // Of several at once nobody can tell what each of them takes.
      pooled.sent = pooled.unanswered > 1 ? undefined : { sql, dialect: this.#dialect };
      pooled.sentAt = performance.now();
    }
  }

  /** A statement of somebody who runs several was answered. */
  answered(pooled: PooledConnection, { __knexQueryUid: uid }: StatementEvent, failed: boolean): void {
    if (uid === undefined || pooled.unanswered === 0) return;
    pooled.unanswered -= 1;
    const { sent } = pooled;
    if (sent === undefined) return;
    pooled.sent = undefined;
    this.#engine.learnStatement(sent, performance.now() - pooled.sentAt, failed ? 'failed' : 'ok');
  }
}
