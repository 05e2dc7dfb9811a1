import { dirname, sep } from 'node:path';

/** Everything of ours, and the pools and drivers we compare with. */
const PROJECT = `${dirname(__dirname)}${sep}`;
const COMPARED = /[\\/]node_modules[\\/](pg|pg-[^\\/]+|mysql2|knex|tarn|generic-pool|lightning-pool)[\\/]/;

type Cache = readonly (readonly [file: string, loaded: NodeModule | undefined])[];

/** Modules loaded anew with all they require. */
export interface OwnCopy {
  readonly modules: readonly unknown[];
  /** Runs `work` so that what it requires belongs to this copy too: mysql2 loads its promise pool when it is first asked for. */
  within<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Loads modules and all they require as if they were alone in their process: stock and patched classes of one library
 * live side by side, and what one peer teaches the compiler about a function does not slow down another's.
 */
export function ownCopy(files: readonly string[]): OwnCopy {
  const others = exchange([]);
  const modules = files.map((file) => require(file) as unknown);
  let own = exchange(others);
  return {
    modules,
    async within(work) {
      const before = exchange(own);
      try {
        return await work();
      } finally {
        own = exchange(before);
      }
    },
  };
}

/** Puts other copies in the place of those that are loaded, and gives these back. */
function exchange(copies: Cache): Cache {
  const present = Object.entries(require.cache).filter(([file]) => isCompared(file));
  for (const [file] of present) delete require.cache[file];
  for (const [file, loaded] of copies) require.cache[file] = loaded;
  return present;
}

function isCompared(file: string): boolean {
  return file.includes('node_modules') ? COMPARED.test(file) : file.startsWith(PROJECT);
}
