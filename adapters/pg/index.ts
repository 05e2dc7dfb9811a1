import { classDefining } from '../defining-class.js';
import { enhance } from './patch.js';
import type { PgPool, PgPoolClass } from './shapes.js';

/**
 * Makes one `pg.Pool` run on the engine without module patching, for bundled applications; other pools stay as they
 * are. Call it before the pool's first use; a pool that already has connections stays stock. Returns the same pool.
 */
export function enhancePool<P extends object>(pool: P): P {
  const PoolClass = classDefining<PgPoolClass>(pool, 'newClient', 'enhancePool expects a pg.Pool');
  enhance(pool as unknown as PgPool, PoolClass);
  return pool;
}
