import { type Stats, stat, statSync } from 'node:fs';

/** How often the file is looked at. By name, not by handle: editors and config maps replace a file. */
const LOOK_EVERY_MS = 1_000;

/**
 * Calls `changed` whenever the file at `path` does; never keeps the process alive. Not `fs.watchFile`, whose first look comes
 * some time after the call: what changes until then it never tells.
 * @returns what ends it.
 */
export function watchConfigFile(path: string, changed: () => void): () => void {
  let seen = markAt(path);
  let ended = false;
  const look = () =>
    stat(path, (_error, stats) => {
      const found = markOf(stats);
      if (ended || found === seen) return;
      seen = found;
      changed();
    });
  const timer = setInterval(look, LOOK_EVERY_MS).unref();
  return () => {
    ended = true;
    clearInterval(timer);
  };
}

/** What tells one state of a file from another; the same for every file that cannot be seen. */
function markOf(stats: Stats | undefined): string {
  return stats === undefined ? 'none' : `${stats.ino} ${stats.mtimeMs} ${stats.ctimeMs} ${stats.size}`;
}

function markAt(path: string): string {
  try {
    return markOf(statSync(path));
  } catch {
    return markOf(undefined);
  }
}
