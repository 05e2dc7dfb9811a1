import type { NamedStatement } from '../../src/index.js';
import type { PgClient } from './shapes.js';

/**
 * Prepares statements on a client without running them, in one round trip: all Parse messages and one Sync. To pg it is a query that sends
 * itself, as those of pg-cursor. The first that the server does not take ends it.
 */
export class Preparing {
  /** Settles with how many were prepared; rejects where pg's `query_timeout` struck first, and then the client is closed. */
  readonly ended: Promise<number>;
  /** pg puts its own in its place where queries have a time limit. */
  callback!: (error?: unknown) => void;
  readonly #client: PgClient;
  readonly #statements: readonly NamedStatement[];
  #taken = 0;
  readonly #take = () => {
    const { name, text } = this.#statements[this.#taken]!;
    this.#client.connection!.parsedStatements![name] = text;
    this.#taken += 1;
  };

  constructor(client: PgClient, statements: readonly NamedStatement[]) {
    this.#client = client;
    this.#statements = statements;
    this.ended = new Promise<void>((resolve, reject) => {
      this.callback = (error) => {
        if (error === undefined || error === null) return resolve();
        // The server still owes the answers: whoever came next on this client would wait for them, and miss what they tell.
        client.end(() => reject(error));
      };
      try {
        client.query(this);
      } catch {
        resolve();
      }
    })
      .then(() => this.#taken)
      .finally(() => client.connection?.removeListener?.('parseComplete', this.#take));
  }

  /** Whether it can be done on a client of this kind, as it stands. */
  static isPossibleOn(client: PgClient): boolean {
    const { connection, pipeline, readyForQuery } = client;
    const speaks = connection?.parse !== undefined && connection.sync !== undefined;
    const tells = connection?.on !== undefined && connection.parsedStatements !== undefined;
    const isFree = pipeline !== true && readyForQuery === true && client.getTransactionStatus?.() === 'I';
    return speaks && tells && isFree;
  }

  /** Called by pg when it is its turn. */
  submit(connection: NonNullable<PgClient['connection']>): null {
    connection.on!('parseComplete', this.#take);
    connection.stream?.cork?.();
    for (const { name, text } of this.#statements) connection.parse!({ name, text });
    connection.sync!();
    connection.stream?.uncork?.();
    return null;
  }

  handleReadyForQuery(): void {
    this.callback();
  }

  handleError(): void {
    this.callback();
  }
}
