import { ownCopy } from '../own-copy.js';
import type * as Loops from './loops.js';
import type { PeerModule } from './peer.js';

/** Whose pool is measured. */
export interface Peer {
  readonly name: string;
  /** In `peers/`. */
  readonly file: string;
  readonly enhanced?: boolean;
}

export const FLOOR = 'await (floor)';
export const ENGINE = 'engine, metrics on';
export const ENGINE_SILENT = 'engine, no observer';
export const PG = 'pg.Pool enhanced';
export const PG_STOCK = 'pg.Pool stock';
export const MYSQL2 = 'mysql2 enhanced';
export const MYSQL2_STOCK = 'mysql2 stock';
export const KNEX = 'knex enhanced';
export const KNEX_STOCK = 'knex stock';
export const TARN = 'tarn';
export const TARN_AGAIN = 'tarn again';
export const GENERIC_POOL = 'generic-pool';
export const LIGHTNING_POOL = 'lightning-pool';

export const PEERS: readonly Peer[] = [
  { name: FLOOR, file: 'floor' },
  { name: ENGINE, file: 'engine', enhanced: true },
  { name: ENGINE_SILENT, file: 'engine' },
  { name: PG, file: 'pg', enhanced: true },
  { name: PG_STOCK, file: 'pg' },
  { name: MYSQL2, file: 'mysql2', enhanced: true },
  { name: MYSQL2_STOCK, file: 'mysql2' },
  { name: KNEX, file: 'knex', enhanced: true },
  { name: KNEX_STOCK, file: 'knex' },
  { name: TARN, file: 'tarn' },
  { name: GENERIC_POOL, file: 'generic-pool' },
  { name: LIGHTNING_POOL, file: 'lightning-pool' },
];

/** A peer's own copy of everything it runs, down to the loops that run it. */
export interface LoadedPeer {
  readonly loops: typeof Loops;
  readonly open: (wish: { size: number; acquireTimeoutMs?: number }) => ReturnType<PeerModule['open']>;
}

export function load({ file, enhanced = false }: Peer): LoadedPeer {
  const { modules, within } = ownCopy([require.resolve('./loops.js'), require.resolve(`./peers/${file}.js`)]);
  const [loops, peer] = modules;
  return {
    loops: loops as typeof Loops,
    open: (wish) => within(() => (peer as PeerModule).open({ ...wish, enhanced })),
  };
}
