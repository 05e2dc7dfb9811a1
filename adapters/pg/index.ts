import { classDefining } from '../defining-class.js';
import { plainHost } from '../host.js';
import { facadeOf, patchPgPool } from './patch.js';
import type { PgPool, PgPoolClass } from './shapes.js';

/**
 * Makes one `pg.Pool` run on the engine without module patching, for bundled applications. Call it before the pool's
 * first use; a pool that already has connections stays stock. Returns the same pool.
 */
export function enhancePool<P extends object>(pool: P): P {
  patchPgPool(classDefining<PgPoolClass>(pool, 'newClient', 'enhancePool expects a pg.Pool'));
  facadeOf(pool as unknown as PgPool, plainHost);
  return pool;
}
