import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type Database,
  type DatabaseOptions,
  givenDatabase,
  missingDatabase,
  ownDatabase,
} from './database.js';
import { findProgram } from './find-program.js';
import { giveToServerUser } from './private-directory.js';
import { type Place, PrivateServer, type Recipe } from './private-server.js';

export type MysqlOptions = DatabaseOptions;

const user = 'app';
const database = 'app';

const systemTables = [
  'mysql_system_tables.sql',
  'mysql_performance_tables.sql',
  'mysql_system_tables_data.sql',
];

// Nothing here outlives the machine, so nothing need reach the disk; but commits survive a killed server.
const defaultSettings = {
  bind_address: '127.0.0.1',
  skip_name_resolve: 1,
  innodb_flush_log_at_trx_commit: 2,
  innodb_buffer_pool_size: '32M',
};

export async function startMysql({ settings = {} }: MysqlOptions = {}): Promise<Database> {
  const given = givenDatabase('MYSQL_URL', /^mysql:/, 3306);
  if (given) return given;

  const password = randomBytes(16).toString('hex');
  const server = await PrivateServer.start(
    recipe(findInstallation(), password, { ...defaultSettings, ...settings }),
  );
  return ownDatabase(server, { scheme: 'mysql', user, password, database });
}

interface Installation {
  readonly folder: string;
  readonly program: string;
  readonly libraryFolders: readonly string[];
}

function recipe(
  { folder, program, libraryFolders }: Installation,
  password: string,
  settings: NonNullable<DatabaseOptions['settings']>,
): Recipe {
  const sharedOf = ({ installation }: Place) => join(installation, dirname(dirname(program)), 'share');
  const tablesOf = (place: Place) =>
    ['mysql', 'mariadb'].map((name) => join(sharedOf(place), name)).find((path) => existsSync(path)) ??
    sharedOf(place);
  const basics = (place: Place) => [
    '--no-defaults',
    `--basedir=${join(place.installation, dirname(dirname(program)))}`,
    `--lc-messages-dir=${tablesOf(place)}`,
    `--datadir=${join(place.directory, 'data')}`,
    // A server that starts removes from there what looks like a temporary table, also another's.
    `--tmpdir=${place.directory}`,
  ];
  return {
    label: 'mariadb',
    installation: folder,
    program,
    libraryFolders,
    prepare: async (place) => {
      const data = join(place.directory, 'data');
      mkdirSync(data);
      giveToServerUser(data);
      await place.run(
        program,
        [...basics(place), '--bootstrap', '--log-warnings=0'],
        bootstrap(tablesOf(place)),
      );
      const login = join(place.directory, 'login.sql');
      writeFileSync(login, createLogin(password), { mode: 0o600 });
      giveToServerUser(login);
    },
    serve: (place, port) => [
      ...basics(place),
      `--port=${port}`,
      '--socket=server.sock',
      `--pid-file=${join(place.directory, 'server.pid')}`,
      `--init-file=${join(place.directory, 'login.sql')}`,
      ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
    ],
    readyLine: /ready for connections/,
    stopSignals: { fast: 'SIGTERM', immediate: 'SIGKILL', kill: 'SIGKILL' },
  };
}

/** What mariadb-install-db would feed it; that script needs programs of further packages. */
function bootstrap(tables: string): string {
  const statements = systemTables.map((file) => readFileSync(join(tables, file), 'utf8')).join('\n');
  // The script sets this variable for accounts at this host's name, which we don't want.
  const withoutHostname = statements.split('\n').filter((line) => !line.includes('@current_hostname'));
  return ['create database mysql;', 'use mysql;', 'set @auth_root_socket=NULL;', ...withoutHostname, ''].join(
    '\n',
  );
}

/** Runs at each start, so it must be repeatable. One statement a line, as --init-file wants it. */
function createLogin(password: string): string {
  return [
    "DELETE FROM mysql.global_priv WHERE User = '';",
    'FLUSH PRIVILEGES;',
    `CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4;`,
    `CREATE OR REPLACE USER ${user}@'%' IDENTIFIED BY '${password}';`,
    `GRANT ALL ON *.* TO ${user}@'%' WITH GRANT OPTION;`,
    '',
  ].join('\n');
}

/** The same places as in scripts/mariadb-from-debian.mjs, which fills the last. */
function findInstallation(): Installation {
  const onMachine = findProgram('mariadbd') ?? findProgram('mysqld');
  if (onMachine && isMariadb(onMachine)) {
    const binary = realpathSync(onMachine);
    const folder = dirname(dirname(binary));
    return { folder, program: binary.slice(folder.length + 1), libraryFolders: [] };
  }
  const folder = join(findCheckout(), '.cache/mariadb');
  const program = 'usr/sbin/mariadbd';
  if (existsSync(join(folder, program))) {
    return { folder, program, libraryFolders: debianLibraryFolders(folder) };
  }
  throw missingDatabase(
    'MySQL or MariaDB',
    'MYSQL_URL',
    [
      onMachine
        ? `${onMachine} is not MariaDB's, which is the one we can start`
        : 'no mariadbd in PATH or /usr/sbin',
      `${join(folder, program)} does not exist`,
    ],
    [
      'node scripts/ensure.mjs (Debian and Ubuntu: unpacks one into this checkout, no root needed)',
      'apt-get install -y --no-install-recommends mariadb-server-core (macOS: brew install mariadb)',
    ],
  );
}

/** Such as usr/lib/x86_64-linux-gnu. */
function debianLibraryFolders(folder: string): string[] {
  return ['usr/lib', 'lib']
    .filter((parent) => existsSync(join(folder, parent)))
    .flatMap((parent) => readdirSync(join(folder, parent)).map((name) => join(parent, name)))
    .filter((path) => path.includes('-linux-'));
}

/** Compiled code lies somewhere under the checkout. */
function findCheckout(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

function isMariadb(program: string): boolean {
  try {
    return /mariadb/i.test(
      execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  } catch {
    return false;
  }
}
