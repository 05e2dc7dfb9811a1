import { EventEmitter } from 'node:events';
import pg from 'pg';
import { observedHost, patchLibrary } from '../../enhancement.js';
import { LONG_IDLE_MS, type PeerPool, type PoolWish } from '../peer.js';

type Done = (error?: Error | null) => void;

/** What pg-pool and our adapter need of a client. */
class InstantClient extends EventEmitter {
  readonly _queryable = true;
  readonly _ending = false;

  connect(done: Done): void {
    queueMicrotask(done);
  }

  query(_text: unknown, _values: unknown, done: Done): void {
    queueMicrotask(done);
  }

  end(done?: Done): void {
    if (done !== undefined) queueMicrotask(done);
  }
}

/** `pg.Pool`, connecting by promise. */
export async function open({ size, enhanced, acquireTimeoutMs }: PoolWish): Promise<PeerPool<pg.PoolClient>> {
  const { host, stop } = observedHost();
  if (enhanced) patchLibrary('pg', host);
  const pool = new pg.Pool({
    max: size,
    idleTimeoutMillis: LONG_IDLE_MS,
    ...(acquireTimeoutMs === undefined ? {} : { connectionTimeoutMillis: acquireTimeoutMs }),
    Client: InstantClient as never,
  });
  return {
    acquire: () => pool.connect(),
    release: (client) => client.release(),
    close: async () => {
      // One that has clients out never ends, and needs not.
      pool.end();
      await stop();
    },
  };
}
