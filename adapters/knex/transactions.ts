import type { MysqlConnection } from '../mysql2/shapes.js';
import { mayBeInTransaction, rollBack as rollBackMysql } from '../mysql2/transaction.js';
import type { PgClient } from '../pg/shapes.js';
import { inTransaction, rollBack as rollBackPg, unanswered } from '../pg/transaction.js';
import type { KnexConnection } from './shapes.js';

/** What a driver's connection tells of its transaction, and how to end it. */
export interface Transactions {
  isOpen(connection: KnexConnection): boolean;
  unanswered(connection: KnexConnection): Promise<void> | undefined;
  rollBack(connection: KnexConnection): Promise<void>;
}

const pg: Transactions = {
  isOpen: (connection) => inTransaction(connection as PgClient),
  unanswered: (connection) => unanswered(connection as PgClient),
  async rollBack(connection) {
    await unanswered(connection as PgClient);
    await rollBackPg(connection as PgClient);
  },
};

const mysql2: Transactions = {
  isOpen: (connection) => mayBeInTransaction(connection as MysqlConnection),
  unanswered: () => undefined,
  rollBack: (connection) => rollBackMysql(connection as MysqlConnection),
};

/** By knex's `driverName`; the drivers that are not here do not tell. */
const TRANSACTIONS: Readonly<Record<string, Transactions>> = {
  pg,
  pgnative: pg,
  cockroachdb: pg,
  'pg-redshift': pg,
  mysql2,
};

export function transactionsOf(driverName: string | undefined): Transactions | undefined {
  return TRANSACTIONS[driverName ?? ''];
}
