import { type FakeConnection, FakeDriver } from './fake-driver.js';

/** A server behind a network that can go mute: connections of before then carry nothing any more, and nobody is told. */
export class MuteDriver extends FakeDriver {
  readonly mute = new Set<FakeConnection>();
  questions = 0;
  /** How long the server takes to answer one. */
  questionMs = 0;
  /** Whether the server works on what a connection owes. */
  worksOn: (connection: FakeConnection) => boolean = (connection) => !this.mute.has(connection);
  /** What is told to those who await an answer, should their connection be cut. */
  readonly #owed = new Map<FakeConnection, Set<(error: Error) => void>>();

  /** An answer is owed on a connection until what this gives is called; `cut` is told if it can no longer come. */
  owe(connection: FakeConnection, cut: (error: Error) => void): () => void {
    const owed = this.#owed.get(connection) ?? new Set();
    this.#owed.set(connection, owed.add(cut));
    return () => {
      owed.delete(cut);
      connection.bytes += 1;
    };
  }

  bytesHeard(connection: FakeConnection): number | undefined {
    const owed = this.#owed.get(connection);
    return owed === undefined || owed.size === 0 ? undefined : connection.bytes;
  }

  override check(connection: FakeConnection): Promise<void> {
    return this.#answer(connection, super.check(connection));
  }

  override reset(connection: FakeConnection): Promise<void> {
    return this.#answer(connection, super.reset(connection));
  }

  override close(connection: FakeConnection): Promise<void> {
    this.#cut(connection, new Error('the connection was closed'));
    return super.close(connection);
  }

  findDead(connection: FakeConnection, silent: readonly FakeConnection[]): Promise<FakeConnection[]> {
    this.questions += 1;
    return this.#answer(connection, this.#lookAt(connection, silent));
  }

  sever(connection: FakeConnection, error: Error): void {
    connection.broken = true;
    this.#cut(connection, error);
  }

  async #lookAt(connection: FakeConnection, silent: readonly FakeConnection[]): Promise<FakeConnection[]> {
    if (this.questionMs > 0)
      await new Promise<void>((resolve) => this.runtime.schedule(this.questionMs, resolve));
    if (connection.broken) throw new Error('dead');
    return silent.filter((each) => !this.worksOn(each));
  }

  /** What comes of `work` is told, unless the connection has gone mute by then. */
  #answer<T>(connection: FakeConnection, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const answered = this.owe(connection, reject);
      const tell = (say: () => void) => {
        if (this.mute.has(connection)) return;
        answered();
        say();
      };
      work.then(
        (value) => tell(() => resolve(value)),
        (error) => tell(() => reject(error)),
      );
    });
  }

  #cut(connection: FakeConnection, error: Error): void {
    const owed = [...(this.#owed.get(connection) ?? [])];
    this.#owed.delete(connection);
    for (const cut of owed) cut(error);
  }
}
