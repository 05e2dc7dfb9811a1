import type { Driver, Lease } from '../../src/index.js';
import type { Differences } from '../differences.js';
import type { PgClient, PgPool, QueryCallback } from './shapes.js';

/** A client in the pool and what we remember of it. */
export class PooledClient {
  readonly client: PgClient;
  /** The one `error` listener it has while nobody but the pool holds it. */
  readonly onError: (error: Error) => void;
  /** Its holder's lease. */
  lease: Lease<PooledClient> | undefined = undefined;
  /** Whether it was handed out before. */
  seen = false;
  /** Set while `pool.query` runs on it: who is told when the connection dies. */
  onQueryDied: ((error: unknown) => void) | undefined = undefined;
  /** Its last statement failed and the server has not yet said that it is ready for the next. */
  settling = false;
  /** The pool closed it; its last errors concern nobody. */
  closed = false;

  constructor(client: PgClient, tellIdleError: (pooled: PooledClient, error: Error) => void) {
    this.client = client;
    this.onError = (error) => {
      if (this.onQueryDied !== undefined) this.onQueryDied(error);
      else if (!this.closed) tellIdleError(this, error);
    };
  }
}

/** SQLSTATEs after which the server closes the session (PostgreSQL, appendix A): classes 08 and 57P, and idle-session kills. */
const SESSION_ENDED = /^(08|57P|25P03)/;

/** How the engine opens, checks and closes the clients of one `pg.Pool`. */
export class PgDriver implements Driver<PooledClient> {
  readonly #pool: PgPool;
  readonly #differences: Readonly<Differences>;
  readonly #tellIdleError: (pooled: PooledClient, error: Error) => void;
  readonly #pooled = new WeakMap<PgClient, PooledClient>();
  /** Clients that are connecting: part of the pool's count, not yet the engine's. */
  readonly connecting = new Set<PgClient>();

  constructor(
    pool: PgPool,
    differences: Readonly<Differences>,
    tellIdleError: (pooled: PooledClient, error: Error) => void,
  ) {
    this.#pool = pool;
    this.#differences = differences;
    this.#tellIdleError = tellIdleError;
  }

  open(signal: AbortSignal): Promise<PooledClient> {
    const pool = this.#pool;
    const client = new pool.Client(pool.options);
    const pooled = new PooledClient(client, this.#tellIdleError);
    this.#pooled.set(client, pooled);
    this.connecting.add(client);
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        pool.log('ending client due to timeout');
        this.connecting.delete(client);
        terminate(client);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      pool.log('connecting new client');
      client.connect((error) => {
        signal.removeEventListener('abort', giveUp);
        client.on('error', pooled.onError);
        if (error) {
          pool.log('client failed to connect', error);
          this.connecting.delete(client);
          reject(error);
        } else {
          pool.log('new client connected');
          this.#welcome(pooled, resolve, reject);
        }
      });
    });
  }

  /** `onConnect`, then the event: queries that a listener issues go before the first holder's. */
  #welcome(
    pooled: PooledClient,
    resolve: (pooled: PooledClient) => void,
    reject: (error: unknown) => void,
  ): void {
    const { client } = pooled;
    const { onConnect } = this.#pool.options;
    const ready = () => {
      this.connecting.delete(client);
      try {
        this.#pool.emit('connect', client);
      } finally {
        resolve(pooled);
      }
    };
    if (onConnect === undefined) return ready();
    settled(() => onConnect(client)).then(ready, (error: unknown) => {
      this.connecting.delete(client);
      client.end(() => reject(error));
    });
  }

  of(client: PgClient): PooledClient | undefined {
    return this.#pooled.get(client);
  }

  check({ client }: PooledClient): Promise<void> {
    return run(client, '');
  }

  close(pooled: PooledClient): Promise<void> {
    const { client } = pooled;
    pooled.closed = true;
    return new Promise((resolve) => {
      client.end(() => {
        this.#pool.emit('remove', client);
        resolve();
      });
    });
  }

  isBroken({ client }: PooledClient, error?: unknown): boolean {
    return client._queryable !== true || client._ending === true || endsSession(error);
  }

  /** An answered client in a transaction; while a holder's statement is unanswered nobody can tell. */
  isDirty({ client, settling }: PooledClient): boolean {
    return settling || (this.#rollsBack(client) && client.readyForQuery === true);
  }

  async reset(pooled: PooledClient): Promise<void> {
    const { client } = pooled;
    if (pooled.settling) await answered(client);
    pooled.settling = false;
    if (this.#rollsBack(client)) await run(client, 'ROLLBACK');
  }

  #rollsBack(client: PgClient): boolean {
    return this.#differences.openTransactionsRolledBack && inTransaction(client);
  }
}

/** Whether `error`, from a statement, leaves no usable connection: only the server's own errors do leave one. */
export function endsSession(error: unknown): boolean {
  if (error === undefined || error === null) return false;
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  const fromServer = typeof severity === 'string' && typeof code === 'string' && code.length === 5;
  return !fromServer || SESSION_ENDED.test(code);
}

function inTransaction(client: PgClient): boolean {
  const status = client.getTransactionStatus?.();
  return status === 'T' || status === 'E';
}

function run(client: PgClient, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done: QueryCallback = (error) => (error ? reject(error) : resolve());
    client.query(sql, undefined, done);
  });
}

/** Until the server is ready for the next statement: a client without statements in hand then says `drain`. */
function answered(client: PgClient): Promise<void> {
  return new Promise((resolve) => {
    if (client.readyForQuery !== false) resolve();
    else client.once('drain', resolve);
  });
}

function settled(call: () => unknown): Promise<unknown> {
  return new Promise((resolve) => resolve(call()));
}

/** Ends a client that is still connecting, as pg-pool does: only killing its socket makes `connect` call back. */
function terminate(client: PgClient): void {
  if (client.connection?.stream !== undefined) client.connection.stream.destroy();
  else if (client.isConnected?.() !== true) client.end();
}
