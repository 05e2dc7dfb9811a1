import type { Statement } from '../../src/index.js';
import { endsSession } from './failures.js';
import type { HolderNames, PipelinedClient } from './pipelined.js';
import { isOwnQuery } from './sessions.js';
import type { PgQuery } from './shapes.js';

/** What takes names from a session, ours with its own. */
const FORGETS_NAMES = /^\s*(?:discard|deallocate)\b/i;

/** With the trace in a comment at the end no text comes again. */
const COMMENT_END = '*/';

/** The name that a statement has on one connection. */
export interface Name {
  readonly name: string;
  /** Whether the server had it by that name when it was sent: one that shares may be on its way with what is to prepare it. */
  readonly wasPrepared: boolean;
}

/** Who gives the names, and is told what became of them. */
export interface Naming {
  /** Of a statement that the client runs next; undefined where it is to have none. */
  nameOf(known: Statement, values: readonly unknown[], pooled: PipelinedClient): Name | undefined;
  /** Of a text; undefined where names are of no use now. */
  known(text: string): Statement | undefined;
  /** The server refused a named statement of a transaction before it ran it. */
  refusedInTransaction(known: Statement, given: Name, error: unknown): void;
  /** What it took, with a name or as a control without. */
  ranInTransaction(known: Statement, tookMs: number, named: boolean): void;
  /** A fault of ours. */
  failed(error: unknown): void;
}

interface Sent {
  readonly known: Statement;
  readonly given: Name | undefined;
  readonly at: number;
}

/**
 * Gives names to what runs in the transactions of one client. A statement that is refused for its name has ended its transaction: it cannot be sent again, and
 * its caller is told.
 */
export class TransactionNames implements HolderNames {
  readonly #pooled: PipelinedClient;
  readonly #naming: Naming;
  #sent: Sent | undefined = undefined;
  /** Its holder has the server forget names. */
  #isUseless = false;

  constructor(pooled: PipelinedClient, naming: Naming) {
    this.#pooled = pooled;
    this.#naming = naming;
  }

  sending(query: PgQuery): void {
    this.#sent = undefined;
    if (this.#isUseless) return;
    try {
      this.#name(query);
    } catch (error) {
      this.#naming.failed(error);
    }
  }

  refused(error: unknown): void {
    const sent = this.#sent;
    this.#sent = undefined;
    if (sent?.given === undefined || !this.#pooled.refusesUnrun || endsSession(error)) return;
    this.#naming.refusedInTransaction(sent.known, sent.given, error);
  }

  ended(): void {
    const sent = this.#sent;
    this.#sent = undefined;
    if (sent === undefined) return;
    this.#naming.ranInTransaction(sent.known, performance.now() - sent.at, sent.given !== undefined);
  }

  #name(query: PgQuery): void {
    const { text, values, name, rows, portal } = query;
    const { client } = this.#pooled;
    if (typeof text !== 'string') return;
    if (FORGETS_NAMES.test(text)) this.#isUseless = true;
    if (!Array.isArray(values) || values.length === 0 || name || rows || portal) return;
    if (client.getTransactionStatus?.() !== 'T' || !isOwnQuery(client, query)) return;
    const known = text.endsWith(COMMENT_END) ? undefined : this.#naming.known(text);
    if (known === undefined) return;
    const given = this.#naming.nameOf(known, values, this.#pooled);
    if (given !== undefined) query.name = given.name;
    this.#sent = { known, given, at: performance.now() };
  }
}
