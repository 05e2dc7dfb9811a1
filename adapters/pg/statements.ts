import {
  type Pool,
  type SharedLease,
  type Statement,
  type StatementCounters,
  Statements,
} from '../../src/index.js';
import type { PooledClient } from './driver.js';

/** Refusals of names that we gave: after so many, something between us and the server changes connections under us. */
const REFUSALS_BEHIND_A_POOLER = 3;

/** A configuration that pg makes a `Query` of: plain values, and nothing that keeps a portal open or a clock running. */
interface PlainQuery {
  readonly text: string;
  readonly values?: unknown;
  readonly name?: unknown;
  readonly rowMode?: unknown;
  readonly types?: unknown;
  readonly queryMode?: unknown;
  readonly binary?: unknown;
}

/** What `pool.query` was given, where that is one statement that pg sends as it is. */
function plainQueryOf(query: unknown, values: unknown): PlainQuery | undefined {
  if (typeof query === 'string') return { text: query, values };
  if (typeof query !== 'object' || query === null) return undefined;
  const { submit, text, rows, query_timeout: timeout, portal } = query as Record<string, unknown>;
  const special = submit ?? rows ?? timeout ?? portal;
  if (special !== undefined || typeof text !== 'string') return undefined;
  return values === undefined ? (query as PlainQuery) : copyOf(query as PlainQuery, { values });
}

/** With all that pg reads, by name: an application's own class may give it by getters, which a spread would lose. */
function copyOf(
  { text, values, name, rowMode, types, queryMode, binary }: PlainQuery,
  changes: Partial<PlainQuery>,
): PlainQuery {
  return { text, values, name, rowMode, types, queryMode, binary, ...changes };
}

/** One statement on its way. */
export class PgStatement {
  readonly plain: PlainQuery;
  readonly known: Statement;
  /** The name that we gave it on the connection it was sent by. */
  name: string | undefined = undefined;
  /** Whether it was sent a second time, unseen: then it goes alone, as it is, and its error is the caller's. */
  resent = false;
  sentAt = 0;

  constructor(plain: PlainQuery, known: Statement) {
    this.plain = plain;
    this.known = known;
  }
}

/** Which statements of one pool share connections, and by which names they go. */
export class PgStatements {
  readonly #statements: Statements;
  readonly #engine: Pool<PooledClient>;
  readonly #timesOut: boolean;
  #refusals = 0;

  /** `timesOut`: whether a late answer costs a client its connection, and with it everybody on it. */
  constructor(engine: Pool<PooledClient>, timesOut: boolean) {
    this.#engine = engine;
    this.#statements = new Statements(engine.profiles, 'postgresql');
    this.#timesOut = timesOut;
  }

  /** What was done with the pool's statements. */
  get counters(): StatementCounters {
    return this.#statements.counters;
  }

  /** Undefined where no optimisation wants to know, or the query is not one that pg sends as it is. */
  of(query: unknown, values: unknown): PgStatement | undefined {
    const { pipelining, autoPrepare } = this.#engine.rollout.acting;
    if (!pipelining && !autoPrepare) return undefined;
    const plain = plainQueryOf(query, values);
    try {
      const known = plain === undefined ? undefined : this.#statements.of(plain.text);
      return known === undefined ? undefined : new PgStatement(plain!, known);
    } catch (error) {
      this.#engine.tripFlag('pipelining', error);
      this.#engine.tripFlag('autoPrepare', error);
      return undefined;
    }
  }

  /** What the statement is expected to cost a connection that it shares; undefined when it is to have one of its own. */
  sharedCostMs({ known, resent }: PgStatement): number | undefined {
    if (resent || this.#timesOut || !this.#engine.rollout.acting.pipelining) return undefined;
    const { roundTripMs } = this.#statements;
    return known.sharing.whyAlone(roundTripMs) === undefined ? known.sharing.costMs(roundTripMs) : undefined;
  }

  /** The statement under a name, where that pays; undefined where it is to be sent as it was given. */
  prepared(statement: PgStatement, pooled: PooledClient): object | undefined {
    const { plain } = statement;
    try {
      statement.name = this.#nameFor(statement, pooled);
    } catch (error) {
      statement.name = undefined;
      this.#engine.tripFlag('autoPrepare', error);
    }
    return statement.name === undefined ? undefined : copyOf(plain, { name: statement.name });
  }

  /** Takes in how it went with a connection of its own. */
  learnAlone({ known, name, sentAt }: PgStatement): void {
    this.#statements.learnAlone(known, performance.now() - sentAt, name !== undefined);
  }

  learnShared({ known }: PgStatement, { servedMs }: SharedLease<PooledClient>): void {
    this.#statements.learnShared(known, servedMs);
  }

  /**
   * Whether the server refused the name that we gave, before it ran anything: the statement is to be sent again, once more and
   * without a name.
   */
  refusedName(statement: PgStatement, error: unknown): boolean {
    if (statement.name === undefined || statement.resent) return false;
    // Messages are in the server's language; the function that raised the error is not.
    const { code, routine } = error as { code?: unknown; routine?: unknown };
    const stale = code === '0A000' && routine === 'RevalidateCachedQuery';
    if (!stale && code !== '26000' && code !== '42P05') return false;
    if (!stale) this.#refusals += 1;
    statement.known.preparation.renew(statement.name);
    return true;
  }

  #nameFor({ plain, known, resent }: PgStatement, pooled: PooledClient): string | undefined {
    const { preparation } = known;
    if (resent || !this.#engine.rollout.acting.autoPrepare || plain.name !== undefined) return undefined;
    if (!Array.isArray(plain.values) || plain.values.length === 0) return undefined;
    if (this.#refusals >= REFUSALS_BEHIND_A_POOLER) return undefined;
    if (pooled.client.getTransactionStatus?.() !== 'I' || !preparation.next()) return undefined;
    const { key, name } = preparation;
    if (pooled.prepared.use(key, name)) {
      this.counters.preparedHits += 1;
      return name;
    }
    this.counters.prepared += 1;
    for (const old of pooled.prepared.add(key, name)) this.#deallocate(old, pooled);
    return name;
  }

  /** Answered in passing: the next statement's Sync covers it. */
  #deallocate(name: string, { client }: PooledClient): void {
    const { connection } = client;
    if (connection?.parsedStatements?.[name] === undefined) return;
    delete connection.parsedStatements[name];
    connection.close?.({ type: 'S', name });
    this.counters.deallocated += 1;
  }
}
