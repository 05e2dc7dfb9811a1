import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { checkoutDirectory } from '../checkout.js';

/** The full path of a program of a Debian package, unpacked into `.cache` where the machine has none. */
export function toolFromDebian(packageName: string, program: string): string {
  const script = join(checkoutDirectory(), 'scripts/tool-from-debian.mjs');
  return execFileSync(process.execPath, [script, packageName, program], { encoding: 'utf8' }).trim();
}
