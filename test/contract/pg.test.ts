import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { dirname, sep } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { expect } from 'chai';
import type * as Pg from 'pg';
import { ENHANCED, STRICT } from '../../adapters/differences.js';
import { type Host, plainHost } from '../../adapters/host.js';
import { enhancePool } from '../../adapters/pg/index.js';
import { facadeOf, patchPgPool } from '../../adapters/pg/patch.js';
import { type Database, type Databases, startDatabases } from '../servers/index.js';
import { HOSTS, hostOf } from './hosts.js';

type Done = (
  error: Error | undefined,
  client: Client | undefined,
  release: (error?: unknown) => void,
) => void;

/** What the public types of pg leave out. */
type Client = Pg.PoolClient & { connection: { stream: { destroy(): void } } };
interface Pool extends Omit<Pg.Pool, 'connect' | 'options'> {
  readonly options: Record<string, unknown>;
  readonly _clients: (Client & { connectionParameters: { host: string } })[];
  readonly _idle: { client: Client }[];
  readonly _pendingQueue: unknown[];
  connect(): Promise<Client>;
  connect(done: Done): void;
}
interface Cursor {
  read(count: number): Promise<unknown[]>;
  close(): Promise<void>;
}
type CursorClass = new (sql: string) => Cursor;
type PoolConstructor = new (options?: object) => Pool;

const MODULES = [dirname(require.resolve('pg')), dirname(require.resolve('pg-pool'))].map((it) => it + sep);

/** A copy of pg and pg-pool of its own: one is stock beside one that is patched. */
class Copy {
  readonly pg: Omit<typeof Pg, 'Pool'> & { Pool: PoolConstructor };
  readonly PgPool: PoolConstructor;

  constructor(host: Host | undefined) {
    for (const path of Object.keys(require.cache)) {
      if (MODULES.some((folder) => path.startsWith(folder))) delete require.cache[path];
    }
    this.PgPool = require('pg-pool');
    this.pg = require('pg');
    if (host !== undefined) patchPgPool(this.PgPool as never, host);
  }
}

let databases: Databases<'postgres'>;
let server: Database;
let mute: Server;

before(async function () {
  this.timeout(60_000);
  databases = await startDatabases({ postgres: true });
  server = databases.postgres;
  mute = createServer(() => {}).listen(0, '127.0.0.1');
  await once(mute, 'listening');
});

after(async () => {
  mute?.close();
  await databases?.stop();
});

const login = () => ({
  host: server.host,
  port: server.port,
  user: server.user,
  password: server.password || 'unasked',
  database: server.database,
});

const portOf = (listener: Server) => (listener.address() as { port: number }).port;

const counts = (pool: Pool) => [pool.totalCount, pool.idleCount, pool.waitingCount].join('/');

async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  return promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error) => error,
  );
}

async function until(reached: () => boolean, withinMs = 5_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!reached()) {
    if (Date.now() > deadline) throw new Error(`not reached within ${withinMs} ms`);
    await delay(5);
  }
}

/** Whether a pool's arrays are computed from an engine. */
const isComputed = (pool: Pool) => Object.getOwnPropertyDescriptor(pool, '_clients')!.get !== undefined;

/** Whether `promise` is settled once the event loop has had time for it. */
async function isSettled(promise: Promise<unknown>, withinMs = 100): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([promise.catch(() => {}), delay(withinMs, pending)])) !== pending;
}

for (const flavour of ['stock', 'enhanced', 'strict', 'observed'] as const) {
  describe(`pg contract, ${flavour}`, () => {
    const { pg, PgPool } = new Copy(HOSTS[flavour]);
    const isOurs = flavour === 'enhanced' || flavour === 'strict';
    /** Where the enhanced pool differs on purpose, a test says both. */
    const differs = flavour === 'enhanced';
    let toEnd: Pool[] = [];

    beforeEach(() => {
      toEnd = [];
    });

    afterEach(async () => {
      await Promise.all(toEnd.filter((pool) => !pool.ending).map((pool) => pool.end()));
    });

    function newPool(options: object = {}, PoolClass: PoolConstructor = pg.Pool): Pool {
      const pool = new PoolClass({ ...login(), max: 2, ...options });
      toEnd.push(pool);
      return pool;
    }

    function record(pool: Pool): string[] {
      const told: string[] = [];
      for (const name of ['connect', 'acquire', 'release', 'remove'] as const) {
        pool.on(name as 'connect', () => told.push(`${name} ${counts(pool)}`));
      }
      return told;
    }

    function connectBy(
      pool: Pool,
    ): Promise<{ given: unknown[]; client: Client; release: (error?: unknown) => void }> {
      return new Promise((resolve) => {
        pool.connect((...given) => resolve({ given, client: given[1]!, release: given[2] }));
      });
    }

    /** As many clients as given, all leased. */
    async function lease(pool: Pool, count: number): Promise<Client[]> {
      return Promise.all(Array.from({ length: count }, () => pool.connect()));
    }

    async function kill(client: Client): Promise<void> {
      const killer = new pg.Client(login());
      await killer.connect();
      const pid = (client as unknown as { processID: number }).processID;
      await killer.query('SELECT pg_terminate_backend($1)', [pid]);
      await killer.end();
    }

    /** Until the server is at it. */
    async function untilRunning(sql: string): Promise<void> {
      const looker = new pg.Client(login());
      await looker.connect();
      const isRunning = async () =>
        (await looker.query(`SELECT FROM pg_stat_activity WHERE state = 'active' AND query = $1`, [sql]))
          .rowCount;
      while ((await isRunning()) === 0) await delay(5);
      await looker.end();
    }

    /** What a process of its own prints; it has `Pool`, `login` and `pg`. */
    function run(source: string, setUp = ''): Promise<{ lines: string[]; code: number; ms: number }> {
      const patches = JSON.stringify(require.resolve('../../adapters/pg/patch.js'));
      const hosts = JSON.stringify(require.resolve('./hosts.js'));
      const patch =
        flavour === 'stock'
          ? 'const patch = () => {}; const isOurs = () => false;'
          : `const { patchPgPool, facadeOf } = require(${patches}); const host = require(${hosts}).HOSTS.${flavour};
             const patch = () => patchPgPool(require('pg-pool'), host); const isOurs = (pool) => facadeOf(pool, host) !== undefined;`;
      const program = `${patch} ${setUp || 'patch();'} const pg = require('pg'); const { Pool } = pg;
        const login = ${JSON.stringify({ ...login(), max: 2 })}; ${source}`;
      const startedAt = performance.now();
      return new Promise((resolve) => {
        execFile(process.execPath, ['-e', program], { cwd: process.cwd() }, (error, stdout, stderr) => {
          const code = error === null ? 0 : Number(error.code);
          const lines = stdout.trim().split('\n');
          if (code !== 0) lines.push(stderr);
          resolve({ lines, code, ms: performance.now() - startedAt });
        });
      });
    }

    describe('shape', () => {
      it('1. new Pool() with no arguments works', () => {
        const pool = new pg.Pool();
        expect(counts(pool)).to.equal('0/0/0');
        return pool.end();
      });

      it('2. Pool() without new throws a TypeError', () => {
        expect(() => (pg.Pool as unknown as () => void)()).to.throw(TypeError, "without 'new'");
      });

      it('3. the constructor’s name is BoundPool, its parent’s Pool', () => {
        expect([pg.Pool.name, Object.getPrototypeOf(pg.Pool).name]).to.deep.equal(['BoundPool', 'Pool']);
        expect(Object.getPrototypeOf(pg.Pool)).to.equal(PgPool);
      });

      it('4. instanceof pg.Pool and instanceof require("pg-pool") hold', async () => {
        const pool = newPool();
        await pool.query('SELECT 1');
        expect(pool).to.be.instanceOf(pg.Pool).and.instanceOf(PgPool);
      });

      it('methods keep their names and arities', () => {
        const methods = PgPool.prototype as unknown as Record<string, (...given: unknown[]) => unknown>;
        const shapes = ['connect', 'query', 'end', 'newClient', '_pulseQueue', '_isFull'].map((name) => [
          methods[name]!.name,
          methods[name]!.length,
        ]);
        expect(Object.fromEntries(shapes)).to.deep.equal({
          connect: 1,
          query: 3,
          end: 1,
          newClient: 1,
          _pulseQueue: 0,
          _isFull: 0,
        });
      });

      it('5. a subclass that overrides connect is used by query', async () => {
        let connects = 0;
        class Counting extends pg.Pool {
          override connect(done?: Done): never {
            connects += 1;
            return super.connect(done as Done) as never;
          }
        }
        const pool = newPool({}, Counting);
        expect((await pool.query('SELECT 1 AS one')).rows).to.deep.equal([{ one: 1 }]);
        await failure(pool.query('SELECT nonsense'));
        await pool.query('SELECT 1');
        expect([connects, counts(pool)]).to.deep.equal([3, '1/1/0']);
      });

      it('5. a subclass whose connect wraps release sees query release', async () => {
        const released: unknown[] = [];
        class Watching extends pg.Pool {
          override connect(done?: Done): never {
            return super.connect((error, client, release) => {
              if (client !== undefined) {
                client.release = (failed?: unknown) => {
                  released.push(failed);
                  release(failed);
                };
              }
              done!(error, client, release);
            }) as never;
          }
        }
        const pool = newPool({}, Watching);
        await pool.query('SELECT 1');
        const error = await failure(pool.query('SELECT nonsense'));
        expect(released).to.deep.equal([null, error]);
        expect(pool.totalCount).to.equal(differs ? 1 : 0);
      });

      it('6. the ESM export Pool is the same class as the CommonJS one', async () => {
        const { lines } = await run(`import('pg').then(({ Pool: Named, default: all }) =>
          console.log(Named === Pool, all.Pool === Pool));`);
        expect(lines).to.deep.equal(['true true']);
      });

      it('7. pg.native stays lazy and untouched', async () => {
        const pool = newPool();
        await pool.query('SELECT 1');
        expect(Object.getOwnPropertyDescriptor(pg, 'native')).to.have.property('get').that.is.a('function');
      });

      it('7. a pool of pg.native', async () => {
        const fake = JSON.stringify(pathToFileURL(require.resolve('./fake-pg-native.js')).href);
        const { lines } = await run(
          `(async () => {
            const told = [];
            const pool = new pg.native.Pool({ ...login, max: 1 });
            for (const name of ['connect', 'acquire', 'release', 'remove']) pool.on(name, () => told.push(name));
            const client = await pool.connect();
            const rows = [(await client.query('SELECT $1::int AS n', [1])).rows];
            const queued = pool.query({ name: 'named', text: 'SELECT $1::int AS n', values: [2] });
            await client.query('BEGIN');
            client.release();
            rows.push((await queued).rows);
            const status = client.getTransactionStatus();
            const { code } = await pool.query('SELECT nonsense').catch((error) => error);
            const kept = pool.totalCount;
            await pool.end();
            while (!told.includes('remove')) await new Promise(setImmediate);
            console.log(JSON.stringify({ rows, status, code, kept, told, ours: isOurs(pool),
              native: client instanceof pg.native.Client, pool: pool instanceof pg.native.Pool }));
          })();`,
          `require('node:module').registerHooks({ resolve: (name, context, next) =>
            name === 'pg-native' ? { url: ${fake}, format: 'commonjs', shortCircuit: true } : next(name, context) });
          patch();`,
        );
        expect(JSON.parse(lines.at(-1)!)).to.deep.equal({
          rows: [[{ n: 1 }], [{ n: 2 }]],
          status: differs ? 'I' : 'T',
          code: '42703',
          kept: differs ? 1 : 0,
          told: ['connect', 'acquire', 'release', 'acquire', 'release', 'acquire', 'release', 'remove'],
          ours: isOurs,
          native: true,
          pool: true,
        });
      });

      it('8. the own property list of a pool is unchanged', async () => {
        const pool = newPool();
        const before = Object.keys(pool).sort();
        await pool.query('SELECT 1');
        expect(Object.keys(pool).sort()).to.deep.equal(before);
        expect(Object.getOwnPropertySymbols(pool)).to.deep.equal(Object.getOwnPropertySymbols(new pg.Pool()));
      });

      it('9. console.log(pool) shows no password', async () => {
        const pool = newPool({ password: 'quite-secret' });
        await pool.query('SELECT 1');
        expect(inspect(pool, { depth: 6, getters: true })).not.to.include('quite-secret');
      });

      it('62. two pg-pool copies in one process are independent', async () => {
        const other = new Copy(undefined);
        const pool = new other.pg.Pool(login());
        await pool.query('SELECT 1');
        expect(Object.getOwnPropertyDescriptor(pool, '_clients')).to.have.property('value');
        await pool.end();
        expect(other.PgPool).not.to.equal(PgPool);
      });
    });

    describe('options', () => {
      const sizes: [object, number][] = [
        [{ max: 3 }, 3],
        [{ max: undefined, poolSize: 4 }, 4],
        [{ max: 0 }, 10],
        [{ max: undefined }, 10],
      ];
      for (const [options, most] of sizes) {
        it(`10. ${JSON.stringify(options)} allows ${most} clients`, async () => {
          const pool = newPool(options);
          const clients = await lease(pool, most);
          const waiting = pool.connect();
          expect([pool.options.max, counts(pool)]).to.deep.equal([most, `${most}/0/1`]);
          for (const client of clients) client.release();
          (await waiting).release();
        });
      }

      it('11. raising options.max at run time is honoured', async () => {
        const pool = newPool({ max: 1 });
        const first = await pool.connect();
        pool.options.max = 2;
        const second = await pool.connect();
        expect(counts(pool)).to.equal('2/0/0');
        first.release();
        second.release();
      });

      it(`12. min ${differs ? 'is kept filled' : 'never pre-connects'} and stops reaping below min`, async () => {
        const pool = newPool({ min: 2, max: 3, idleTimeoutMillis: 20 });
        expect(pool.totalCount).to.equal(0);
        await pool.query('SELECT 1');
        if (differs) await until(() => pool.totalCount === 2);
        else await delay(50);
        expect(pool.totalCount).to.equal(differs ? 2 : 1);
        for (const client of await lease(pool, 3)) client.release();
        await until(() => pool.totalCount < 3);
        await delay(60);
        expect(counts(pool)).to.equal('2/2/0');
      });

      it('13. idleTimeoutMillis reaps, 0 never reaps', async () => {
        const pool = newPool({ idleTimeoutMillis: 30 });
        const lasting = newPool({ idleTimeoutMillis: 0 });
        await lasting.query('SELECT 1');
        await pool.query('SELECT 1');
        expect(counts(pool)).to.equal('1/1/0');
        await until(() => pool.totalCount === 0);
        expect([counts(pool), counts(lasting)]).to.deep.equal(['0/0/0', '1/1/0']);
      });

      it('14. maxUses removes after n', async () => {
        const pool = newPool({ maxUses: 2 });
        await pool.query('SELECT 1');
        expect(pool.totalCount).to.equal(1);
        (await pool.connect()).release();
        expect(pool.totalCount).to.equal(0);
      });

      it('15. maxLifetimeSeconds expires idle and leased clients, and expiredCount is right', async () => {
        const pool = newPool({ maxLifetimeSeconds: 0.3 });
        const [idle, leased] = (await lease(pool, 2)) as [Client, Client];
        idle.release();
        // The one in use has another one opened in its place.
        await until(() => counts(pool) === (differs ? '2/1/0' : '1/0/0') && pool.expiredCount === 1);
        leased.release();
        if (differs) await until(() => counts(pool) === '1/1/0' && pool.expiredCount === 0);
        else expect([counts(pool), pool.expiredCount]).to.deep.equal(['0/0/0', 0]);
        if (isOurs) {
          const { lifetimeJitter } = facadeOf(pool as never, undefined)!.engine.options;
          expect(lifetimeJitter).to.equal(differs ? 0.1 : 0);
        }
      });

      it('16. allowExitOnIdle lets the process exit at once', async () => {
        const { lines, ms } =
          await run(`const pool = new Pool({ ...login, allowExitOnIdle: true, min: 2, idleTimeoutMillis: 15_000 });
          pool.query('SELECT 1', () => setTimeout(() => pool.query('SELECT 1', () => console.log('done')), 700));`);
        expect(lines).to.deep.equal(['done']);
        expect(ms).to.be.below(15_000);
      });

      const lastCallers: [string, string][] = [
        ['a client that used up its uses', `pool.query('SELECT 1', done);`],
        [
          'an open transaction',
          `pool.connect((error, client, release) => client.query('BEGIN', () => { release(); done(); }));`,
        ],
        ['a failed query', `pool.query('SELECT nonsense', done);`],
      ];
      for (const [obstacle, source] of lastCallers) {
        it(`16. allowExitOnIdle does not exit on a caller that waits behind ${obstacle}`, async () => {
          const { lines } = await run(`const done = () => console.log('first');
            const maxUses = ${obstacle.includes('uses') ? 1 : 0};
            const pool = new Pool({ ...login, max: 1, maxUses, allowExitOnIdle: true });
            ${source} pool.query('SELECT 1', () => console.log('second'));`);
          expect(lines).to.deep.equal(['first', 'second']);
        });
      }

      it('17. by default the process exits within idleTimeoutMillis', async () => {
        const { lines, ms } = await run(`const pool = new Pool({ ...login, idleTimeoutMillis: 600 });
          pool.on('remove', () => console.log('removed'));
          pool.query('SELECT 1', () => console.log('done'));`);
        expect(lines).to.deep.equal(['done', 'removed']);
        expect(ms).to.be.within(600, 10_000);
      });

      it('18. the custom options.Promise type is returned', async () => {
        class Own<T> extends Promise<T> {}
        const pool = newPool({ Promise: Own });
        const connected = pool.connect();
        (await connected).release();
        const again = pool.connect();
        (await again).release();
        const queried = pool.query('SELECT 1');
        await queried;
        const ended = pool.end();
        await ended;
        for (const promise of [connected, again, queried, ended]) expect(promise).to.be.instanceOf(Own);
      });

      it('18. a custom Promise rejects with the same error', async () => {
        class Own<T> extends Promise<T> {}
        const pool = newPool({ Promise: Own, port: 1, host: '127.0.0.1' });
        const connected = pool.connect();
        expect(await failure(connected)).to.have.property('code', 'ECONNREFUSED');
        expect(connected).to.be.instanceOf(Own);
      });

      it('19. options.Client is constructed with pool.options', async () => {
        const given: unknown[] = [];
        class OwnClient extends pg.Client {
          constructor(options: object) {
            super(options);
            given.push(options);
          }
        }
        const pool = newPool({ Client: OwnClient });
        const client = await pool.connect();
        expect(client).to.be.instanceOf(OwnClient);
        expect(given).to.deep.equal([pool.options]);
        expect(given[0]).to.equal(pool.options);
        client.release();
      });

      it('20. options.log gets its lines', async () => {
        const lines: string[] = [];
        const pool = newPool({ maxUses: 1, log: (line: string) => lines.push(line) });
        await pool.query('SELECT 1');
        await pool.end();
        expect(lines).to.include.members([
          'connecting new client',
          'new client connected',
          'dispatching query',
          'query dispatched',
          'remove expended client',
          'ending',
        ]);
      });

      it('35. onConnect, connect, acquire, verify, callback: in this order', async () => {
        for (const ask of ['connect', 'query'] as const) {
          const told: string[] = [];
          const pool = newPool({
            onConnect: async (client: Client) => {
              await client.query('SELECT 1');
              told.push('onConnect');
            },
            verify: (_client: Client, done: () => void) => {
              told.push('verify');
              setImmediate(done);
            },
          });
          for (const name of ['connect', 'acquire'] as const) pool.on(name, () => told.push(name));
          if (ask === 'query') await pool.query('SELECT 1');
          else (await pool.connect()).release();
          told.push('answer');
          await pool.query('SELECT 1');
          expect(told).to.deep.equal(['onConnect', 'connect', 'acquire', 'verify', 'answer', 'acquire']);
        }
      });

      for (const how of ['throws', 'rejects']) {
        it(`36. onConnect ${how}: the client is ended, the caller gets that error, total 0`, async () => {
          const error = new Error('unwelcome');
          let client: (Client & { _ending: boolean }) | undefined;
          const onConnect = (connected: typeof client) => {
            client = connected;
            if (how === 'throws') throw error;
            return Promise.reject(error);
          };
          const pool = newPool({ onConnect });
          expect(await failure(pool.connect())).to.equal(error);
          expect([counts(pool), client!._ending]).to.deep.equal(['0/0/0', true]);
        });
      }

      for (const ask of ['connect', 'query'] as const) {
        it(`37. a verify error of ${ask}: released with it, and the caller gets it`, async () => {
          const error = new Error('not verified');
          const pool = newPool({ verify: (_: Client, done: (error: Error) => void) => done(error) });
          const released: unknown[] = [];
          pool.on('release', (given) => released.push(given));
          expect(await failure(ask === 'query' ? pool.query('SELECT 1') : pool.connect())).to.equal(error);
          expect([counts(pool), released]).to.deep.equal(['0/0/0', [error]]);
        });
      }
    });

    describe('connect', () => {
      it('21. the promise resolves the real Client, with a release of its own', async () => {
        const pool = newPool();
        const client = await pool.connect();
        expect(client).to.be.instanceOf(pg.Client);
        expect(Object.hasOwn(client, 'release')).to.equal(true);
        client.release();
        const again = await pool.connect();
        expect(again).to.equal(client);
        again.release();
      });

      it('22. connect(cb) passes (undefined, client, release) and returns undefined', async () => {
        const pool = newPool();
        for (const _turn of ['new', 'idle']) {
          const { given, client, release } = await connectBy(pool);
          expect(given).to.have.length(3);
          expect(given[0]).to.equal(undefined);
          expect(client.release).to.equal(release);
          release();
        }
        expect(pool.connect((_error, _client, release) => release())).to.equal(undefined);
        await until(() => pool.idleCount === 1);
      });

      it('23. 50. a refused connect(cb) passes (error, undefined, function), the driver’s own error, total 0', async () => {
        const pool = newPool({ port: 1, host: '127.0.0.1', max: 1 });
        const [first, second] = await Promise.all([connectBy(pool), connectBy(pool)]);
        expect(first.given[0]).to.be.an('error').with.property('code', 'ECONNREFUSED');
        expect(first.given[1]).to.equal(undefined);
        expect(first.release).to.be.a('function');
        expect(second.given[0]).to.have.property('code', 'ECONNREFUSED');
        expect(second.given[0]).not.to.equal(first.given[0]);
        expect(counts(pool)).to.equal('0/0/0');
      });

      it(`a client whose constructor throws ${isOurs ? 'fails its caller' : 'throws out of connect'}`, async () => {
        class Unfit extends pg.Client {
          constructor(config?: object) {
            super(config);
            throw new Error('unfit');
          }
        }
        const pool = newPool({ Client: Unfit });
        const connecting = () => pool.connect();
        if (isOurs) expect((await failure(connecting())).message).to.equal('unfit');
        else expect(connecting).to.throw('unfit');
        expect(counts(pool)).to.equal('0/0/0');
      });

      it('24. 28. a new client counts in the same tick, and its caller does not wait', async () => {
        const pool = newPool();
        const connecting = [pool.connect(), pool.connect(), pool.connect()];
        expect(counts(pool)).to.equal('2/0/1');
        for (const promise of connecting) promise.then((client) => client.release());
        await Promise.all(connecting);
      });

      it('25. the idle path never calls back synchronously', async () => {
        const pool = newPool();
        await pool.query('SELECT 1');
        let told = '';
        pool.connect((_error, _client, release) => {
          told += 'connect ';
          release();
        });
        pool.query('SELECT 1', () => {
          told += 'query';
        });
        expect(told).to.equal('');
        await until(() => told !== '' && told.includes('query'));
        expect(told).to.equal('connect query');
      });

      for (const ask of ['connect', 'query'] as const) {
        it(`26. waiting ${ask} calls are served first in, first out`, async () => {
          const pool = newPool({ max: 1 });
          const first = await pool.connect();
          const order: number[] = [];
          const all = [0, 1, 2, 3].map(async (number) => {
            if (ask === 'query') await pool.query('SELECT 1');
            else (await pool.connect()).release();
            order.push(number);
          });
          first.release();
          await Promise.all(all);
          expect(order).to.deep.equal([0, 1, 2, 3]);
        });
      }

      it('27. the client that went idle last is taken first', async () => {
        const pool = newPool();
        const [a, b] = (await lease(pool, 2)) as [Client, Client];
        a.release();
        b.release();
        const next = await pool.connect();
        expect(next).to.equal(b);
        next.release();
      });

      it('45. a leased client has no error listener of the pool’s', async () => {
        const pool = newPool();
        for (const _turn of ['new', 'idle']) {
          const client = await pool.connect();
          expect(client.listenerCount('error')).to.equal(0);
          client.release();
        }
        expect([pool.listenerCount('error'), pool.listenerCount('connect')]).to.deep.equal([0, 0]);
      });

      it('10,000 leases leave no listener behind', async () => {
        const pool = newPool({ max: 1 });
        for (let turn = 0; turn < 10_000; turn += 1) (await pool.connect()).release();
        const client = await pool.connect();
        const own = new pg.Client(login());
        await own.connect();
        expect(client.eventNames()).to.deep.equal(own.eventNames());
        await own.end();
        client.release();
      });

      it('48. the queue timeout has its message, its caller leaves the queue and later ones are served', async () => {
        const pool = newPool({ max: 1, connectionTimeoutMillis: 1_200 });
        const client = await pool.connect();
        const doomed = [failure(pool.connect()), failure(pool.query('SELECT 1'))];
        // So long may the machine stand still when they have failed, before this one fails too.
        await delay(800);
        const lucky = pool.connect();
        for (const error of await Promise.all(doomed)) {
          expect(error.message).to.equal('timeout exceeded when trying to connect');
          expect(error.constructor).to.equal(Error);
          expect(error).not.to.have.property('code');
        }
        expect(counts(pool)).to.equal('1/0/1');
        client.release();
        (await lucky).release();
      });

      it('49. the connect timeout has its message and a cause', async () => {
        const pool = newPool({ port: portOf(mute), connectionTimeoutMillis: 60 });
        for (const _turn of [1, 2, 3]) {
          const error = await failure(pool.connect());
          expect(error.message).to.equal('Connection terminated due to connection timeout');
          expect(error.cause).to.be.an('error');
          expect(counts(pool)).to.equal('0/0/0');
        }
      });

      it('51. when a waiter timed out, the client that was opened for it goes to the pool', async () => {
        let goOn: Promise<unknown> = Promise.resolve();
        class SlowClient extends pg.Client {
          override connect(done?: unknown): never {
            return goOn.then(() => super.connect(done as never)) as never;
          }
        }
        const pool = newPool({ Client: SlowClient, max: 1, connectionTimeoutMillis: 1_400 });
        const first = await pool.connect();
        const waiting = failure(pool.connect());
        goOn = waiting;
        // The client is begun in the midst of the caller's time, and has as much time: after the caller's end it still has half of it.
        await delay(700);
        first.release(true);
        expect((await waiting).message).to.equal('timeout exceeded when trying to connect');
        await until(() => pool.idleCount === 1);
        expect(counts(pool)).to.equal('1/1/0');
      });

      it('64. _clients, idleCount and waitingCount can be read while a connect is pending', async () => {
        const pool = newPool();
        const connecting = pool.connect();
        expect(pool._clients.at(-1)!.connectionParameters.host).to.equal(server.host);
        expect([pool.idleCount > pool.waitingCount, pool._pendingQueue.length]).to.deep.equal([false, 0]);
        const client = await connecting;
        client.release();
        expect([pool._clients, pool._idle.map((item) => item.client)]).to.deep.equal([[client], [client]]);
      });
    });

    describe('events', () => {
      it('29. 30. 31. a new client: connect, acquire, callback; the counts in them', async () => {
        const pool = newPool();
        const told = record(pool);
        pool.once('connect', (client) => expect(pool._clients).to.deep.equal([client]));
        const client = await pool.connect();
        told.push('callback');
        expect(told).to.deep.equal(['connect 1/0/0', 'acquire 1/0/0', 'callback']);
        client.release();
        expect(told.splice(3)).to.deep.equal(['release 1/0/0']);
        await pool.query('SELECT 1');
        expect(told.slice(3)).to.deep.equal(['acquire 1/0/0', 'release 1/0/0']);
      });

      it('29. a released client that goes to a waiter: the counts in its events', async () => {
        const pool = newPool({ max: 1 });
        const first = await pool.connect();
        const [second, third] = [pool.connect(), pool.connect()];
        const told = record(pool);
        first.release();
        (await second).release();
        (await third).release();
        expect(told).to.deep.equal([
          'release 1/0/2',
          'acquire 1/0/1',
          'release 1/0/1',
          'acquire 1/0/0',
          'release 1/0/0',
        ]);
      });

      it('30. inside connect and acquire of a new client release is not there yet', async () => {
        const pool = newPool();
        const seen: unknown[] = [];
        for (const name of ['connect', 'acquire'] as const)
          pool.on(name, (client) => seen.push(client.release));
        (await pool.connect()).release();
        expect(seen).to.deep.equal([undefined, undefined]);
      });

      it('31. as many acquire events as checkouts', async () => {
        const pool = newPool({ max: 3 });
        let acquired = 0;
        let released = 0;
        pool.on('acquire', () => (acquired += 1));
        pool.on('release', () => (released += 1));
        await Promise.all(
          Array.from({ length: 20 }, (_, turn) =>
            turn % 2 === 0 ? pool.query('SELECT 1') : pool.connect().then((client) => client.release()),
          ),
        );
        expect([acquired, released]).to.deep.equal([20, 20]);
      });

      it('32. release passes undefined, null, true or the error', async () => {
        const pool = newPool();
        const told: unknown[] = [];
        pool.on('release', (error, client) => told.push(error, client));
        const error = new Error('spoilt');
        const clients: Client[] = [];
        for (const given of [undefined, true, error]) {
          const client = await pool.connect();
          clients.push(client);
          client.release(given as Error);
        }
        await pool.query('SELECT 1');
        expect(told.filter((_, index) => index % 2 === 0)).to.deep.equal([undefined, true, error, null]);
        expect(told[1]).to.equal(clients[0]);
      });

      it('33. remove comes after the socket’s end, when totalCount is already lower', async () => {
        const pool = newPool();
        const told = record(pool);
        const client = await pool.connect();
        client.release(true);
        expect([counts(pool), told.slice(2)]).to.deep.equal(['0/0/0', ['release 1/0/0']]);
        const [removed] = await once(pool as never, 'remove');
        expect(told.slice(3)).to.deep.equal(['remove 0/0/0']);
        expect(removed).to.equal(client).and.have.property('_ended', true);
      });

      it('34. queries of a connect listener run before the caller’s', async () => {
        const pool = newPool();
        pool.on('connect', (client) => void client.query("SET application_name = 'listener'"));
        const { rows } = await pool.query('SHOW application_name');
        expect(rows).to.deep.equal([{ application_name: 'listener' }]);
      });
    });

    describe('release', () => {
      const twice = 'Release called on client which has already been released to the pool.';

      it('38. a second release throws, in stock’s words, at once', async () => {
        const pool = newPool();
        const { client, release } = await connectBy(pool);
        release();
        expect(() => release()).to.throw(Error, twice);
        expect(() => client.release()).to.throw(Error, twice);
        expect(counts(pool)).to.equal('1/1/0');
      });

      it('39. the release function of an earlier lease throws, also when the client is leased again', async () => {
        const pool = newPool();
        const stale = (await connectBy(pool)).release;
        stale();
        const holder = await pool.connect();
        expect(() => stale()).to.throw(Error, twice);
        expect(counts(pool)).to.equal('1/0/0');
        holder.release();
      });

      it('40. release(true) and release(error) destroy', async () => {
        const pool = newPool();
        for (const given of [true, new Error('spoilt')]) {
          const client = await pool.connect();
          client.release(given);
          expect(counts(pool)).to.equal('0/0/0');
          expect(client).to.have.property('_ending', true);
        }
      });

      it('41. an ended or dead client is discarded on release and the next waiter gets a new one', async () => {
        const pool = newPool({ max: 1 });
        const spoil = [
          (client: Client) => void client.end(),
          (client: Client) => {
            client.once('error', () => {});
            client.connection.stream.destroy();
          },
        ];
        for (const spoilt of spoil) {
          const client = await pool.connect();
          const waiting = pool.connect();
          spoilt(client);
          await delay(20);
          client.release();
          const next = await waiting;
          expect(next).not.to.equal(client);
          expect((await next.query('SELECT 1 AS one')).rows).to.deep.equal([{ one: 1 }]);
          next.release();
        }
      });

      it('42. release returns undefined, which can be awaited', async () => {
        const client = await newPool().connect();
        expect(await (client.release() as unknown)).to.equal(undefined);
      });

      it('43. a release while the pool is ending removes the client', async () => {
        const pool = newPool();
        const client = await pool.connect();
        const ended = pool.end();
        expect(await isSettled(ended)).to.equal(false);
        client.release();
        expect(pool.totalCount).to.equal(0);
        await ended;
      });

      it(`a transaction left open is ${differs ? 'rolled back' : 'inherited by the next holder'}`, async () => {
        const pool = newPool({ max: 1 });
        const client = await pool.connect();
        await client.query('BEGIN');
        client.release();
        const next = await pool.connect();
        expect(next).to.equal(client);
        const { rows } = await next.query('SELECT now() = statement_timestamp() AS fresh');
        expect(rows).to.deep.equal([{ fresh: differs }]);
        await next.query('ROLLBACK');
        next.release();
      });

      it('a transaction that pool.query began is for the next pool.query to end', async () => {
        const pool = newPool({ max: 1 });
        await pool.query('CREATE TEMP TABLE kept_by_query (n int)');
        await pool.query('BEGIN');
        await pool.query('INSERT INTO kept_by_query VALUES (1)');
        await pool.query('COMMIT');
        expect((await pool.query('SELECT n FROM kept_by_query')).rows).to.deep.equal([{ n: 1 }]);
      });

      it('a transaction in which pool.query failed is nobody else’s, however it was begun', async () => {
        const pool = newPool({ max: 1 });
        const fails = async (sql: string, values?: unknown[]) =>
          expect(await pool.query(sql, values as never).catch((error: Error) => error.message)).to.equal(
            'division by zero',
          );
        const isFresh = async () => {
          const { rows } = await pool.query('SELECT now() = statement_timestamp() AS fresh');
          expect(rows).to.deep.equal([{ fresh: true }]);
        };
        await fails('BEGIN; SELECT 1 / 0; COMMIT');
        await isFresh();
        await pool.query('BEGIN');
        await fails('SELECT 1 / $1::int', [0]);
        await isFresh();
        await pool.query('BEGIN');
        await Promise.all([fails('SELECT 1 / 0'), isFresh(), isFresh()]);
      });

      it('a COMMIT that nobody awaited is not rolled back, and may take longer than a check may', async () => {
        const copy = new Copy(
          isOurs
            ? hostOf({ options: { checkTimeoutMs: 100 }, differences: differs ? ENHANCED : STRICT })
            : undefined,
        );
        const pool = newPool({ max: 1 }, copy.pg.Pool);
        const client = await pool.connect();
        await client.query(`CREATE TEMP TABLE slowly (n int);
          CREATE FUNCTION pg_temp.sleep() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END';
          CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slowly DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION pg_temp.sleep()`);
        await client.query('BEGIN');
        await client.query('INSERT INTO slowly VALUES (1)');
        void client.query('COMMIT');
        client.release();
        expect((await pool.query('SELECT n FROM slowly')).rows).to.deep.equal([{ n: 1 }]);
        expect(pool._clients).to.deep.equal([client]);
      });

      it('a COMMIT that nobody awaited is not rolled back', async () => {
        const pool = newPool({ max: 1 });
        const client = await pool.connect();
        await client.query('CREATE TEMP TABLE kept (n int)');
        await client.query('BEGIN');
        await client.query('INSERT INTO kept VALUES (1)');
        void client.query('COMMIT');
        client.release();
        expect((await pool.query('SELECT n FROM kept')).rows).to.deep.equal([{ n: 1 }]);
      });
    });

    describe('failing clients', () => {
      it('44. an idle client’s error: pool error(error, client), error.client, removed', async () => {
        const pool = newPool();
        const client = await pool.connect();
        client.release();
        const told = once(pool as never, 'error');
        await kill(client);
        const [error, failed] = await told;
        expect([failed, error.client, counts(pool)]).to.deep.equal([client, client, '0/0/0']);
      });

      it('44. without a listener it is an uncaught exception', async () => {
        const { lines } = await run(`process.once('uncaughtException', (error, origin) => {
            console.log(error.message, origin); process.exit(); });
          const pool = new Pool(login);
          pool.connect().then((client) => { client.release(); client.emit('error', new Error('gone')); });`);
        expect(lines).to.deep.equal(['gone unhandledRejection']);
      });

      it('46. pool.query tells of its client’s death once, and the pool does not', async () => {
        const pool = newPool();
        const errors: unknown[] = [];
        const poolErrors: unknown[] = [];
        pool.on('error', (error) => poolErrors.push(error));
        pool.query('SELECT pg_sleep(600)', (error: unknown) => errors.push(error));
        await untilRunning('SELECT pg_sleep(600)');
        await kill(pool._clients[0]!);
        await until(() => errors.length > 0);
        await delay(30);
        expect(errors).to.have.length(1);
        expect(errors[0]).to.be.an('error');
        expect([poolErrors.length, pool.totalCount]).to.deep.equal([0, 0]);
      });

      it('47. an additional error after the disconnection is only logged', async () => {
        const lines: string[] = [];
        const pool = newPool({ log: (line: string) => lines.push(line) });
        const client = await pool.connect();
        client.release();
        let told = 0;
        pool.on('error', () => (told += 1));
        client.emit('error', new Error('first'));
        client.emit('error', new Error('second'));
        expect(told).to.equal(1);
        expect(lines).to.include('additional client error after disconnection due to error');
      });

      it(`46. a connection that was idle for long and is dead without a word is ${differs ? 'replaced' : 'handed out'}`, async () => {
        const sockets = new Set<Socket>();
        let dead = false;
        const proxy = createServer((near) => {
          const far = createConnection(server.port, server.host);
          for (const socket of [near, far]) {
            sockets.add(socket);
            socket.on('error', () => {});
          }
          near.on('data', (data) => (dead ? near.destroy() : far.write(data)));
          far.on('data', (data) => near.write(data));
        }).listen(0, '127.0.0.1');
        await once(proxy, 'listening');
        const pool = newPool({ port: portOf(proxy), host: '127.0.0.1', max: 1 });
        await pool.query('SELECT 1');
        await delay(550);
        dead = true;
        proxy.once('connection', () => {
          dead = false;
        });
        const outcome = await pool.query('SELECT 1 AS one').then(
          ({ rows }) => rows,
          (error) => error.message,
        );
        expect(outcome).to.deep.equal(differs ? [{ one: 1 }] : 'Connection terminated unexpectedly');
        await pool.end();
        for (const socket of sockets) socket.destroy();
        proxy.close();
      });

      it(`a failed statement of connect() that its holder swallowed ${differs ? 'never' : 'may'} taint the next`, async () => {
        const pool = newPool({ max: 1 });
        const client = await pool.connect();
        await client.query('BEGIN');
        await failure(client.query('SELECT nonsense'));
        client.release();
        const outcome = await pool.query('SELECT 1 AS one').then(
          ({ rows }) => rows[0].one,
          (error) => error.code,
        );
        expect(outcome).to.equal(differs ? 1 : '25P02');
      });
    });

    describe('query', () => {
      const forms: [string, (pool: Pool) => Promise<unknown>][] = [
        ['text', (pool) => pool.query('SELECT 1 AS n')],
        ['text, values', (pool) => pool.query('SELECT $1::int AS n', [1])],
        ['config', (pool) => pool.query({ text: 'SELECT 1 AS n' })],
        ['config, values', (pool) => pool.query({ text: 'SELECT $1::int AS n' }, [1])],
        ['named', (pool) => pool.query({ name: 'named', text: 'SELECT $1::int AS n', values: [1] })],
        ['text, callback', (pool) => byCallback((done) => pool.query('SELECT 1 AS n', done))],
        [
          'text, values, callback',
          (pool) => byCallback((done) => pool.query('SELECT $1::int AS n', [1], done)),
        ],
        [
          'config, callback',
          (pool) => byCallback((done) => pool.query({ text: 'SELECT 1 AS n' } as never, done)),
        ],
      ];
      for (const [name, ask] of forms) {
        it(`52. query(${name})`, async () => {
          const pool = newPool();
          for (const _turn of ['new', 'idle']) {
            expect(await ask(pool))
              .to.have.property('rows')
              .that.deep.equals([{ n: 1 }]);
          }
          expect(counts(pool)).to.equal('1/1/0');
        });
      }

      function byCallback(ask: (done: (error: Error, result: unknown) => void) => unknown): Promise<unknown> {
        return new Promise((resolve, reject) => {
          const returned = ask((error, result) => (error ? reject(error) : resolve(result)));
          expect(returned).to.equal(undefined);
        });
      }

      it('52. rowMode array', async () => {
        const { rows } = await newPool().query({ text: 'SELECT 1, 2', rowMode: 'array' });
        expect(rows).to.deep.equal([[1, 2]]);
      });

      it('52. a Submittable settles when its callback fires', async () => {
        const pool = newPool();
        const query = new pg.Query('SELECT 1 AS n');
        const result = await pool.query(query as never);
        expect(result)
          .to.have.property('rows')
          .that.deep.equals([{ n: 1 }]);
        expect(counts(pool)).to.equal('1/1/0');
      });

      it('52. a cursor reads in steps, and its client goes back with no row unread', async () => {
        const pool = newPool({ max: 1 });
        const Cursor = require('pg-cursor') as CursorClass;
        for (const _turn of ['new', 'idle']) {
          const client = await pool.connect();
          const cursor = client.query(
            new Cursor('SELECT n FROM generate_series(1, 5) AS n') as never,
          ) as Cursor;
          expect(await cursor.read(2)).to.deep.equal([{ n: 1 }, { n: 2 }]);
          expect(await cursor.read(2)).to.deep.equal([{ n: 3 }, { n: 4 }]);
          await cursor.close();
          client.release();
        }
        expect((await pool.query('SELECT 1 AS one')).rows).to.deep.equal([{ one: 1 }]);
        expect(counts(pool)).to.equal('1/1/0');
      });

      it('52. a query stream, read to its end and given up early', async () => {
        const pool = newPool({ max: 1 });
        const QueryStream = require('pg-query-stream') as new (sql: string, values: unknown[]) => Readable;
        for (const most of [1_000, 3]) {
          const client = await pool.connect();
          const rows: unknown[] = [];
          const stream = new QueryStream('SELECT n FROM generate_series(1, $1::int) AS n', [1_000]);
          client.query(stream as never);
          for await (const row of stream) {
            rows.push(row);
            if (rows.length === most) break;
          }
          expect(rows).to.have.length(most);
          client.release();
        }
        expect((await pool.query('SELECT 1 AS one')).rows).to.deep.equal([{ one: 1 }]);
        expect(counts(pool)).to.equal('1/1/0');
      });

      it('52. copy streams, in and out', async () => {
        const pool = newPool({ max: 1 });
        const { from, to } = require('pg-copy-streams') as {
          from(sql: string): Writable;
          to(sql: string): Readable;
        };
        const client = await pool.connect();
        await client.query('CREATE TEMP TABLE copied (n int)');
        await pipeline(
          Readable.from(['1\n', '2\n', '3\n']),
          client.query(from('COPY copied FROM STDIN') as never) as Writable,
        );
        const chunks: string[] = [];
        for await (const chunk of client.query(to('COPY copied TO STDOUT') as never) as Readable)
          chunks.push(String(chunk));
        expect(chunks.join('')).to.equal('1\n2\n3\n');
        client.release();
        const { rows } = await pool.query('SELECT count(*)::int AS n FROM copied');
        expect([rows, counts(pool)]).to.deep.equal([[{ n: 3 }], '1/1/0']);
      });

      it('53. query(function) is refused through setImmediate', async () => {
        const pool = newPool();
        const error = await new Promise<Error>((resolve) => pool.query(resolve as never));
        expect(error.message).to.equal(
          'Passing a function as the first parameter to pool.query is not supported',
        );
        expect(counts(pool)).to.equal('0/0/0');
      });

      it('54. query(null) rejects a TypeError and frees its client', async () => {
        const pool = newPool({ max: 1 });
        for (const _turn of ['new', 'again']) {
          const error = await failure(pool.query(null as never));
          expect(error).to.be.instanceOf(TypeError);
          expect(error.message).to.equal('Client was passed a null or undefined query');
        }
        await pool.query('SELECT 1');
        expect(counts(pool)).to.equal('1/1/0');
      });

      it(`55. failing SQL ${differs ? 'keeps' : 'destroys'} the client; its error keeps class and code`, async () => {
        const pool = newPool({ max: 1 });
        const told: unknown[] = [];
        pool.on('release', (error) => told.push(error));
        const error = await failure(pool.query('SELECT nonsense'));
        expect(error).to.be.instanceOf((pg as unknown as { DatabaseError: never }).DatabaseError);
        expect([error.code, told, pool.totalCount]).to.deep.equal(['42703', [error], differs ? 1 : 0]);
        expect((await pool.query('SELECT 1 AS one')).rows).to.deep.equal([{ one: 1 }]);
      });

      it('55. an error that leaves the statement running destroys the client', async () => {
        const pool = newPool({ max: 1, query_timeout: 60 });
        const error = await failure(pool.query('SELECT pg_sleep(2)'));
        expect(error.message).to.equal('Query read timeout');
        expect(pool.totalCount).to.equal(0);
      });

      it('56. errors of promises carry the caller’s stack', async () => {
        const pool = newPool({ max: 1 });
        async function theCaller(): Promise<void> {
          await pool.query('SELECT nonsense');
        }
        expect((await failure(theCaller())).stack).to.include('theCaller');
        const refused = newPool({ port: 1, host: '127.0.0.1' });
        async function theConnector(): Promise<void> {
          await refused.connect();
        }
        expect((await failure(theConnector())).stack).to.include('theConnector');
      });

      const thrower = "(error) => { throw new Error('thrown'); }";
      const throwers: [string, string][] = [
        ['a query callback', `pool.query('SELECT 1', ${thrower});`],
        ['a query callback after an error', `pool.query('SELECT nonsense', ${thrower});`],
        ['a connect callback', `pool.connect(${thrower});`],
        ['a connect callback after an error', `new Pool({ ...login, port: 1 }).connect(${thrower});`],
        ['an end callback', `pool.end(${thrower});`],
        ['an end callback of a used pool', `pool.query('SELECT 1', () => pool.end(${thrower}));`],
        [
          'a queued connect callback',
          `pool.connect((error, client, release) => setImmediate(release));
          pool.connect((error, client, release) => setImmediate(release)); pool.connect(${thrower});`,
        ],
        ['a connect callback on an idle client', `pool.query('SELECT 1', () => pool.connect(${thrower}));`],
      ];
      for (const [place, source] of throwers) {
        it(`57. a throw inside ${place} is an uncaught exception`, async () => {
          const { lines } = await run(`process.once('uncaughtException', (error, origin) => {
              console.log(error.message, origin); process.exit(); });
            const pool = new Pool(login); ${source}`);
          expect(lines).to.deep.equal(['thrown uncaughtException']);
        });
      }

      it('57. a throw inside one caller’s timeout callback costs the others nothing', async () => {
        const { lines } =
          await run(`const pool = new Pool({ ...login, max: 1, connectionTimeoutMillis: 100 });
          process.on('uncaughtException', (error) => console.log(error.message));
          pool.connect((error, client) => {
            pool.connect(${thrower});
            pool.connect((error) => { console.log(error.message); process.exit(); });
          });`);
        expect(lines).to.include.members(['timeout exceeded when trying to connect']);
      });

      it('68. pipeline: true', async () => {
        const pool = newPool({ pipeline: true, max: 1 });
        const client = await pool.connect();
        const results = await Promise.all([1, 2, 3].map((n) => client.query('SELECT $1::int AS n', [n])));
        expect(results.map(({ rows }) => rows[0].n)).to.deep.equal([1, 2, 3]);
        client.release();
        await pool.query('SELECT 1');
        expect(counts(pool)).to.equal('1/1/0');
      });
    });

    describe('end', () => {
      it('58. resolves with idle clients, and waits for leased ones', async () => {
        const unused = newPool();
        await unused.end();
        const idle = newPool();
        await idle.query('SELECT 1');
        await idle.end();
        expect([idle.ending, idle.ended, counts(idle)]).to.deep.equal([true, true, '0/0/0']);
        const leased = newPool();
        const client = await leased.connect();
        const ended = leased.end();
        expect([await isSettled(ended), leased.ended]).to.deep.equal([false, false]);
        await client.query('SELECT 1');
        client.release();
        await ended;
        expect(leased.ended).to.equal(true);
      });

      it('58. a second end and any use afterwards are refused', async () => {
        const pool = newPool();
        await pool.end();
        expect((await failure(pool.end())).message).to.equal('Called end on pool more than once');
        const refused = 'Cannot use a pool after calling end on the pool';
        expect((await failure(pool.connect())).message).to.equal(refused);
        expect((await failure(pool.query('SELECT 1'))).message).to.equal(refused);
        const told: string[] = [];
        pool.connect((error) => told.push(error!.message));
        pool.query('SELECT 1', (error: Error) => told.push(error.message));
        pool.end(((error: Error) => told.push(error.message)) as never);
        expect(told).to.deep.equal([refused, refused, 'Called end on pool more than once']);
      });

      it(`59. callers queued at end are ${differs ? 'served' : 'never settled'}; those with a client on its way are served`, async () => {
        const pool = newPool({ max: 1 });
        const onItsWay = pool.connect();
        const queued = pool.query('SELECT 1');
        const ended = pool.end();
        (await onItsWay).release();
        await ended;
        expect([await isSettled(queued), pool.waitingCount]).to.deep.equal(differs ? [true, 0] : [false, 1]);
      });

      it('60. end(cb)', async () => {
        const pool = newPool();
        await pool.query('SELECT 1');
        const given = await new Promise<unknown[]>((resolve) => {
          expect(pool.end(((...told: unknown[]) => resolve(told)) as never)).to.equal(undefined);
        });
        expect(given).to.deep.equal([]);
      });

      it('61. an instance may override end, as pg-promise does', async () => {
        const pool = newPool();
        await pool.query('SELECT 1');
        const stock = pool.end as () => Promise<void>;
        let called = 0;
        pool.end = function end(this: Pool) {
          called += 1;
          return stock.call(this);
        } as never;
        const client = await pool.connect();
        Object.assign(client, { $useCount: 1, end: () => expect.fail('locked') });
        Reflect.deleteProperty(client, 'end');
        client.release();
        await pool.end();
        expect([called, pool.ended]).to.deep.equal([1, true]);
      });
    });

    describe('contexts', () => {
      const caller = new AsyncLocalStorage<string>();

      it('65. what awaits connect or query is in its caller’s context', async () => {
        const pool = newPool({ max: 1 });
        const contexts = await Promise.all(
          ['a', 'b', 'c', 'd'].map((name) =>
            caller.run(name, async () => {
              const client = await pool.connect();
              const leased = caller.getStore();
              client.release();
              await pool.query('SELECT 1');
              return [leased, caller.getStore()].join();
            }),
          ),
        );
        expect(contexts).to.deep.equal(['a,a', 'b,b', 'c,c', 'd,d']);
      });

      it(`66. a queued callback runs in its ${differs ? 'caller’s' : 'releaser’s'} context`, async () => {
        const pool = newPool({ max: 1 });
        const client = await caller.run('releaser', () => pool.connect());
        const seen = new Promise((resolve) => {
          caller.run('caller', () =>
            pool.connect((_error, _client, release) => {
              resolve(caller.getStore());
              release();
            }),
          );
        });
        caller.run('releaser', () => client.release());
        expect(await seen).to.equal(differs ? 'caller' : 'releaser');
      });

      it(`66. a query’s callback runs in its ${differs ? 'caller’s' : 'socket’s'} context`, async () => {
        const pool = newPool({ max: 1 });
        await caller.run('opener', () => pool.query('SELECT 1'));
        const contexts = await Promise.all(
          ['idle', 'queued'].map(
            (name) =>
              new Promise((resolve) => {
                caller.run(name, () => pool.query('SELECT 1', () => resolve(caller.getStore())));
              }),
          ),
        );
        expect(contexts).to.deep.equal(differs ? ['idle', 'queued'] : ['opener', 'opener']);
      });

      it('67. callbacks are bound to the domain of their caller', async () => {
        const { lines } = await run(`const domain = require('node:domain').create();
          domain.on('error', (error) => { console.log('domain:', error.message); process.exit(); });
          const pool = new Pool(login);
          domain.run(() => pool.query('SELECT 1', () => { throw new Error('thrown'); }));`);
        expect(lines).to.deep.equal(['domain: thrown']);
      });
    });

    describe('other instrumentations', () => {
      const telemetry = `
        const { NodeSDK } = require('@opentelemetry/sdk-node');
        const { InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace');
        const { InMemoryMetricExporter, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
        const { PgInstrumentation } = require('@opentelemetry/instrumentation-pg');
        const spans = new InMemorySpanExporter();
        const metrics = new InMemoryMetricExporter(1);
        const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 600_000 });
        const sdk = new NodeSDK({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })], metricReaders: [reader],
          logRecordProcessors: [], autoDetectResources: false, instrumentations: [new PgInstrumentation()] });`;
      const work = `(async () => {
        const pool = new Pool({ ...login, max: 1 });
        const tracer = require('@opentelemetry/api').trace.getTracer('application');
        await tracer.startActiveSpan('work', async (span) => {
          await pool.query('SELECT 1');
          const client = await pool.connect();
          const queued = pool.query('SELECT 2');
          await client.query('SELECT 3');
          client.release();
          await queued;
          await pool.query('SELECT nonsense').catch(() => {});
          span.end();
        });
        await pool.query('SELECT 4');
        await reader.forceFlush();
        const found = spans.getFinishedSpans();
        const names = metrics.getMetrics().at(-1).scopeMetrics.flatMap((scope) => scope.metrics.map((metric) => metric.descriptor.name));
        console.log(JSON.stringify({ spans: found.map((span) => span.name.split(' ')[0]).sort(), metrics: names.sort(),
          ours: isOurs(pool) }));
        await pool.end();
        await sdk.shutdown();
      })();`;

      for (const order of ['before', 'after'] as const) {
        it(`63. stock OpenTelemetry enabled ${order} us: its spans and metrics, and our engine`, async () => {
          const setUp = order === 'before' ? 'sdk.start(); patch();' : 'patch(); sdk.start();';
          const { lines } = await run(work, telemetry + setUp);
          const found = JSON.parse(lines.at(-1)!);
          expect(found.ours).to.equal(isOurs);
          expect(found.metrics).to.include.members([
            'db.client.connection.count',
            'db.client.operation.duration',
          ]);
          const named = (name: string) => found.spans.filter((span: string) => span.startsWith(name)).length;
          expect([named('pg.query:'), named('pg-pool.connect'), named('work')]).to.deep.equal([5, 5, 1]);
          // The one after the failing statement.
          expect(named('pg.connect')).to.equal(differs ? 1 : 2);
        });
      }
    });

    if (isOurs) {
      it('runs on the engine, and a pool in use before us stays stock', async () => {
        const copy = new Copy(undefined);
        const early = new copy.pg.Pool(login());
        await early.query('SELECT 1');
        patchPgPool(copy.PgPool as never, HOSTS[flavour]);
        await early.query('SELECT 1');
        expect(facadeOf(early as never, plainHost)).to.equal(undefined);
        expect(facadeOf(newPool() as never, HOSTS[flavour]!)).not.to.equal(undefined);
        await early.end();
      });

      it('enhancePool takes one pool over, and no other of its class', async () => {
        const { pg: bundled } = new Copy(undefined);
        const [pool, other] = [newPool({}, bundled.Pool), newPool({}, bundled.Pool)];
        expect(enhancePool(enhancePool(pool))).to.equal(pool);
        expect((await pool.query('SELECT 1 AS one')).rows).to.deep.equal([{ one: 1 }]);
        await other.query('SELECT 1');
        expect([pool, other].map(isComputed)).to.deep.equal([true, false]);
      });

      it('whoever patches last decides on the pools that are used first from then on', async () => {
        const copy = new Copy(undefined);
        const adopted: string[] = [];
        const named = (name: string): Host => ({ ...plainHost, adopted: () => adopted.push(name) });
        const use = () => newPool({}, copy.pg.Pool).query('SELECT 1');
        await enhancePool(newPool({}, copy.pg.Pool)).query('SELECT 1');
        await use();
        patchPgPool(copy.PgPool as never, named('first'));
        await use();
        patchPgPool(copy.PgPool as never, named('second'));
        patchPgPool(copy.PgPool as never);
        await use();
        expect(adopted).to.deep.equal(['first', 'second']);
      });

      it('a host that fails when it is told of an engine leaves the pool stock and no engine behind', async () => {
        const copy = new Copy(undefined);
        let engine: { stats(): { open: number; opening: number } } | undefined;
        const declined: unknown[] = [];
        patchPgPool(copy.PgPool as never, {
          ...plainHost,
          adopted(_info, made) {
            engine = made;
            throw new Error('cannot tell');
          },
          declined: (_info, error) => declined.push((error as Error).message),
        });
        const pool = newPool({ min: 1 }, copy.pg.Pool);
        expect((await pool.query('SELECT 1 AS one')).rows).to.deep.equal([{ one: 1 }]);
        expect([declined, isComputed(pool), pool.totalCount]).to.deep.equal([['cannot tell'], false, 1]);
        await until(() => engine!.stats().opening + engine!.stats().open === 0);
      });
    }
  });
}
