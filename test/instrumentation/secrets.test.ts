import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type Databases, startDatabases } from '../servers/index.js';

const CANARY = 'hunter2-canary-0815';

describe('what we say of ourselves', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres' | 'mysql'>;

  before(async () => {
    databases = await startDatabases({ postgres: { auth: 'scram-sha-256' }, mysql: true });
  });

  after(() => databases?.stop());

  it('holds no password, no literal and no parameter: errors with all their causes, reports, the console', async () => {
    const { postgres, mysql } = databases;
    const login = ({ host, port, user, password, database }: typeof postgres) =>
      JSON.stringify({ host, port, user, password, database });
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [join(__dirname, 'apps/tells-all.js')],
      {
        env: {
          ...process.env,
          APP_CANARY: CANARY,
          APP_POSTGRES: login(postgres),
          APP_MYSQL: login(mysql),
          OTEL_LOG_LEVEL: 'debug',
        },
        maxBuffer: 1 << 26,
      },
    );
    const said = stdout + stderr;
    for (const told of ['pg timeout', 'pg abort', 'pg login', 'pg refused', 'mysql2 login', 'knex timeout']) {
      expect(said).include(told);
    }
    expect(said).include('all connections are held').and.include('console /snapshot {');
    expect(Number(/^engines (\d+)$/m.exec(said)?.[1])).at.least(3);
    expect(said).include('"queries":[{"fingerprint"');
    for (const secret of [CANARY, postgres.password, mysql.password]) {
      const at = said.indexOf(secret);
      expect(at < 0 ? '' : said.slice(Math.max(0, at - 300), at + 50)).equal('');
    }
  });
});
