import {
  askable,
  bytesReadOf,
  type ClientSide,
  type ListedSession,
  restingOf,
  routeOf,
  type Sessions,
} from '../sessions.js';
import type { MysqlCommand, MysqlConnection } from './shapes.js';
import { answered, isBusy } from './transaction.js';

interface SessionRow {
  readonly id: unknown;
  readonly own: unknown;
  readonly user: unknown;
  readonly host: unknown;
  readonly command: unknown;
}

/** What mysql2 tells of a connection's thread. */
export const mysqlSessions: Sessions<MysqlConnection> = {
  dialect: 'mysql',
  runs: ['query', 'execute'],

  bytesHeard(connection) {
    return isBusy(connection) && connection._paused !== true ? bytesReadOf(connection.stream) : undefined;
  },

  bytesAtRest: (connection) => (isBusy(connection) ? undefined : connection.stream?.bytesRead),

  route: ({ config, stream }) => (config?.stream === undefined ? routeOf(config?.host, stream) : undefined),

  ask: (connection) => answered((done) => connection.ping(done)),

  async findDead(connection, silent) {
    const asker = sideOf(connection);
    const asked = askable(asker, silent, sideOf);
    const rows = await sessions(connection, [connection, ...asked]);
    return restingOf(asker, Number(rows[0]?.own), asked, sideOf, rows.map(listed));
  },

  sever(connection, error) {
    const { stream, _command, _commands } = connection;
    const mute = [_command, ...(_commands?.toArray?.() ?? [])].filter(isUntold);
    // mysql2 tells those with a callback when the socket says so; a stream of rows would wait for ever.
    stream?.once('close', () => {
      for (const command of mute) if (command.listenerCount('error') > 0) command.emit('error', error);
    });
    stream?.destroy?.(error);
  },
};

function isUntold(command: MysqlCommand | null | undefined): command is MysqlCommand {
  return command != null && command.onResult == null;
}

function sideOf({ threadId, stream }: MysqlConnection): ClientSide {
  return { id: threadId, socket: stream };
}

function listed({ id, user, host, command }: SessionRow): ListedSession {
  const [, address = '', port = ''] = /^(.*):(\d+)$/.exec(String(host)) ?? [];
  return {
    id: Number(id),
    user: String(user),
    address,
    port: Number(port),
    rests: String(command) === 'Sleep',
  };
}

function sessions(connection: MysqlConnection, asked: readonly MysqlConnection[]): Promise<SessionRow[]> {
  const ids = asked.map(({ threadId }) => Number(threadId));
  const sql = `SELECT ID AS id, USER AS user, HOST AS host, COMMAND AS command, CONNECTION_ID() AS own
    FROM information_schema.PROCESSLIST WHERE ID IN (${ids.join()})`;
  return new Promise((resolve, reject) => {
    connection.query({ sql, rowsAsArray: false, nestTables: false, typeCast: true }, (error, rows) => {
      if (!error) resolve(rows as SessionRow[]);
      else if ((error as { fatal?: unknown }).fatal === true) reject(error);
      else resolve([]);
    });
  });
}
