import {
  askable,
  bytesReadOf,
  type ClientSide,
  type ListedSession,
  restingOf,
  routeOf,
  type Sessions,
} from '../sessions.js';
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
  readonly user: unknown;
  readonly address: unknown;
  readonly port: unknown;
}

/** A session that has rested for so long has neither our statement nor an answer on its way. */
const RESTED = "interval '100 milliseconds'";

/** What pg tells of a client's backend. */
export const pgSessions: Sessions<PgClient> = {
  dialect: 'postgresql',
  runs: ['query'],

  bytesHeard(client) {
    if (client.readyForQuery !== false || !isPlain(client)) return undefined;
    return bytesReadOf(client.connection?.stream);
  },

  bytesAtRest: ({ readyForQuery, connection }) =>
    readyForQuery === true ? connection?.stream?.bytesRead : undefined,

  route: ({ host, connection }) => routeOf(host, connection?.stream),

  ask: (client) => run(client, ''),

  async findDead(client, silent) {
    const asker = sideOf(client);
    const asked = askable(asker, silent, sideOf);
    const rows = await sessions(client, [client, ...asked]);
    const own = rows.find(({ is_own: isOwn }) => Number(isOwn) === 1);
    return restingOf(asker, Number(own?.pid), asked, sideOf, rows.map(listed));
  },

  sever(client, error) {
    // Stock would end the process of whoever does not listen; it would, too, a quarter of an hour later.
    if (client.listenerCount('error') === 0) client.on('error', () => {});
    client.connection?.stream?.destroy(error);
  },
};

/** Whether what it awaits is a query of pg's own: cursors, streams of rows and COPY go at the pace of whoever uses them. */
function isPlain(client: PgClient): boolean {
  return isOwnQuery(client, activeQueryOf(client));
}

/** What it awaits the answer of. Recent versions warn of whoever reads the old name. */
export function activeQueryOf(client: PgClient): unknown {
  return '_activeQuery' in client ? client._activeQuery : client.activeQuery;
}

/** Whether it is one that the client's pg made, and none that sends itself. */
export function isOwnQuery(client: PgClient, query: unknown): boolean {
  const { Query } = client.constructor as { Query?: abstract new (...given: never[]) => unknown };
  return Query !== undefined && query instanceof Query;
}

function sideOf({ processID, connection }: PgClient): ClientSide {
  return { id: processID, socket: connection?.stream };
}

function listed({ pid, user, address, port, rests }: SessionRow): ListedSession {
  return {
    id: Number(pid),
    user: String(user),
    address: String(address),
    port: Number(port),
    rests: Number(rests) === 1,
  };
}

function sessions(client: PgClient, asked: readonly PgClient[]): Promise<SessionRow[]> {
  const pids = asked.map(({ processID }) => Number(processID));
  const sql = `SELECT pid, usename AS "user", client_addr::text AS address, client_port AS port,
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
