import type pg from 'pg';

const ROWS = 10_000;

/** A table to read from by its key. */
export const ITEM: readonly string[] = [
  'DROP TABLE IF EXISTS item',
  'CREATE TABLE item (id int PRIMARY KEY, name varchar(100), price numeric(10, 2))',
  `INSERT INTO item SELECT id, 'item number ' || id, id + 0.5 FROM generate_series(0, ${ROWS - 1}) id`,
  'ANALYZE item',
];

/** Reads one row, another one each turn. */
export async function readItem(pool: pg.Pool, turn: number): Promise<unknown[]> {
  const { rows } = await pool.query('SELECT id, name, price FROM item WHERE id = $1', [
    (turn * 7_919) % ROWS,
  ]);
  return rows;
}
