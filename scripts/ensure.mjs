// Makes a fresh clone ready, then runs a command in it:
//
//   node scripts/ensure.mjs [--built] [command [argument…]]
//
// Ready means a Node that fits, the packages of the lock file, and a MariaDB to test with; --built compiles too.
// It must run on older Nodes, before anything is installed: it imports only node: modules and its neighbours.
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureMariadb } from './mariadb-from-debian.mjs';
import { ensurePackages } from './packages.mjs';
import { ensureNode } from './toolchain.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function main(words) {
  const built = words[0] === '--built';
  const [command, ...commandArguments] = built ? words.slice(1) : words;

  const node = ensureNode(join(root, 'scripts/toolchain'));
  ensurePackages(root, node);
  ensureMariadb(join(root, '.cache/mariadb'));
  if (built) build(node);
  if (command) run(command === 'node' ? node : command, commandArguments, node);
}

function build(node) {
  const { status } = spawnSync(node, [join(root, 'scripts/build.mjs')], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function run(command, commandArguments, node) {
  // The Node comes first in PATH so that everything the command starts uses it as well.
  const path = [dirname(node), join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter);
  const child = spawn(command, commandArguments, { stdio: 'inherit', env: { ...process.env, PATH: path } });

  // A terminal sends Ctrl-C to the child by itself: passing it on would interrupt twice. We only wait.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));

  // The shell between npm and us dies of npm's SIGTERM without passing it on: we see only that our parent is gone.
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM');
  }, 250);

  child.on('error', (error) => fail(`cannot run ${command}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function fail(message) {
  console.error(`ensure: ${message}`);
  process.exit(1);
}

try {
  main(process.argv.slice(2));
} catch (error) {
  fail(error.message);
}
