import type { Pool, Waiter } from '../../src/index.js';
import type { PooledConnection } from './driver.js';
import type { KnexConnection, PendingOperation } from './shapes.js';

/** What `acquire` returns, in tarn's shape. */
export class Acquisition implements PendingOperation {
  promise: Promise<KnexConnection>;
  isRejected = false;
  /** @internal Whether it is among `Acquisitions`. */
  waits = false;
  /** Why connections could not be created while this caller waited: its error's message, should it time out. */
  possibleTimeoutCause: unknown = null;
  /** Its place in the engine's queue; undefined when it was served or refused at once. */
  waiter: Waiter<PooledConnection> | undefined = undefined;
  readonly #engine: Pool<PooledConnection>;

  constructor(promise: Promise<KnexConnection>, engine: Pool<PooledConnection>) {
    this.promise = promise;
    this.#engine = engine;
  }

  abort(): void {
    this.reject(new Error('aborted'));
  }

  /** Gives up the wait; without effect once it is over. */
  reject(error: unknown): void {
    if (this.waiter !== undefined) this.#engine.cancel(this.waiter, error);
  }

  /** Ends the wait with a connection from elsewhere; without effect once it is over. */
  resolve(connection: KnexConnection): void {
    this.reject(new ServedElsewhere(connection));
  }
}

/**
 * Those who wait, in the order of the queue. Not a `Set`: V8 links the tables of one as it renews them, and through that chain whoever
 * waited at a minor collection lives on until the next major one.
 */
export class Acquisitions {
  /** Those who have left as well, until they are the half. */
  #all: Acquisition[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(acquisition: Acquisition): void {
    acquisition.waits = true;
    this.#all.push(acquisition);
    this.#size += 1;
  }

  delete(acquisition: Acquisition): void {
    if (!acquisition.waits) return;
    acquisition.waits = false;
    this.#size -= 1;
    if (this.#size <= this.#all.length / 2) this.#all = this.#all.filter(({ waits }) => waits);
  }

  *[Symbol.iterator](): IterableIterator<Acquisition> {
    for (const acquisition of this.#all) if (acquisition.waits) yield acquisition;
  }
}

/** Not an error: the way out of the queue for a caller who needs nothing of the pool any more. */
export class ServedElsewhere {
  readonly connection: KnexConnection;

  constructor(connection: KnexConnection) {
    this.connection = connection;
  }
}
