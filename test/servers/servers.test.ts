import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { type Database, type Databases, startDatabases } from './index.js';
import { isRunning, processesMentioning } from './processes.js';

async function askPostgres(database: Database, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: database.url, query_timeout: 1000 });
  // A server that goes away tells the client, and an error event nobody listens to would end us.
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

async function askMysql(database: Database, sql: string): Promise<unknown> {
  const connection = await createConnection({ uri: database.url, rowsAsArray: true, connectTimeout: 1000 });
  try {
    const [rows] = await connection.query(sql);
    return (rows as unknown[][])[0]?.[0];
  } finally {
    await connection.end();
  }
}

const kinds = [
  { kind: 'postgres', ask: askPostgres },
  { kind: 'mysql', ask: askMysql },
] as const;

// They are about servers of our own; whoever gives us databases may have no server to start.
const given = ['PG_URL', 'MYSQL_URL'].filter((variable) => process.env[variable]);
const title =
  given.length === 0 ? 'the private servers' : `the private servers (skipped: ${given.join(', ')} set)`;

(given.length === 0 ? describe : describe.skip)(title, function () {
  this.timeout(60_000);
  let databases: Databases<'postgres' | 'mysql'>;

  before(async () => {
    databases = await startDatabases({
      postgres: { settings: { max_connections: 17 } },
      mysql: { settings: { max_connections: 17 } },
    });
  });

  after(() => databases?.stop());

  for (const { kind, ask } of kinds) {
    describe(kind, () => {
      it('answers a query', async () => {
        expect(await ask(databases[kind], 'SELECT 6 * 7')).to.equal(42);
      });

      it('takes settings', async () => {
        const sql =
          kind === 'postgres' ? "SELECT current_setting('max_connections')::int" : 'SELECT @@max_connections';
        expect(await ask(databases[kind], sql)).to.equal(17);
      });

      for (const mode of ['fast', 'immediate', 'kill'] as const) {
        it(`comes back on its port with its data after a restart (${mode})`, async () => {
          const database = databases[kind];
          const [pid, port] = [database.pid, database.port];
          const table = `survivor_${mode}`;
          await ask(database, `CREATE TABLE ${table} AS SELECT 1 AS one`);
          await database.restart({ mode });
          expect(database.pid).to.be.a('number').and.not.equal(pid);
          expect(database.port).to.equal(port);
          expect(await ask(database, `SELECT one FROM ${table}`)).to.equal(1);
        });
      }

      it('is unreachable while halted', async () => {
        const database = databases[kind];
        await database.halt();
        expect(database.pid).to.equal(undefined);
        const refusal = await ask(database, 'SELECT 1').catch((error) => error);
        expect(refusal).to.have.property('code', 'ECONNREFUSED');
        await database.resume();
        expect(await ask(database, 'SELECT 1')).to.equal(1);
      });

      it('is silent while frozen', async () => {
        const database = databases[kind];
        database.freeze();
        const answer = ask(database, 'SELECT 1').catch(() => 'gave up');
        expect(await Promise.race([answer, sleep(200, 'silence')])).to.equal('silence');
        database.thaw();
        await answer;
        expect(await ask(database, 'SELECT 1')).to.equal(1);
      });
    });
  }

  it('leave no process and no directory behind', async () => {
    const own = await startDatabases({ postgres: true, mysql: true });
    const traces = [own.postgres, own.mysql].map(({ directory, pid }) => ({ directory, pid }));
    await own.stop();
    for (const { directory, pid } of traces) expectNoTrace(directory, pid);
  });

  it('ask for the password when PostgreSQL is started with scram', async () => {
    const own = await startDatabases({ postgres: { auth: 'scram-sha-256' } });
    expect(await askPostgres(own.postgres, 'SELECT 1')).to.equal(1);
    const refusal = await askPostgres(
      { ...own.postgres, url: own.postgres.url.replace(own.postgres.password, 'wrong') },
      'SELECT 1',
    ).catch((error) => error);
    expect(refusal).to.have.property('code', '28P01');
    await own.stop();
  });

  it('end with a process that is interrupted', async () => {
    const owner = await startOwner();
    owner.process.kill('SIGINT');
    await once(owner.process, 'exit');
    expect(owner.process.signalCode).to.equal('SIGINT');
    for (const { directory, pid } of owner.traces) {
      await untilEnded(pid);
      expectNoTrace(directory, pid);
    }
  });

  it('end with a process that is killed, and their directories are swept by the next', async () => {
    const owner = await startOwner();
    owner.process.kill('SIGKILL');
    await once(owner.process, 'exit');
    for (const { pid } of owner.traces) await untilEnded(pid);
    const next = await startOwner();
    for (const { directory, pid } of owner.traces) expectNoTrace(directory, pid);
    next.process.kill('SIGTERM');
    await once(next.process, 'exit');
  });
});

describe('a database that somebody gives us', () => {
  const before = process.env.PG_URL;

  afterEach(() => {
    if (before === undefined) delete process.env.PG_URL;
    else process.env.PG_URL = before;
  });

  it('is used as it is, and is not ours to break', async () => {
    process.env.PG_URL = 'postgresql://some%40one:se%2Fcret@db.example/orders';
    const { postgres, stop } = await startDatabases({ postgres: true });
    expect(postgres).to.include({ host: 'db.example', port: 5432, user: 'some@one', password: 'se/cret' });
    expect(postgres).to.include({ database: 'orders', owned: false, pid: undefined });
    expect(() => postgres.freeze()).to.throw('not ours to break');
    await stop();
  });

  it('must be a URL of the right kind', async () => {
    process.env.PG_URL = 'mysql://somewhere/else';
    const refusal = await startDatabases({ postgres: true }).catch((error) => error);
    expect(refusal.message)
      .to.match(/^PG_URL must look like postgres:/)
      .and.not.include('somewhere');
  });
});

function expectNoTrace(directory: string | undefined, pid: number | undefined): void {
  if (directory === undefined || pid === undefined) throw new Error('bug: a private server has both');
  expect(isRunning(pid), `server ${pid} runs on`).to.equal(false);
  expect(processesMentioning(directory)).to.deep.equal([]);
  expect(existsSync(directory), `${directory} is still there`).to.equal(false);
}

async function untilEnded(pid: number): Promise<void> {
  for (let waitedMs = 0; isRunning(pid); waitedMs += 20) {
    if (waitedMs > 10_000) throw new Error(`server ${pid} outlived its owner`);
    await sleep(20);
  }
}

interface Trace {
  readonly directory: string;
  readonly pid: number;
}

/** Another process with servers of its own. */
async function startOwner(): Promise<{ process: ChildProcess; traces: Trace[] }> {
  const story = `
    require(${JSON.stringify(join(__dirname, 'index.js'))}).startDatabases({ postgres: true, mysql: true }).then((own) => {
      console.log(JSON.stringify([own.postgres, own.mysql].map(({ directory, pid }) => ({ directory, pid }))));
      setInterval(() => {}, 1000);
    });`;
  const owner = spawn(process.execPath, ['-e', story], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: owner.stdout }))
    return { process: owner, traces: JSON.parse(line) };
  throw new Error('the process with servers of its own ended early');
}
