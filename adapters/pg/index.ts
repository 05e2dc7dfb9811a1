import { plainHost } from '../host.js';
import { facadeOf, patchPgPool } from './patch.js';
import type { PgPool, PgPoolClass } from './shapes.js';

/**
 * Makes one `pg.Pool` run on the engine without module patching, for bundled applications. Call it before the pool's
 * first use; a pool that already has connections stays stock. Returns the same pool.
 */
export function enhancePool<P extends object>(pool: P): P {
  patchPgPool(poolClassOf(pool));
  facadeOf(pool as unknown as PgPool, plainHost);
  return pool;
}

/** pg-pool's own class: the one on the prototype chain that defines `newClient`. */
function poolClassOf(pool: object): PgPoolClass {
  for (
    let prototype = Object.getPrototypeOf(pool);
    prototype !== null;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    if (Object.hasOwn(prototype, 'newClient')) return prototype.constructor as PgPoolClass;
  }
  throw new TypeError('enhancePool expects a pg.Pool');
}
