import type { CloseReason, Slot, Waiter, WatchedPool } from '../../src/index.js';
import { type FollowQuery, type Host, type PoolInfo, startWatch, type WatchSource } from '../host.js';
import { numberOr, wholeOr } from '../native-options.js';
import { overhear, tapped } from '../overhear.js';
import { textOf } from '../statement-text.js';
import { rethrowWithCallersStack } from './facade.js';
import type { ConnectCallback, PgClient, PgPool, PgPoolPrototype, QueryCallback } from './shapes.js';

const watches = new WeakMap<PgPool, PgWatch>();

type Stock = Pick<PgPoolPrototype, 'connect' | 'newClient' | 'query'>;
type PendingItem = Parameters<PgPoolPrototype['newClient']>[0];

/** A stock `pg.Pool` that is watched: whatever is called goes to the stock code, and what comes of it is noted. */
export class PgWatch implements WatchSource {
  readonly #pool: PgPool;
  readonly #info: PoolInfo;
  readonly #host: Host;
  readonly #watched: WatchedPool;
  readonly #follow: FollowQuery | undefined;
  readonly #endings: (() => void)[];
  /** The caller for whom `connect` runs at this moment. */
  #asking: Waiter<unknown> | undefined = undefined;
  readonly #opening = new Map<PgClient, Slot<unknown>>();
  /** While stock makes a client that is not in its list yet. */
  #making: Slot<unknown> | undefined = undefined;
  /** Why the pool is about to close a client, where that shows before it does. */
  readonly #closing = new WeakMap<PgClient, CloseReason>();

  private constructor(pool: PgPool, info: PoolInfo, host: Host, watched: WatchedPool, follow?: FollowQuery) {
    this.#pool = pool;
    this.#info = info;
    this.#host = host;
    this.#watched = watched;
    this.#follow = follow;
    this.#endings = [
      overhear(pool, 'emit', (name, ...told) => this.#heard(name, told)),
      // Its event came with pg-pool 3.6 only.
      overhear(pool as PgPoolPrototype, '_release', (client, _listener, error) =>
        this.#released(client as PgClient, error),
      ),
    ];
  }

  /** From now on `pool`, which is stock, is watched, if `host` wants that. */
  static start(pool: PgPool, info: PoolInfo, host: Host): void {
    const watch = startWatch(
      info,
      host,
      ({ watched, follow }) => new PgWatch(pool, info, host, watched, follow),
    );
    if (watch !== undefined) watches.set(pool, watch);
  }

  static of(pool: PgPool): PgWatch | undefined {
    return watches.get(pool);
  }

  connect(stock: Stock, done: ConnectCallback | undefined): unknown {
    const pool = this.#pool;
    if (pool.ending || (done && typeof done !== 'function')) return stock.connect.call(pool, done);
    if (!done) return this.#promised((told) => this.connect(stock, told));
    const waiter = this.#watched.asked(pool._idle.length > pool._pendingQueue.length);
    this.#asking = waiter;
    try {
      return stock.connect.call(
        pool,
        tapped(done, (error, client) => {
          if (error) this.#watched.failed(waiter, error, howFailed(error));
          else this.#watched.served(waiter, client);
        }),
      );
    } catch (error) {
      this.#watched.failed(waiter, error, 'openErrors');
      throw error;
    } finally {
      this.#asking = undefined;
    }
  }

  query(stock: Stock, text: unknown, values: unknown, cb: QueryCallback | undefined): unknown {
    const pool = this.#pool as PgPoolPrototype;
    if (this.#follow === undefined || typeof text === 'function') {
      return stock.query.call(pool, text, values, cb);
    }
    if (typeof values === 'function') return this.query(stock, text, undefined, values as QueryCallback);
    if (!cb) return this.#promised((told) => this.query(stock, text, values, told));
    let result: unknown;
    this.#follow(textOf(text, 'text'), cb, (told) => {
      result = stock.query.call(pool, text, values, told);
    });
    return result;
  }

  newClient(stock: Stock, item: PendingItem): unknown {
    const pool = this.#pool;
    const slot = this.#watched.opening(this.#asking);
    this.#making = slot;
    item.callback = tapped(item.callback, (error) => {
      if (error) this.#openFailed(slot, error);
    });
    try {
      const result = stock.newClient.call(pool as PgPoolPrototype, item);
      const client = pool._clients.at(-1);
      // A client may have opened, or failed, before it was to be seen.
      if (this.#making === slot && client !== undefined) this.#opening.set(client, slot);
      if (this.#opening.size > pool._clients.length) this.#forgetUnopened();
      return result;
    } catch (error) {
      this.#watched.openFailed(slot, error);
      throw error;
    } finally {
      this.#making = undefined;
    }
  }

  /** The pool has looked whether it is empty after its end. */
  pulsed(): void {
    if (!this.#pool.ended) return;
    this.#watched.ended();
    this.stop();
    this.#host.closed(this.#info, this.#watched);
  }

  stop(): void {
    watches.delete(this.#pool);
    for (const end of this.#endings.splice(0)) end();
  }

  /** As stock's own promises: of the pool's class, with the stack of whoever asked; what is thrown at once is thrown. */
  #promised<T>(run: (done: (error: unknown, told?: T) => void) => unknown): Promise<T> {
    let settle!: (error: unknown, told?: T) => void;
    const promise = new this.#pool.Promise<T>((resolve, reject) => {
      settle = (error, told) => (error ? reject(error) : resolve(told as T));
    }).catch(rethrowWithCallersStack);
    run(settle);
    return promise;
  }

  #heard(name: unknown, told: unknown[]): void {
    if (name === 'connect') this.#opened(told[0] as PgClient);
    else if (name === 'error') this.#closing.set(told[1] as PgClient, 'broken');
    else if (name === 'remove') this.#removed(told[0] as PgClient);
  }

  #opened(client: PgClient): void {
    const slot = this.#opening.get(client) ?? this.#making;
    this.#opening.delete(client);
    this.#making = undefined;
    if (slot !== undefined) this.#watched.opened(slot, client);
  }

  #openFailed(slot: Slot<unknown>, error: unknown): void {
    this.#watched.openFailed(slot, error);
    if (this.#making === slot) this.#making = undefined;
    for (const [client, opening] of this.#opening) if (opening === slot) this.#opening.delete(client);
  }

  /** Those whose caller had gone when they failed: nobody was told. */
  #forgetUnopened(): void {
    const { _clients } = this.#pool;
    for (const [client, slot] of this.#opening) {
      if (!_clients.includes(client)) this.#openFailed(slot, new Error('it did not open'));
    }
  }

  #released(client: PgClient, error: unknown): void {
    const reason = this.#whyClosed(client, error);
    if (reason !== undefined) this.#closing.set(client, reason);
    this.#watched.released(client, reason === 'broken' ? 'broken' : 'ok');
  }

  /** What stock makes of a client that comes back. */
  #whyClosed(client: PgClient, error: unknown): CloseReason | undefined {
    const { options, ending, _expired } = this.#pool;
    if (error || client._queryable === false || client._ending) return 'broken';
    if (ending) return 'drain';
    if ((client._poolUseCount ?? 0) + 1 >= numberOr(options.maxUses, Number.POSITIVE_INFINITY)) return 'uses';
    return _expired?.has(client) ? 'lifetime' : undefined;
  }

  #removed(client: PgClient): void {
    const reason = this.#closing.get(client) ?? (this.#pool.ending ? 'drain' : 'idle');
    this.#watched.closed(client, reason);
  }

  facts() {
    this.#forgetUnopened();
    const { _clients, _idle, options } = this.#pool;
    const opening = this.#opening.size;
    const idle = _idle.length;
    return {
      idle,
      opening,
      leased: Math.max(0, _clients.length - idle - opening),
      min: wholeOr(options.min, 0),
      max: wholeOr(options.max, 10),
      connections: _clients,
    };
  }
}

function howFailed(error: unknown): 'timedOut' | 'openErrors' {
  const { message } = error as { message?: unknown };
  return message === 'timeout exceeded when trying to connect' ? 'timedOut' : 'openErrors';
}
