import { attempt } from '../../src/attempt.js';
import type { CloseReason, Driver, LastStatement, Route } from '../../src/index.js';
import type { Differences } from '../differences.js';
import { lastStatementOn, rememberStatements } from '../last-statement.js';
import { lookUp } from '../sessions.js';
import type { WarmUp } from '../warming.js';
import { endsSession } from './failures.js';
import { PipelinedClient } from './pipelined.js';
import type { PgPooler } from './pooler.js';
import { pgSessions } from './sessions.js';
import type { PgClient, PgPool, QueryCallback } from './shapes.js';
import type { PgStatement } from './statements.js';
import { inTransaction, mayBeInTransaction, rollBack, unanswered } from './transaction.js';

/** A client in the pool and what we remember of it. */
export class PooledClient extends PipelinedClient {
  /** The one `error` listener it has while nobody but the pool holds it. */
  readonly onError: (error: Error) => void;
  /** Whether it was handed out before. */
  seen = false;
  /** Whether `connect` handed it out: a transaction that `pool.query` began is for the next `pool.query` to end. */
  lent = false;
  /** Set while `pool.query` runs on it: who is told when it dies. */
  answered: QueryCallback | undefined = undefined;
  /** It was kept although its last statement failed: it must be made what a new one would be. */
  failed = false;
  /** The pool closed it; its last errors concern nobody. */
  closed = false;

  constructor(client: PgClient, failed: (pooled: PooledClient, error: Error) => void) {
    super(client);
    this.onError = (error) => failed(this, error);
  }
}

/** pg-pool's words for why it closes a client, for `options.log`. */
const FAREWELL: Readonly<Partial<Record<CloseReason, string>>> = {
  uses: 'remove expended client',
  lifetime: 'remove expired client',
  idle: 'remove idle client',
};

/** How the engine opens, checks and closes the clients of one `pg.Pool`. */
export class PgDriver implements Driver<PooledClient> {
  /** Every client that the pool has, connecting ones included, in the order of their birth. */
  readonly clients = new Set<PgClient>();
  readonly #pool: PgPool;
  readonly #differences: Readonly<Differences>;
  /** Told of every client that leaves `clients`. */
  onForgotten: ((client: PgClient) => void) | undefined = undefined;
  readonly #clientFailed: (pooled: PooledClient, error: Error) => void;
  readonly #sendElsewhere: (statement: PgStatement) => void;
  readonly #warm: WarmUp<PooledClient>;
  readonly #pooler: PgPooler;

  constructor(
    pool: PgPool,
    pooler: PgPooler,
    differences: Readonly<Differences>,
    clientFailed: (pooled: PooledClient, error: Error) => void,
    sendElsewhere: (statement: PgStatement) => void,
    warm: WarmUp<PooledClient>,
  ) {
    this.#pool = pool;
    this.#pooler = pooler;
    this.#differences = differences;
    this.#clientFailed = clientFailed;
    this.#sendElsewhere = sendElsewhere;
    this.#warm = warm;
  }

  open(signal: AbortSignal): Promise<PooledClient> {
    const pool = this.#pool;
    const client = new pool.Client(pool.options);
    const pooled = new PooledClient(client, this.#clientFailed);
    this.clients.add(client);
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        this.#forget(client);
        reject(error);
      };
      const giveUp = () => {
        pool.log('ending client due to timeout');
        pooled.closed = true;
        this.#forget(client);
        terminate(client);
      };
      const welcomed = () => {
        if (signal.aborted) return client.end(() => fail(signal.reason));
        // Nobody may want it by now; whoever does takes the reference again.
        if (pool.options.allowExitOnIdle === true) client.unref?.();
        resolve(pooled);
        // Queries that a listener issues go before the first holder's.
        pool.emit('connect', client);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      pool.log('checking client timeout');
      pool.log('connecting new client');
      client.connect((error) => {
        client.on('error', pooled.onError);
        if (error) {
          pool.log('client failed to connect', error);
          this.#pooler.failed(error);
          fail(connectError(error));
        } else {
          pool.log('new client connected');
          this.#prove(pooled, () => this.#runHook(pooled, welcomed, fail), fail);
        }
      });
    });
  }

  /** A pooler whose server is away welcomes clients as ever. */
  #prove(pooled: PooledClient, proven: () => void, fail: (error: unknown) => void): void {
    const proof = this.#pooler.welcomed(pooled.client);
    if (proof === undefined) proven();
    else proof.then(proven, this.#failing(pooled, fail));
  }

  #failing(pooled: PooledClient, fail: (error: unknown) => void): (error: unknown) => void {
    return (error) => {
      pooled.closed = true;
      pooled.client.end(() => fail(error));
    };
  }

  #forget(client: PgClient): void {
    this.clients.delete(client);
    this.onForgotten?.(client);
  }

  #runHook(pooled: PooledClient, welcomed: () => void, fail: (error: unknown) => void): void {
    const { client } = pooled;
    const { onConnect } = this.#pool.options;
    if (onConnect === undefined) return welcomed();
    attempt(() => onConnect(client)).then(welcomed, this.#failing(pooled, fail));
  }

  /** One that still answers a statement its last holder did not await is in use: nothing is to be asked behind it. */
  check(pooled: PooledClient): Promise<void> {
    if (pooled.client.readyForQuery === false) return Promise.resolve();
    return this.#awake(pooled, () => this.#pooler.ask(pooled.client));
  }

  /** A transaction that is left open there is rolled back. */
  warm(pooled: PooledClient, signal: AbortSignal): Promise<void> | undefined {
    const work = this.#warm(pooled, signal);
    if (work === undefined) return undefined;
    pooled.lent = true;
    return this.#pool.options.allowExitOnIdle === true ? this.#awakeUntil(pooled, work) : work;
  }

  async #awakeUntil({ client }: PooledClient, work: Promise<void>): Promise<void> {
    client.ref?.();
    try {
      await work;
    } finally {
      client.unref?.();
    }
  }

  close(pooled: PooledClient, reason: CloseReason): Promise<void> {
    const { client } = pooled;
    const farewell = FAREWELL[reason];
    if (farewell !== undefined) this.#pool.log(farewell);
    pooled.closed = true;
    this.#forget(client);
    return new Promise((resolve) => {
      client.end(() => {
        resolve();
        this.#pool.emit('remove', client);
      });
    });
  }

  isBroken({ client }: PooledClient, error?: unknown): boolean {
    return client._queryable !== true || client._ending === true || endsSession(error);
  }

  canShare(pooled: PooledClient): boolean {
    const { pipeline, verify } = this.#pool.options;
    return pooled.canShare && !pooled.failed && !pipeline && (pooled.seen || verify === undefined);
  }

  /** By the name that the application, or we, gave it. */
  hasPrepared({ client }: PooledClient, statement: string): boolean {
    return client.connection?.parsedStatements?.[statement] !== undefined;
  }

  /** Those behind the first: only it can be what the server works on. */
  onSilent({ behind }: PooledClient): void {
    for (const statement of behind) this.#sendElsewhere(statement);
  }

  bytesHeard({ client }: PooledClient): number | undefined {
    return pgSessions.bytesHeard(client);
  }

  bytesAtRest({ client }: PooledClient): number | undefined {
    return pgSessions.bytesAtRest(client);
  }

  rememberStatements({ client }: PooledClient): void {
    rememberStatements(client, pgSessions.runs);
  }

  lastStatement({ client }: PooledClient): LastStatement | undefined {
    return lastStatementOn(client, pgSessions.dialect);
  }

  async findDead(pooled: PooledClient, silent: readonly PooledClient[]): Promise<PooledClient[]> {
    const clients = silent.map(({ client }) => client);
    const dead = await pgSessions.findDead(pooled.client, clients);
    return silent.filter(({ client }) => dead.includes(client));
  }

  sever({ client }: PooledClient, error: Error): void {
    pgSessions.sever(client, error);
  }

  route({ client }: PooledClient): Route | undefined {
    return this.#pool.options.stream === undefined ? pgSessions.route(client) : undefined;
  }

  lookUp(host: string): Promise<readonly string[]> {
    return lookUp(host);
  }

  isDirty(pooled: PooledClient): boolean {
    return pooled.failed || this.#rollsBack(pooled);
  }

  /** An unanswered statement may be the very `COMMIT`: it is awaited before anything is rolled back. */
  unanswered({ client, failed }: PooledClient): Promise<void> | undefined {
    return failed ? undefined : unanswered(client);
  }

  reset(pooled: PooledClient): Promise<void> {
    return this.#awake(pooled, async () => {
      const { client, failed } = pooled;
      await unanswered(client);
      // Where stock would have closed the client, a transaction goes with the failure, however it was begun.
      if (failed ? mayBeInTransaction(client) : this.#rollsBack(pooled)) await rollBack(client);
      pooled.failed = false;
    });
  }

  /** Keeps the process alive meanwhile, for a caller may wait; if it fails, until the client is closed. */
  async #awake({ client }: PooledClient, work: () => Promise<void>): Promise<void> {
    if (this.#pool.options.allowExitOnIdle !== true) return work();
    client.ref?.();
    await work();
    client.unref?.();
  }

  #rollsBack({ client, lent }: PooledClient): boolean {
    return lent && this.#differences.openTransactionsRolledBack && inTransaction(client);
  }
}

/** The client has the pool's time limit too; whichever strikes first, it is pg-pool's message that callers know. */
function connectError(error: Error): Error {
  return error.message === 'timeout expired' ? connectionTimeout(error) : error;
}

/** pg-pool's own error for a client that did not connect in time. */
export function connectionTimeout(cause: unknown): Error {
  return new Error('Connection terminated due to connection timeout', { cause });
}

/** Ends a client that is still connecting, as pg-pool does: only killing its socket makes `connect` call back. */
function terminate(client: PgClient): void {
  if (client.connection?.stream !== undefined) client.connection.stream.destroy();
  else if (client.isConnected?.() !== true) client.end();
}
