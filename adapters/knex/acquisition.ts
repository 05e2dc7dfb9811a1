import type { Pool, Waiter } from '../../src/index.js';
import type { PooledConnection } from './driver.js';
import type { KnexConnection, PendingOperation } from './shapes.js';

/** What `acquire` returns, in tarn's shape. */
export class Acquisition implements PendingOperation {
  promise: Promise<KnexConnection>;
  isRejected = false;
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

/** Not an error: the way out of the queue for a caller who needs nothing of the pool any more. */
export class ServedElsewhere {
  readonly connection: KnexConnection;

  constructor(connection: KnexConnection) {
    this.connection = connection;
  }
}
