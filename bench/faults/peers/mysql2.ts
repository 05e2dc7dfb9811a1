import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { patchMysql2Pool } from '../../../adapters/patches.js';
import { observedHost } from '../../enhancement.js';
import type { Client, ClientWish } from '../peer.js';

export async function pool({ address, size, enhanced }: ClientWish): Promise<Client> {
  const { host, stop } = observedHost();
  if (enhanced) {
    patchMysql2Pool(require(join(require.resolve('mysql2'), '../lib/base/pool.js')), host);
  }
  const it = mysql.createPool({ ...address, connectionLimit: size });
  return {
    run: (sql) => it.query(sql),
    close: async () => {
      await it.end();
      await stop();
    },
  };
}
