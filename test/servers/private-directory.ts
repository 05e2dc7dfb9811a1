import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processesMentioning, signalIfThere } from './processes.js';

const prefix = 'enhanced-pool-';
const ownerFile = 'owner.pid';

/** Database servers refuse to run as root, so under root they run as nobody. */
export const serverUser = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** A new temporary directory that the server's user may write to. */
export function createPrivateDirectory(label: string): string {
  const directory = mkdtempSync(join(tmpdir(), `${prefix}${label}-`));
  writeFileSync(join(directory, ownerFile), String(process.pid));
  giveToServerUser(directory);
  return directory;
}

export function giveToServerUser(path: string): void {
  if (serverUser.uid !== undefined) spawnSync('chown', ['-R', `${serverUser.uid}:${serverUser.gid}`, path]);
}

export function removePrivateDirectory(directory: string): void {
  // The retries are for a server that is writing its last files.
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** What test runs that were killed have left: their directories, and any server that still uses one. */
export function sweepAbandonedDirectories(): void {
  for (const name of readdirSync(tmpdir())) {
    const directory = join(tmpdir(), name);
    if (!name.startsWith(prefix) || !isAbandoned(directory)) continue;
    for (const pid of processesMentioning(directory)) signalIfThere(pid, 'SIGKILL');
    try {
      removePrivateDirectory(directory);
    } catch {
      // Another user's, or being swept by another process: not ours to worry about.
    }
  }
}

function isAbandoned(directory: string): boolean {
  try {
    process.kill(Number(readFileSync(join(directory, ownerFile), 'utf8')), 0);
    return false;
  } catch (error) {
    // EPERM means that the owner lives and is another user; ENOENT that the directory is just being made or removed.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
