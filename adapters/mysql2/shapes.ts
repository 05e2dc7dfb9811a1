import type { EventEmitter } from 'node:events';
import type { SessionSocket } from '../sessions.js';

export type Done = (error?: unknown) => void;
export type ConnectionCallback = (error: unknown, connection?: MysqlConnection) => void;

/** One packet as mysql2's parser holds it. */
export interface MysqlPacket {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/** What a connection is asked. */
export interface MysqlCommand extends EventEmitter {
  readonly next?: unknown;
  /** Its callback. */
  onResult?: unknown;
  /** Of a query. */
  namedPlaceholders?: unknown;
}

/** The part of a mysql2 `PoolConnection` that we rely on. */
export interface MysqlConnection extends EventEmitter {
  _pool: MysqlPool | null;
  /** Since 3.20. */
  _released?: boolean;
  _closing?: boolean;
  /** `stream`: makes the socket, in place of mysql2. */
  readonly config?: { readonly host?: unknown; readonly stream?: unknown };
  _fatalError?: unknown;
  /** What `execute` prepared, by how its rows are shaped and by text. */
  readonly _statements?: { has(key: string): boolean };
  /** The command that awaits an answer; while its last answer is told of, its `next` is empty. */
  readonly _command?: MysqlCommand | null;
  readonly _commands?: { readonly length: number; toArray?(): MysqlCommand[] };
  /** Whether a slow reader of rows has stopped it. */
  readonly _paused?: boolean;
  /** Recent versions keep the last packet that came from the server. */
  readonly packetParser?: { readonly _reusablePacket?: MysqlPacket };
  readonly stream?: EventEmitter &
    SessionSocket & {
      readonly readableEnded?: boolean;
      destroy?(error?: Error): void;
    };
  /** The session's number, by the server; a pooler's own where one is in between. */
  readonly threadId?: number;
  connect(done: Done): void;
  query(sql: string | object, done?: (error?: unknown, rows?: unknown) => void): unknown;
  execute(
    sql: unknown,
    values: unknown,
    done: (error: unknown, rows: unknown, fields: unknown) => void,
  ): MysqlCommand;
  release(): void;
  ping(done: Done): unknown;
  /** COM_RESET_CONNECTION; recent versions only. */
  reset?(done: Done): unknown;
  end(): void;
  destroy(): void;
  promise(): MysqlPromiseConnection;
}

export interface MysqlConnectionClass {
  new (pool: MysqlPool, options: { config: object }): MysqlConnection;
  /** What `query` makes of its arguments. */
  createQuery(sql: unknown, values: unknown, cb: unknown, config: MysqlConnectionConfig): MysqlCommand;
}

/** mysql2's own queue: `denque`, and since 3.23.3 a ring. */
export interface MysqlQueue {
  readonly length: number;
  push(item: unknown): unknown;
  toArray(): unknown[];
}

export interface MysqlConnectionConfig {
  readonly database?: string;
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly gracefulEnd?: boolean;
  /** Whether errors show the stack of their caller. */
  readonly trace?: boolean;
  readonly namedPlaceholders?: unknown;
}

/** mysql2's `PoolConfig`; applications change it while the pool runs. */
export interface MysqlPoolConfig {
  readonly connectionConfig: MysqlConnectionConfig;
  readonly connectionLimit: number;
  readonly waitForConnections: boolean;
  readonly queueLimit: number;
  readonly maxIdle?: number;
  readonly idleTimeout?: number;
  readonly resetOnRelease?: boolean;
}

/** The part of a mysql2 core pool that we rely on. */
export interface MysqlPool extends EventEmitter {
  readonly config: MysqlPoolConfig;
  readonly _allConnections: MysqlQueue;
  readonly _freeConnections: MysqlQueue;
  readonly _connectionQueue: MysqlQueue;
  _closed: boolean;
  _removeIdleTimeoutConnectionsTimer?: NodeJS.Timeout;
  /** Since 3.23.3 each connection has a configuration of its own. */
  _createConnectionConfig?(): object;
  _removeIdleTimeoutConnections?(): void;
  promise?(): object;
}

/** The methods of the pool's prototype that a patch replaces. */
export interface MysqlPoolPrototype extends MysqlPool {
  getConnection(cb: ConnectionCallback): void;
  releaseConnection(connection: MysqlConnection): void;
  query(sql: unknown, values: unknown, cb: unknown): unknown;
  execute(sql: unknown, values: unknown, cb: unknown): unknown;
  end(cb?: Done): void;
  _removeConnection(connection: MysqlConnection): void;
}

export type MysqlPoolClass = (abstract new (...given: never[]) => unknown) & { readonly prototype: unknown };

/** The part of mysql2's `PromisePool` that we rely on. */
export interface MysqlPromisePool {
  readonly pool: MysqlPool;
  readonly Promise: PromiseConstructor;
  getConnection(): Promise<MysqlPromiseConnection>;
  query(sql: unknown, args?: unknown): Promise<unknown>;
  execute(sql: unknown, args?: unknown): Promise<unknown>;
}

/** What a promise pool gives: the connection behind methods that return promises. */
export interface MysqlPromiseConnection extends EventEmitter {
  connection: MysqlConnection;
  Promise: PromiseConstructor;
  release(): void;
}
