import type { Statement } from '../../src/index.js';
import { endsSession } from './failures.js';
import type { PipelinedClient, StatementListener } from './pipelined.js';
import { isOwnQuery } from './sessions.js';
import type { PgQuery } from './shapes.js';

/** What takes names from a session, ours with its own. */
const FORGETS_NAMES = /\b(?:discard|deallocate)\b/i;

/** With the trace in a comment, before or behind, no text comes again. */
const HAS_COMMENT = /^\/\*|\*\/$/;

/** Who gives names in transactions, and is told what became of them. */
export interface NameGiver {
  /** Of a statement that the client runs next; undefined where it is to have none. */
  nameOf(known: Statement, values: readonly unknown[], pooled: PipelinedClient): string | undefined;
  /** Of a text; undefined where names are of no use now. */
  known(text: string): Statement | undefined;
  /** The server refused a named statement of a transaction before it ran it. Whether the session has lost the name. */
  refusedInTransaction(known: Statement, name: string, wasPrepared: boolean, error: unknown): boolean;
  /** What it took, with a name or as a control without. */
  ranInTransaction(known: Statement, tookMs: number, named: boolean): void;
  /** A fault of ours. */
  failed(error: unknown): void;
}

interface Sent {
  readonly known: Statement;
  /** Undefined for a control. */
  readonly name: string | undefined;
  /** Whether the server had it by that name. */
  readonly wasPrepared: boolean;
  readonly at: number;
}

/**
 * Gives names to what runs in the transactions of one client. A statement that is refused for its name has ended its transaction: it cannot be sent again, and
 * its caller is told.
 */
export class TransactionNames implements StatementListener {
  readonly #pooled: PipelinedClient;
  readonly #giver: NameGiver;
  #sent: Sent | undefined = undefined;
  /** The server forgets names there, as when its holder has told it to. */
  #isUseless = false;

  constructor(pooled: PipelinedClient, giver: NameGiver) {
    this.#pooled = pooled;
    this.#giver = giver;
  }

  sending(query: PgQuery): void {
    this.#sent = undefined;
    if (this.#isUseless) return;
    try {
      this.#name(query);
    } catch (error) {
      this.#giver.failed(error);
    }
  }

  refused(error: unknown): void {
    const sent = this.#sent;
    this.#sent = undefined;
    if (sent?.name === undefined || !this.#pooled.refusesUnrun || endsSession(error)) return;
    const { known, name, wasPrepared } = sent;
    if (this.#giver.refusedInTransaction(known, name, wasPrepared, error)) this.#isUseless = true;
  }

  ended(): void {
    const sent = this.#sent;
    this.#sent = undefined;
    if (sent === undefined) return;
    this.#giver.ranInTransaction(sent.known, performance.now() - sent.at, sent.name !== undefined);
  }

  #name(query: PgQuery): void {
    const { text, values, rows, portal } = query;
    const { client } = this.#pooled;
    if (typeof text !== 'string') return;
    if (!Array.isArray(values) || values.length === 0) {
      if (FORGETS_NAMES.test(text)) this.#isUseless = true;
      return;
    }
    if (query.name || rows || portal || !this.#pooled.isHeld || client.getTransactionStatus?.() !== 'T')
      return;
    if (!isOwnQuery(client, query) || HAS_COMMENT.test(text)) return;
    const known = this.#giver.known(text);
    if (known === undefined) return;
    const name = this.#giver.nameOf(known, values, this.#pooled);
    if (name !== undefined) query.name = name;
    const wasPrepared = name !== undefined && this.#pooled.isParsed(name);
    this.#sent = { known, name, wasPrepared, at: performance.now() };
  }
}
