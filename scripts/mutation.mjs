// Mutation tests of the engine (stryker.config.mjs); fails below a score of 80 %:
//
//   npm run test:mutation                          all of src: hours
//   npm run test:mutation -- src/breaker/*.ts      some files
//   npm run test:mutation -- --changed [base]      the files of src that differ from where this branch left main, or another base
import { execFileSync, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function changedSince(base) {
  const options = ['--name-only', '--diff-filter=d', '--merge-base', base];
  return execFileSync('git', ['diff', ...options, '--', 'src'], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => file.endsWith('.ts'));
}

const [first, ...others] = process.argv.slice(2);
const files = first === '--changed' ? changedSince(others[0] ?? 'main') : process.argv.slice(2);

if (first === '--changed' && files.length === 0) {
  console.log('mutation: no file of src has changed');
} else {
  const which = files.length > 0 ? ['--mutate', files.join(',')] : [];
  const stryker = join(root, 'node_modules/@stryker-mutator/core/bin/stryker.js');
  const { status } = spawnSync(process.execPath, [stryker, 'run', ...which], { cwd: root, stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
