import { Pool } from 'tarn';
import { LONG_IDLE_MS, type PeerPool, type PoolWish } from '../peer.js';

export async function open({ size, acquireTimeoutMs }: PoolWish): Promise<PeerPool<object>> {
  const pool = new Pool<object>({
    create: async () => ({}),
    destroy: () => {},
    min: 0,
    max: size,
    idleTimeoutMillis: LONG_IDLE_MS,
    ...(acquireTimeoutMs === undefined ? {} : { acquireTimeoutMillis: acquireTimeoutMs }),
  });
  return {
    acquire: () => pool.acquire().promise,
    release: (resource) => pool.release(resource),
    close: () => {
      pool.destroy().catch(() => {});
    },
  };
}
