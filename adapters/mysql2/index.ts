import { classDefining } from '../defining-class.js';
import { enhance } from './patch.js';
import type { MysqlPool, MysqlPoolClass } from './shapes.js';

/**
 * Makes one mysql2 pool, of callbacks or of promises, run on the engine without module patching, for bundled
 * applications; other pools stay as they are. Call it before the pool's first use; a pool that already has connections
 * stays stock. Returns the same pool.
 */
export function enhancePool<P extends object>(pool: P): P {
  const core = 'pool' in pool && typeof pool.pool === 'object' && pool.pool !== null ? pool.pool : pool;
  enhance(
    core as MysqlPool,
    classDefining<MysqlPoolClass>(core, 'releaseConnection', 'enhancePool expects a pool of mysql2'),
  );
  return pool;
}
