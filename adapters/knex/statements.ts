import type { Pool, SharedLease, Statement } from '../../src/index.js';
import type { PipelinedClient } from '../pg/pipelined.js';
import type { PgPooler } from '../pg/pooler.js';
import type { QueryCallback } from '../pg/shapes.js';
import { type PgStatement, PgStatements, type StatementHome } from '../pg/statements.js';
import type { PooledConnection } from './driver.js';
import type { Asked, KnexBuilder, KnexClient, KnexConnection, KnexRunner } from './shapes.js';
import type { Kind } from './workload.js';

const READS: ReadonlySet<unknown> = new Set(['select', 'first', 'pluck']);
const WRITES: ReadonlySet<unknown> = new Set(['insert', 'update', 'del']);

/** The one statement of a builder, from the wait for its connection to the answer. */
export class Ride {
  /** Undefined where nobody wants to know. */
  readonly kind: Kind | undefined;
  /** What the last builder of its kind had become. Its own SQL is known only when it has its connection: knex compiles it then. */
  readonly expected: Statement | undefined;
  /** What it is expected to cost a connection that it shares; undefined when it is to have one of its own. */
  readonly costMs: number | undefined;
  /** Whether its caller has said himself what he runs. */
  isTold = false;
  isShared = false;
  /** Its place on a shared connection, until it is sent: from then on whoever hears the answer gives it back. */
  lease: SharedLease<PooledConnection> | undefined = undefined;

  constructor(kind: Kind | undefined, costMs: number | undefined) {
    this.kind = kind;
    this.expected = kind?.expected;
    this.costMs = costMs;
  }

  /** Takes its place, for a statement or to give it up. */
  leave(): SharedLease<PooledConnection> | undefined {
    const { lease } = this;
    this.lease = undefined;
    return lease;
  }
}

/** A client that knows which ride its runner is on. */
interface RidingClient extends KnexClient {
  readonly ride: Ride;
}

/** What the statements of one knex pool need of it. */
export interface KnexStatementHome {
  readonly isEnding: boolean;
  of(connection: KnexConnection): PooledConnection | undefined;
  giveBackShared(lease: SharedLease<PooledConnection>, error: unknown, ended: boolean): void;
  /** While a statement's second sending asks for a connection, of which its caller knows nothing. */
  forSecond: boolean;
  /** While a client gives back the connection of a ride. */
  returning: Ride | undefined;
}

/**
 * Which builders' statements share a connection, and by which names they go: those of knex's own PostgreSQL dialect.
 * A builder has its connection before its SQL is known, so its kind decides what connection it gets. If its SQL then
 * turns out not to be one that may share, it is run on a connection of its own.
 */
export class KnexStatements implements StatementHome<PooledConnection> {
  readonly #engine: Pool<PooledConnection>;
  readonly #client: KnexClient;
  readonly #home: KnexStatementHome;
  readonly #statements: PgStatements<PooledConnection>;
  readonly #riding = new WeakMap<KnexClient, KnexClient>();

  constructor(engine: Pool<PooledConnection>, client: KnexClient, home: KnexStatementHome, pooler: PgPooler) {
    this.#engine = engine;
    this.#client = client;
    this.#home = home;
    const timesOut = Boolean(client.connectionSettings?.query_timeout);
    this.#statements = new PgStatements(engine, this, pooler, timesOut);
    engine.statementCounters = this.#statements.counters;
  }

  prepareAhead(client: PipelinedClient, others: Iterable<PipelinedClient>): Promise<void> | undefined {
    return this.#statements.prepareAhead(client, others);
  }

  nameInTransactions(client: PipelinedClient): void {
    this.#statements.nameInTransactions(client);
  }

  /** A ride for the runner's builder; undefined where it is none that may share, or nobody wants that. */
  board(runner: KnexRunner, kind: Kind): Ride | undefined {
    const { pipelining, pipelinedWrites, autoPrepare } = this.#engine.rollout.acting;
    if ((!pipelining && !autoPrepare) || !mayShare(runner.builder, pipelinedWrites)) return undefined;
    if (runner.client._query === undefined || !asksPlainly(runner.client._query)) return undefined;
    const ride = new Ride(kind, kind.expected && this.#statements.costMsOf(kind.expected));
    const client = Object.create(this.#ridingClientOf(runner.client));
    client.ride = ride;
    runner.client = client;
    return ride;
  }

  sendElsewhere(statement: PgStatement): void {
    this.#statements.sendElsewhere(statement);
  }

  get isEnding(): boolean {
    return this.#home.isEnding;
  }

  giveBackShared(lease: SharedLease<PooledConnection>, error: unknown, ended: boolean): void {
    this.#home.giveBackShared(lease, error, ended);
  }

  resend(statement: PgStatement): void {
    const { query, values } = statement;
    const answered: QueryCallback = (error, result) => statement.tell(error, result);
    this.#runElsewhere(query, values, answered, statement);
  }

  /** A client as `client` is, but for what a runner on a ride asks of it. */
  #ridingClientOf(client: KnexClient): KnexClient {
    let riding = this.#riding.get(client);
    if (riding === undefined) {
      riding = this.#newRidingClient(client);
      this.#riding.set(client, riding);
    }
    return riding;
  }

  #newRidingClient(client: KnexClient): KnexClient {
    const home = this.#home;
    const ask = this.#ask.bind(this);
    return Object.create(client, {
      _query: {
        value(this: RidingClient, connection: KnexConnection, asked: unknown) {
          const { ride } = this;
          const query = (config: Asked, done: QueryCallback) => ask(ride, connection, config, done);
          return client._query!.call(this, { query } as unknown as KnexConnection, asked);
        },
      },
      releaseConnection: {
        value(this: RidingClient, connection: KnexConnection) {
          home.returning = this.ride;
          try {
            return client.releaseConnection.call(this, connection);
          } finally {
            home.returning = undefined;
          }
        },
      },
    });
  }

  /** The SQL is known now. */
  #ask(ride: Ride, connection: KnexConnection, config: Asked, done: QueryCallback): void {
    const { text, values, ...more } = config;
    const [query, bound] = hasAny(more) ? [config, undefined] : [text, values];
    const statement = this.#statements.of(query, bound, done);
    if (statement !== undefined) ride.kind!.expected = statement.known;
    const lease = ride.leave();
    if (lease === undefined) return this.#askAlone(connection, statement, query, bound, done);
    const { pipelined } = lease.connection;
    const expected =
      statement !== undefined &&
      (statement.known === ride.expected || this.#statements.costMsOf(statement.known) !== undefined);
    if (expected) return this.#statements.share(statement, lease, pipelined!);
    // First the place on the shared connection: it may be the only connection that there is.
    lease.release('ok');
    this.#runElsewhere(query, bound, done);
  }

  #askAlone(
    connection: KnexConnection,
    statement: PgStatement | undefined,
    query: unknown,
    values: unknown,
    done: QueryCallback,
  ): void {
    const pipelined = this.#home.of(connection)?.pipelined;
    if (statement === undefined || pipelined === undefined) {
      (connection as unknown as { query: typeof pgQuery }).query(query, values, done);
      return;
    }
    this.#statements.sendAlone(statement, pipelined, (error, result) => statement.answered(error, result));
  }

  /** On a connection of its own, as any caller of the client's would. */
  async #runElsewhere(
    query: unknown,
    values: unknown,
    done: QueryCallback,
    second?: PgStatement,
  ): Promise<void> {
    let answer: [error: unknown, result?: unknown];
    try {
      const connection = await this.#acquire(second !== undefined);
      if (second !== undefined) second.sentAt = performance.now();
      answer = await new Promise<typeof answer>((resolve) => {
        const answered: QueryCallback = (...told) => resolve(told);
        (connection as unknown as { query: typeof pgQuery }).query(query, values, answered);
      });
      await this.#client.releaseConnection(connection);
    } catch (error) {
      answer = [error];
    }
    done(...answer);
  }

  #acquire(forSecond: boolean): Promise<KnexConnection> {
    // The way from here to the pool is one synchronous stretch.
    this.#home.forSecond = forSecond;
    try {
      return this.#client.acquireConnection();
    } finally {
      this.#home.forSecond = false;
    }
  }
}

declare function pgQuery(query: unknown, values: unknown, done: QueryCallback): unknown;

/** Whether the builder is a plain read, or write where those may share, by what it tells without being compiled. */
function mayShare(builder: KnexBuilder, writesShare: boolean): boolean {
  const { _method: method, _single: single, _statements: statements } = builder;
  if (builder._timeout !== undefined || builder._transacting !== undefined) return false;
  if (builder.isRawInstance === true) return true;
  if (single === undefined || statements === undefined || typeof single.table !== 'string') return false;
  return single.lock === undefined && (READS.has(method) || (writesShare && WRITES.has(method)));
}

const plainly = new WeakMap<object, boolean>();

/** Whether a dialect's `_query` is knex's own for PostgreSQL, which of the connection wants its `query` alone. */
function asksPlainly(query: NonNullable<KnexClient['_query']>): boolean {
  let plain = plainly.get(query);
  if (plain === undefined) {
    plain = String(query).includes('connection.query(queryConfig');
    plainly.set(query, plain);
  }
  return plain;
}

function hasAny(more: object): boolean {
  for (const _ in more) return true;
  return false;
}
