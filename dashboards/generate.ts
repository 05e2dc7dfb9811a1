// npm run dashboards: writes the dashboards and the alert rules; --check only compares them with what is there.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { alertRules } from './alerts.js';
import { BOARDS } from './boards.js';
import { draw } from './panels.js';

const folder = resolve('dashboards');

const files = new Map<string, string>([
  ...BOARDS.map((board): [string, string] => [
    `${board.uid}.json`,
    `${JSON.stringify(draw(board), undefined, 2)}\n`,
  ]),
  ['alerts.yaml', alertRules()],
]);

for (const [name, text] of files) {
  const file = join(folder, name);
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text);
  } else if (read(file) !== text) {
    console.error(`dashboards/${name} is stale: npm run dashboards`);
    process.exitCode = 1;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
