import mysql from 'mysql2/promise';
import { observedHost, patchLibrary } from '../../enhancement.js';
import type { Client, ClientWish } from '../peer.js';

export async function pool({ address, size, enhanced }: ClientWish): Promise<Client> {
  const { host, stop } = observedHost();
  if (enhanced) patchLibrary('mysql2', host);
  const it = mysql.createPool({ ...address, connectionLimit: size });
  return {
    run: (sql) => it.query(sql),
    close: async () => {
      await it.end();
      await stop();
    },
  };
}
