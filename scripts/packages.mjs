// The packages of a lock file, installed exactly when they differ from it.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';

export function ensurePackages(folder, node) {
  if (installedMatchesLock(folder)) return;
  console.log('ensure: installing the packages of package-lock.json (npm ci; about half a minute)…');
  installFromLock(folder, node);
}

/** npm keeps a record of what it installed: comparing it spares us a stamp of our own, and sees `npm install` too. */
function installedMatchesLock(folder) {
  const wanted = packagesIn(join(folder, 'package-lock.json'));
  const installed = packagesIn(join(folder, 'node_modules/.package-lock.json'));
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional || installed[path]?.version === entry.version,
  );
}

function packagesIn(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}

export function installFromLock(folder, node) {
  // No package here needs its install script, so none runs.
  const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const [command, ...commandArguments] =
    npm && basename(npm) === 'npm-cli.js' ? [node, npm, ...words] : ['npm', ...words];

  const { status, error } = spawnSync(command, commandArguments, {
    cwd: folder,
    env: { ...process.env, PATH: [dirname(node), process.env.PATH].join(delimiter) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`npm ci failed in ${folder}${error ? `: ${error.message}` : ''}`);
}
