import type { PgClient, QueryCallback } from './shapes.js';

/** Whether a transaction is open, a failed one included, by what the server said last; false on clients that do not tell. */
export function inTransaction(client: Pick<PgClient, 'getTransactionStatus'>): boolean {
  const status = client.getTransactionStatus?.();
  return status === 'T' || status === 'E';
}

/** The same, and true where this version of pg cannot tell. */
export function mayBeInTransaction(client: Pick<PgClient, 'getTransactionStatus'>): boolean {
  return client.getTransactionStatus === undefined || inTransaction(client);
}

/** Settles when the server is ready for the next statement; undefined when it is. */
export function unanswered(client: PgClient): Promise<void> | undefined {
  if (client.readyForQuery !== false) return undefined;
  // A client without statements in hand says `drain`.
  return new Promise((resolve) => client.once('drain', () => resolve()));
}

/** Rolls back, unless meanwhile an awaited `COMMIT` has ended the transaction. */
export async function rollBack(client: PgClient): Promise<void> {
  if (inTransaction(client)) await run(client, 'ROLLBACK');
}

/** Runs a statement of the pool's own. */
export function run(client: PgClient, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done: QueryCallback = (error) => (error ? reject(error) : resolve());
    client.query(sql, undefined, done);
  });
}

/** What PostgreSQL calls a statement that changed rows. */
const WRITES: ReadonlySet<unknown> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

/** Whether a statement changed rows, by its result. */
export function changedRows(result: unknown): boolean {
  return WRITES.has((result as { command?: unknown } | undefined)?.command);
}
