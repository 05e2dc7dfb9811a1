import { isOurName, PreparedStatements } from '../../src/index.js';
import { activeQueryOf } from './sessions.js';
import type { PgClient, PgQuery } from './shapes.js';
import type { PgStatement } from './statements.js';

/** Who is told of what a client runs alone, and may give it a name. */
export interface StatementListener {
  /** The statement is sent next. */
  sending(query: PgQuery): void;
  /** The server refused it. */
  refused(error: unknown): void;
  /** The server is ready for the next. */
  ended(): void;
}

/** A `pg` client on which several statements may be in flight. */
export class PipelinedClient {
  readonly client: PgClient;
  /** The statements that we prepared on it. */
  readonly prepared = new PreparedStatements();
  /**
   * The statements in flight that share it, in their order. Not a `Set`: V8 links the tables of one as it renews them, and through
   * that chain whoever was in flight at a minor collection lives on until the next major one.
   */
  readonly sharers: PgStatement[] = [];
  /** Those that are held back until the caller's turn is over: they then go by one write. */
  #held: PgStatement[] = [];
  readonly #send = () => this.#release();
  /** The text that is to get a name on its way, while it is sent. */
  #naming: { readonly text: string; readonly name: string } | undefined = undefined;
  #listens = false;
  #hearsBinds = false;
  #isBound = false;
  #listener: StatementListener | undefined = undefined;
  /** Whether the application has it in hand. */
  isHeld = false;
  /** Whether a name can be given below those who wrap `client.query`; not if they change texts. */
  canNameUnseen: boolean;

  constructor(client: PgClient) {
    this.client = client;
    this.canNameUnseen = client._queryQueue !== undefined && client._pulseQueryQueue !== undefined;
  }

  /** What `send` gives the client as `text` goes by `name`, and whoever wraps `client.query` sees it without. Whether it did. */
  nameUnseen(text: string, name: string, send: () => void): boolean {
    this.#listenToQueue();
    this.#naming = { text, name };
    try {
      send();
      return this.#naming === undefined;
    } finally {
      if (this.#naming !== undefined) this.canNameUnseen = false;
      this.#naming = undefined;
    }
  }

  get tellsOfStatements(): boolean {
    return this.#listener !== undefined;
  }

  /** From here on `listener` is told of every statement that is sent alone. */
  tellOfStatements(listener: StatementListener): void {
    const { connection, _queryQueue: queue, _pulseQueryQueue: pulse } = this.client;
    if (this.tellsOfStatements || queue === undefined || pulse === undefined || !this.hearBinds()) return;
    this.#listener = listener;
    this.#listenToQueue();
    connection!.prependListener?.('errorMessage', (error) => listener.refused(error));
    // Before pg sends the next one for it.
    connection!.prependListener?.('readyForQuery', () => listener.ended());
  }

  /** pg queues a statement before it sends it, with this call in between. */
  #listenToQueue(): void {
    if (this.#listens) return;
    this.#listens = true;
    const { client } = this;
    const pulse = client._pulseQueryQueue!;
    const value = () => {
      if (this.#naming !== undefined) this.#nameNewest(this.#naming);
      if (this.#listener !== undefined) this.#tellOfNext(this.#listener);
      pulse.call(client);
    };
    Object.defineProperty(client, '_pulseQueryQueue', { configurable: true, writable: true, value });
  }

  /** pg sends it with the call that comes next, if that is the time. */
  #tellOfNext(listener: StatementListener): void {
    const { readyForQuery, pipeline, _queryQueue: queue } = this.client;
    const next = readyForQuery === true && pipeline !== true ? queue?.[0] : undefined;
    if (next !== undefined) listener.sending(next);
  }

  #nameNewest({ text, name }: { readonly text: string; readonly name: string }): void {
    const newest = this.client._queryQueue?.at(-1);
    if (newest === undefined || newest.text !== text || newest.name !== undefined) return;
    newest.name = name;
    this.#naming = undefined;
  }

  /** From here on it is heard when the server begins to run a statement. Whether it can be. */
  hearBinds(): boolean {
    const { connection } = this.client;
    if (this.#hearsBinds || connection?.on === undefined) return this.#hearsBinds;
    this.#hearsBinds = true;
    connection.on('bindComplete', () => {
      this.#isBound = true;
    });
    connection.on('readyForQuery', () => {
      this.#isBound = false;
    });
    connection.prependListener?.('readyForQuery', () => this.#forgetClosed());
    return true;
  }

  /** Whether the server has a statement by this name, as far as pg knows. */
  isParsed(name: string): boolean {
    return this.client.connection?.parsedStatements?.[name] !== undefined;
  }

  forgetParsed(name: string): void {
    delete this.client.connection?.parsedStatements?.[name];
  }

  /** Of values that it cannot send pg has the server close the statement, and then takes it for prepared. */
  #forgetClosed(): void {
    if (this.#isBound) return;
    const { name } = (activeQueryOf(this.client) ?? {}) as { name?: string };
    if (isOurName(name)) this.forgetParsed(name!);
  }

  /** Of a statement that the server refuses just now: whether it did before it ran any of it. Known only where binds are heard. */
  get refusesUnrun(): boolean {
    return !this.#isBound;
  }

  /** Whether pg can pipeline on it, and nobody has left anything open. */
  get canShare(): boolean {
    return (
      this.client._pulsePipelinedQueryQueue !== undefined && this.client.getTransactionStatus?.() === 'I'
    );
  }

  /** Those behind the first: only it can be what the server works on. */
  get behind(): PgStatement[] {
    return this.sharers.slice(1);
  }

  /** From here on statements do not wait for the answers of those before them; `statement` is sent next. */
  startPipelining(statement: PgStatement): void {
    this.client.pipeline = true;
    this.sharers.push(statement);
    statement.sentAt = performance.now();
    const stream = this.client.connection?.stream;
    if (stream?.cork === undefined) return;
    if (this.#held.push(statement) > 1) return;
    stream.cork();
    process.nextTick(this.#send);
  }

  /** It was answered; as the answers come in order, it is nearly always the first. */
  forget(statement: PgStatement): void {
    const at = this.sharers.indexOf(statement);
    if (at === 0) this.sharers.shift();
    else if (at > 0) this.sharers.splice(at, 1);
  }

  /** Whoever has a client alone sees the driver exactly as in stock. */
  endPipelining(): void {
    this.client.pipeline = false;
    this.#release();
  }

  #release(): void {
    if (this.#held.length === 0) return;
    const now = performance.now();
    for (const statement of this.#held) statement.sentAt = now;
    this.#held = [];
    this.client.connection?.stream?.uncork?.();
  }
}
