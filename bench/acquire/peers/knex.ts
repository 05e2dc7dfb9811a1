import knex, { type Knex } from 'knex';
import { observedHost, patchLibrary } from '../../enhancement.js';
import { LONG_IDLE_MS, type PeerPool, type PoolWish } from '../peer.js';

/** A knex client by its own calls, below the query builder. */
interface ConnectionSource {
  acquireConnection(): Promise<object>;
  releaseConnection(connection: object): Promise<void>;
  destroy(): Promise<void>;
}

class InstantDialect extends knex.Client {
  _driver(): object {
    return {};
  }

  override async acquireRawConnection(): Promise<object> {
    return {};
  }

  override async destroyRawConnection(): Promise<void> {}
}
Object.assign(InstantDialect.prototype, { driverName: 'pg', dialect: 'postgresql' });

/** knex's client, which is what runs every knex query. */
export async function open({ size, enhanced, acquireTimeoutMs }: PoolWish): Promise<PeerPool<object>> {
  const { host, stop } = observedHost();
  if (enhanced) patchLibrary('knex', host);
  const client: ConnectionSource = knex({
    client: InstantDialect as unknown as typeof Knex.Client,
    connection: {},
    pool: { min: 0, max: size, idleTimeoutMillis: LONG_IDLE_MS },
    log: { warn() {}, debug() {} },
    ...(acquireTimeoutMs === undefined ? {} : { acquireConnectionTimeout: acquireTimeoutMs }),
  }).client;
  return {
    acquire: () => client.acquireConnection(),
    release: (connection) => client.releaseConnection(connection),
    releaseSettles: true,
    close: async () => {
      // One that has connections out never ends, and needs not.
      client.destroy().catch(() => {});
      await stop();
    },
  };
}
