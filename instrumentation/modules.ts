import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  InstrumentationNodeModuleDefinition,
  InstrumentationNodeModuleFile,
} from '@opentelemetry/instrumentation';
import type { Library, Warn } from '../adapters/host.js';
import { processHost } from './hosts.js';

// An adapter is loaded with its library: few applications have all three.
const adapters = {
  pg: () => require('../adapters/pg/patch.js') as typeof import('../adapters/pg/patch.js'),
  mysql2: () => require('../adapters/mysql2/patch.js') as typeof import('../adapters/mysql2/patch.js'),
  knex: () => require('../adapters/knex/patch.js') as typeof import('../adapters/knex/patch.js'),
};

type Version = readonly [major: number, minor: number, patch: number];

/**
 * A file to patch. All are internal to their libraries: those are loaded by `require` even in an application of ES
 * modules, so that no loader flag is needed; a package's entry, if it is imported, is not.
 */
interface Target {
  readonly library: Library;
  readonly packageName: string;
  /** Inside the package. */
  readonly file: string;
  readonly isMain?: boolean;
  readonly from: Version;
  readonly below: Version;
  patch(exports: never, filename: string | undefined): void;
}

const TARGETS: readonly Target[] = [
  {
    library: 'pg',
    packageName: 'pg-pool',
    file: 'index.js',
    isMain: true,
    from: [3, 1, 1],
    below: [4, 0, 0],
    patch: (exports) => adapters.pg().patchPgPool(exports, processHost),
  },
  {
    library: 'mysql2',
    packageName: 'mysql2',
    file: 'lib/base/pool.js',
    from: [3, 12, 0],
    below: [4, 0, 0],
    patch: (exports) => adapters.mysql2().patchMysql2Pool(exports, processHost),
  },
  {
    library: 'mysql2',
    packageName: 'mysql2',
    file: 'lib/pool.js',
    from: [2, 0, 0],
    below: [3, 12, 0],
    patch: (exports) => adapters.mysql2().patchMysql2Pool(exports, processHost),
  },
  {
    library: 'knex',
    packageName: 'knex',
    file: 'lib/client.js',
    from: [0, 95, 0],
    below: [4, 0, 0],
    patch: patchKnexCopy,
  },
];

/** The hooks are to call us for every version: we tell of those that stay stock. */
const EVERY = ['*'];

/** Versions whose users have been told, in this process. */
const warnedOf = new Set<string>();

/** What OpenTelemetry's hooks are to patch when it is loaded. */
export function moduleDefinitions(
  libraries: readonly Library[],
  warn: Warn,
): InstrumentationNodeModuleDefinition[] {
  return targetsOf(libraries).map((target) => {
    const { packageName, file, isMain } = target;
    const patch = (exports: unknown, version?: string) => {
      if (supports(target, version, warn)) apply(target, exports, undefined, warn);
      return exports;
    };
    // What is patched stays patched: the patches ask at run time whether they are wanted.
    if (isMain) return new InstrumentationNodeModuleDefinition(packageName, EVERY, patch, () => {});
    return new InstrumentationNodeModuleDefinition(packageName, EVERY, undefined, undefined, [
      new InstrumentationNodeModuleFile(`${packageName}/${file}`, EVERY, patch, () => {}),
    ]);
  });
}

/** Patches what was loaded before anybody could hook it. */
export function patchLoaded(libraries: readonly Library[], warn: Warn): void {
  for (const target of targetsOf(libraries)) {
    const ending = `/node_modules/${target.packageName}/${target.file}`;
    for (const [filename, loaded] of Object.entries(require.cache)) {
      if (loaded?.loaded !== true || !filename.replaceAll('\\', '/').endsWith(ending)) continue;
      const version = versionOf(filename.slice(0, -target.file.length));
      if (supports(target, version, warn)) apply(target, loaded.exports, filename, warn);
    }
  }
}

/** A library that does not look as expected stays stock; loading it must not fail. */
function apply(target: Target, exports: unknown, filename: string | undefined, warn: Warn): void {
  try {
    target.patch(classOf(exports) as never, filename);
  } catch (error) {
    warn(`${target.packageName} stays stock: ${error instanceof Error ? error.message : 'its patch failed'}`);
  }
}

/** Hooks of ES modules give a namespace. */
function classOf(exports: unknown): unknown {
  const isNamespace = Object.prototype.toString.call(exports) === '[object Module]';
  return isNamespace ? (exports as { default: unknown }).default : exports;
}

/** The runner and the transaction of the same copy: its client has loaded them before it could be patched. */
function patchKnexCopy(Client: never, filename = fileThatExports(Client)): void {
  const beside = (file: string) =>
    filename === undefined ? undefined : require.cache[join(dirname(filename), file)]?.exports;
  const Runner = beside('execution/runner.js');
  const Transaction = beside('execution/transaction.js');
  adapters.knex().patchKnex({ Client, Runner, Transaction }, processHost);
}

function fileThatExports(exports: unknown): string | undefined {
  return Object.keys(require.cache).find((filename) => require.cache[filename]?.exports === exports);
}

function targetsOf(libraries: readonly Library[]): Target[] {
  return TARGETS.filter(({ library }) => libraries.includes(library));
}

function versionOf(folder: string): string | undefined {
  try {
    return String(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version);
  } catch {
    return undefined;
  }
}

/** Whether this file is the one to patch in this version. A package that has no such file is told of, once. */
function supports({ packageName, from, below }: Target, given: string | undefined, warn: Warn): boolean {
  const version = parsed(given);
  if (version !== undefined && compare(version, from) >= 0 && compare(version, below) < 0) return true;
  const ofPackage = TARGETS.filter((target) => target.packageName === packageName);
  const oldest = ofPackage.map((target) => target.from).sort(compare)[0]!;
  const end = ofPackage
    .map((target) => target.below)
    .sort(compare)
    .at(-1)!;
  const known = version !== undefined && compare(version, oldest) >= 0 && compare(version, end) < 0;
  const name = `${packageName} ${given ?? 'of unknown version'}`;
  if (known || warnedOf.has(name)) return false;
  warnedOf.add(name);
  warn(`${name} stays stock: supported are ${oldest.join('.')} and later, below ${end.join('.')}`);
  return false;
}

function parsed(version = ''): Version | undefined {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return patch === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

function compare(left: Version, right: Version): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}
