import type { Sessions } from '../sessions.js';
import type { MysqlConnection } from './shapes.js';
import { answered, isBusy } from './transaction.js';

interface SessionRow {
  readonly id: unknown;
  readonly own: unknown;
  readonly command: unknown;
}

/** What mysql2 tells of a connection's thread. */
export const mysqlSessions: Sessions<MysqlConnection> = {
  bytesHeard(connection) {
    const { stream } = connection;
    return isBusy(connection) && stream?.destroyed === false ? stream.bytesRead : undefined;
  },

  ask: (connection) => answered((done) => connection.ping(done)),

  async findDead(connection, silent) {
    const ids = [connection, ...silent].map(({ threadId }) => threadId).filter(Number.isInteger);
    const rows = await sessions(connection, ids as number[]);
    if (rows.length === 0 || Number(rows[0]!.own) !== connection.threadId) return [];
    const found = new Map(rows.map(({ id, command }) => [Number(id), String(command)]));
    // A server that knows none of them may be another one than theirs.
    if (!silent.some(({ threadId }) => found.has(Number(threadId)))) return [];
    return silent.filter(
      ({ threadId }) => Number.isInteger(threadId) && (found.get(threadId!) ?? 'Sleep') === 'Sleep',
    );
  },

  sever({ stream }, error) {
    stream?.destroy?.(error);
  },
};

function sessions(connection: MysqlConnection, ids: readonly number[]): Promise<SessionRow[]> {
  const sql = `SELECT ID AS id, COMMAND AS command, CONNECTION_ID() AS own
    FROM information_schema.PROCESSLIST WHERE ID IN (${ids.join()})`;
  return new Promise((resolve, reject) => {
    connection.query({ sql, rowsAsArray: false, nestTables: false, typeCast: true }, (error, rows) => {
      if (!error) resolve(rows as SessionRow[]);
      else if ((error as { fatal?: unknown }).fatal === true) reject(error);
      else resolve([]);
    });
  });
}
