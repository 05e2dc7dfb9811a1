import { createPool } from 'generic-pool';
import type { PeerPool, PoolWish } from '../peer.js';

export async function open({ size, acquireTimeoutMs }: PoolWish): Promise<PeerPool<object>> {
  const pool = createPool<object>(
    { create: async () => ({}), destroy: async () => {} },
    { max: size, ...(acquireTimeoutMs === undefined ? {} : { acquireTimeoutMillis: acquireTimeoutMs }) },
  );
  return {
    acquire: () => pool.acquire() as Promise<object>,
    release: (resource) => pool.release(resource),
    close: () => {},
  };
}
