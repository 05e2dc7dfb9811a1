import pg from 'pg';
import type { OptimizationFlags, Pool } from '../../src/index.js';
import type { Address } from '../../test/servers/database.js';
import { enhance, observedHost } from '../enhancement.js';

/** A `pg.Pool` of one peer, and the engine below it where there is one. */
export interface Opened {
  readonly pool: pg.Pool;
  engine(): Pool<unknown> | undefined;
  close(): Promise<void>;
}

/** `flags` undefined leaves the pool stock. */
export function open(address: Address, max: number, flags: OptimizationFlags | undefined): Opened {
  // Stock has metrics that are collected as well.
  const { engine, stop } =
    flags === undefined
      ? { engine: () => undefined, stop: observedHost().stop }
      : enhance('pg', { optimizations: flags });
  const { host: server, port, user, password, database } = address;
  const pool = new pg.Pool({ host: server, port, user, password, database, max });
  // A server that stops tells connections which are on their way out.
  pool.on('error', () => {});
  return {
    pool,
    engine,
    close: async () => {
      await pool.end();
      await stop();
    },
  };
}
