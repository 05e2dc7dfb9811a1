// A tool that only some tests need, unpacked into .cache if this machine has none: says where it is.
//
//   node scripts/tool-from-debian.mjs <package> <program inside it>
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasDebian, unpackFromDebian } from './debian-package.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [packageName, program] = process.argv.slice(2);
const installed = join('/', program);
const unpacked = join(root, '.cache', packageName, program);

if (existsSync(installed)) {
  console.log(installed);
} else {
  if (!existsSync(unpacked)) {
    if (!hasDebian()) {
      console.error(
        `There is no ${installed} here, and no apt-get to get it with. Please install ${packageName}.`,
      );
      process.exit(1);
    }
    unpackFromDebian(packageName, join(root, '.cache', packageName));
  }
  console.log(unpacked);
}
