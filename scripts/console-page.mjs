// The console's page, as the package carries it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inlinePage } from './inline-page.mjs';

export function writeConsolePage(root) {
  const target = join(root, 'dist/instrumentation/console/page.html');
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, inlinePage(root, 'instrumentation/console/page'));
  return target;
}
