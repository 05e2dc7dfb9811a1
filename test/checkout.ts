import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of this checkout, from wherever the compiled tests stand. */
export function checkoutDirectory(): string {
  let directory = __dirname;
  while (!existsSync(join(directory, 'package-lock.json'))) directory = dirname(directory);
  return directory;
}
