import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type Databases, startDatabases } from '../servers/index.js';
import type { Contexts } from './apps/contexts.js';

const PLACES = 14;
const OWN = ['true true', 'true true', 'true true', 'true true'];

describe('asynchronous contexts, of requests that serve each other', function () {
  this.timeout(60_000);
  let databases: Databases<'postgres' | 'mysql'>;

  before(async () => {
    databases = await startDatabases({ postgres: true, mysql: true });
  });

  after(() => databases?.stop());

  async function run(env: NodeJS.ProcessEnv): Promise<Contexts> {
    const { stdout } = await promisify(execFile)(process.execPath, [join(__dirname, 'apps', 'contexts.js')], {
      env: { ...process.env, PG_URL: databases.postgres.url, MYSQL_URL: databases.mysql.url, ...env },
    });
    return JSON.parse(stdout.trim().split('\n').at(-1)!);
  }

  for (const [beside, env] of Object.entries({
    'by itself': {},
    'beside stock instrumentations': { APP_STOCK: '1' },
  })) {
    describe(beside, () => {
      let contexts: Contexts;

      before(async () => {
        contexts = await run(env);
      });

      it('every callback and continuation has its caller’s store and active span', () => {
        expect(Object.keys(contexts.found)).to.have.length(PLACES);
        for (const [place, found] of Object.entries(contexts.found)) expect(found, place).to.deep.equal(OWN);
      });

      it('no span lands in another request’s trace: each has its own statements, and as many acquires', () => {
        for (const [request, trace] of contexts.traces.entries()) {
          const shared = trace.map((text) => text.replaceAll(String(request), 'n'));
          expect(shared).to.deep.equal(contexts.traces[0]!.map((text) => text.replaceAll('0', 'n')));
          expect(trace.filter((text) => text === 'pool.acquire')).to.have.length(10);
        }
      });

      it('connections open in traces of their own', () => {
        expect(contexts.apart.filter((text) => text === 'pool.connect')).to.have.length(4);
        expect(contexts.traces.flat()).to.not.include('pool.connect');
      });
    });
  }
});
