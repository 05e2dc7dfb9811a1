import { classDefining } from '../defining-class.js';
import { type Host, plainHost } from '../host.js';
import { facadeOf, patchMysql2Pool } from './patch.js';
import type { MysqlPool, MysqlPoolClass } from './shapes.js';

/** Other pools of the same class stay as they are. */
const onlyAsked: Host = { ...plainHost, enabled: () => false };

/**
 * Makes one mysql2 pool, of callbacks or of promises, run on the engine without module patching, for bundled
 * applications. Call it before the pool's first use; a pool that already has connections stays stock. Returns the same
 * pool.
 */
export function enhancePool<P extends object>(pool: P): P {
  const core = 'pool' in pool && typeof pool.pool === 'object' && pool.pool !== null ? pool.pool : pool;
  patchMysql2Pool(
    classDefining<MysqlPoolClass>(core, 'releaseConnection', 'enhancePool expects a pool of mysql2'),
    onlyAsked,
  );
  facadeOf(core as MysqlPool, plainHost);
  return pool;
}
