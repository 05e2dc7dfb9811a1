import type { Address } from '../../test/servers/database.js';

export interface ClientWish {
  readonly address: Omit<Address, 'url'>;
  readonly size: number;
  readonly enhanced: boolean;
}

/** An application that knows nothing of pools, at the defaults of its library. */
export interface Client {
  run(sql: string): Promise<unknown>;
  close(): Promise<void>;
}

/** What every file in `peers/` exports. */
export type ClientModule = Readonly<Record<string, (wish: ClientWish) => Promise<Client>>>;
