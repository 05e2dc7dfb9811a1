import pg from 'pg';
import { observedHost, patchLibrary } from '../../enhancement.js';
import type { Client, ClientWish } from '../peer.js';

export async function pool({ address, size, enhanced }: ClientWish): Promise<Client> {
  const { host, stop } = observedHost();
  if (enhanced) patchLibrary('pg', host);
  const it = new pg.Pool({ ...address, max: size });
  it.on('error', () => {});
  return {
    run: (sql) => it.query(sql),
    close: async () => {
      await it.end();
      await stop();
    },
  };
}
