// Debian's packages unpacked into the checkout. apt-get works here on folders of its own, so nothing is installed into
// the system and nobody needs to be root.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** Whether this machine has apt-get and dpkg-deb. */
export function hasDebian() {
  return find('apt-get') && find('dpkg-deb');
}

/** Whether a program is on this machine, where servers are included. */
export function find(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.some((folder) => existsSync(join(folder, program)));
}

/** @throws when it cannot be had. */
export function unpackFromDebian(packageName, target) {
  mkdirSync(dirname(target), { recursive: true });
  const work = mkdtempSync(join(dirname(target), 'apt-'));
  try {
    const packages = download(work, packageName);
    const unpacked = join(work, 'unpacked');
    for (const file of packages) execute('dpkg-deb', ['-x', file, unpacked]);
    rmSync(target, { recursive: true, force: true });
    renameSync(unpacked, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The package and those of its dependencies that this machine lacks, as .deb files. */
function download(work, packageName) {
  for (const folder of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(work, folder), { recursive: true });
  const configuration = join(work, 'apt.conf');
  writeFileSync(
    configuration,
    `
Dir::State::lists "${work}/lists";
Dir::State::extended_states "${work}/extended_states";
Dir::Cache "${work}/cache";
Dir::Log "${work}";
// The locks are there to guard the system's folders, which we only read.
Debug::NoLocking "true";
// As root, apt would switch to a user that may not write here.
APT::Sandbox::User "root";
// These hooks tidy the system's folders.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
// The cache keeps what it fetched, whatever this machine's habit.
#clear APT::Keep-Downloaded-Packages;
APT::Keep-Downloaded-Packages "true";
Acquire::Retries "2";
Acquire::http::Timeout "20";
`,
  );
  const quietly = ['-c', configuration, '-qq', '-y'];
  execute('apt-get', [...quietly, 'update']);
  execute('apt-get', [...quietly, '--no-install-recommends', '--download-only', 'install', packageName]);
  const archives = join(work, 'cache/archives');
  return readdirSync(archives)
    .filter((file) => file.endsWith('.deb'))
    .map((file) => join(archives, file));
}

function execute(program, words) {
  const { status, error, stderr } = spawnSync(program, words, {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) throw new Error(`${program}: ${(error?.message ?? stderr).trim().split('\n').at(-1)}`);
}
