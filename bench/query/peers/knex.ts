import knex from 'knex';
import { observedHost, patchLibrary, SETTLED } from '../../enhancement.js';
import type { Client, ClientWish } from '../peer.js';

export const pg = (wish: ClientWish) => open('pg', wish);
export const mysql2 = (wish: ClientWish) => open('mysql2', wish);

async function open(driver: string, { address, size, enhanced }: ClientWish): Promise<Client> {
  const { host, stop } = observedHost({ optimizations: SETTLED });
  if (enhanced) patchLibrary('knex', host);
  const { host: server, port, user, password, database } = address;
  const db = knex({
    client: driver,
    connection: { host: server, port, user, password, database },
    pool: { min: 0, max: size },
  });
  return {
    read: (id) => db('item').select('id', 'name', 'price').where({ id }),
    close: async () => {
      await db.destroy();
      await stop();
    },
  };
}
