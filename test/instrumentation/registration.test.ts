import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Databases, startDatabases } from '../servers/index.js';
import type { Report, Telemetry } from './apps/work.js';

const OURS = 'opentelemetry-instrumentation-enhanced-pool';
const register = join(__dirname, '../../instrumentation/register.js');
const app = (name: string) => join(__dirname, 'apps', name);
const sdk = app('sdk.js');

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
  'NODE_OPTIONS alone': { env: { NODE_OPTIONS: `--require ${register} --require ${sdk}` } },
  'the list of instrumentations of the SDK': {
    node: ['--require', sdk],
    env: { APP_INSTRUMENTATIONS: 'enhanced' },
  },
  'ours after the libraries were loaded': {
    node: ['--require', app('loads-libraries.js'), '--require', register, '--require', sdk],
  },
  'ours beside the loader hook for ES modules': {
    node: ['--import', app('loader-hook.mjs'), '--require', register, '--require', sdk],
  },
  'ours several times': {
    node: ['--require', register, '--require', app('registers-twice.js'), '--require', sdk],
  },
};

describe('registration', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres' | 'mysql'>;

  before(async () => {
    databases = await startDatabases({ postgres: true, mysql: true });
  });

  after(() => databases?.stop());

  async function run(application: string, { node = [], env = {} }: Row): Promise<Report> {
    const output = await execute([...node, application], {
      PG_URL: databases.postgres.url,
      MYSQL_URL: databases.mysql.url,
      OTEL_LOG_LEVEL: 'none',
      ...env,
    });
    const report: Report = JSON.parse(output.trim().split('\n').at(-1)!);
    expect(report.answers).to.deep.equal([{ pg: 1 }, { mysql: 1 }, { knex: 1 }]);
    return report;
  }

  for (const [kind, application] of Object.entries(applications)) {
    describe(`of ${kind}`, () => {
      for (const [name, row] of Object.entries(enhancing)) {
        it(`by ${name} enhances all three libraries and tells of them`, async () => {
          const { telemetry } = await run(application, row);
          expectOurTelemetry(telemetry!);
        });
      }

      for (const order of ['stock,enhanced', 'enhanced,stock']) {
        it(`together with the stock instrumentations, ${order}, tells everything once`, async () => {
          const { telemetry } = await run(application, {
            node: ['--require', sdk],
            env: { APP_INSTRUMENTATIONS: order },
          });
          expectOurTelemetry(telemetry!);
          expectStockTelemetry(telemetry!);
        });
      }

      it('without any SDK lets the application run as before', async () => {
        const { enhanced } = await run(application, { node: ['--require', register] });
        expect(enhanced).to.deep.equal([true, true, true]);
      });

      it('while ENHANCED_POOL_ENABLED is false does nothing', async () => {
        const { enhanced, telemetry } = await run(application, {
          node: ['--require', register, '--require', sdk],
          env: { ENHANCED_POOL_ENABLED: 'false' },
        });
        expect(enhanced).to.deep.equal([false, false, false]);
        expect(Object.keys(telemetry!.numbers).filter((key) => key.startsWith(OURS))).to.deep.equal([]);
      });
    });
  }
});

/** Two pools of PostgreSQL, one of MySQL, each with two connections at rest and four acquires behind it. */
function expectOurTelemetry({ numbers, spans }: Telemetry): void {
  const count = (metric: string, rest: string) => numbers[`${OURS} ${metric} ${rest}`];
  expect(count('db.client.connection.count', 'postgresql idle'), 'idle').to.equal(4);
  expect(count('db.client.connection.count', 'postgresql used'), 'used').to.equal(0);
  expect(count('db.client.connection.count', 'mysql idle'), 'idle').to.equal(2);
  expect(count('db.client.connection.wait_time', 'postgresql'), 'waits').to.equal(8);
  expect(count('db.client.connection.wait_time', 'mysql'), 'waits').to.equal(4);
  expect(count('db.client.connection.use_time', 'mysql'), 'uses').to.equal(4);
  expect(count('enhanced_pool.connection.opened', 'postgresql'), 'opened').to.equal(4);
  expect(spans[`${OURS} pool.acquire`], 'acquires that waited').to.equal(9);
  expect(spans[`${OURS} pool.connect`], 'connections').to.equal(6);
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

function execute(words: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      words,
      { env: { ...process.env, NODE_OPTIONS: '', ...env }, timeout: 30_000 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
        else if (stderr !== '') reject(new Error(`it wrote to its error output:\n${stderr}`));
        else resolve(stdout);
      },
    );
  });
}
