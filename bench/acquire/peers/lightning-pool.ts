import { createPool } from 'lightning-pool';
import { LONG_IDLE_MS, type PeerPool, type PoolWish } from '../peer.js';

/** Its own default of 1,000 refuses the rest of a crowd. */
const MAX_QUEUE = 100_000;

export async function open({ size, acquireTimeoutMs }: PoolWish): Promise<PeerPool<object>> {
  const pool = createPool<object>(
    { create: async () => ({}), destroy: async () => {} },
    {
      max: size,
      maxQueue: MAX_QUEUE,
      idleTimeoutMillis: LONG_IDLE_MS,
      ...(acquireTimeoutMs === undefined ? {} : { acquireTimeoutMillis: acquireTimeoutMs }),
    },
  );
  return {
    acquire: () => pool.acquire(),
    release: (resource) => pool.release(resource),
    close: () => pool.close(true),
  };
}
