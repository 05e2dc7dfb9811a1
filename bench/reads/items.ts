import type pg from 'pg';

const ROWS = 10_000;

/** A table to read from by its key. */
export const ITEM: readonly string[] = [
  'DROP TABLE IF EXISTS item',
  'CREATE TABLE item (id int PRIMARY KEY, name varchar(100), price numeric(10, 2))',
  `INSERT INTO item SELECT id, 'item number ' || id, id + 0.5 FROM generate_series(0, ${ROWS - 1}) id`,
  'ANALYZE item',
];

export const ITEM_OF_MYSQL: readonly string[] = [
  'DROP TABLE IF EXISTS item',
  'CREATE TABLE item (id int PRIMARY KEY, name varchar(100), price decimal(10, 2))',
  `INSERT INTO item VALUES ${Array.from({ length: ROWS }, (_, id) => `(${id}, 'item number ${id}', ${id}.5)`)}`,
  'ANALYZE TABLE item',
];

/** Which row is read: another one each turn. */
export function itemOf(turn: number): number {
  return (turn * 7_919) % ROWS;
}

export async function readItem(pool: pg.Pool, turn: number): Promise<unknown[]> {
  const { rows } = await pool.query('SELECT id, name, price FROM item WHERE id = $1', [itemOf(turn)]);
  return rows;
}
