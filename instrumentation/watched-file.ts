import { type Stats, unwatchFile, watchFile } from 'node:fs';

/** How often the file is looked at. By name, not by handle: editors and config maps replace a file. */
const LOOK_EVERY_MS = 1_000;

/** Calls `changed` whenever the file at `path` does; never keeps the process alive. @returns what ends it. */
export function watchConfigFile(path: string, changed: () => void): () => void {
  const listener = (now: Stats, before: Stats) => {
    if (now.mtimeMs !== before.mtimeMs || now.ctimeMs !== before.ctimeMs || now.size !== before.size)
      changed();
  };
  watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, listener);
  return () => unwatchFile(path, listener);
}
