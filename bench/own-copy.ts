import { dirname, sep } from 'node:path';

/** Everything of ours, and the pools and drivers we compare with. */
const PROJECT = `${dirname(__dirname)}${sep}`;
const COMPARED = /[\\/]node_modules[\\/](pg|pg-[^\\/]+|mysql2|knex|tarn|generic-pool|lightning-pool)[\\/]/;

/**
 * Loads modules and all they require anew, as if they were alone in their process: stock and patched classes of one
 * library live side by side, and what one peer teaches the compiler about a function does not slow down another's.
 */
export function ownCopy(files: readonly string[]): unknown[] {
  const kept = Object.entries(require.cache).filter(([file]) => isCompared(file));
  for (const [file] of kept) delete require.cache[file];
  try {
    return files.map((file) => require(file) as unknown);
  } finally {
    for (const file of Object.keys(require.cache)) if (isCompared(file)) delete require.cache[file];
    for (const [file, loaded] of kept) require.cache[file] = loaded;
  }
}

function isCompared(file: string): boolean {
  return file.includes('node_modules') ? COMPARED.test(file) : file.startsWith(PROJECT);
}
