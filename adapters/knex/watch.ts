import type { AcquireFailure, CloseReason, Slot, Waiter, WatchedPool } from '../../src/index.js';
import { type Host, type PoolInfo, startWatch, type WatchSource } from '../host.js';
import { overhear } from '../overhear.js';
import type { KnexConnection, TarnPool } from './shapes.js';

/** A stock tarn pool's own lists. */
interface TarnLists {
  readonly used: readonly { resource: KnexConnection }[];
  readonly free: readonly { resource: KnexConnection }[];
  readonly pendingAcquires: readonly unknown[];
}

/** A stock tarn pool that is watched: it tells everything it does as events, each with a number. */
export class KnexWatch implements WatchSource {
  readonly #pool: TarnPool & TarnLists;
  readonly #info: PoolInfo;
  readonly #host: Host;
  readonly #watched: WatchedPool;
  readonly stop: () => void;
  readonly #asking = new Map<unknown, Waiter<unknown>>();
  readonly #opening = new Map<unknown, Slot<unknown>>();

  private constructor(pool: TarnPool, info: PoolInfo, host: Host, watched: WatchedPool) {
    this.#pool = pool as TarnPool & TarnLists;
    this.#info = info;
    this.#host = host;
    this.#watched = watched;
    this.stop = overhear(pool, '_executeEventHandlers', (event, ...told) =>
      this.#heard(event as string, told),
    );
  }

  /** From now on `pool`, which is stock, is watched, if `host` wants that. */
  static start(pool: TarnPool, info: PoolInfo, host: Host): void {
    startWatch(info, host, ({ watched }) => new KnexWatch(pool, info, host, watched));
  }

  #heard(event: string, [first, second]: unknown[]): void {
    if (event === 'acquireRequest') this.#asked(first);
    else if (event === 'acquireSuccess') this.#served(first, second);
    else if (event === 'acquireFail') this.#failed(first, second);
    else if (event === 'release') this.#released(first as KnexConnection);
    else if (event === 'createRequest') this.#opening.set(first, this.#watched.opening());
    else if (event === 'createSuccess') this.#opened(first, second);
    else if (event === 'createFail') this.#openFailed(first, second);
    else if (event === 'destroyRequest') this.#closed(second as KnexConnection);
    else if (event === 'poolDestroySuccess') this.#destroyed();
  }

  #asked(id: unknown): void {
    const { free, pendingAcquires } = this.#pool;
    this.#asking.set(id, this.#watched.asked(free.length > pendingAcquires.length));
  }

  #served(id: unknown, connection: unknown): void {
    const waiter = this.#asking.get(id);
    this.#asking.delete(id);
    if (waiter !== undefined) this.#watched.served(waiter, connection);
  }

  #failed(id: unknown, error: unknown): void {
    const waiter = this.#asking.get(id);
    this.#asking.delete(id);
    if (waiter !== undefined) this.#watched.failed(waiter, error, howFailed(error));
  }

  #released(connection: KnexConnection): void {
    this.#watched.released(connection, connection.__knex__disposed ? 'broken' : 'ok');
  }

  #opened(id: unknown, connection: unknown): void {
    const slot = this.#opening.get(id);
    this.#opening.delete(id);
    if (slot !== undefined) this.#watched.opened(slot, connection);
  }

  #openFailed(id: unknown, error: unknown): void {
    const slot = this.#opening.get(id);
    this.#opening.delete(id);
    if (slot !== undefined) this.#watched.openFailed(slot, error);
  }

  #closed(connection: KnexConnection): void {
    this.#watched.closed(connection, this.#whyClosed(connection));
  }

  #whyClosed(connection: KnexConnection): CloseReason {
    if (connection.__knex__disposed) return 'broken';
    return this.#pool.destroyed ? 'drain' : 'idle';
  }

  #destroyed(): void {
    this.#watched.ended();
    this.stop();
    this.#host.closed(this.#info, this.#watched);
  }

  facts() {
    const pool = this.#pool;
    const connections = [...pool.used, ...pool.free].map(({ resource }) => resource);
    return {
      idle: pool.numFree(),
      leased: pool.numUsed(),
      opening: pool.numPendingCreates(),
      min: pool.min,
      max: pool.max,
      connections,
    };
  }
}

function howFailed(error: unknown): AcquireFailure {
  const { constructor: kind, message } = error as Error;
  if (kind?.name === 'TimeoutError') return 'timedOut';
  return message === 'aborted' ? 'aborted' : 'openErrors';
}
