import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

// Servers are in folders that an ordinary user's PATH leaves out.
const systemFolders = ['/usr/sbin', '/usr/local/sbin'];

/** The full path of a program on this machine. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...systemFolders];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}
