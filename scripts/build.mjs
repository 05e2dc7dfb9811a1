// Compiles into dist/ and removes what is no longer compiled: the test of a deleted file would still be run. What is published loses
// comments and indentation there: a process holds the text of every module that it has loaded, two bytes a character if one is not Latin.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { writeConsolePage } from './console-page.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { files: published } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const compiler = join(root, 'node_modules/typescript/bin/tsc');
const { status, stdout } = spawnSync(
  process.execPath,
  [compiler, '-p', root, '--listEmittedFiles', '--pretty'],
  {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);

const emitted = new Set();
for (const line of stdout.split('\n')) {
  if (line.startsWith('TSFILE: ')) emitted.add(resolve(root, line.slice('TSFILE: '.length).trim()));
  else if (line) console.log(line);
}
if (status !== 0) process.exit(status ?? 1);

emitted.add(writeConsolePage(root));

buildSync({
  entryPoints: [...emitted].filter((file) => file.endsWith('.js') && isPublished(file)),
  outbase: join(root, 'dist'),
  outdir: join(root, 'dist'),
  allowOverwrite: true,
  minifyWhitespace: true,
  // Traces of those who have no source maps still say about where.
  lineLimit: 100,
  sourcemap: true,
  sourcesContent: false,
});

for (const entry of readdirSync(join(root, 'dist'), { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath ?? entry.path, entry.name);
  if (!entry.isDirectory() && !emitted.has(file)) rmSync(file);
}

function isPublished(file) {
  return published.some((path) => file.startsWith(join(root, path) + sep));
}
