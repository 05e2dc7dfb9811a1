import { EventEmitter } from 'node:events';
import { Client } from 'pg';

type Answer = (error: Error | undefined, rows?: unknown[], result?: unknown) => void;
type ServerError = Error & { code?: string; severity?: string };

/**
 * `pg-native`'s surface over pg's own client, for tests of `pg.native`: the package itself must be compiled against
 * libpq. pg's native client and query, which are what a pool sees, are the real ones.
 */
class Native extends EventEmitter {
  arrayMode = false;
  readonly pq = { resultErrorFields: () => this.#fields };
  readonly #prepared = new Map<string, string>();
  #client: Client | undefined;
  #fields: object = {};

  connect(words: string, done: (error?: Error) => void): void {
    const given = Object.fromEntries(
      [...words.matchAll(/(\w+)='((?:[^'\\]|\\.)*)'/g)].map(([, name, value]) => [name, value]),
    );
    const { user, password, dbname: database, host, port } = given;
    this.#client = new Client({ user, password, database, host, port: Number(port) });
    this.#client.on('error', (error) => this.emit('error', error));
    this.#client.connect().then(
      () => done(),
      (error) => done(error),
    );
  }

  query(text: string, ...rest: [Answer] | [unknown[], Answer]): void {
    const done = rest.pop() as Answer;
    const values = rest[0] as unknown[] | undefined;
    this.#client!.query({ text, ...(values && { values }) }).then(
      (result) => done(undefined, result.rows, result),
      ({ message, code: sqlState, severity }: ServerError) => {
        this.#fields = { severity, sqlState, messagePrimary: message };
        done(new Error(message));
      },
    );
  }

  prepare(name: string, text: string, _parameters: number, done: Answer): void {
    this.#prepared.set(name, text);
    done(undefined);
  }

  execute(name: string, values: unknown[], done: Answer): void {
    this.query(this.#prepared.get(name)!, values, done);
  }

  end(done: () => void): void {
    this.#client!.end().then(done, done);
  }

  getTransactionStatus(): string | null {
    return (this.#client as Client & { getTransactionStatus(): string | null }).getTransactionStatus();
  }
}

module.exports = Native;
