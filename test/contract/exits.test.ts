import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { type Databases, startDatabases } from '../servers/index.js';

/** What a process does before it has nothing more to do, and whether it then ends. */
interface Program {
  readonly title: string;
  readonly source: string;
  readonly prints?: readonly string[];
  readonly ends: boolean;
}

/** Programs that run at once. */
const AT_ONCE = 4;

const PG: readonly Program[] = [
  { title: 'an unused pool', source: 'new Pool(pg); lastly();', ends: true },
  {
    title: 'an idle client, until its idle timeout',
    source: `new Pool({ ...pg, idleTimeoutMillis: 200 }).query('select 1').then(lastly);`,
    ends: true,
  },
  {
    title: 'an idle client without an idle timeout',
    source: `new Pool({ ...pg, idleTimeoutMillis: 0 }).query('select 1').then(lastly);`,
    ends: false,
  },
  {
    title: 'an idle client that min keeps',
    source: `new Pool({ ...pg, min: 1, idleTimeoutMillis: 200 }).query('select 1').then(lastly);`,
    ends: false,
  },
  {
    title: 'idle clients of a pool with allowExitOnIdle',
    source: `const pool = new Pool({ ...pg, max: 3, idleTimeoutMillis: 0, allowExitOnIdle: true });
      Promise.all(Array.from({ length: 9 }, () => pool.query('select 1'))).then(lastly);`,
    ends: true,
  },
  {
    title: 'a leased client of a pool with allowExitOnIdle',
    source: 'new Pool({ ...pg, allowExitOnIdle: true }).connect().then(lastly);',
    ends: false,
  },
  {
    title: 'a pool that has ended',
    source: `const pool = new Pool({ ...pg, idleTimeoutMillis: 0 });
      pool.query('select 1').then(() => pool.end()).then(lastly);`,
    ends: true,
  },
  {
    title: 'a leased client of a pool that was told to end',
    source: 'const pool = new Pool(pg); pool.connect().then(() => { pool.end(); lastly(); });',
    ends: false,
  },
  {
    title: 'a refused connection',
    source: `new Pool({ ...pg, port: 1 }).query('select 1').catch(tell).then(lastly);`,
    prints: ['ECONNREFUSED'],
    ends: true,
  },
];

const MYSQL2: readonly Program[] = [
  { title: 'an unused pool', source: 'mysql2.createPool(mysql); lastly();', ends: true },
  {
    title: 'an idle connection',
    source: `mysql2.createPool(mysql).query('select 1', lastly);`,
    ends: false,
  },
  {
    title: 'an idle connection of a promise pool',
    source: `mysql2.createPool(mysql).promise().query('select 1').then(lastly);`,
    ends: false,
  },
  {
    title: 'a pool that has ended',
    source: `const pool = mysql2.createPool(mysql); pool.query('select 1', () => pool.end(lastly));`,
    ends: true,
  },
  {
    title: 'a pool that was told to end, without a callback',
    source: `const pool = mysql2.createPool(mysql); pool.query('select 1', () => { pool.end(); lastly(); });`,
    ends: true,
  },
  {
    title: 'a promise pool that has ended',
    source: `const pool = mysql2.createPool(mysql).promise();
      pool.query('select 1').then(() => pool.end()).then(lastly);`,
    ends: true,
  },
  {
    title: 'a leased connection of a pool that was told to end',
    source: 'const pool = mysql2.createPool(mysql); pool.getConnection(() => { pool.end(); lastly(); });',
    ends: true,
  },
  {
    title: 'a caller in the queue of a pool that was told to end',
    source: `const pool = mysql2.createPool({ ...mysql, connectionLimit: 1 });
      pool.getConnection(() => { pool.query('select 1', tell); pool.end(); lastly(); });`,
    prints: ['Pool is closed.'],
    ends: true,
  },
  {
    title: 'a leased connection that was destroyed',
    source: 'mysql2.createPool(mysql).getConnection((error, it) => { it.destroy(); lastly(); });',
    ends: true,
  },
  {
    title: 'the sweep of a pool with maxIdle, which has no connection any more',
    source: `const limits = { connectionLimit: 2, maxIdle: 1, idleTimeout: 1 };
      const pool = mysql2.createPool({ ...mysql, ...limits });
      pool.query('select 1', () => setTimeout(() => { tell(pool._allConnections.length); lastly(); }, 2500));`,
    prints: ['0'],
    ends: false,
  },
  {
    title: 'a pool with maxIdle that has ended',
    source: `const pool = mysql2.createPool({ ...mysql, connectionLimit: 2, maxIdle: 1 });
      pool.query('select 1', () => pool.end(lastly));`,
    ends: true,
  },
  {
    title: 'a cluster that has ended',
    source: `const cluster = mysql2.createPoolCluster(); cluster.add('one', mysql);
      cluster.of('*').query('select 1', () => cluster.end(lastly));`,
    ends: true,
  },
  {
    title: 'a refused connection',
    source: `mysql2.createPool({ ...mysql, port: 1 }).query('select 1', (error) => { tell(error); lastly(); });`,
    prints: ['ECONNREFUSED'],
    ends: true,
  },
];

const KNEX: readonly Program[] = (['pg', 'mysql2'] as const).flatMap((client) => {
  const connection = client === 'pg' ? 'pg' : 'mysql';
  const open = (pool: string) =>
    `const db = knex({ client: '${client}', connection: ${connection}, log, pool: { max: 2, ${pool} } });`;
  const quick = 'idleTimeoutMillis: 200, reapIntervalMillis: 50';
  return [
    { title: `an unused instance on ${client}`, source: `${open('min: 2')} lastly();`, ends: true },
    {
      title: `an idle connection on ${client}, until its idle timeout`,
      source: `${open(`min: 0, ${quick}`)} db.raw('select 1').then(lastly);`,
      ends: true,
    },
    {
      title: `an idle connection on ${client} that min keeps`,
      source: `${open(`min: 1, ${quick}`)} db.raw('select 1').then(lastly);`,
      ends: false,
    },
    {
      title: `a destroyed instance on ${client}`,
      source: `${open('min: 2')} db.raw('select 1').then(() => db.destroy()).then(lastly);`,
      ends: true,
    },
    {
      title: `a refused connection on ${client}`,
      source: `const db = knex({ client: '${client}', connection: { ...${connection}, port: 1 }, log });
        db.raw('select 1').catch(tell).then(lastly);`,
      prints: ['ECONNREFUSED'],
      ends: true,
    },
  ];
});

/** How to ask one more question of a server that has just gone, and to close: no socket is open meanwhile. */
const FORSAKEN: readonly (readonly [driver: string, source: string])[] = [
  [
    'pg',
    `const pool = new Pool({ ...pg, connectionTimeoutMillis: 1000 }).on('error', () => {});
     const ask = () => pool.query('select 1'); const close = () => pool.end();`,
  ],
  [
    'mysql2',
    `const pool = mysql2.createPool(mysql).promise();
     const ask = () => pool.query('select 1'); const close = (asked) => asked.then(() => pool.end());`,
  ],
  [
    'knex',
    `const db = knex({ client: 'pg', connection: pg, log, acquireConnectionTimeout: 1000 });
     const ask = () => db.raw('select 1'); const close = () => db.destroy();`,
  ],
];

/** How long a process must live on to count as one that does not end. */
const HELD_AFTER_MS = 1_500;
/** How long one may take to end where it does. */
const ENDS_WITHIN_MS = 15_000;

let databases: Databases<'postgres' | 'mysql'>;

before(async function () {
  this.timeout(120_000);
  databases = await startDatabases({ postgres: true, mysql: true });
});

after(async () => {
  await databases?.stop();
});

/** What a program knows: the libraries, logins, `tell`, which prints an error, and `lastly`, after which it only may end. */
function programOf(source: string, heldAfterMs: number, port?: number): string {
  const { postgres, mysql } = databases;
  const login = ({ host, user, password, database, port: own }: typeof postgres) =>
    JSON.stringify({ host, user, password, database, port: port ?? own });
  return `const { Pool } = require('pg'); const mysql2 = require('mysql2'); const knex = require('knex');
    const pg = ${login(postgres)}; const mysql = ${login(mysql)};
    const log = { warn() {}, error() {}, debug() {}, deprecate() {} };
    const tell = (it) => console.log(String(it?.code ?? it?.message ?? it));
    const lastly = () => setTimeout(() => { console.log('held'); process.exit(); }, ${heldAfterMs}).unref();
    ${source}`;
}

const words = (program: string) => ['--require', require.resolve('./patched.js'), '-e', program];

function run(flavour: string, { source, ends }: Program): Promise<string[]> {
  const program = programOf(source, ends ? ENDS_WITHIN_MS : HELD_AFTER_MS);
  const env = { ...process.env, FLAVOUR: flavour };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, words(program), { env }, (error, stdout) => {
      if (error) reject(error);
      else resolve(stdout.split('\n').filter((line) => line !== ''));
    });
  });
}

/** A way to the server that can be closed for good. */
async function wayTo(target: { host: string; port: number }): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(target.port, target.host);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Starts the programs, some at once, for they mostly wait; gives each one's output. */
function runAhead(flavour: string, programs: readonly Program[]): Map<Program, Promise<string[]>> {
  const outputs = new Map<Program, Promise<string[]>>();
  const lanes = Array.from({ length: AT_ONCE }, () => Promise.resolve<unknown>(undefined));
  for (const [index, program] of programs.entries()) {
    const output = lanes[index % AT_ONCE]!.then(() => run(flavour, program));
    // Whoever asks for it hears of its failure.
    lanes[index % AT_ONCE] = output.catch(() => {});
    outputs.set(program, output);
  }
  return outputs;
}

for (const flavour of ['stock', 'enhanced', 'strict', 'observed'] as const) {
  describe(`when a process ends, ${flavour}`, function () {
    this.timeout(60_000);
    let outputs: Map<Program, Promise<string[]>>;

    before(() => {
      outputs = runAhead(flavour, [...PG, ...MYSQL2, ...KNEX]);
    });

    for (const [driver, programs] of Object.entries({ pg: PG, mysql2: MYSQL2, knex: KNEX })) {
      for (const program of programs) {
        it(`${driver}: ${program.title} ${program.ends ? 'lets it end' : 'holds it'}`, async () => {
          const expected = [...(program.prints ?? []), ...(program.ends ? [] : ['held'])];
          expect(await outputs.get(program)).to.deep.equal(expected);
        });
      }
    }

    for (const [driver, source] of FORSAKEN) {
      it(`${driver}: not while a caller waits for a server that has gone`, async () => {
        const way = await wayTo(driver === 'mysql2' ? databases.mysql : databases.postgres);
        const program = programOf(
          `${source} ask().then(() => { console.log('ready'); setTimeout(() => {
             const asked = ask().catch(() => console.log('failed'));
             close(asked).then(() => console.log('closed')); }, 300); });`,
          ENDS_WITHIN_MS,
          way.port,
        );
        const child = spawn(process.execPath, words(program), { env: { ...process.env, FLAVOUR: flavour } });
        let printed = '';
        child.stdout.on('data', (chunk) => {
          printed += chunk;
          if (printed === 'ready\n') way.close();
        });
        const [code] = await once(child, 'close');
        way.close();
        expect([code, printed.trim().split('\n').sort()]).to.deep.equal([0, ['closed', 'failed', 'ready']]);
      });
    }
  });
}
