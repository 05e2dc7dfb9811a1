import type pg from 'pg';
import { patchPgPool } from '../../adapters/pg/patch.js';
import type { Pool } from '../../src/index.js';
import { hostOf } from '../contract/hosts.js';
import { unload } from '../own-libraries.js';

/** A `pg.Pool` whose statements share connections and are prepared from the first chance on, and the engine below it. */
export function sharingPool(config: pg.PoolConfig): { pool: pg.Pool; engine: () => Pool<unknown> } {
  unload('pg', 'pg-pool');
  const own = require('pg') as typeof pg;
  let engine: Pool<unknown> | undefined;
  patchPgPool(Object.getPrototypeOf(own.Pool), {
    ...hostOf({ flags: { pipelining: 'on', autoPrepare: 'on' } }),
    adopted: (_info, adopted) => {
      engine = adopted;
    },
  });
  return { pool: new own.Pool(config), engine: () => engine! };
}
