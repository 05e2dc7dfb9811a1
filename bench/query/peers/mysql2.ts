import mysql from 'mysql2/promise';
import type { Address } from '../../../test/servers/database.js';
import { observedHost, patchLibrary, SETTLED } from '../../enhancement.js';
import type { Client, ClientWish } from '../peer.js';

const READ = 'SELECT id, name, price FROM item WHERE id = ?';

export const query = (wish: ClientWish) => poolBy('query', wish);
export const execute = (wish: ClientWish) => poolBy('execute', wish);

async function poolBy(method: 'query' | 'execute', wish: ClientWish): Promise<Client> {
  const { host, stop } = observedHost({ optimizations: SETTLED });
  if (wish.enhanced) patchLibrary('mysql2', host);
  const pool = mysql.createPool({ ...settings(wish.address), connectionLimit: wish.size });
  return {
    read: method === 'query' ? (id) => pool.query(READ, [id]) : (id) => pool.execute(READ, [id]),
    close: async () => {
      await pool.end();
      await stop();
    },
  };
}

/** No pool: as many connections, dealt out to the callers once and for all. */
export async function fixed({ address, size }: ClientWish): Promise<Client> {
  const connections = await Promise.all(
    Array.from({ length: size }, () => mysql.createConnection(settings(address))),
  );
  return {
    read: (id, caller) => connections[caller % size]!.query(READ, [id]),
    close: async () => {
      await Promise.all(connections.map((connection) => connection.end()));
    },
  };
}

function settings({ host, port, user, password, database }: Address): mysql.ConnectionOptions {
  return { host, port, user, password, database };
}
