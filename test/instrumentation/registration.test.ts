import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { checkoutDirectory } from '../checkout.js';
import { type Databases, startDatabases } from '../servers/index.js';
import type { Report, Telemetry } from './apps/work.js';
import { Collector } from './collector.js';

const OURS = 'opentelemetry-instrumentation-enhanced-pool';
const register = join(__dirname, '../../instrumentation/register.js');
const app = (name: string) => join(__dirname, 'apps', name);
const sdk = app('sdk.js');
const sdkFromFile = app('sdk-from-file.js');

/** Inside the checkout, so that what is copied here finds the packages that it needs. */
const cache = join(checkoutDirectory(), '.cache');
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, 'registration-'));
const otherRegister = join(folder, `node_modules/${OURS}/dist/instrumentation/register.js`);
const otherPg = join(folder, 'node_modules/pg/lib/index.js');
const configFile = join(folder, 'sdk.yaml');

const exporterOf = (signal: string) =>
  `{ otlp_http: { endpoint: "\${APP_COLLECTOR}/${signal}", encoding: json, timeout: 60000 } }`;
const SDK_CONFIGURATION = `
file_format: "1.0"
log_level: fatal
tracer_provider:
  processors: [{ batch: { schedule_delay: 600000, exporter: ${exporterOf('traces')} } }]
meter_provider:
  readers: [{ periodic: { interval: 600000, exporter: ${exporterOf('metrics')} } }]
`;

/** What `module.register`, which that hook needs, is told off for since Node 26. */
const withoutDeprecations = ['--disable-warning=DEP0205'];

const applications = {
  'a CommonJS application': app('commonjs.js'),
  'an application of ES modules': app('modules.mjs'),
};

interface Row {
  /** Node's own arguments. */
  readonly node?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Each registers ours and an SDK, one way or another. */
const enhancing: Readonly<Record<string, Row>> = {
  '--require, the SDK first': { node: ['--require', sdk, '--require', register] },
  '--require, the SDK last': { node: ['--require', register, '--require', sdk] },
  '--import, the SDK first': { node: ['--import', sdk, '--import', register] },
  '--import, the SDK last': { node: ['--import', register, '--import', sdk] },
  '--require for ours and --import for the SDK': { node: ['--require', register, '--import', sdk] },
  '--import for ours and --require for the SDK': { node: ['--import', register, '--require', sdk] },
  'NODE_OPTIONS alone, the SDK first': { env: { NODE_OPTIONS: `--require ${sdk} --require ${register}` } },
  'NODE_OPTIONS alone, the SDK last': { env: { NODE_OPTIONS: `--require ${register} --require ${sdk}` } },
  'the list of instrumentations of the SDK': {
    node: ['--require', sdk],
    env: { APP_INSTRUMENTATIONS: 'enhanced' },
  },
  'the list of instrumentations of an SDK by OTEL_CONFIG_FILE': {
    node: ['--require', sdkFromFile],
    env: { OTEL_CONFIG_FILE: configFile, APP_INSTRUMENTATIONS: 'enhanced' },
  },
  '--require, an SDK by OTEL_CONFIG_FILE first': {
    node: ['--require', sdkFromFile, '--require', register],
    env: { OTEL_CONFIG_FILE: configFile },
  },
  '--require, an SDK by OTEL_CONFIG_FILE last': {
    node: ['--require', register, '--require', sdkFromFile],
    env: { OTEL_CONFIG_FILE: configFile },
  },
  'ours after the libraries were loaded': {
    node: ['--require', app('loads-libraries.js'), '--require', register, '--require', sdk],
  },
  'ours after the libraries were loaded, the stock instrumentations too': {
    node: ['--require', app('loads-libraries.js'), '--require', sdk],
    env: { APP_INSTRUMENTATIONS: 'stock,enhanced' },
  },
  'ours beside the loader hook for ES modules': {
    node: [
      ...withoutDeprecations,
      '--import',
      app('loader-hook.mjs'),
      '--require',
      register,
      '--require',
      sdk,
    ],
  },
  'ours after the loader hook for ES modules': {
    node: [...withoutDeprecations, '--import', app('loader-hook.mjs'), '--import', sdk, '--import', register],
  },
  'ours after the loader hook in the own thread': {
    node: ['--import', app('loader-hook-in-thread.mjs'), '--import', sdk, '--import', register],
  },
  'ours several times': {
    node: ['--require', register, '--require', app('registers-twice.js'), '--require', sdk],
  },
  'two copies of ours': {
    node: ['--require', register, '--require', otherRegister, '--require', sdk],
  },
  'a second copy of ours': {
    node: ['--require', otherRegister, '--require', sdk],
  },
};

/** Each registers ours and the stock instrumentations; what both tell is told once by each. */
const besideStock: Readonly<Record<string, Row>> = {
  'in one list, stock first': { node: ['--require', sdk], env: { APP_INSTRUMENTATIONS: 'stock,enhanced' } },
  'in one list, ours first': { node: ['--require', sdk], env: { APP_INSTRUMENTATIONS: 'enhanced,stock' } },
  'by two registers, stock first': {
    node: ['--require', sdk, '--require', register],
    env: { APP_INSTRUMENTATIONS: 'stock' },
  },
  'by two registers, ours first': {
    node: ['--require', register, '--require', sdk],
    env: { APP_INSTRUMENTATIONS: 'stock' },
  },
  'on two copies of @opentelemetry/instrumentation, stock first': {
    node: ['--require', sdk, '--require', otherRegister],
    env: { APP_INSTRUMENTATIONS: 'stock' },
  },
  'on two copies of @opentelemetry/instrumentation, ours first': {
    node: ['--require', otherRegister, '--require', sdk],
    env: { APP_INSTRUMENTATIONS: 'stock' },
  },
  'beside the loader hook for ES modules, stock first': {
    node: [...withoutDeprecations, '--import', app('loader-hook.mjs'), '--import', sdk],
    env: { APP_INSTRUMENTATIONS: 'stock,enhanced' },
  },
  'beside the loader hook for ES modules, ours first': {
    node: [...withoutDeprecations, '--import', app('loader-hook.mjs'), '--import', sdk],
    env: { APP_INSTRUMENTATIONS: 'enhanced,stock' },
  },
  'by OTEL_CONFIG_FILE, stock first': {
    node: ['--require', sdkFromFile],
    env: { OTEL_CONFIG_FILE: configFile, APP_INSTRUMENTATIONS: 'stock,enhanced' },
  },
  'by OTEL_CONFIG_FILE, ours first': {
    node: ['--require', sdkFromFile],
    env: { OTEL_CONFIG_FILE: configFile, APP_INSTRUMENTATIONS: 'enhanced,stock' },
  },
};

describe('registration', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres' | 'mysql'>;

  before(async () => {
    copyPackages();
    databases = await startDatabases({ postgres: true, mysql: true });
    writeFileSync(configFile, SDK_CONFIGURATION);
  });

  after(async () => {
    rmSync(folder, { recursive: true });
    await databases?.stop();
  });

  async function run(application: string, { node = [], env = {} }: Row): Promise<Report> {
    const collector = new Collector();
    const output = await execute([...node, application], {
      PG_URL: databases.postgres.url,
      MYSQL_URL: databases.mysql.url,
      APP_COLLECTOR: await collector.start(),
      OTEL_LOG_LEVEL: 'none',
      ...env,
    }).finally(() => collector.stop());
    const report: Report = JSON.parse(output.trim().split('\n').at(-1)!);
    const pgs = env.APP_OTHER_PG === undefined ? [{ pg: 1 }] : [{ pg: 1 }, { pg: 1 }];
    expect(report.answers).to.deep.equal([...pgs, { mysql: 1 }, { knex: 1 }]);
    return report;
  }

  const starts: (() => Promise<Report>)[] = [];

  /** Each row is mostly the start of a process, so the next one runs beside the one that is looked at. */
  function looksAt(title: string, application: string, row: Row, check: (report: Report) => void): void {
    let running: Promise<Report> | undefined;
    const at = starts.length;
    starts.push(() => {
      running ??= run(application, row);
      return running;
    });
    it(title, async () => {
      starts[at + 1]?.().catch(() => {});
      check(await starts[at]!());
    });
  }

  for (const [kind, application] of Object.entries(applications)) {
    describe(`of ${kind}`, () => {
      for (const [name, row] of Object.entries(enhancing)) {
        looksAt(
          `by ${name} enhances all three libraries and tells of them`,
          application,
          row,
          ({ telemetry }) => expectOurTelemetry(telemetry!),
        );
      }

      for (const [name, row] of Object.entries(besideStock)) {
        const title = `together with the stock instrumentations, ${name}, tells everything once`;
        looksAt(title, application, row, ({ telemetry }) => {
          expectOurTelemetry(telemetry!);
          expectStockTelemetry(telemetry!);
        });
      }

      for (const instrumentations of ['enhanced', 'stock,enhanced', 'enhanced,stock']) {
        const row = {
          node: ['--require', sdk],
          env: { APP_INSTRUMENTATIONS: instrumentations, APP_OTHER_PG: otherPg },
        };
        const title = `by ${instrumentations} enhances both of two copies of pg`;
        looksAt(title, application, row, ({ enhanced, telemetry }) => {
          expect(enhanced).to.deep.equal([true, true, true, true]);
          expectOurTelemetry(telemetry!, 3);
        });
      }

      const alone = { node: ['--require', register] };
      looksAt('without any SDK lets the application run as before', application, alone, ({ enhanced }) =>
        expect(enhanced).to.deep.equal([true, true, true]),
      );

      const silent = {
        node: ['--require', sdk],
        env: { APP_INSTRUMENTATIONS: 'enhanced', OTEL_SDK_DISABLED: 'true' },
      };
      const silentTitle = 'with an SDK that OTEL_SDK_DISABLED turns off enhances, and tells nothing';
      looksAt(silentTitle, application, silent, ({ enhanced, telemetry }) => {
        expect(enhanced).to.deep.equal([true, true, true]);
        expect(telemetry).to.deep.equal({ numbers: {}, spans: {} });
      });

      const off = {
        node: ['--require', register, '--require', sdk],
        env: { ENHANCED_POOL_ENABLED: 'false' },
      };
      looksAt(
        'while ENHANCED_POOL_ENABLED is false does nothing',
        application,
        off,
        ({ enhanced, telemetry }) => {
          expect(enhanced).to.deep.equal([false, false, false]);
          expect(Object.keys(telemetry!.numbers).filter((key) => key.startsWith(OURS))).to.deep.equal([]);
        },
      );
    });
  }
});

/** So many pools of PostgreSQL, one of MySQL, each with two connections at rest and four acquires behind it. */
function expectOurTelemetry({ numbers, spans }: Telemetry, postgres = 2): void {
  const count = (metric: string, rest: string) => numbers[`${OURS} ${metric} ${rest}`];
  expect(count('db.client.connection.count', 'postgresql idle'), 'idle').to.equal(2 * postgres);
  expect(count('db.client.connection.count', 'postgresql used'), 'used').to.equal(0);
  expect(count('db.client.connection.count', 'mysql idle'), 'idle').to.equal(2);
  expect(count('db.client.connection.wait_time', 'postgresql'), 'waits').to.equal(4 * postgres);
  expect(count('db.client.connection.wait_time', 'mysql'), 'waits').to.equal(4);
  expect(count('db.client.connection.use_time', 'mysql'), 'uses').to.equal(4);
  expect(count('enhanced_pool.connection.opened', 'postgresql'), 'opened').to.equal(2 * postgres);
  expect(spans[`${OURS} pool.acquire`], 'acquires that waited').to.equal(3 * (postgres + 1));
  expect(spans[`${OURS} pool.connect`], 'connections').to.equal(2 * (postgres + 1));
}

function expectStockTelemetry({ spans }: Telemetry): void {
  const of = (library: string, name: RegExp) =>
    Object.entries(spans)
      .filter(([key]) => key.startsWith(`@opentelemetry/instrumentation-${library} `) && name.test(key))
      .reduce((sum, [, many]) => sum + many, 0);
  expect(of('pg', / pg\.query/), 'queries of pg, knex’s included').to.be.at.least(8);
  expect(of('knex', / select/), 'queries of knex').to.equal(4);
  expect(of('mysql2', / select/i), 'queries of mysql2').to.equal(4);
}

/** A second pg and pg-pool, and a second one of ours with an `@opentelemetry/instrumentation` of its own. */
function copyPackages(): void {
  const root = checkoutDirectory();
  for (const name of ['pg', 'pg-pool']) copyPackage(join(root, 'node_modules', name), name);
  const ours = join(folder, 'node_modules', OURS);
  for (const room of ['src', 'adapters', 'instrumentation']) {
    cpSync(join(root, 'dist', room), join(ours, 'dist', room), { recursive: true });
  }
  const instrumentation = '@opentelemetry/instrumentation';
  copyPackage(join(root, 'node_modules', instrumentation), `${OURS}/node_modules/${instrumentation}`);
}

function copyPackage(from: string, name: string): void {
  cpSync(from, join(folder, 'node_modules', name), { recursive: true });
}

function execute(words: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      words,
      { env: { ...process.env, NODE_OPTIONS: '', ...env }, timeout: 100_000 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
        else if (stderr !== '') reject(new Error(`it wrote to its error output:\n${stderr}`));
        else resolve(stdout);
      },
    );
  });
}
