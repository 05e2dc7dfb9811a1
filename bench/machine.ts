import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';

const PROJECT = dirname(__dirname);

const COMPARED = [
  'pg',
  'pg-pool',
  'mysql2',
  'knex',
  'tarn',
  'generic-pool',
  'lightning-pool',
  '@opentelemetry/sdk-metrics',
];

/** Where and on what a run was made. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  /** Of the last minute, when the run began: above zero, others were at work as well. */
  readonly load: number;
  readonly commit: string;
  readonly packages: Readonly<Record<string, string>>;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.versions.node,
    v8: process.versions.v8,
    load: loadavg()[0] ?? 0,
    commit: commit(),
    packages: Object.fromEntries(COMPARED.map((name) => [name, versionOf(name)])),
  };
}

export function printMachine({ cpu, cores, memoryGiB, system, node, v8, load, packages }: Machine): void {
  console.log(`${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}; Node ${node} (V8 ${v8})`);
  console.log(
    Object.entries(packages)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
  );
  if (load > cores / 4) {
    console.log(`Others are at work here as well (load ${load.toFixed(1)}): expect wide spreads.`);
  }
}

/** Read from the file: not every package exports its own. */
function versionOf(name: string): string {
  const file = join(
    dirname(require.resolve(name)).split(`node_modules/${name}`)[0] ?? '',
    'node_modules',
    name,
  );
  return (JSON.parse(readFileSync(join(file, 'package.json'), 'utf8')) as { version: string }).version;
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: PROJECT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}
