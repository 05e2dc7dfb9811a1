import type { Driver } from '../../src/index.js';
import type { VirtualRuntime } from './virtual-runtime.js';

/** A connection to nowhere. */
export interface FakeConnection {
  readonly id: number;
  broken: boolean;
  /** Whether it owes an answer, and how many bytes have come. */
  busy: boolean;
  bytes: number;
  dirty: boolean;
  closed: boolean;
}

/** How one call of the driver ends: after how long, and well or not; `never` does not end at all. */
export interface Reply {
  readonly afterMs: number;
  readonly ends: 'well' | 'badly' | 'never';
  /** What is told where it ends badly. */
  readonly error?: Error;
}

const AT_ONCE: Reply = { afterMs: 0, ends: 'well' };

/** A driver whose every reply is scripted, and which remembers what lives. */
export class FakeDriver implements Driver<FakeConnection> {
  readonly live = new Set<FakeConnection>();
  protected readonly runtime: VirtualRuntime;
  opens = 0;
  checks = 0;
  onOpen: () => Reply = () => AT_ONCE;
  onCheck: () => Reply = () => AT_ONCE;
  onReset: () => Reply = () => AT_ONCE;
  /** What the last holder of a dirty connection did not await. */
  onUnanswered: () => Reply | undefined = () => undefined;
  onClose: () => Reply = () => AT_ONCE;
  /** Undefined where there is nothing to do on a connection that nobody waits for. */
  onWarm: (connection: FakeConnection, signal: AbortSignal) => Reply | Promise<void> | undefined = () =>
    undefined;

  constructor(runtime: VirtualRuntime) {
    this.runtime = runtime;
  }

  async open(): Promise<FakeConnection> {
    this.opens += 1;
    const id = this.opens;
    await this.#reply(this.onOpen(), 'connect refused');
    const connection = { id, broken: false, busy: false, bytes: 0, dirty: false, closed: false };
    this.live.add(connection);
    return connection;
  }

  async check(connection: FakeConnection): Promise<void> {
    this.checks += 1;
    await this.#reply(this.onCheck(), 'check failed');
    if (connection.broken) throw new Error('dead');
  }

  unanswered(): Promise<void> | undefined {
    const reply = this.onUnanswered();
    return reply === undefined ? undefined : this.#reply(reply, 'statement failed');
  }

  async reset(connection: FakeConnection): Promise<void> {
    await this.#reply(this.onReset(), 'reset failed');
    connection.dirty = false;
  }

  async close(connection: FakeConnection): Promise<void> {
    if (connection.closed) throw new Error(`bug: connection ${connection.id} closed twice`);
    connection.closed = true;
    this.live.delete(connection);
    await this.#reply(this.onClose(), 'close failed');
  }

  warm(connection: FakeConnection, signal: AbortSignal): Promise<void> | undefined {
    const reply = this.onWarm(connection, signal);
    return reply === undefined || reply instanceof Promise ? reply : this.#reply(reply, 'warm-up failed');
  }

  isBroken(connection: FakeConnection): boolean {
    return connection.broken;
  }

  bytesAtRest({ busy, bytes }: FakeConnection): number | undefined {
    return busy ? undefined : bytes;
  }

  canShare(connection: FakeConnection): boolean {
    return !connection.dirty;
  }

  isDirty(connection: FakeConnection): boolean {
    return connection.dirty;
  }

  #reply({ afterMs, ends, error }: Reply, complaint: string): Promise<void> {
    if (ends === 'never') return new Promise(() => {});
    return new Promise((resolve, reject) => {
      this.runtime.schedule(afterMs, () =>
        ends === 'well' ? resolve() : reject(error ?? new Error(complaint)),
      );
    });
  }
}
