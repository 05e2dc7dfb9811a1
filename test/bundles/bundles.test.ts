import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { build, type Format } from 'esbuild';
import { checkoutDirectory } from '../checkout.js';
import { type Databases, startDatabases } from '../servers/index.js';
import type { Report } from './application.mjs';

/** What the libraries load only if they are told to. */
const OPTIONAL = [
  'pg-native',
  'mariadb/callback',
  'better-sqlite3',
  'sqlite3',
  'mysql',
  'oracledb',
  'tedious',
  'pg-query-stream',
];

/** The bundled CommonJS libraries require Node's own modules, which an ES module can only this way. */
const requireInModules = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

const bundles: Readonly<Record<string, { format: Format; minify?: boolean }>> = {
  'of ES modules': { format: 'esm' },
  'of ES modules, minified': { format: 'esm', minify: true },
  'of CommonJS': { format: 'cjs' },
  'of CommonJS, minified': { format: 'cjs', minify: true },
};

describe('a bundle of esbuild', function () {
  this.timeout(60_000);
  /** Outside the checkout: a bundle that left a library out does not find it here. */
  const folder = mkdtempSync(join(tmpdir(), 'enhanced-pool-bundles-'));
  let databases: Databases<'postgres' | 'mysql'>;

  before(async () => {
    databases = await startDatabases({ postgres: true, mysql: true });
  });

  after(async () => {
    rmSync(folder, { recursive: true });
    await databases?.stop();
  });

  for (const [name, { format, minify = false }] of Object.entries(bundles)) {
    it(`${name} runs the pools that it hands over on the engine, and no other`, async () => {
      const file = join(folder, `${format}-${minify}.${format === 'esm' ? 'mjs' : 'cjs'}`);
      await bundle(file, format, minify);
      const four = [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }];
      const answers = {
        postgres: four,
        untouched: { n: 5 },
        callbacks: four,
        promises: four,
        knexPostgres: four,
        knexMysql: four,
      };
      const report = await run(file);
      expect(report.answers).to.deep.equal(answers);
      expect(report.enhanced).to.deep.equal({
        postgres: true,
        untouched: false,
        callbacks: true,
        promises: true,
        knexPostgres: true,
        knexMysql: true,
      });
      const stock = await run(file, { APP_STOCK: 'true' });
      expect(stock.answers).to.deep.equal(answers);
      expect(new Set(Object.values(stock.enhanced))).to.deep.equal(new Set([false]));
    });
  }

  async function bundle(outfile: string, format: Format, minify: boolean): Promise<void> {
    const options = { bundle: true, platform: 'node', target: 'node22', logLevel: 'silent' } as const;
    const { errors } = await build({
      ...options,
      format,
      minify,
      entryPoints: [join(__dirname, 'application.mjs')],
      absWorkingDir: checkoutDirectory(),
      external: OPTIONAL,
      outfile,
      ...(format === 'esm' && { banner: { js: requireInModules } }),
    });
    expect(errors).to.deep.equal([]);
    // No external package but the optional ones is left for run time.
    const required = readFileSync(outfile, 'utf8').matchAll(/require\("((?:pg|mysql2|knex)[^"]*)"\)/g);
    expect([...required].map(([, name]) => name).filter((it) => !OPTIONAL.includes(it!))).to.deep.equal([]);
  }

  async function run(file: string, env: Readonly<Record<string, string>> = {}): Promise<Report> {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], {
      cwd: folder,
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        PG_URL: databases.postgres.url,
        MYSQL_URL: databases.mysql.url,
        ...env,
      },
      timeout: 30_000,
    });
    expect(stderr).to.equal('');
    return JSON.parse(stdout);
  }
});
