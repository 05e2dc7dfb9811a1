import { dirname, join } from 'node:path';
import { expect } from 'chai';
import type { Knex } from 'knex';
import type mysql2 from 'mysql2/promise';
import pg from 'pg';
import type { Host, PoolSetup } from '../../adapters/host.js';
import { patchKnex } from '../../adapters/knex/patch.js';
import { patchMysql2Pool } from '../../adapters/mysql2/patch.js';
import { patchPgPool } from '../../adapters/pg/patch.js';
import type { Pool } from '../../src/index.js';
import { hostOf } from '../contract/hosts.js';
import { unload } from '../own-libraries.js';

/** A `pg.Pool` whose statements share connections and are prepared from the first chance on, and the engine below it. */
export function sharingPool(
  config: pg.PoolConfig,
  flags: PoolSetup['flags'] = {},
  setup: Partial<PoolSetup> = {},
): { pool: pg.Pool; engine: () => Pool<unknown> } {
  unload('pg', 'pg-pool');
  const own = require('pg') as typeof pg;
  const { host, engine } = sharingHost(flags, setup);
  patchPgPool(Object.getPrototypeOf(own.Pool), host);
  return { pool: new own.Pool(config), engine };
}

/** The same for a knex on PostgreSQL. */
export function sharingKnex(
  config: Knex.Config,
  flags: PoolSetup['flags'] = {},
  setup: Partial<PoolSetup> = {},
): { knex: Knex; engine: () => Pool<unknown> } {
  unload('knex', 'pg', 'pg-pool');
  const own = require('knex') as (config: Knex.Config) => Knex;
  const { host, engine } = sharingHost(flags, setup);
  patchKnex({ Client: require('knex/lib/client.js'), Runner: require('knex/lib/execution/runner.js') }, host);
  return { knex: own({ client: 'pg', ...config }), engine };
}

/** The same for a promise pool of mysql2. */
export function sharingMysql2(
  config: mysql2.PoolOptions,
  flags: PoolSetup['flags'] = {},
  setup: Partial<PoolSetup> = {},
): { pool: mysql2.Pool; engine: () => Pool<unknown> } {
  unload('mysql2');
  const own = require('mysql2/promise') as typeof mysql2;
  const { host, engine } = sharingHost(flags, setup);
  patchMysql2Pool(require(join(dirname(require.resolve('mysql2')), 'lib/base/pool.js')), host);
  return { pool: own.createPool(config), engine };
}

/** A host that optimises from the first chance on, and the engine of the pool that it took over last. */
export function sharingHost(
  flags: PoolSetup['flags'] = {},
  setup: Partial<PoolSetup> = {},
): { host: Host; engine: () => Pool<unknown> } {
  let engine: Pool<unknown> | undefined;
  const host = {
    ...hostOf({ ...setup, flags: { pipelining: 'on', autoPrepare: 'on', ...flags } }),
    adopted: (_info: unknown, adopted: Pool<unknown>) => {
      engine = adopted;
    },
  };
  return { host, engine: () => engine! };
}

/**
 * Repeats what reads until at least so many of its statements share: on a machine that stands still now and then, that takes more
 * than a few runs, and one in many is always alone. Gives what the last run gave.
 */
export async function untilShared<T>(
  engine: () => Pool<unknown>,
  read: () => PromiseLike<T>,
  least = 1,
): Promise<T> {
  // The first use puts a pool on the engine.
  await read();
  for (let run = 0; run < 20_000; run += 1) {
    const before = engine().counters.shared;
    const given = await read();
    if (engine().counters.shared - before >= least) return given;
  }
  throw new Error('what recurs never shared a connection');
}

/** Repeats `work`, which itself teaches the pool nothing, each time right after `read` has shared, until it shares too. */
export async function onceShared<T>(
  engine: () => Pool<unknown>,
  read: () => PromiseLike<unknown>,
  work: () => PromiseLike<T>,
): Promise<T> {
  for (let tries = 0; tries < 100; tries += 1) {
    await untilShared(engine, read);
    const before = engine().counters.shared;
    const given = await work();
    if (engine().counters.shared > before) return given;
  }
  throw new Error('it never shared a connection, though what was read before it did');
}

/** Whether that is what a caller is told whose connection to PostgreSQL was killed. */
export function isConnectionLost(error: unknown): boolean {
  const { code = '', message } = error as { code?: string; message: string };
  return ['57P01', 'ECONNRESET'].includes(code) || /terminated|not queryable/.test(message);
}

/** `TOKENS=1000000` for the long run. */
export const TOKENS = Number(process.env.TOKENS ?? 30_000);
const CALLERS = 64;
const KILL_EVERY = 4_000;
/** On a machine that has little time for them a short run asks fewer. */
const SHORT_RUN_MS = process.env.TOKENS === undefined ? 60_000 : Number.POSITIVE_INFINITY;

/**
 * Runs `work` with one token after another, many at once, while two of the connections that bear `name` are killed now and then.
 * Errors of lost connections are to be no more than the connections that were killed, and many of the statements to have shared.
 */
export async function underKills(
  url: string,
  name: string,
  engine: () => Pool<unknown>,
  work: (token: number) => Promise<unknown>,
): Promise<void> {
  const killer = new pg.Client(url);
  await killer.connect();
  const endsAt = performance.now() + SHORT_RUN_MS;
  let left = TOKENS;
  let failed = 0;
  let killed = 0;
  const call = async () => {
    while (left > 0 && performance.now() < endsAt) {
      left -= 1;
      const token = left;
      try {
        await work(token);
      } catch (error) {
        if (!isConnectionLost(error)) throw error;
        failed += 1;
      }
      if (token % KILL_EVERY === KILL_EVERY - 1) {
        const { rowCount } = await killer.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where application_name = $1 order by random() limit 2`,
          [name],
        );
        killed += rowCount ?? 0;
      }
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, call)).finally(() => killer.end());

  const { counters, statements } = engine().report();
  expect(killed).above(0);
  // How many, is a matter of how busy the machine is.
  expect(counters.shared + counters.sharedLate, 'statements that shared').above((TOKENS - left) / 50);
  expect(counters.sharedDepthMost).above(1);
  expect(statements!.preparedHits).above(0);
  // What was alone on a killed connection fails as in stock: at most one for each that was killed.
  expect(failed).at.most(killed);
  expect(engine().stats()).include({ leased: 0, waiting: 0 });
}
