import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDirectory } from '../checkout.js';

/** The full path of a program of a Debian package, unpacked into `.cache` where the machine has none. */
export function toolFromDebian(packageName: string, program: string): string {
  const script = join(checkoutDirectory(), 'scripts/tool-from-debian.mjs');
  return execFileSync(process.execPath, [script, packageName, program], { encoding: 'utf8' }).trim();
}

/** The same, as the recipe of a private server wants it. */
export function installedTool(
  packageName: string,
  program: string,
): { installation: string; libraryFolders: readonly string[] } {
  const installation = toolFromDebian(packageName, program).slice(0, -program.length);
  const folder = join(installation, 'usr/lib');
  // What was installed finds its libraries by itself.
  const isUnpacked = installation !== '/' && existsSync(folder);
  // Such as usr/lib/x86_64-linux-gnu.
  const names = isUnpacked ? readdirSync(folder).filter((name) => name.includes('-linux-')) : [];
  return { installation, libraryFolders: names.map((name) => join('usr/lib', name)) };
}
