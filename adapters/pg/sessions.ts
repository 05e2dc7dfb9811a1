import type { Sessions } from '../sessions.js';
import type { PgClient } from './shapes.js';
import { run } from './transaction.js';

/** SQLSTATEs with a server's own `ERROR` leave the session usable. */
interface ServerError {
  readonly severity?: unknown;
}

interface SessionRow {
  readonly pid: unknown;
  readonly is_own: unknown;
  readonly rests: unknown;
}

/** A session that has rested for so long has neither our statement nor an answer on its way. */
const RESTED = "interval '100 milliseconds'";

/** What pg tells of a client's backend. */
export const pgSessions: Sessions<PgClient> = {
  bytesHeard({ readyForQuery, connection }) {
    const stream = connection?.stream;
    return readyForQuery === false && stream?.destroyed === false ? stream.bytesRead : undefined;
  },

  ask: (client) => run(client, ''),

  async findDead(client, silent) {
    const pids = [client, ...silent].map(({ processID }) => processID).filter(Number.isInteger);
    const rows = await sessions(client, pids as number[]);
    const own = rows.find(({ is_own: isOwn }) => Number(isOwn) === 1);
    if (own === undefined || Number(own.pid) !== client.processID) return [];
    const found = new Map(rows.map(({ pid, rests }) => [Number(pid), Number(rests) === 1]));
    // A server that knows none of them may be another one than theirs.
    if (!silent.some(({ processID }) => found.has(Number(processID)))) return [];
    return silent.filter(({ processID }) => Number.isInteger(processID) && found.get(processID!) !== false);
  },

  sever(client, error) {
    // Stock would end the process of whoever does not listen; it would, too, a quarter of an hour later.
    if (client.listenerCount('error') === 0) client.on('error', () => {});
    client.connection?.stream?.destroy(error);
  },
};

function sessions(client: PgClient, pids: readonly number[]): Promise<SessionRow[]> {
  const sql = `SELECT pid,
    CASE WHEN pid = pg_backend_pid() THEN 1 ELSE 0 END AS is_own,
    CASE WHEN state LIKE 'idle%' AND state_change < clock_timestamp() - ${RESTED} THEN 1 ELSE 0 END AS rests
    FROM pg_stat_activity WHERE pid IN (${pids.join()})`;
  return new Promise((resolve, reject) => {
    client.query(sql, undefined, (error: unknown, result: unknown) => {
      if (!error) resolve((result as { rows: SessionRow[] }).rows);
      else if (typeof (error as ServerError).severity === 'string') resolve([]);
      else reject(error);
    });
  });
}
