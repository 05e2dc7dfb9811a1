import type { Address } from '../../test/servers/database.js';

/** Which client is to be made, and how. */
export interface ClientWish {
  readonly address: Address;
  /** Connections at most. */
  readonly size: number;
  /** On our engine, with our metrics, or as the library ships it. */
  readonly enhanced: boolean;
}

/** An application's way to its database. */
export interface Client {
  /** Reads the row of `id`; `caller` tells apart those who ask at the same time. */
  read(id: number, caller: number): Promise<unknown>;
  close(): Promise<void>;
}

/** What every file in `peers/` exports: its ways to read, by name. */
export type ClientModule = Readonly<Record<string, (wish: unknown) => Promise<Client>>>;
