import type { PoolInfo } from '../../../adapters/host.js';
import { createPool, type Lease, type Observer, type Pool } from '../../../src/index.js';
import { observedHost } from '../../enhancement.js';
import { LONG_IDLE_MS, type PeerPool, type PoolWish } from '../peer.js';

interface Resource {
  readonly id: number;
}

/** Our engine by itself; `enhanced` tells OpenTelemetry of it. */
export async function open({
  size,
  enhanced,
  acquireTimeoutMs,
}: PoolWish): Promise<PeerPool<Lease<Resource>>> {
  const { host, stop } = observedHost();
  const info: PoolInfo = {
    library: 'pg',
    pool: {},
    system: 'postgresql',
    database: 'bench',
    serverAddress: 'localhost',
    serverPort: 5432,
  };
  const observer: Observer<unknown> | undefined = enhanced ? host.setUp(info)?.observer : undefined;
  let opened = 0;
  const pool = createPool<Resource>({
    driver: {
      open: async () => {
        opened += 1;
        return { id: opened };
      },
      check: async () => {},
      close: () => {},
      isBroken: () => false,
    },
    options: {
      max: size,
      idleTimeoutMs: LONG_IDLE_MS,
      ...(acquireTimeoutMs === undefined ? {} : { acquireTimeoutMs }),
    },
    observer,
  });
  if (enhanced) host.adopted(info, pool as Pool<unknown>);
  return {
    acquire: () => pool.acquire(),
    release: (lease) => lease.release(),
    tryOnce: () => pool.tryAcquire()?.release(),
    close: async () => {
      await pool.drain({ deadlineMs: 0 });
      await stop();
    },
  };
}
