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

/** Nothing of ours is loaded for a stock peer. `flags` undefined leaves it stock. */
export async function openClient(
  library: Library,
  { host, port, user, password, database }: Address,
  max: number,
  flags: OptimizationFlags | undefined,
): Promise<OpenedClient> {
  let engine: Pool<unknown> | undefined;
  let stop: (() => Promise<unknown>) | undefined;
  if (flags !== undefined) {
    const { observedHost, patchLibrary } = await import('../enhancement.js');
    const observed = observedHost({ optimizations: flags });
    const adopted = observed.host.adopted.bind(observed.host);
    observed.host.adopted = (info, given, control) => {
      engine = given;
      adopted(info, given, control);
    };
    patchLibrary(library, observed.host);
    stop = observed.stop;
  }
  const { client, close } = await open(library, { host, port, user, password, database }, max);
  return {
    client,
    engine: () => engine,
    close: async () => {
      await close();
      await stop?.();
    },
  };
}

type Settings = Omit<Address, 'url'>;

async function open(
  library: Library,
  settings: Settings,
  max: number,
): Promise<{ client: Clients[Library]; close(): Promise<unknown> }> {
  if (library === 'pg') {
    const { default: driver } = await import('pg');
    const pool = new driver.Pool({ ...settings, max });
    return { client: pool, close: () => pool.end() };
  }
  if (library === 'mysql2') {
    const { default: driver } = await import('mysql2/promise');
    const pool = driver.createPool({ ...settings, connectionLimit: max });
    return { client: pool, close: () => pool.end() };
  }
  const { default: builder } = await import('knex');
  const knex = builder({ client: 'pg', connection: settings, pool: { min: 0, max } });
  return { client: knex, close: () => knex.destroy() };
}
