// Tries the supported versions of everything: `npm run test:versions`, about ten minutes the first time.
//
// Packages and other Nodes go to .cache/versions and are installed once. A row whose outcome is known for this very
// build is not run again, so that an interrupted run goes on where it was; `--fresh` runs them all. Each row has a
// minute, an installation two, the registrations twenty on each Node. The table goes to docs/compatibility.md.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { checkoutDirectory } from '../checkout.js';
import { startDatabases } from '../servers/index.js';
import type { Seen } from './application.js';
import { install } from './install.js';
import { CURRENT_ROWS, OPENTELEMETRY_2, ROWS, type Row } from './rows.js';
import { type Outcome, writeTable } from './table.js';

const OURS = 'opentelemetry-instrumentation-enhanced-pool';
const root = checkoutDirectory();
const dist = join(root, 'dist');
const cache = join(root, '.cache/versions');
const build = createHash('sha256');
for (const room of ['src', 'adapters', 'instrumentation', 'test/versions', 'test/instrumentation']) {
  for (const file of readdirSync(join(dist, room), { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.m?js$/.test(file)) build.update(readFileSync(join(dist, room, file)));
  }
}
const outcomes = join(cache, 'outcomes', build.digest('hex').slice(0, 16));

async function main(words: readonly string[]): Promise<void> {
  if (words.includes('--fresh')) rmSync(outcomes, { recursive: true, force: true });
  mkdirSync(outcomes, { recursive: true });
  const databases = await startDatabases({ postgres: true, mysql: true });
  const urls = { PG_URL: databases.postgres.url, MYSQL_URL: databases.mysql.url };
  const all: Outcome[] = [];
  const tell = async (
    name: string,
    run: () => Promise<Omit<Outcome, 'node' | 'opentelemetry'>>,
    node: string,
    opentelemetry: string,
  ) => {
    const outcome = {
      ...(await once(`${name} node-${node} opentelemetry-${opentelemetry}`, run)),
      node,
      opentelemetry,
    };
    console.log(
      `${outcome.holds ? 'ok  ' : 'FAIL'} ${outcome.what}, Node ${node}, OpenTelemetry ${opentelemetry}${outcome.note && `: ${outcome.note}`}`,
    );
    all.push(outcome);
  };
  try {
    for (const row of ROWS)
      await tell(nameOf(row), () => tryRow(row, process.execPath, dist, urls), majorOf(process.version), '3');
    await tell('registrations', () => tryRegistrations(process.execPath), majorOf(process.version), '3');
    for (const major of ['24', '26']) {
      const node = await nodeOf(major);
      for (const row of CURRENT_ROWS)
        await tell(nameOf(row), () => tryRow(row, node, dist, urls), major, '3');
      await tell('registrations', () => tryRegistrations(node), major, '3');
    }
    const beside = join(cache, 'opentelemetry-2');
    await install(beside, OPENTELEMETRY_2);
    cpSync(dist, join(beside, 'dist'), { recursive: true });
    for (const major of ['20', '22']) {
      const node = await nodeOf(major);
      for (const row of CURRENT_ROWS) {
        await tell(nameOf(row), () => tryRow(row, node, join(beside, 'dist'), urls), major, '2');
      }
    }
  } finally {
    await databases.stop();
  }
  writeTable(join(root, 'docs/compatibility.md'), all);
  const failures = all.filter(({ holds }) => !holds).length;
  console.log(`${all.length - failures} hold, ${failures} do not`);
  if (failures > 0) process.exitCode = 1;
}

/** The outcome that is known for this build, or that of running it now. */
async function once(name: string, run: () => Promise<Omit<Outcome, 'node' | 'opentelemetry'>>) {
  const file = join(outcomes, `${name.replaceAll(' ', '_')}.json`);
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Awaited<ReturnType<typeof run>>;
  } catch {
    const outcome = await run();
    if (outcome.holds) writeFileSync(file, JSON.stringify(outcome));
    return outcome;
  }
}

function nameOf({ library, version, packages }: Row): string {
  return library === 'pg' ? `pg ${version} with pg-pool ${packages['pg-pool']}` : `${library} ${version}`;
}

async function tryRow(row: Row, node: string, ours: string, urls: Record<string, string>) {
  const what = {
    what: nameOf(row),
    library: row.library,
    version: row.version,
    unsupported: row.unsupported === true,
  };
  try {
    const folder = join(cache, nameOf(row).replaceAll(' ', '-'));
    await install(folder, row.packages);
    const run = (instrumentations: string) =>
      runApplication(node, ours, row.library, {
        ...urls,
        APP_MODULES: folder,
        APP_INSTRUMENTATIONS: instrumentations,
      });
    const [stock, enhanced] = await Promise.all([run(''), run('enhanced')]);
    const note = complaint(row, stock, enhanced);
    return { ...what, holds: note === '', note };
  } catch (error) {
    return { ...what, holds: false, note: (error as Error).message.split('\n').slice(0, 6).join(' ') };
  }
}

/** What is not as it should be; empty when all is well. */
function complaint(row: Row, stock: Run, enhanced: Run): string {
  const differing = Object.keys({ ...stock.steps, ...enhanced.steps }).filter(
    (step) => !isDeepStrictEqual(stock.steps[step], enhanced.steps[step]),
  );
  if (differing.length > 0) return `other than stock in ${differing.join(', ')}`;
  const engines = Object.values(enhanced.enhanced);
  const numbers = enhanced.telemetry?.numbers ?? {};
  const told = Object.entries(numbers).some(
    ([key, many]) => key.startsWith(`${OURS} enhanced_pool.acquire.count`) && many > 0,
  );
  if (row.unsupported === true) {
    if (engines.includes(true) || told) return 'is unsupported, but enhanced';
    const warnings = enhanced.warnings.match(/stays stock/g)?.length ?? 0;
    // knex's own pools stay stock; those below it are their libraries' business.
    return warnings === 1 ? '' : `${warnings} warnings`;
  }
  if (enhanced.warnings !== '') return `it warned: ${enhanced.warnings.slice(0, 200)}`;
  if (engines.includes(false)) return 'a pool stayed stock';
  return told ? '' : 'no metrics';
}

interface Run extends Seen {
  readonly warnings: string;
}

function runApplication(
  node: string,
  ours: string,
  library: string,
  env: Record<string, string>,
): Promise<Run> {
  const words = [
    '--require',
    join(ours, 'test/instrumentation/apps/sdk.js'),
    join(ours, 'test/versions/application.js'),
    library,
  ];
  return new Promise((resolve, reject) => {
    const options = {
      env: { ...process.env, NODE_OPTIONS: '', OTEL_LOG_LEVEL: 'warn', ...env },
      timeout: 60_000,
    };
    execFile(node, words, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message} ${stderr}`));
      else resolve({ ...(JSON.parse(stdout.trim().split('\n').at(-1)!) as Seen), warnings: stderr });
    });
  });
}

/** The registration tests of `npm test`, run by another Node. */
async function tryRegistrations(node: string) {
  const words = [
    join(root, 'node_modules/mocha/bin/mocha.js'),
    '--reporter=dot',
    join(dist, 'test/instrumentation/registration.test.js'),
  ];
  const code = await new Promise((resolve) => {
    const child = spawn(node, words, { cwd: root, stdio: 'inherit', timeout: 1_200_000 });
    child.on('exit', resolve);
  });
  return {
    what: 'every way of registration',
    holds: code === 0,
    note: code === 0 ? '' : 'see above',
    unsupported: false,
  };
}

/** The newest Node of a line, from npm. */
async function nodeOf(major: string): Promise<string> {
  if (major === majorOf(process.version)) return process.execPath;
  const { packageOfNode } = (await import(pathToFileURL(join(root, 'scripts/toolchain.mjs')).href)) as {
    packageOfNode(): string | undefined;
  };
  const name = packageOfNode();
  if (name === undefined) throw new Error('npm has no Node for this machine');
  const folder = join(cache, `node-${major}`);
  await install(folder, { [name]: NODES[major]! });
  return join(folder, 'node_modules', name, 'bin/node');
}

const NODES: Readonly<Record<string, string>> = { 20: '20.20.2', 24: '24.21.0', 26: '26.10.0' };

function majorOf(version: string): string {
  return version.slice(1).split('.')[0]!;
}

main(process.argv.slice(2));
