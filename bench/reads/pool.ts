import pg from 'pg';
import type { OptimizationFlags, Pool } from '../../src/index.js';
import type { Address } from '../../test/servers/database.js';
import { observedHost, patchLibrary } from '../enhancement.js';

/** A `pg.Pool` of one peer, and the engine below it where there is one. */
export interface Opened {
  readonly pool: pg.Pool;
  engine(): Pool<unknown> | undefined;
  close(): Promise<void>;
}

/** `flags` undefined leaves the pool stock. */
export function open(address: Address, max: number, flags: OptimizationFlags | undefined): Opened {
  let engine: Pool<unknown> | undefined;
  const { host, stop } = observedHost({ optimizations: flags ?? {} });
  if (flags !== undefined) {
    const adopted = host.adopted.bind(host);
    host.adopted = (info, given, control) => {
      engine = given;
      adopted(info, given, control);
    };
    patchLibrary('pg', host);
  }
  const { host: server, port, user, password, database } = address;
  const pool = new pg.Pool({ host: server, port, user, password, database, max });
  // A server that stops tells connections which are on their way out.
  pool.on('error', () => {});
  return {
    pool,
    engine: () => engine,
    close: async () => {
      await pool.end();
      await stop();
    },
  };
}
