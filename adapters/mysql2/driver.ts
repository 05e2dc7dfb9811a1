import type { Driver, LastStatement, Lease, Route } from '../../src/index.js';
import type { Differences } from '../differences.js';
import { lastStatementOn, rememberStatements } from '../last-statement.js';
import { lookUp } from '../sessions.js';
import type { WarmUp } from '../warming.js';
import { mysqlSessions } from './sessions.js';
import type { MysqlConnection, MysqlConnectionClass, MysqlPool } from './shapes.js';
import { answered, isBusy, mayBeInTransaction, rollBack } from './transaction.js';

/** A connection in the pool and what we remember of it. */
export class PooledConnection {
  readonly connection: MysqlConnection;
  lease: Lease<PooledConnection> | undefined = undefined;
  /** Whether its holder has it in hand; until then a release is that of somebody before. */
  held = false;
  /** Whether the application was last told that it is free: only then is the next lease an `acquire`. */
  free = true;
  /** Whether it is leased for one statement of `pool.query` or `pool.execute`. */
  forStatement = false;
  /** Settles when the reset in progress is over. */
  cleaning: Promise<void> | undefined = undefined;

  constructor(connection: MysqlConnection) {
    this.connection = connection;
  }
}

/** How the engine opens, checks, cleans and closes the connections of one mysql2 pool. */
export class MysqlDriver implements Driver<PooledConnection> {
  readonly #pool: MysqlPool;
  readonly #PoolConnection: MysqlConnectionClass;
  readonly #differences: Readonly<Differences>;
  /** Every connection of the pool in the order of birth, connecting ones included. */
  readonly connections = new Map<MysqlConnection, PooledConnection>();
  /** How many idle connections are being checked for a caller. */
  checking = 0;

  readonly warm: WarmUp<PooledConnection>;

  constructor(
    pool: MysqlPool,
    PoolConnection: MysqlConnectionClass,
    differences: Readonly<Differences>,
    warm: WarmUp<PooledConnection>,
  ) {
    this.warm = warm;
    this.#pool = pool;
    this.#PoolConnection = PoolConnection;
    this.#differences = differences;
  }

  open(signal: AbortSignal): Promise<PooledConnection> {
    const pool = this.#pool;
    const config = pool._createConnectionConfig?.() ?? pool.config.connectionConfig;
    const connection = new this.#PoolConnection(pool, { config });
    const pooled = new PooledConnection(connection);
    this.connections.set(connection, pooled);
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        // In a closed pool `end` has told the connection to quit once it is connected.
        if (!pool._closed) connection.destroy();
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      connection.connect((error) => {
        signal.removeEventListener('abort', giveUp);
        if (error || signal.aborted) return reject(error ?? signal.reason);
        pool.emit('connection', connection);
        // What came with the login may be its end.
        queueMicrotask(() => {
          if (this.connections.has(connection)) resolve(pooled);
          else
            reject(
              connection._fatalError ?? new Error("Can't add new command when connection is in closed state"),
            );
        });
      });
    });
  }

  /** One that still answers a statement its last holder did not await is in use: nothing is to be asked behind it. */
  check({ connection }: PooledConnection): Promise<void> {
    if (isBusy(connection)) return Promise.resolve();
    this.checking += 1;
    return answered((done) => connection.ping(done)).finally(() => {
      this.checking -= 1;
    });
  }

  close({ connection }: PooledConnection): Promise<void> | void {
    if (this.#pool._closed) return closed(connection);
    // One that died or was destroyed has left the pool already.
    if (!this.connections.has(connection)) return;
    if (this.#pool.config.connectionConfig.gracefulEnd === true) connection.end();
    else connection.destroy();
  }

  isBroken({ connection }: PooledConnection): boolean {
    return connection._closing === true || Boolean(connection._fatalError);
  }

  bytesHeard({ connection }: PooledConnection): number | undefined {
    return mysqlSessions.bytesHeard(connection);
  }

  bytesAtRest({ connection }: PooledConnection): number | undefined {
    return mysqlSessions.bytesAtRest(connection);
  }

  rememberStatements({ connection }: PooledConnection): void {
    rememberStatements(connection, mysqlSessions.runs);
  }

  lastStatement({ connection }: PooledConnection): LastStatement | undefined {
    return lastStatementOn(connection, mysqlSessions.dialect);
  }

  async findDead(
    { connection }: PooledConnection,
    silent: readonly PooledConnection[],
  ): Promise<PooledConnection[]> {
    const connections = silent.map((pooled) => pooled.connection);
    const dead = await mysqlSessions.findDead(connection, connections);
    return silent.filter((pooled) => dead.includes(pooled.connection));
  }

  sever({ connection }: PooledConnection, error: Error): void {
    mysqlSessions.sever(connection, error);
  }

  route({ connection }: PooledConnection): Route | undefined {
    return mysqlSessions.route(connection);
  }

  lookUp(host: string): Promise<readonly string[]> {
    return lookUp(host);
  }

  /** By its text: so mysql2 remembers what `execute` prepared, where no option of the call shapes its rows. */
  hasPrepared({ connection }: PooledConnection, statement: string): boolean {
    return connection._statements?.has(`undefined/undefined/undefined${statement}`) === true;
  }

  isDirty({ connection, forStatement }: PooledConnection): boolean {
    if (this.#resets(connection)) return true;
    return this.#differences.openTransactionsRolledBack && !forStatement && mayBeInTransaction(connection);
  }

  reset(pooled: PooledConnection): Promise<void> {
    const { connection } = pooled;
    pooled.cleaning = this.#resets(connection)
      ? answered((done) => connection.reset!(done))
      : rollBack(connection);
    return pooled.cleaning;
  }

  #resets(connection: MysqlConnection): boolean {
    return this.#pool.config.resetOnRelease === true && connection.reset !== undefined;
  }
}

function closed({ stream }: MysqlConnection): Promise<void> | undefined {
  if (stream === undefined || stream.destroyed === true) return undefined;
  return new Promise((resolve) => {
    stream.once('close', () => resolve());
  });
}
