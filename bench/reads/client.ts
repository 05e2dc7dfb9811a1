import type { MeterProvider } from '@opentelemetry/api';
import type { Knex } from 'knex';
import type mysql from 'mysql2/promise';
import type pg from 'pg';
import type { OptimizationFlags, Pool } from '../../src/index.js';
import type { Address } from '../../test/servers/database.js';

/** The pools that loads run on, by library. */
export interface Clients {
  readonly pg: pg.Pool;
  readonly knex: Knex;
  readonly mysql2: mysql.Pool;
}

export type Library = keyof Clients;

/** An application's way to its database, and the engine below it where there is one. */
export interface OpenedClient<L extends Library = Library> {
  readonly client: Clients[L];
  engine(): Pool<unknown> | undefined;
  close(): Promise<void>;
}

/** By which a patched mysql2 is known. */
const MARK = Symbol.for('opentelemetry-instrumentation-enhanced-pool.mysql2');

/** Nothing of ours is loaded for a stock peer. `flags` undefined leaves it stock. By `require`, for an `import` knows nothing of copies. */
export async function openClient(
  library: Library,
  { host, port, user, password, database }: Address,
  max: number,
  flags: OptimizationFlags | undefined,
  meters?: MeterProvider,
): Promise<OpenedClient> {
  const { enhance } =
    flags === undefined ? {} : (require('../enhancement.js') as typeof import('../enhancement.js'));
  const enhanced = enhance?.(library, { optimizations: flags!, meters });
  const { client, close } = open(library, { host, port, user, password, database }, max);
  if (library === 'mysql2' && MARK in (client as mysql.Pool).pool !== (flags !== undefined))
    throw new Error('stock and enhanced share a copy of mysql2');
  // What a pool loads when it is first used belongs to the same copy.
  if (library === 'mysql2') await (client as mysql.Pool).query('DO 1');
  return {
    client,
    engine: () => enhanced?.engine(),
    close: async () => {
      await close();
      await enhanced?.stop();
    },
  };
}

type Settings = Omit<Address, 'url'>;

function open(
  library: Library,
  settings: Settings,
  max: number,
): { client: Clients[Library]; close(): Promise<unknown> } {
  if (library === 'pg') {
    const driver = require('pg') as typeof pg;
    const pool = new driver.Pool({ ...settings, max });
    return { client: pool, close: () => pool.end() };
  }
  if (library === 'mysql2') {
    const driver = require('mysql2/promise') as typeof mysql;
    const pool = driver.createPool({ ...settings, connectionLimit: max });
    return { client: pool, close: () => pool.end() };
  }
  const knex = (require('knex') as typeof import('knex').default)({
    client: 'pg',
    connection: settings,
    pool: { min: 0, max },
  });
  return { client: knex, close: () => knex.destroy() };
}
