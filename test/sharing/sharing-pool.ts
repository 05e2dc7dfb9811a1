import type { Knex } from 'knex';
import type pg from 'pg';
import type { Host } from '../../adapters/host.js';
import { patchKnex } from '../../adapters/knex/patch.js';
import { patchPgPool } from '../../adapters/pg/patch.js';
import type { Pool } from '../../src/index.js';
import { hostOf } from '../contract/hosts.js';
import { unload } from '../own-libraries.js';

/** A `pg.Pool` whose statements share connections and are prepared from the first chance on, and the engine below it. */
export function sharingPool(config: pg.PoolConfig): { pool: pg.Pool; engine: () => Pool<unknown> } {
  unload('pg', 'pg-pool');
  const own = require('pg') as typeof pg;
  const { host, engine } = sharingHost();
  patchPgPool(Object.getPrototypeOf(own.Pool), host);
  return { pool: new own.Pool(config), engine };
}

/** The same for a knex on PostgreSQL. */
export function sharingKnex(config: Knex.Config): { knex: Knex; engine: () => Pool<unknown> } {
  unload('knex', 'pg', 'pg-pool');
  const own = require('knex') as (config: Knex.Config) => Knex;
  const { host, engine } = sharingHost();
  patchKnex({ Client: require('knex/lib/client.js'), Runner: require('knex/lib/execution/runner.js') }, host);
  return { knex: own({ client: 'pg', ...config }), engine };
}

function sharingHost(): { host: Host; engine: () => Pool<unknown> } {
  let engine: Pool<unknown> | undefined;
  const host = {
    ...hostOf({ flags: { pipelining: 'on', autoPrepare: 'on' } }),
    adopted: (_info: unknown, adopted: Pool<unknown>) => {
      engine = adopted;
    },
  };
  return { host, engine: () => engine! };
}

/** Repeats a read until it shares: on a machine that stands still now and then, that takes more than a few runs. */
export async function untilShared(
  engine: () => Pool<unknown>,
  read: () => PromiseLike<unknown>,
): Promise<void> {
  for (let run = 0; run < 20_000; run += 1) {
    const before = engine().counters.shared;
    await read();
    if (engine().counters.shared > before) return;
  }
  throw new Error('a read that recurs never shared a connection');
}
