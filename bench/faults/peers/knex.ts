import knex from 'knex';
import { observedHost, patchLibrary } from '../../enhancement.js';
import type { Client, ClientWish } from '../peer.js';

export const pg = (wish: ClientWish) => open('pg', wish);
export const mysql2 = (wish: ClientWish) => open('mysql2', wish);

async function open(driver: string, { address, size, enhanced }: ClientWish): Promise<Client> {
  const { host, stop } = observedHost();
  if (enhanced) patchLibrary('knex', host);
  const db = knex({ client: driver, connection: { ...address }, pool: { min: 0, max: size } });
  db.client.logger.warn = () => {};
  return {
    run: async (sql) => db.raw(sql),
    close: async () => {
      await db.destroy();
      await stop();
    },
  };
}
