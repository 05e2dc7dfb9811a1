import type { TarnPoolClass, TimeoutErrorClass } from './shapes.js';

const classes = new WeakMap<TarnPoolClass, Promise<TimeoutErrorClass>>();

/**
 * The `TimeoutError` of the application's own copy of tarn, the only one that knex turns into its `KnexTimeoutError`.
 * No pool exports it, so a pool that serves nobody is made to time out once.
 */
export function timeoutErrorClassOf(StockPool: TarnPoolClass): Promise<TimeoutErrorClass> {
  let found = classes.get(StockPool);
  if (found === undefined) {
    const unused = () => {};
    const pool = new StockPool({ create: unused, destroy: unused, min: 0, max: 1, acquireTimeoutMillis: 1 });
    pool.destroyed = true;
    found = pool.acquire().promise.then(
      () => Error,
      (error: Error) => error.constructor as TimeoutErrorClass,
    );
    classes.set(StockPool, found);
  }
  return found;
}

/** tarn's words when it does not know what took so long. */
export const UNKNOWN_REASON = 'operation timed out for an unknown reason';
