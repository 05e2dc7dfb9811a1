import pg from 'pg';
import type { Address } from '../../../test/servers/database.js';
import { observedHost, patchLibrary, SETTLED } from '../../enhancement.js';
import type { Client, ClientWish } from '../peer.js';

const READ = 'SELECT id, name, price FROM item WHERE id = $1';

export async function pool({ address, size, enhanced }: ClientWish): Promise<Client> {
  const { host, stop } = observedHost({ optimizations: SETTLED });
  if (enhanced) patchLibrary('pg', host);
  const it = new pg.Pool({ ...settings(address), max: size });
  return {
    read: (id) => it.query(READ, [id]),
    close: async () => {
      await it.end();
      await stop();
    },
  };
}

/** No pool: as many clients, dealt out to the callers once and for all. */
export async function fixed({ address, size }: ClientWish): Promise<Client> {
  const clients = Array.from({ length: size }, () => new pg.Client(settings(address)));
  await Promise.all(clients.map((client) => client.connect()));
  return {
    read: (id, caller) => clients[caller % size]!.query(READ, [id]),
    close: async () => {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}

function settings({ host, port, user, password, database }: Address): pg.ClientConfig {
  return { host, port, user, password, database };
}
