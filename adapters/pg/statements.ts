import {
  hottest,
  type NamedStatement,
  type Pool,
  type SharedLease,
  type Statement,
  type StatementCounters,
  Statements,
} from '../../src/index.js';
import { endsSession } from './failures.js';
import type { PipelinedClient } from './pipelined.js';
import type { PgPooler } from './pooler.js';
import { Preparing } from './preparing.js';
import type { PgQuery, QueryCallback } from './shapes.js';
import { changedRows } from './transaction.js';
import { type NameGiver, TransactionNames } from './transaction-names.js';

/** Refusals of names that we gave: after so many, something between us and the server changes connections under us. */
const REFUSALS_BEHIND_A_POOLER = 3;

/** Statements that are prepared ahead on one connection: their Parse messages go by one write, and are answered by one. */
const MOST_PREPARED_AHEAD = 16;

/** Names that the server did not take ahead, so many of which are remembered. */
const MOST_UNTAKEN = 256;

/**
 * SQLSTATEs of values that cannot be read, expressions that do not fit, and what is no longer there. A name holds the types that the
 * parameters had when it was given: after a column has got another type, these may be errors that the text would not meet.
 */
const OF_OLD_TYPES = /^(22|42|XX)/;

/** Also as the first of a list or a range. */
const MOMENT = /^[{[("]*\d{4}-\d\d-\d\d/;

const NO_CONFIGURATION = {};

/** The text, where `query` is one that pg makes a `Query` of as it is: nothing that keeps a portal open or a clock running. */
function plainTextOf(query: unknown): string | undefined {
  if (typeof query === 'string') return query;
  if (typeof query !== 'object' || query === null) return undefined;
  const { submit, text, rows, query_timeout: timeout, portal, callback } = query as Record<string, unknown>;
  const special = submit ?? rows ?? timeout ?? portal ?? callback;
  return special === undefined && typeof text === 'string' ? text : undefined;
}

function isMoment(value: unknown): boolean {
  if (typeof value === 'string') return MOMENT.test(value);
  return value instanceof Date || (Array.isArray(value) && value.some(isMoment));
}

/** One statement on its way, and who is told of its answer: the first is the answer, wherever it comes from. */
export class PgStatement {
  /** As `pool.query` was given it. */
  readonly query: unknown;
  readonly values: unknown;
  readonly known: Statement;
  /** The name that we gave it on the connection it was sent by. */
  name: string | undefined = undefined;
  /** Whether the server had it by that name when it was sent: one that shares may be on its way with what is to prepare it. */
  wasPrepared = false;
  /** What the server refused it for, where that may be the fault of its name alone, or none of it. */
  refusal: unknown = undefined;
  /** Whether it is another's second sending: it goes alone, and as it is. */
  readonly isSecond: boolean;
  /** Its second sending, unseen by the caller. */
  second: PgStatement | undefined = undefined;
  /** How the second failed, if it was sent and got no answer. */
  secondFailure: unknown = undefined;
  /** Whether it lost its connection while the second was on its way: if that never runs, there may be one more. */
  mayGoOnceMore = false;
  /** Whether it is in flight on a shared connection. */
  isShared = false;
  /** 0 until it is sent. */
  sentAt = 0;
  #done: QueryCallback | undefined;

  constructor(query: unknown, values: unknown, known: Statement, done: QueryCallback, isSecond = false) {
    this.query = query;
    this.values = values;
    this.known = known;
    this.isSecond = isSecond;
    this.#done = done;
  }

  /** Whether it may have been run though its answer never came: then nobody may run it again. */
  get writes(): boolean {
    return this.known.sharing.barrier !== undefined;
  }

  /** What came on the connection that it has alone, where it was perhaps sent a second time. */
  answered(error: unknown, result?: unknown): void {
    (this.second ?? this).tell(error, result);
  }

  tell(error: unknown, result?: unknown): void {
    const done = this.#done;
    if (done === undefined) return;
    this.#done = undefined;
    if (error) done(error);
    else done(undefined, result);
  }
}

/** What of an engine its statements need. */
type StatementEngine = Pick<Pool<unknown>, 'profiles' | 'rollout' | 'tripFlag' | 'wrote'>;

/** The pool whose statements they are. */
export interface StatementHome<C> {
  /** Whether it is being closed. */
  readonly isEnding: boolean;
  /** A statement on a shared connection was answered, or `ended` the session died first. */
  giveBackShared(lease: SharedLease<C>, error: unknown, ended: boolean): void;
  /** Sends a statement once more, on a connection of its own. */
  resend(statement: PgStatement): void;
}

/** Which statements of one pool share connections, and by which names they go. */
export class PgStatements<C> implements NameGiver {
  readonly #statements: Statements;
  readonly #engine: StatementEngine;
  readonly #home: StatementHome<C>;
  readonly #pooler: PgPooler;
  readonly #timesOut: boolean;
  readonly #untaken = new Set<string>();
  #refusals = 0;

  /** `timesOut`: whether a late answer costs a client its connection, and with it everybody on it. */
  constructor(engine: StatementEngine, home: StatementHome<C>, pooler: PgPooler, timesOut: boolean) {
    this.#engine = engine;
    this.#home = home;
    this.#pooler = pooler;
    this.#statements = new Statements(engine.profiles, 'postgresql', ({ sessionStateful, summary }) => {
      if (sessionStateful) pooler.sessionUsed(summary);
    });
    this.#timesOut = timesOut;
  }

  /** What was done with the pool's statements. */
  get counters(): StatementCounters {
    return this.#statements.counters;
  }

  /** Undefined where no optimisation wants to know, or the query is not one that pg sends as it is. */
  of(query: unknown, values: unknown, done: QueryCallback): PgStatement | undefined {
    const { pipelining, autoPrepare } = this.#engine.rollout.acting;
    if (!pipelining && !autoPrepare) return undefined;
    const text = plainTextOf(query);
    try {
      const known = text === undefined ? undefined : this.#statements.of(text);
      return known === undefined ? undefined : new PgStatement(query, values, known, done);
    } catch (error) {
      this.#engine.tripFlag('pipelining', error);
      this.#engine.tripFlag('autoPrepare', error);
      return undefined;
    }
  }

  /** What a statement of this kind is expected to cost a connection that it shares; undefined when it is to have one of its own. */
  costMsOf(known: Statement): number | undefined {
    const { pipelining, pipelinedWrites } = this.#engine.rollout.acting;
    if (this.#timesOut || !pipelining) return undefined;
    const { roundTripMs } = this.#statements;
    const isAlone = known.sharing.whyAlone(roundTripMs, pipelinedWrites) !== undefined;
    return isAlone ? undefined : known.sharing.costMs(roundTripMs);
  }

  /** Sends the statement: under a name where that pays, else as it was given. */
  #send(statement: PgStatement, pooled: PipelinedClient, answered: QueryCallback): void {
    const { client } = pooled;
    const { query, values, known } = statement;
    const { Query } = client.constructor as { Query?: new (query: unknown, values: unknown) => PgQuery };
    // Whoever tells of the query is to see it as it was given.
    const isWrapped = (client.query as { __wrapped?: unknown }).__wrapped === true;
    if (Query !== undefined && (!isWrapped || pooled.canNameUnseen)) this.#chooseName(statement, pooled);
    const { name } = statement;
    if (name === undefined) {
      client.query(query, values, answered);
    } else if (isWrapped) {
      const isNamed = pooled.nameUnseen(known.text, name, () => client.query(query, values, answered));
      if (!isNamed) statement.name = undefined;
    } else {
      // pg takes a configuration apart property by property, which costs more than all that we do; of a `Query` it does not.
      const named = new Query!(query, values);
      named.name = name;
      client.query(named, undefined, answered);
    }
  }

  #chooseName(statement: PgStatement, pooled: PipelinedClient): void {
    try {
      statement.name = this.#nameFor(statement, pooled);
    } catch (error) {
      statement.name = undefined;
      this.#engine.tripFlag('autoPrepare', error);
    }
  }

  /**
   * Sends a statement on a connection that it has alone, once more there if its name is refused: there may be no other. What comes is to
   * be told by `PgStatement#answered`.
   * @param lease nothing is heard once it is over: for values that it cannot send pg calls back twice.
   */
  sendAlone(
    statement: PgStatement,
    pooled: PipelinedClient,
    answered: QueryCallback,
    lease?: { readonly released: boolean },
  ): void {
    statement.sentAt = performance.now();
    this.#send(statement, pooled, (error, result) => {
      if (lease?.released === true) return;
      if (!error) this.#learnAlone(statement);
      else if (this.#refusedName(statement, error, pooled)) {
        const { query, values } = statement;
        return this.sendAgain(statement, () => pooled.client.query(query, values, answered));
      }
      answered(error, result);
    });
  }

  /** Takes in how long it took on a connection of its own. */
  #learnAlone({ known, name, sentAt }: PgStatement): void {
    this.#statements.learnAlone(known, performance.now() - sentAt, name !== undefined);
  }

  /** Sends a statement behind others that share the connection; their answers come in the order of their sending. */
  share(statement: PgStatement, lease: SharedLease<C>, pipelined: PipelinedClient): void {
    const answered: QueryCallback = (error, result) =>
      this.#answeredShared(statement, lease, pipelined, error, result);
    statement.isShared = true;
    pipelined.startPipelining(statement);
    try {
      this.#send(statement, pipelined, answered);
    } catch (error) {
      process.nextTick(answered, error);
    }
  }

  #answeredShared(
    statement: PgStatement,
    lease: SharedLease<C>,
    pipelined: PipelinedClient,
    error: unknown,
    result: unknown,
  ): void {
    // For values that it cannot send pg calls back at once, and again as if all was well when the server is ready.
    if (lease.released) return;
    pipelined.forget(statement);
    statement.isShared = false;
    const ended = Boolean(error) && endsSession(error);
    this.#home.giveBackShared(lease, error, ended);
    this.#learnShared(statement, lease);
    if (!error) {
      if (statement.writes && changedRows(result)) this.#engine.wrote();
      statement.tell(undefined, result);
    }
    // In stock it would not have died with this connection.
    else if (ended && !statement.writes && !this.#home.isEnding) this.#lost(statement);
    else if (this.#refusedName(statement, error, pipelined)) this.#lost(statement);
    else statement.tell(error);
  }

  /** It failed in a way that stock does not know: what comes of its second sending is the answer. */
  #lost(statement: PgStatement): void {
    if (statement.second === undefined) this.sendAgain(statement);
    else if (statement.secondFailure !== undefined)
      statement.tell(statement.refusal ?? statement.secondFailure);
    else statement.mayGoOnceMore = true;
  }

  /** What its caller did between taking its place and sending it is no service. */
  #learnShared({ known, sentAt }: PgStatement, { servedMs, fellSilent }: SharedLease<C>): void {
    const sinceMs = performance.now() - sentAt;
    this.#statements.learnShared(known, Math.min(servedMs, sinceMs), servedMs < sinceMs, fellSilent);
  }

  /** While it waits behind another. Of one that only reads, whichever answer comes first is the answer. */
  sendElsewhere(statement: PgStatement): void {
    if (statement.second === undefined && !statement.writes && !this.#home.isEnding)
      this.sendAgain(statement);
  }

  /** Once, and unseen: by `resend`, or on a connection of its own. */
  sendAgain(statement: PgStatement, resend = (second: PgStatement) => this.#home.resend(second)): void {
    const { query, values, known } = statement;
    const answered: QueryCallback = (error, result) => this.#answeredSecond(statement, second, error, result);
    const second = new PgStatement(query, values, known, answered, true);
    statement.second = second;
    this.counters.redispatched += 1;
    resend(second);
  }

  /** What the server says to the second is an answer; a connection that it did not get, or lost, is none while the first may answer. */
  #answeredSecond(statement: PgStatement, second: PgStatement, error: unknown, result: unknown): void {
    const neverRan = second.sentAt === 0;
    if (!error && statement.refusal !== undefined) statement.known.preparation.renew(statement.name!);
    if (!error || !endsSession(error)) statement.tell(error, result);
    else if (statement.isShared && neverRan) statement.second = undefined;
    else if (statement.isShared) statement.secondFailure = error;
    else if (statement.mayGoOnceMore && neverRan && !this.#home.isEnding) {
      statement.mayGoOnceMore = false;
      this.sendAgain(statement);
    } else statement.tell(statement.refusal ?? error);
  }

  /**
   * Whether the server refused the name that we gave, or may have refused the statement for it, before it ran anything: the statement is
   * to be sent again, once more and without a name.
   */
  #refusedName(statement: PgStatement, error: unknown, pooled: PipelinedClient): boolean {
    if (statement.name === undefined || !pooled.refusesUnrun || endsSession(error)) return false;
    const { code } = error as { code?: unknown };
    // What was to prepare it failed.
    if (code === '26000' && !statement.wasPrepared) return true;
    if (this.#heedRefusal(statement.known, statement.name, error)) return true;
    if (!statement.wasPrepared || !OF_OLD_TYPES.test(String(code))) return false;
    statement.refusal = error;
    return true;
  }

  /** Whether it is the name, or what it stands for, that the server does not take: from now on all go by others. */
  #heedRefusal({ preparation }: Statement, name: string, error: unknown): boolean {
    // Messages are in the server's language; the function that raised the error is not.
    const { code, routine } = error as { code?: unknown; routine?: unknown };
    const isOfName = code === '26000' || code === '42P05';
    if (isOfName) this.#refusals += 1;
    if (!isOfName && (code !== '0A000' || routine !== 'RevalidateCachedQuery')) return false;
    preparation.renew(name);
    return true;
  }

  #nameFor(statement: PgStatement, pooled: PipelinedClient): string | undefined {
    const { query, values, known, isSecond } = statement;
    if (isSecond || !this.#names) return undefined;
    const given = (typeof query === 'object' ? query : NO_CONFIGURATION) as {
      name?: unknown;
      values?: unknown;
    };
    const bound = values ?? given.values;
    if (given.name !== undefined || !Array.isArray(bound) || bound.length === 0) return undefined;
    if (pooled.client.getTransactionStatus?.() !== 'I') return undefined;
    const name = this.nameOf(known, bound, pooled);
    statement.wasPrepared = name !== undefined && pooled.isParsed(name);
    return name;
  }

  /** The name by which the statement is to go there now; undefined where it is to have none. */
  nameOf(
    { text, preparation }: Statement,
    values: readonly unknown[],
    pooled: PipelinedClient,
  ): string | undefined {
    // Once its column has a time zone, a name of before would have it read as another moment, and nobody would be told.
    if (values.some(isMoment) || !pooled.hearBinds() || !preparation.next()) return undefined;
    const { key, name } = preparation;
    if (pooled.prepared.use(key, name)) {
      this.counters.preparedHits += 1;
    } else {
      this.counters.prepared += 1;
      this.#remember({ key, name, text }, pooled);
    }
    return name;
  }

  /** From here on what `pooled` runs in transactions has names, where the application has agreed to what that may cost. */
  nameInTransactions(pooled: PipelinedClient): void {
    if (this.#namesTransactions && !pooled.tellsOfStatements)
      pooled.tellOfStatements(new TransactionNames(pooled, this));
  }

  known(text: string): Statement | undefined {
    const known = this.#namesTransactions ? this.#statements.of(text, true) : undefined;
    return known?.preparation.mayCostTransactions === true ? known : undefined;
  }

  refusedInTransaction(known: Statement, name: string, wasPrepared: boolean, error: unknown): boolean {
    const code = String((error as { code?: unknown }).code);
    const isRenewed = this.#heedRefusal(known, name, error);
    // It cannot be sent without the name, which would tell whether that was why.
    if (isRenewed || (wasPrepared && OF_OLD_TYPES.test(code))) known.preparation.lostTransaction(isRenewed);
    return wasPrepared && code === '26000';
  }

  ranInTransaction(known: Statement, tookMs: number, named: boolean): void {
    if (known.preparation.learn(tookMs, named)) this.counters.unprepared += 1;
  }

  failed(error: unknown): void {
    this.#engine.tripFlag('autoPrepareInTransactions', error);
  }

  #remember(statement: NamedStatement, pooled: PipelinedClient): void {
    for (const old of pooled.prepared.add(statement)) this.#deallocate(old, pooled);
  }

  /** Whether names that we give may be of use. */
  get #names(): boolean {
    const { autoPrepare } = this.#engine.rollout.acting;
    return autoPrepare && this.#pooler.keepsNames && this.#refusals < REFUSALS_BEHIND_A_POOLER;
  }

  get #namesTransactions(): boolean {
    return this.#engine.rollout.acting.autoPrepareInTransactions && this.#names;
  }

  /**
   * Prepares on a new connection what runs most just now on the `others`, in one round trip; undefined where there is nothing to
   * prepare. What the server does not take is prepared, and told of, when it is next run; rejects only where the client is closed for it.
   */
  prepareAhead(pooled: PipelinedClient, others: Iterable<PipelinedClient>): Promise<void> | undefined {
    try {
      if (!this.#names || !Preparing.isPossibleOn(pooled.client)) return undefined;
      const known = hottest(
        Array.from(others, ({ prepared }) => prepared),
        MOST_PREPARED_AHEAD,
        this.#statements.names,
      );
      const statements = known.filter(({ name }) => !this.#untaken.has(name));
      return statements.length === 0 ? undefined : this.#prepareAhead(pooled, statements);
    } catch (error) {
      this.#engine.tripFlag('autoPrepare', error);
      return undefined;
    }
  }

  async #prepareAhead(pooled: PipelinedClient, statements: readonly NamedStatement[]): Promise<void> {
    const taken = await new Preparing(pooled.client, statements).ended;
    for (const statement of statements.slice(0, taken)) this.#remember(statement, pooled);
    this.counters.prepared += taken;
    this.counters.preparedAhead += taken;
    const refused = statements[taken];
    if (refused === undefined) return;
    if (this.#untaken.size >= MOST_UNTAKEN) this.#untaken.clear();
    this.#untaken.add(refused.name);
  }

  /** Answered in passing: the next statement's Sync covers it. */
  #deallocate(name: string, pooled: PipelinedClient): void {
    if (!pooled.isParsed(name)) return;
    pooled.forgetParsed(name);
    pooled.client.connection?.close?.({ type: 'S', name });
    this.counters.deallocated += 1;
  }
}
