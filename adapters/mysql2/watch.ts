import type { CloseReason, Slot, Waiter, WatchedPool } from '../../src/index.js';
import { type FollowQuery, type Host, type PoolInfo, startWatch, type WatchSource } from '../host.js';
import { tapped } from '../overhear.js';
import { maxOf } from './facade.js';
import type { ConnectionCallback, MysqlConnection, MysqlPool, MysqlPoolPrototype } from './shapes.js';

const watches = new WeakMap<MysqlPool, MysqlWatch>();

type Stock = Pick<MysqlPoolPrototype, 'getConnection'>;

/** A caller, and the connection that stock opens for it. */
interface Ask {
  readonly waiter: Waiter<unknown>;
  opening: Slot<unknown> | undefined;
}

/** A stock mysql2 pool that is watched: whatever is called goes to the stock code, and what comes of it is noted. */
export class MysqlWatch implements WatchSource {
  readonly follow: FollowQuery | undefined;
  readonly #pool: MysqlPool;
  readonly #info: PoolInfo;
  readonly #host: Host;
  readonly #watched: WatchedPool;
  /** Stock hands a callback of its queue to `getConnection` once more, when a connection was lost. */
  readonly #asks = new WeakMap<ConnectionCallback, Ask>();
  #opening = 0;

  private constructor(
    pool: MysqlPool,
    info: PoolInfo,
    host: Host,
    watched: WatchedPool,
    follow?: FollowQuery,
  ) {
    this.#pool = pool;
    this.#info = info;
    this.#host = host;
    this.#watched = watched;
    this.follow = follow;
  }

  /** From now on `pool`, which is stock, is watched, if `host` wants that. */
  static start(pool: MysqlPool, info: PoolInfo, host: Host): void {
    const watch = startWatch(
      info,
      host,
      ({ watched, follow }) => new MysqlWatch(pool, info, host, watched, follow),
    );
    if (watch !== undefined) watches.set(pool, watch);
  }

  static of(pool: MysqlPool): MysqlWatch | undefined {
    return watches.get(pool);
  }

  getConnection(stock: Stock, done: ConnectionCallback): void {
    const pool = this.#pool as MysqlPoolPrototype;
    if (typeof done !== 'function') return stock.getConnection.call(pool, done);
    const known = this.#asks.get(done);
    const ask = known ?? this.#ask();
    const { length } = pool._allConnections;
    const callback = known === undefined ? this.#tap(done, ask) : done;
    stock.getConnection.call(pool, callback);
    if (pool._allConnections.length <= length) return;
    ask.opening = this.#watched.opening(ask.waiter);
    this.#opening += 1;
  }

  /** Before stock gives a connection back to the pool. */
  releasing(connection: MysqlConnection): void {
    this.#watched.released(connection);
  }

  /** Before stock takes a connection out of the pool. */
  removing(connection: MysqlConnection): void {
    this.#watched.closed(connection, this.#whyClosed(connection));
  }

  /** After stock has told every connection to quit. */
  ended(): void {
    this.#watched.ended();
    this.stop();
    this.#host.closed(this.#info, this.#watched);
  }

  stop(): void {
    watches.delete(this.#pool);
  }

  #ask(): Ask {
    return {
      waiter: this.#watched.asked(this.#pool._freeConnections.length > 0),
      opening: undefined,
    };
  }

  #tap(done: ConnectionCallback, ask: Ask): ConnectionCallback {
    const callback = tapped(done, (error, connection) => this.#answered(ask, error, connection));
    this.#asks.set(callback, ask);
    return callback;
  }

  #answered({ waiter, opening }: Ask, error: unknown, connection: unknown): void {
    if (opening !== undefined) {
      this.#opening -= 1;
      if (error) this.#watched.openFailed(opening, error);
      else this.#watched.opened(opening, connection);
    }
    if (error) this.#watched.failed(waiter, error, opening === undefined ? 'rejected' : 'openErrors');
    else this.#watched.served(waiter, connection);
  }

  #whyClosed(connection: MysqlConnection): CloseReason {
    if (this.#pool._closed) return 'drain';
    const isLeased = !this.#pool._freeConnections.toArray().includes(connection);
    return connection._fatalError || connection.stream?.destroyed || isLeased ? 'broken' : 'idle';
  }

  facts() {
    const { _allConnections, _freeConnections, config } = this.#pool;
    const connections = _allConnections.toArray();
    const idle = _freeConnections.length;
    return {
      idle,
      opening: this.#opening,
      leased: Math.max(0, connections.length - idle - this.#opening),
      min: 0,
      max: maxOf(config.connectionLimit),
      connections,
    };
  }
}
