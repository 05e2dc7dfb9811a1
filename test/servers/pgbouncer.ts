import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, type DatabaseOptions, ownDatabase } from './database.js';
import { giveToServerUser } from './private-directory.js';
import { PrivateServer, type Recipe } from './private-server.js';
import { installedTool } from './tool.js';

export interface PgBouncerOptions extends DatabaseOptions {
  /** The PostgreSQL behind it, which must trust everybody. */
  readonly to: Database;
}

const program = 'usr/sbin/pgbouncer';

const defaultSettings = {
  listen_addr: '127.0.0.1',
  unix_socket_dir: '',
  auth_type: 'any',
  pool_mode: 'transaction',
  default_pool_size: 4,
  max_client_conn: 200,
  // How long it turns everybody away after its server was not to be reached, in seconds.
  server_login_retry: 1,
  ignore_startup_parameters: 'extra_float_digits',
};

/** A private PgBouncer, in transaction mode unless `settings` say otherwise, in front of a server of our own. */
export async function startPgBouncer({ to, settings = {} }: PgBouncerOptions): Promise<Database> {
  const server = await PrivateServer.start(recipe(to, { ...defaultSettings, ...settings }));
  const { user, database } = to;
  return ownDatabase(server, { scheme: 'postgres', user, password: '', database });
}

function recipe(to: Database, settings: NonNullable<DatabaseOptions['settings']>): Recipe {
  return {
    label: 'pgbouncer',
    program,
    ...installedTool('pgbouncer', program),
    prepare: async () => {},
    serve: ({ directory }, port) => {
      const file = join(directory, 'pgbouncer.ini');
      const { host, user, database } = to;
      const all = { ...settings, listen_port: port };
      writeFileSync(
        file,
        [
          '[databases]',
          `${database} = host=${host} port=${to.port} dbname=${database} user=${user}`,
          '[pgbouncer]',
          ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
          '',
        ].join('\n'),
      );
      giveToServerUser(file);
      return [file];
    },
    readyLine: /process up/,
    stopSignals: { fast: 'SIGTERM', immediate: 'SIGKILL', kill: 'SIGKILL' },
  };
}
