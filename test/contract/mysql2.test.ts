import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type * as Mysql2 from 'mysql2';
import type * as Mysql2Promise from 'mysql2/promise';
import { type Host, plainHost } from '../../adapters/host.js';
import { enhancePool } from '../../adapters/mysql2/index.js';
import { isKnown } from '../../adapters/mysql2/known-source.js';
import { patchMysql2Pool } from '../../adapters/mysql2/patch.js';
import { type Database, type Databases, startDatabases } from '../servers/index.js';
import { HOSTS } from './hosts.js';

/** What the public types of mysql2 leave out. */
interface Internals {
  config: { connectionLimit: number; connectionConfig: { pool: unknown } };
  _allConnections: Queue;
  _freeConnections: Queue;
  _connectionQueue: Queue;
  _closed: boolean;
  _removeIdleTimeoutConnectionsTimer?: NodeJS.Timeout & { _destroyed?: boolean };
}

interface Queue {
  length: number;
  get(index: number): unknown;
  toArray(): unknown[];
}

type Connection = Mysql2.PoolConnection & {
  _pool: unknown;
  lastActiveTime: number;
  _statements: { size: number };
  stream: Socket;
};
type Pool = Mysql2.Pool & Internals;

const MYSQL2 = dirname(require.resolve('mysql2/package.json')) + sep;

/** One copy of mysql2 for each flavour: the patch is in place. Lazy requires inside it read the module cache, so `use` puts a copy there. */
class Copy {
  readonly #modules: NodeJS.Dict<NodeModule> = {};
  readonly mysql2: typeof Mysql2;
  readonly promise: typeof Mysql2Promise;
  readonly BasePool: (abstract new () => unknown) & { prototype: Record<string, unknown> };

  constructor(host: Host | undefined) {
    clearModules();
    this.mysql2 = require('mysql2');
    this.promise = require('mysql2/promise');
    this.BasePool = require(join(MYSQL2, 'lib/base/pool.js'));
    for (const name of ['pool', 'connection', 'pool_connection'])
      require(join(MYSQL2, `lib/promise/${name}.js`));
    if (host !== undefined) patchMysql2Pool(this.BasePool as never, host);
    for (const path of loadedModules()) this.#modules[path] = require.cache[path]!;
  }

  use(): void {
    clearModules();
    Object.assign(require.cache, this.#modules);
  }
}

function loadedModules(): string[] {
  return Object.keys(require.cache).filter((path) => path.startsWith(MYSQL2));
}

function clearModules(): void {
  for (const path of loadedModules()) delete require.cache[path];
}

let databases: Databases<'mysql'>;
let server: Database;

before(async function () {
  this.timeout(60_000);
  databases = await startDatabases({ mysql: true });
  server = databases.mysql;
});

after(() => databases?.stop());

/** So many callers that a stack as deep would overflow. */
const QUEUE = 20_000;

for (const flavour of ['stock', 'enhanced', 'strict', 'observed'] as const) {
  describe(`mysql2 contract, ${flavour}`, () => {
    const copy = new Copy(HOSTS[flavour]);
    const isOurs = flavour === 'enhanced' || flavour === 'strict';
    let toEnd: { end(done?: () => void): unknown; _closed?: boolean }[] = [];

    beforeEach(() => {
      copy.use();
      toEnd = [];
    });

    afterEach(async () => {
      for (const pool of toEnd)
        if (pool._closed !== true) await new Promise<void>((resolve) => void pool.end(() => resolve()));
    });

    const login = () => ({
      host: server.host,
      port: server.port,
      user: server.user,
      password: server.password,
      database: server.database,
    });

    function newPool(options: Mysql2.PoolOptions = {}): Pool {
      const pool = copy.mysql2.createPool({ ...login(), connectionLimit: 2, ...options }) as unknown as Pool;
      toEnd.push(pool);
      return pool;
    }

    function newPromisePool(options: Mysql2.PoolOptions = {}): Mysql2Promise.Pool & { pool: Pool } {
      const pool = copy.promise.createPool({
        ...login(),
        connectionLimit: 2,
        ...options,
      }) as unknown as Mysql2Promise.Pool & { pool: Pool };
      toEnd.push(pool.pool);
      return pool;
    }

    function connect(pool: Pick<Mysql2.Pool, 'getConnection'>): Promise<Connection> {
      return new Promise((resolve, reject) => {
        pool.getConnection((error, connection) =>
          error ? reject(error) : resolve(connection as Connection),
        );
      });
    }

    function select(on: Pick<Mysql2.Pool, 'query'>, sql: string): Promise<Record<string, unknown>[]> {
      return new Promise((resolve, reject) => {
        on.query(sql, (error: unknown, rows: unknown) => (error ? reject(error) : resolve(rows as never)));
      });
    }

    async function failure(promise: Promise<unknown>): Promise<Error & { code?: string; errno?: number }> {
      return promise.then(
        () => {
          throw new Error('it did not fail');
        },
        (error) => error,
      );
    }

    /** What a process of its own prints; it has `mysql`, `login`, `isOurs`, and an `sdk` with `spans`. */
    function run(source: string, setUp = 'patch();'): Promise<{ lines: string[] }> {
      const at = (path: string) => JSON.stringify(require.resolve(path));
      const patch =
        flavour === 'stock'
          ? 'const patch = () => {};'
          : `const { patchMysql2Pool } = require(${at('../../adapters/mysql2/patch.js')});
             const host = require(${at('./hosts.js')}).HOSTS.${flavour};
             const patch = () => patchMysql2Pool(require(${JSON.stringify(join(MYSQL2, 'lib/base/pool.js'))}), host);`;
      const program = `${patch}
        const { NodeSDK } = require('@opentelemetry/sdk-node');
        const { InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace');
        const { MySQL2Instrumentation } = require('@opentelemetry/instrumentation-mysql2');
        const spans = new InMemorySpanExporter();
        const sdk = new NodeSDK({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })], metricReaders: [],
          logRecordProcessors: [], autoDetectResources: false, instrumentations: [new MySQL2Instrumentation()] });
        ${setUp} const mysql = require('mysql2'); const login = ${JSON.stringify(login())};
        const isOurs = (pool) => Object.getOwnPropertyDescriptor(pool, '_allConnections').get !== undefined;
        ${source}`;
      return new Promise((resolve, reject) => {
        execFile(process.execPath, ['-e', program], { cwd: process.cwd() }, (error, stdout, stderr) => {
          if (error) reject(new Error(`${error.message}\n${stderr}`));
          else resolve({ lines: stdout.trim().split('\n') });
        });
      });
    }

    const counts = (pool: Pool) => [
      pool._allConnections.length,
      pool._freeConnections.length,
      pool._connectionQueue.length,
    ];

    function record(pool: Pool): string[] {
      const told: string[] = [];
      for (const name of ['connection', 'acquire', 'enqueue', 'release'] as const) {
        pool.on(name as 'connection', () => told.push(`${name} ${counts(pool).join('/')}`));
      }
      return told;
    }

    const settled = () => delay(10);

    async function kill(connection: Connection): Promise<void> {
      const killer = copy.mysql2.createConnection(login());
      await select(killer as never, `KILL ${connection.threadId}`).catch(() => {});
      killer.destroy();
    }

    async function until(reached: () => boolean, withinMs = 5_000): Promise<void> {
      const deadline = Date.now() + withinMs;
      while (!reached()) {
        if (Date.now() > deadline) throw new Error(`not reached within ${withinMs} ms`);
        await delay(5);
      }
    }

    describe('shape', () => {
      it('1. constructors have their names', async () => {
        const pool = newPromisePool();
        const connection = await pool.getConnection();
        const second = await pool.getConnection();
        second.release();
        const again = await pool.getConnection();
        expect(
          [pool, pool.pool, connection, again, connection.connection].map((it) => it.constructor.name),
        ).to.deep.equal([
          'PromisePool',
          'Pool',
          'PromisePoolConnection',
          'PromisePoolConnection',
          'PoolConnection',
        ]);
        connection.release();
        again.release();
      });

      it('2. pools and connections are instances of their classes', async () => {
        const pool = newPool();
        const connection = await connect(pool);
        expect(pool)
          .to.be.instanceOf(copy.BasePool)
          .and.instanceOf((copy.mysql2 as unknown as { Pool: never }).Pool);
        expect(connection).to.be.instanceOf(
          (copy.mysql2 as unknown as { PoolConnection: never }).PoolConnection,
        );
        connection.release();
      });

      it('3. getConnection is the prototype’s own, with its name and arity', async () => {
        const pool = newPool();
        (await connect(pool)).release();
        const methods = copy.BasePool.prototype as unknown as Record<
          string,
          (...given: unknown[]) => unknown
        >;
        expect(Object.hasOwn(pool, 'getConnection')).to.equal(false);
        expect(pool.getConnection).to.equal(methods.getConnection);
        expect(
          Object.fromEntries(
            ['getConnection', 'releaseConnection', 'query', 'execute', 'end'].map((name) => [
              methods[name]!.name,
              methods[name]!.length,
            ]),
          ),
        ).to.deep.equal({ getConnection: 1, releaseConnection: 1, query: 3, execute: 3, end: 1 });
        expect(methods).not.to.have.property('_getConnection');
      });

      it('4. a used pool has the enumerable properties of a stock one', async () => {
        const pool = newPool();
        const before = Object.keys(pool).sort();
        (await connect(pool)).release();
        expect(Object.keys(pool).sort()).to.deep.equal(before);
      });

      it('5. createPool takes a URI', async () => {
        const pool = copy.mysql2.createPool(server.url);
        toEnd.push(pool);
        expect(await select(pool, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
      });

      it('6. connectionLimit 0 is without limit, NaN is 10, and a change takes effect at once', async () => {
        const unlimited = newPool({ connectionLimit: 0 });
        const many = await Promise.all(Array.from({ length: 12 }, () => connect(unlimited)));
        expect(counts(unlimited)).to.deep.equal([12, 0, 0]);
        for (const connection of many) connection.release();

        expect(newPool({ connectionLimit: Number.NaN }).config.connectionLimit).to.equal(10);

        const pool = newPool({ connectionLimit: 1 });
        const first = await connect(pool);
        pool.config.connectionLimit = 2;
        const second = await connect(pool);
        expect(counts(pool)).to.deep.equal([2, 0, 0]);
        first.release();
        second.release();
      });

      it('7. config.connectionConfig.pool is the pool', async () => {
        const pool = newPool();
        const connection = await connect(pool);
        expect(pool.config.connectionConfig.pool).to.equal(pool);
        expect(connection._pool).to.equal(pool);
        connection.release();
      });
    });

    describe('events and counts', () => {
      it('8. 13. a new connection tells connection, then acquire, then calls back', async () => {
        const pool = newPool();
        const told = record(pool);
        const connection = await connect(pool);
        told.push('callback');
        expect(told).to.deep.equal(['connection 1/0/0', 'acquire 1/0/0', 'callback']);
        connection.release();
      });

      it('9. 10. 13. enqueue once per caller in the queue, and neither release nor acquire when a connection is handed over', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const first = await connect(pool);
        const told = record(pool);
        const second = connect(pool);
        const third = connect(pool);
        expect(counts(pool)).to.deep.equal([1, 0, 2]);
        first.release();
        (await second).release();
        const last = await third;
        expect(told).to.deep.equal(['enqueue 1/0/0', 'enqueue 1/0/1']);
        last.release();
        expect(told.slice(2)).to.deep.equal(['release 1/1/0']);
      });

      it('11. release is told when a connection goes free, at once', async () => {
        const pool = newPool();
        const connection = await connect(pool);
        const told = record(pool);
        connection.release();
        expect(told).to.deep.equal(['release 1/1/0']);
      });

      it('12. with a free connection acquire is told at once and the callback comes on the next tick', async () => {
        const pool = newPool();
        (await connect(pool)).release();
        const told = record(pool);
        const taken = connect(pool).then((connection) => {
          told.push('callback');
          return connection;
        });
        process.nextTick(() => told.push('next tick'));
        expect(told).to.deep.equal(['acquire 1/0/0']);
        const connection = await taken;
        connection.release();
        expect(told).to.include.members(['callback', 'next tick']);
      });

      it('14. the queue fields are of the version’s own class', async () => {
        const pool = newPool();
        const QueueClass = pool._allConnections.constructor;
        const connection = await connect(pool);
        expect(pool._allConnections.constructor).to.equal(QueueClass);
        expect(pool._allConnections.get(0)).to.equal(connection);
        expect(pool._allConnections.toArray()).to.deep.equal([connection]);
        connection.release();
        expect(pool._freeConnections.get(0)).to.equal(connection);
      });

      it('15. callers in the queue are served first come, first served', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const first = await connect(pool);
        const order: number[] = [];
        const all = [0, 1, 2, 3].map(async (number) => {
          const connection = await connect(pool);
          order.push(number);
          connection.release();
        });
        first.release();
        await Promise.all(all);
        expect(order).to.deep.equal([0, 1, 2, 3]);
      });

      it('16. the connection freed last is taken first', async () => {
        const pool = newPool();
        const [a, b] = [await connect(pool), await connect(pool)];
        a.release();
        b.release();
        const next = await connect(pool);
        expect(next).to.equal(b);
        next.release();
      });

      it('44. lastActiveTime is the time of release', async () => {
        const pool = newPool();
        const connection = await connect(pool);
        await delay(20);
        const before = Date.now();
        connection.release();
        expect(connection.lastActiveTime).to.be.at.least(before);
      });
    });

    describe('refusals', () => {
      it('17. waitForConnections false: an error on the next tick', async () => {
        const pool = newPool({ connectionLimit: 1, waitForConnections: false });
        const connection = await connect(pool);
        let error: unknown;
        pool.getConnection((refusal) => {
          error = refusal;
        });
        expect(error).to.equal(undefined);
        await settled();
        expect(error).to.be.an('error').with.property('message', 'No connections available.');
        connection.release();
      });

      it('18. queueLimit: an error at once, and no enqueue', async () => {
        const pool = newPool({ connectionLimit: 1, queueLimit: 1 });
        const connection = await connect(pool);
        const waiting = connect(pool);
        const told = record(pool);
        let error: unknown;
        pool.getConnection((refusal) => {
          error = refusal;
        });
        expect(error).to.be.an('error').with.property('message', 'Queue limit reached.');
        expect(told).to.deep.equal([]);
        connection.release();
        (await waiting).release();
      });

      it('18. callers for whom connections are being opened do not count against queueLimit', async () => {
        const pool = newPool({ connectionLimit: 2, queueLimit: 1 });
        const connecting = [connect(pool), connect(pool), connect(pool)];
        expect(counts(pool)).to.deep.equal([2, 0, 1]);
        for (const connection of connecting) connection.then((it) => it.release());
        await Promise.all(connecting);
      });

      it('19. a closed pool: an error on the next tick', async () => {
        const pool = newPool();
        (await connect(pool)).release();
        pool.end();
        let error: unknown;
        pool.getConnection((refusal) => {
          error = refusal;
        });
        expect(error).to.equal(undefined);
        await settled();
        expect(error).to.be.an('error').with.property('message', 'Pool is closed.');
      });
    });

    describe('end', () => {
      it('20. calls back once every connection was told to quit; a second end reports the closed connections', async () => {
        const pool = newPool();
        (await connect(pool)).release();
        await new Promise<void>((resolve, reject) =>
          pool.end((error) => (error ? reject(error) : resolve())),
        );
        const again = await new Promise<unknown>((resolve) => pool.end(resolve));
        expect(again)
          .to.be.an('error')
          .with.property('message', "Can't add new command when connection is in closed state");
      });

      it('20. an unused pool ends at once, with and without a callback', () => {
        let ended = false;
        newPool().end(() => {
          ended = true;
        });
        expect(ended).to.equal(true);
        newPool().end();
      });

      it('21. callers in the queue are told that the pool is closed', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const connection = await connect(pool);
        const waiting = [failure(connect(pool)), failure(connect(pool))];
        pool.end();
        expect((await Promise.all(waiting)).map((error) => error.message)).to.deep.equal([
          'Pool is closed.',
          'Pool is closed.',
        ]);
        expect(pool._connectionQueue.length).to.equal(0);
        connection.release();
      });

      it('21. a caller for whom a connection is being opened too', async () => {
        const pool = newPool();
        const opening = failure(connect(pool));
        pool.end();
        expect(await opening).to.have.property('message', 'Pool is closed.');
      });

      it('22. a leased connection finishes its query, then closes', async () => {
        const pool = newPool();
        const connection = await connect(pool);
        const answer = select(connection, 'SELECT SLEEP(0.1) AS slept');
        const closed = once(connection.stream, 'close');
        const ended = new Promise<void>((resolve) => pool.end(() => resolve()));
        expect(await answer).to.deep.equal([{ slept: 0 }]);
        await Promise.all([ended, closed]);
        expect(pool._allConnections.length).to.equal(1);
      });

      it('23. clears the timer of the idle sweep', async () => {
        const pool = newPool({ maxIdle: 1 });
        (await connect(pool)).release();
        pool.end();
        expect(pool._removeIdleTimeoutConnectionsTimer?._destroyed).to.equal(true);
      });

      it('24. a release after the end is of no effect', async () => {
        const pool = newPool();
        const connection = await connect(pool);
        const told = record(pool);
        pool.end();
        connection.release();
        expect(told).to.deep.equal([]);
        expect(pool._freeConnections.length).to.equal(0);
      });
    });

    describe('release, destroy, death', () => {
      it('25. a second release is ignored, and never gives two owners', async () => {
        const pool = newPool();
        const first = await connect(pool);
        first.release();
        first.release();
        expect(counts(pool)).to.deep.equal([1, 1, 0]);
        const [a, b] = await Promise.all([connect(pool), connect(pool)]);
        expect(a).not.to.equal(b);
        a.release();
        b.release();
      });

      it('25. a second release while the connection is on its way to the next caller is ignored', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const first = await connect(pool);
        const second = connect(pool);
        const third = connect(pool);
        first.release();
        first.release();
        const holder = await second;
        let thirdHasIt = false;
        third.then(() => {
          thirdHasIt = true;
        });
        await settled();
        expect(thirdHasIt).to.equal(false);
        holder.release();
        (await third).release();
      });

      it('25. a second release while the connection is on its way to a statement is ignored', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const first = await connect(pool);
        const order: string[] = [];
        const statement = select(pool, 'SELECT 1').then(() => order.push('answered'));
        const second = connect(pool).then((connection) => {
          order.push('connected');
          connection.release();
        });
        first.release();
        first.release();
        await Promise.all([statement, second]);
        expect(order).to.deep.equal(['answered', 'connected']);
      });

      if (isOurs) {
        it('25. and so is one while the statement runs', async () => {
          const pool = newPool({ connectionLimit: 1 });
          const first = await connect(pool);
          let isAnswered = false;
          const statement = select(pool, 'SELECT SLEEP(0.05)').then(() => {
            isAnswered = true;
          });
          first.release();
          await settled();
          const second = connect(pool).then((connection) => {
            expect(isAnswered).to.equal(true);
            connection.release();
          });
          first.release();
          pool.releaseConnection(first);
          await Promise.all([statement, second]);
        });
      }

      it('26. pool.releaseConnection releases', async () => {
        const pool = newPool();
        const connection = await connect(pool);
        pool.releaseConnection(connection);
        expect(counts(pool)).to.deep.equal([1, 1, 0]);
      });

      it('27. destroy takes the connection out and serves who waits', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const first = await connect(pool);
        const waiting = connect(pool);
        first.destroy();
        const second = await waiting;
        expect(second).not.to.equal(first);
        expect(first._pool).to.equal(null);
        expect(counts(pool)).to.deep.equal([1, 0, 0]);
        second.release();
        first.release();
        expect(counts(pool)).to.deep.equal([1, 1, 0]);
      });

      it('28. connection.end warns and releases', async () => {
        const pool = newPool();
        const connection = await connect(pool);
        const warnings: Error[] = [];
        connection.on('warn' as never, (warning: Error) => warnings.push(warning));
        const { warn } = console;
        console.warn = () => {};
        try {
          connection.end();
        } finally {
          console.warn = warn;
        }
        expect(warnings.map(({ message }) => message))
          .to.have.length(1)
          .and.match(/Calling conn.end\(\) to release a pooled connection is deprecated/);
        expect(counts(pool)).to.deep.equal([1, 1, 0]);
      });

      it('28. with gracefulEnd connection.end really ends', async () => {
        const pool = newPool({ gracefulEnd: true });
        const connection = await connect(pool);
        connection.end();
        expect(counts(pool)).to.deep.equal([0, 0, 0]);
        await once(connection.stream, 'close');
      });

      it('29. a killed free connection leaves the pool', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const connection = await connect(pool);
        connection.release();
        await kill(connection);
        await until(() => pool._allConnections.length === 0);
        expect(counts(pool)).to.deep.equal([0, 0, 0]);
        expect(await select(pool, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
      });

      it('29. a killed leased connection leaves the pool, and who waits gets a new one', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const dead = await connect(pool);
        const waiting = connect(pool);
        await kill(dead);
        const alive = await waiting;
        expect(alive).not.to.equal(dead);
        expect(await select(alive, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
        alive.release();
        expect(dead._pool).to.equal(null);
      });

      it('29. a query that dies with its connection fails with the driver’s error', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const connection = await connect(pool);
        connection.release();
        const dying = failure(select(pool, 'SELECT SLEEP(5)'));
        await delay(50);
        await kill(connection);
        expect((await dying).code).to.be.oneOf([
          'PROTOCOL_CONNECTION_LOST',
          'ER_QUERY_INTERRUPTED',
          'ER_CONNECTION_KILLED',
          'ECONNRESET',
        ]);
        expect(await select(pool, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
      });

      it('53. 57. statements of a transaction stay on its connection', async () => {
        const pool = newPool();
        await select(pool, 'CREATE TABLE IF NOT EXISTS transactions (worker INT, thread INT) ENGINE=InnoDB');
        await Promise.all(
          Array.from({ length: 8 }, async (_, worker) => {
            const connection = await connect(pool);
            await select(connection, 'START TRANSACTION');
            for (let statement = 0; statement < 3; statement += 1) {
              await select(connection, `INSERT INTO transactions VALUES (${worker}, CONNECTION_ID())`);
            }
            await select(connection, 'COMMIT');
            connection.release();
          }),
        );
        const rows = await select(
          pool,
          'SELECT worker, COUNT(*) AS n, COUNT(DISTINCT thread) AS threads FROM transactions GROUP BY worker',
        );
        await select(pool, 'DROP TABLE transactions');
        expect(rows).to.have.length(8);
        for (const row of rows) expect(row).to.include({ n: 3, threads: 1 });
      });
    });

    describe('connecting', () => {
      it('30. a connect error is the driver’s own; the pool is empty again and those who wait go on', async () => {
        const pool = newPool({ connectionLimit: 1, password: 'wrong' });
        const errors = await Promise.all([
          failure(connect(pool)),
          failure(connect(pool)),
          failure(connect(pool)),
        ]);
        for (const error of errors) {
          expect(error).to.include({ code: 'ER_ACCESS_DENIED_ERROR', errno: 1045, sqlState: '28000' });
        }
        expect(new Set(errors).size).to.equal(3);
        expect(counts(pool)).to.deep.equal([0, 0, 0]);
      });

      it('30. nobody listens: ECONNREFUSED', async () => {
        const closedPort = await portOf(async () => {});
        const pool = newPool({ port: closedPort });
        expect(await failure(connect(pool))).to.include({ code: 'ECONNREFUSED', syscall: 'connect' });
        expect(counts(pool)).to.deep.equal([0, 0, 0]);
      });

      it('31. a server that says nothing: ETIMEDOUT after connectTimeout', async () => {
        const mute = await muteServer();
        const pool = newPool({ port: mute.port, connectTimeout: 100 });
        expect(await failure(connect(pool))).to.include({ code: 'ETIMEDOUT', message: 'connect ETIMEDOUT' });
        expect(counts(pool)).to.deep.equal([0, 0, 0]);
        await mute.close();
      });

      it('32. "Too many connections" passes through', async () => {
        const admin = copy.mysql2.createConnection(login());
        const [row] = await select(
          admin as never,
          'SELECT @@max_user_connections AS userLimit, @@max_connections AS serverLimit',
        );
        const limit = Number(row!.serverLimit);
        const pool = newPool({ connectionLimit: limit + 20 });
        const outcomes = await Promise.allSettled(Array.from({ length: limit + 10 }, () => connect(pool)));
        const refused = outcomes.flatMap((it) => (it.status === 'rejected' ? [it.reason] : []));
        expect(refused).not.to.have.length(0);
        for (const error of refused) expect(error).to.include({ code: 'ER_CON_COUNT_ERROR', errno: 1040 });
        for (const it of outcomes) if (it.status === 'fulfilled') it.value.release();
        expect(pool._allConnections.length).to.equal(outcomes.length - refused.length);
        admin.destroy();
      }).timeout(60_000);

      it('43. each connection has a configuration of its own', async () => {
        const pool = newPool();
        const [a, b] = [await connect(pool), await connect(pool)];
        expect(a.config).not.to.equal(b.config);
        a.release();
        b.release();
      });
    });

    describe('query and execute', () => {
      it('33. query takes sql, values, options, with and without a callback', async () => {
        const pool = newPool();
        const answers = [
          await select(pool, 'SELECT 1 AS n'),
          await new Promise((resolve) => pool.query('SELECT ? AS n', [2], (_error, rows) => resolve(rows))),
          await new Promise((resolve) =>
            pool.query({ sql: 'SELECT ? AS n', values: [3] }, (_error, rows) => resolve(rows)),
          ),
          await new Promise((resolve) => {
            pool.query('SELECT 4 AS n').on('result', (row) => resolve([row]));
          }),
        ];
        expect(answers).to.deep.equal([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }], [{ n: 4 }]]);
        await until(() => pool._freeConnections.length === pool._allConnections.length);
      });

      it('33. 34. 36. a callback is given as many arguments as it has to be', async () => {
        const pool = newPool({ connectionLimit: 1, waitForConnections: false });
        const argumentsOf = (ask: (done: (...given: unknown[]) => void) => unknown) =>
          new Promise<number>((resolve) => ask((...given) => resolve(given.length)));
        expect(await argumentsOf((done) => pool.query('SELECT 1', done))).to.equal(3);
        expect(await argumentsOf((done) => pool.query('nonsense', done))).to.equal(3);
        expect(await argumentsOf((done) => pool.execute('SELECT ?', [undefined as never], done))).to.equal(1);
        const held = await connect(pool);
        expect(await argumentsOf((done) => pool.query('SELECT 1', done))).to.equal(1);
        held.release();
      });

      it('33. query streams its rows and frees its connection', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const rows: unknown[] = [];
        for await (const row of pool.query('SELECT 1 AS n UNION SELECT 2 UNION SELECT 3').stream())
          rows.push(row);
        expect(rows).to.deep.equal([{ n: 1 }, { n: 2 }, { n: 3 }]);
        await until(() => pool._freeConnections.length === 1);
      });

      it('33. a stream that is given up early frees its connection', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const many = pool.query('SELECT 1 AS n UNION SELECT 2 UNION SELECT 3');
        for await (const row of many.stream({ highWaterMark: 1 })) {
          expect(row).to.deep.equal({ n: 1 });
          break;
        }
        expect(await select(pool, 'SELECT 4 AS n')).to.deep.equal([{ n: 4 }]);
        await until(() => counts(pool).join() === '1,1,0');
      });

      it('34. a failed query without a callback emits error on the query', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const [error] = await once(pool.query('SELEKT'), 'error');
        expect(error).to.include({ code: 'ER_PARSE_ERROR' });
        await until(() => pool._freeConnections.length === 1);
      });

      it('34. a query that gets no connection fails the same way', async () => {
        const pool = newPool({ password: 'wrong' });
        const [error] = await once(pool.query('SELECT 1'), 'error');
        expect(error).to.include({ code: 'ER_ACCESS_DENIED_ERROR' });
      });

      it('35. 53. execute returns nothing and prepares once per connection', async () => {
        const pool = newPool({ connectionLimit: 1 });
        for (const value of [1, 2]) {
          const rows = await new Promise((resolve, reject) => {
            const returned: unknown = pool.execute('SELECT ? AS n', [value], (error, answer) =>
              error ? reject(error) : resolve(answer),
            );
            expect(returned).to.equal(undefined);
          });
          expect(rows).to.deep.equal([{ n: value }]);
        }
        const connection = await connect(pool);
        expect(connection._statements.size).to.equal(1);
        connection.release();
      });

      it('36. execute with undefined gives its callback a TypeError and frees the connection', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const error = await new Promise((resolve) =>
          pool.execute('SELECT ?', [undefined as never], (refusal) => resolve(refusal)),
        );
        expect(error)
          .to.be.instanceOf(TypeError)
          .with.property('message')
          .that.includes('Bind parameters must not contain undefined');
        expect(counts(pool)).to.deep.equal([1, 1, 0]);
      });

      it('36. a long queue of such is told one after the other', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const connection = await connect(pool);
        let refused = 0;
        const all = new Promise<void>((resolve) => {
          for (let caller = 0; caller < QUEUE; caller += 1)
            pool.execute('SELECT ?', [undefined as never], (error) => {
              if (error instanceof TypeError) refused += 1;
              if (refused === QUEUE) resolve();
            });
        });
        connection.release();
        await all;
        await until(() => counts(pool).join() === '1,1,0');
      });

      it('36. a statement that cannot be prepared gives its connection back once', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const failed = new Promise((resolve) => pool.execute('SELEC 1', (error) => resolve(error)));
        const second = connect(pool);
        let thirdHasIt = false;
        const third = connect(pool).then((connection) => {
          thirdHasIt = true;
          return connection;
        });
        expect(await failed).to.include({ code: 'ER_PARSE_ERROR' });
        const holder = await second;
        expect(await select(holder, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
        expect(thirdHasIt).to.equal(false);
        holder.release();
        (await third).release();
      });

      for (const method of ['query', 'execute'] as const) {
        it(`36. ${method}: what is left of an answer that could not be read is nobody else’s`, async () => {
          const pool = newPool({ connectionLimit: 1 });
          const unreadable = {
            sql: 'SELECT 1 AS one UNION SELECT 2 UNION SELECT 3',
            typeCast: () => {
              throw new Error('unreadable');
            },
          };
          const first = new Promise((resolve) => pool[method](unreadable, (error) => resolve(error)));
          const next = select(pool, 'SELECT 5 AS five').catch((error: Error) => error);
          expect(await first).to.include({ message: 'unreadable' });
          const answer = await next;
          if (!(answer instanceof Error)) expect(answer).to.deep.equal([{ five: 5 }]);
        });
      }

      it('36. a statement that waits is answered, or told why not, when its connection is released and destroyed at once', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const first = await connect(pool);
        const next = select(pool, 'SELECT 5 AS five').catch((error: Error) => error);
        first.release();
        first.destroy();
        const answer = await next;
        if (!(answer instanceof Error)) expect(answer).to.deep.equal([{ five: 5 }]);
      });

      it('37. namedPlaceholders of the pool apply', async () => {
        const pool = newPool({ namedPlaceholders: true });
        const rows = await new Promise((resolve) =>
          pool.query('SELECT :n AS n', { n: 7 }, (_error, answer) => resolve(answer)),
        );
        expect(rows).to.deep.equal([{ n: 7 }]);
        const executed = await new Promise((resolve) =>
          pool.execute('SELECT :n AS n', { n: 8 } as never, (_error, answer) => resolve(answer)),
        );
        expect(executed).to.deep.equal([{ n: 8 }]);
        await until(() => counts(pool).join() === '1,1,0');
      });

      it('38. a read-only error destroys the connection', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const connection = await connect(pool);
        await select(connection, 'CREATE TABLE IF NOT EXISTS readonly (n INT) ENGINE=InnoDB');
        await select(connection, 'SET SESSION TRANSACTION READ ONLY');
        connection.release();
        expect(await failure(select(pool, 'INSERT INTO readonly VALUES (1)'))).to.include({ errno: 1792 });
        await until(() => connection._pool === null);
        expect(await select(pool, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
        await select(pool, 'DROP TABLE readonly');
      });

      it('39. typeCast and queryFormat are the user’s', async () => {
        const pool = newPool({
          typeCast: (field, next) => (field.name === 'cast' ? 'mine' : next()),
          queryFormat: (sql: string) => sql.replace('%', '1'),
        } as Mysql2.PoolOptions);
        expect(await select(pool, 'SELECT % AS cast')).to.deep.equal([{ cast: 'mine' }]);
      });
    });

    describe('idle connections', () => {
      for (const gracefulEnd of [false, true]) {
        it(`40. those above maxIdle and past idleTimeout close, the oldest first${gracefulEnd ? ', gracefully' : ''}`, async () => {
          const pool = newPool({ connectionLimit: 3, maxIdle: 1, idleTimeout: 60_000, gracefulEnd });
          const [a, b, c] = [await connect(pool), await connect(pool), await connect(pool)];
          for (const connection of [a, b, c]) connection.release();
          await until(() => pool._allConnections.length === 1);
          expect(pool._freeConnections.toArray()).to.deep.equal([c]);
          expect([a._pool, b._pool]).to.deep.equal([null, null]);
        });
      }

      it('40. idleTimeout closes the last one too', async () => {
        const pool = newPool({ connectionLimit: 2, maxIdle: 1, idleTimeout: 300 });
        (await connect(pool)).release();
        await until(() => pool._allConnections.length === 0);
      });

      it('41. the sweep runs only where maxIdle is below connectionLimit, and holds the process as stock does', async () => {
        const sweeping = newPool({ connectionLimit: 2, maxIdle: 1 });
        (await connect(sweeping)).release();
        await delay(1_100);
        expect(sweeping._removeIdleTimeoutConnectionsTimer?.hasRef()).to.equal(true);
        expect(newPool()._removeIdleTimeoutConnectionsTimer).to.equal(undefined);
      });

      it('42. resetOnRelease resets the session before the connection goes free', async () => {
        const pool = newPool({ connectionLimit: 1, resetOnRelease: true });
        const connection = await connect(pool);
        await select(connection, 'SET @mine = 1');
        const told = record(pool);
        connection.release();
        expect(counts(pool)).to.deep.equal([1, 0, 0]);
        await until(() => told.length > 0);
        expect(told).to.deep.equal(['release 1/1/0']);
        expect(await select(pool, 'SELECT @mine AS mine')).to.deep.equal([{ mine: null }]);
      });

      it('42. resetOnRelease hands the clean connection over to who waits', async () => {
        const pool = newPool({ connectionLimit: 1, resetOnRelease: true });
        const connection = await connect(pool);
        const told = record(pool);
        const waiting = connect(pool);
        connection.release();
        expect(await waiting).to.equal(connection);
        expect(told).to.deep.equal(['enqueue 1/0/0']);
        connection.release();
      });

      it('42. a failed reset costs the connection, and who waits gets a new one', async () => {
        const pool = newPool({ connectionLimit: 1, resetOnRelease: true });
        const connection = await connect(pool);
        const waiting = connect(pool);
        (connection as unknown as { reset(done: (error: Error) => void): void }).reset = (done) =>
          setImmediate(done, new Error('reset failed'));
        connection.release();
        const next = await waiting;
        expect(next).not.to.equal(connection);
        expect(connection._pool).to.equal(null);
        next.release();
      });
    });

    describe('promises', () => {
      it('45. each getConnection gives a new wrapper; release and destroy reach the connection', async () => {
        const pool = newPromisePool({ connectionLimit: 1 });
        const first = await pool.getConnection();
        first.release();
        const second = await pool.getConnection();
        expect(second).not.to.equal(first);
        expect(second.connection).to.equal(first.connection);
        expect((await second.query('SELECT 1 AS one'))[0]).to.deep.equal([{ one: 1 }]);
        second.destroy();
        expect(counts(pool.pool)).to.deep.equal([0, 0, 0]);
      });

      it('45. a stale wrapper’s second release is ignored while the connection is free', async () => {
        const pool = newPromisePool({ connectionLimit: 1 });
        const first = await pool.getConnection();
        first.release();
        first.release();
        expect(counts(pool.pool)).to.deep.equal([1, 1, 0]);
      });

      it(`45. a stale wrapper’s release ${isOurs ? 'is ignored' : 'frees the connection'} while another holds the connection`, async () => {
        const pool = newPromisePool({ connectionLimit: 1 });
        (await pool.getConnection()).release();
        const first = await pool.getConnection();
        first.release();
        const second = await pool.getConnection();
        first.release();
        expect(counts(pool.pool)).to.deep.equal(isOurs ? [1, 0, 0] : [1, 1, 0]);
        const waiting = isOurs ? pool.getConnection() : undefined;
        first.release();
        second.release();
        second.release();
        (await waiting)?.release();
      });

      it('45. a callback given to a promise method throws at once', () => {
        const pool = newPromisePool();
        expect(() => pool.query('SELECT 1', (() => {}) as never)).to.throw(
          'Callback function is not available with promise clients.',
        );
      });

      it('45. end rejects nobody and closes', async () => {
        const pool = newPromisePool();
        await pool.query('SELECT 1');
        await pool.end();
        expect(await failure(pool.getConnection())).to.have.property('message', 'Pool is closed.');
      });

      it('46. the promise is of the class that was asked for', async () => {
        class OwnPromise<T> extends Promise<T> {}
        const pool = newPromisePool({ Promise: OwnPromise } as Mysql2.PoolOptions);
        (await pool.getConnection()).release();
        const promise = pool.getConnection();
        expect(promise).to.be.instanceOf(OwnPromise);
        (await promise).release();
      });

      for (const method of ['query', 'execute'] as const) {
        const failed = (pool: ReturnType<typeof newPromisePool>) => {
          async function callerOfThisQuery() {
            await (pool[method] as (sql: string) => Promise<unknown>).call(pool, 'SELEKT');
          }
          return failure(callerOfThisQuery());
        };

        it(`47. an error of ${method} shows the caller’s stack`, async () => {
          const error = await failed(newPromisePool());
          const [head, first] = error.stack!.split('\n');
          expect(head).to.equal(`${error.name}: ${error.message}`);
          expect(first).to.include('callerOfThisQuery');
        });

        it(`47. an error of ${method} does not where trace is false`, async () => {
          const error = await failed(newPromisePool({ trace: false } as Mysql2.PoolOptions));
          expect(error.stack).not.to.include('callerOfThisQuery');
        });

        it(`47. an error of ${method} has no other stack where the application prepares stacks itself`, async () => {
          const { prepareStackTrace } = Error;
          const pool = newPromisePool();
          try {
            Error.prepareStackTrace = (_error, sites) => sites as unknown as string;
            const error = await failed(pool);
            expect(error.message).to.include('SELEKT');
            expect(error.stack).to.be.an('array');
          } finally {
            Error.prepareStackTrace = prepareStackTrace;
          }
        });
      }

      it('48. a promise pool forwards the events', async () => {
        const pool = newPromisePool({ connectionLimit: 1 });
        const told: string[] = [];
        for (const name of ['connection', 'acquire', 'enqueue', 'release'] as const) {
          pool.on(name as 'connection', () => told.push(name));
        }
        const first = await pool.getConnection();
        const second = pool.getConnection();
        first.release();
        (await second).release();
        (await pool.getConnection()).release();
        expect(told).to.deep.equal(['connection', 'acquire', 'enqueue', 'release', 'acquire', 'release']);
      });

      it('48. a wrapper listens to its connection while somebody listens to it', async () => {
        const pool = newPromisePool({ connectionLimit: 1 });
        (await pool.getConnection()).release();
        const wrapper = await pool.getConnection();
        const core = wrapper.connection as unknown as Connection;
        const listening = () => core.listenerCount('error');
        const before = listening();
        const told: unknown[] = [];
        const listen = (what: unknown) => told.push(what);
        wrapper.once('error', listen);
        wrapper.on('error', listen);
        expect(listening()).to.equal(before + 1);
        core.emit('error', 'lost' as never);
        expect(told).to.deep.equal(['lost', 'lost']);
        wrapper.removeListener('error', listen);
        // The connection's own listener is for once.
        expect(listening()).to.equal(before - 1);
        wrapper.destroy();
      });

      it('49. pools and connections can be disposed of', async () => {
        const pool = newPool();
        const connection = await connect(pool);
        (connection as unknown as Disposable)[Symbol.dispose]();
        expect(counts(pool)).to.deep.equal([1, 1, 0]);
        (pool as unknown as Disposable)[Symbol.dispose]();
        expect(pool._closed).to.equal(true);

        const promisePool = newPromisePool();
        const wrapper = await promisePool.getConnection();
        await (wrapper as unknown as AsyncDisposable)[Symbol.asyncDispose]();
        expect(counts(promisePool.pool)).to.deep.equal([1, 1, 0]);
        await (promisePool as unknown as AsyncDisposable)[Symbol.asyncDispose]();
        expect(promisePool.pool._closed).to.equal(true);
      });
    });

    describe('clusters', () => {
      function newCluster(options: Mysql2.PoolClusterOptions = {}) {
        const cluster = copy.mysql2.createPoolCluster(options);
        toEnd.push(cluster as never);
        return cluster;
      }

      it('50. takes its nodes in turn, or in order', async () => {
        const cluster = newCluster();
        cluster.add('A', { ...login(), connectionLimit: 1 });
        cluster.add('B', { ...login(), connectionLimit: 1 });
        const idOf = (connection: unknown) => (connection as { _clusterId: string })._clusterId;
        const inTurn: string[] = [];
        for (let turn = 0; turn < 4; turn += 1) {
          const connection = await connect(cluster.of('*', 'RR') as never);
          inTurn.push(idOf(connection));
          connection.release();
        }
        expect(inTurn).to.deep.equal(['A', 'B', 'A', 'B']);
        const ordered = await connect(cluster.of('*', 'ORDER') as never);
        expect(idOf(ordered)).to.equal('A');
        ordered.release();
      });

      it('50. goes on to the next node, and takes one that fails off', async () => {
        const cluster = newCluster({ removeNodeErrorCount: 1 });
        cluster.add('A', { ...login(), port: await portOf(async () => {}) });
        cluster.add('B', login());
        const told: string[] = [];
        cluster.on('remove', (id) => told.push(`remove ${id}`));
        cluster.on('warn', (error) => told.push(`warn ${(error as NodeJS.ErrnoException).code}`));
        const connection = await connect(cluster.of('*', 'ORDER') as never);
        expect((connection as unknown as { _clusterId: string })._clusterId).to.equal('B');
        expect(told).to.deep.equal(['remove A', 'warn ECONNREFUSED']);
        connection.release();
      });

      it('50. takes its nodes at random, and leaves out one that was removed', async () => {
        const cluster = newCluster();
        for (const id of ['A', 'B', 'C']) cluster.add(id, { ...login(), connectionLimit: 1 });
        const seen = new Set<string>();
        while (seen.size < 3) {
          const connection = await connect(cluster.of('*', 'RANDOM') as never);
          seen.add((connection as unknown as { _clusterId: string })._clusterId);
          connection.release();
        }
        cluster.remove('B');
        for (let turn = 0; turn < 4; turn += 1) {
          const connection = await connect(cluster.of('*', 'RR') as never);
          expect((connection as unknown as { _clusterId: string })._clusterId).to.be.oneOf(['A', 'C']);
          connection.release();
        }
      });

      it('50. a node that fails goes offline, and comes back online after restoreNodeTimeout', async () => {
        const proxy = await proxyTo(server.port);
        const cluster = newCluster({ removeNodeErrorCount: 1, restoreNodeTimeout: 800, canRetry: false });
        cluster.add('A', { ...login(), port: proxy.port, connectionLimit: 1 });
        const told: string[] = [];
        cluster.on('offline', (id) => told.push(`offline ${id}`));
        cluster.on('online', (id) => told.push(`online ${id}`));
        proxy.refuse(true);
        expect(await failure(connect(cluster.of('A') as never))).to.have.property('code');
        expect(await failure(connect(cluster.of('A') as never))).to.include({
          code: 'POOL_NONEONLINE',
          message: 'Pool does Not have online node.',
        });
        proxy.refuse(false);
        await delay(820);
        const connection = await connect(cluster.of('A') as never);
        expect(await select(connection, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
        connection.release();
        expect(told).to.deep.equal(['offline A', 'online A']);
        await new Promise<void>((resolve) => cluster.end(() => resolve()));
        await proxy.close();
      });

      it('50. without a node: POOL_NOEXIST', async () => {
        const cluster = newCluster();
        expect(await failure(connect(cluster.of('nobody') as never))).to.include({
          code: 'POOL_NOEXIST',
          message: 'Pool does Not exist.',
        });
      });

      it('51. a namespace queries and executes, and frees its connections', async () => {
        const cluster = newCluster();
        cluster.add('A', { ...login(), connectionLimit: 1 });
        const namespace = cluster.of('A') as unknown as Mysql2.Pool;
        expect(await select(namespace, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
        const rows = await new Promise((resolve) =>
          namespace.execute('SELECT ? AS n', [2], (_error, answer) => resolve(answer)),
        );
        expect(rows).to.deep.equal([{ n: 2 }]);
        expect(await select(namespace, 'SELECT 3 AS n')).to.deep.equal([{ n: 3 }]);
      });
    });

    describe('around it', () => {
      it('52. the channel mysql2:pool:connect tells of every getConnection', async () => {
        const pool = newPromisePool({ connectionLimit: 1 });
        const told: string[] = [];
        const say = (what: string) => (context: object) => {
          const { database, serverPort, error } = context as {
            database: string;
            serverPort: number;
            error?: Error;
          };
          told.push(`${what} ${database} ${serverPort === server.port}${error ? ` ${error.message}` : ''}`);
        };
        const subscribers = {
          start: say('start'),
          end: say('end'),
          asyncStart: say('asyncStart'),
          asyncEnd: say('asyncEnd'),
          error: say('error'),
        };
        const channel = tracingChannel('mysql2:pool:connect');
        channel.subscribe(subscribers);
        try {
          (await pool.getConnection()).release();
          (await pool.getConnection()).release();
          await pool.end();
          await failure(pool.getConnection());
        } finally {
          channel.unsubscribe(subscribers);
        }
        const once = ['start', 'end', 'asyncStart', 'asyncEnd'].map((what) => `${what} app true`);
        expect(told.slice(0, 8)).to.deep.equal([...once, ...once]);
        expect(told.slice(8)).to.include('error app true Pool is closed.');
      });

      it('52. the channels of queries, executions and connects tell of each once', async () => {
        const pool = newPool({ connectionLimit: 1 });
        const told: string[] = [];
        const stop = ['query', 'execute', 'connect'].map((name) => {
          const channel = tracingChannel(`mysql2:${name}`);
          const subscribers = {
            start: () => void told.push(name),
            end() {},
            asyncStart() {},
            asyncEnd() {},
            error() {},
          };
          channel.subscribe(subscribers);
          return () => channel.unsubscribe(subscribers);
        });
        try {
          await select(pool, 'SELECT 1');
          await new Promise((resolve) => pool.execute('SELECT 2', () => resolve(undefined)));
        } finally {
          for (const each of stop) each();
        }
        expect(told).to.deep.equal(['connect', 'query', 'execute']);
      });

      for (const order of ['before', 'after'] as const) {
        it(`54. stock OpenTelemetry enabled ${order} us: one span a query, under its caller’s, and our engine`, async () => {
          const { lines } = await run(
            `(async () => {
              const pool = mysql.createPool({ ...login, connectionLimit: 1 });
              const tracer = require('@opentelemetry/api').trace.getTracer('application');
              const ask = (name, ...given) => tracer.startActiveSpan(name, (span) => new Promise((resolve) =>
                pool[given[0]](...given.slice(1), (error) => { span.end(); resolve(error && error.code); })));
              const errors = await Promise.all([ask('a', 'query', 'SELECT 1'), ask('b', 'execute', 'SELECT ?', [2]),
                ask('c', 'query', 'SELEKT')]);
              await ask('d', 'query', 'SELECT 3');
              const found = spans.getFinishedSpans();
              const nameOf = (id) => found.find((span) => span.spanContext().spanId === id)?.name;
              const queries = found.filter((span) => span.instrumentationScope.name.endsWith('mysql2'))
                .map((span) => [nameOf(span.parentSpanContext?.spanId), span.name]);
              console.log(JSON.stringify({ errors, queries, ours: isOurs(pool) }));
              pool.end();
              await sdk.shutdown();
            })();`,
            order === 'before' ? 'sdk.start(); patch();' : 'patch(); sdk.start();',
          );
          const { errors, queries, ours } = JSON.parse(lines.at(-1)!);
          expect(errors).to.deep.equal([null, null, 'ER_PARSE_ERROR']);
          expect(ours).to.equal(isOurs);
          const parents = queries.map(([parent]: [string]) => parent).sort();
          if (flavour === 'enhanced') expect(parents).to.deep.equal(['a', 'b', 'c', 'd']);
          else expect(parents).to.have.length(4);
        });
      }

      it('56. knex’s mysql2 dialect, which makes its own connections, does not notice', async () => {
        const { lines } = await run(
          `(async () => {
            const mysql2 = require('mysql2');
            const knex = require('knex')({ client: 'mysql2', connection: login, pool: { min: 0, max: 2 } });
            const [row] = await knex.select(knex.raw('1 as one'));
            const connection = await knex.client.acquireConnection();
            const own = [connection instanceof mysql2.Connection, connection.constructor.name];
            await knex.client.releaseConnection(connection);
            const free = knex.client.pool.numFree();
            await knex.destroy();
            console.log(JSON.stringify({ row, own, free }));
          })();`,
        );
        expect(JSON.parse(lines.at(-1)!)).to.deep.equal({
          row: { one: 1 },
          own: [true, 'Connection'],
          free: 1,
        });
      });

      it('55. the promise API keeps its caller’s context, in the queue too', async () => {
        const context = new AsyncLocalStorage<string>();
        const pool = newPromisePool({ connectionLimit: 1 });
        const seen: (string | undefined)[] = [];
        const request = (name: string) =>
          context.run(name, async () => {
            const connection = await pool.getConnection();
            seen.push(context.getStore());
            await connection.query('SELECT 1');
            seen.push(context.getStore());
            connection.release();
          });
        await Promise.all(['a', 'b', 'c'].map(request));
        expect(seen.sort()).to.deep.equal(['a', 'a', 'b', 'b', 'c', 'c']);
      });

      it(`55. a queued callback runs in ${flavour === 'enhanced' ? 'its caller’s' : 'the releaser’s'} context`, async () => {
        const context = new AsyncLocalStorage<string>();
        const pool = newPool({ connectionLimit: 1 });
        const first = await connect(pool);
        const seen = new Promise((resolve) => {
          context.run('caller', () => {
            pool.getConnection((_error, connection) => {
              resolve(context.getStore());
              connection.release();
            });
          });
        });
        context.run('releaser', () => first.release());
        expect(await seen).to.equal(flavour === 'enhanced' ? 'caller' : 'releaser');
      });

      it(`55. a query’s callback runs in its ${flavour === 'enhanced' ? 'caller’s' : 'socket’s'} context`, async () => {
        const context = new AsyncLocalStorage<string>();
        const pool = newPool({ connectionLimit: 1 });
        await context.run('opener', () => select(pool, 'SELECT 1'));
        const ask = (name: string, method: 'query' | 'execute') =>
          new Promise((resolve) => {
            context.run(name, () => pool[method]('SELECT 1', () => resolve(context.getStore())));
          });
        const contexts = await Promise.all([
          ask('idle', 'query'),
          ask('queued', 'query'),
          ask('last', 'execute'),
        ]);
        expect(contexts).to.deep.equal(
          flavour === 'enhanced' ? ['idle', 'queued', 'last'] : ['opener', 'opener', 'opener'],
        );
      });

      if (flavour === 'enhanced') {
        it('55. a statement of a promise pool that waited is sent in its caller’s context', async () => {
          const context = new AsyncLocalStorage<string>();
          const pool = newPromisePool({ connectionLimit: 1 });
          const first = await pool.getConnection();
          const { connection } = first as unknown as { connection: Connection };
          const sentIn: unknown[] = [];
          for (const method of ['query', 'execute'] as const) {
            const send = connection[method] as (...given: unknown[]) => unknown;
            connection[method] = ((...given: unknown[]) => {
              sentIn.push(context.getStore());
              return send.apply(connection, given);
            }) as never;
          }
          const waiting = [
            context.run('one', () => pool.query('SELECT 1')),
            context.run('other', () => pool.execute('SELECT 1')),
          ];
          context.run('releaser', () => first.release());
          await Promise.all(waiting);
          expect(sentIn).to.deep.equal(['one', 'other']);
        });
      }

      it('no listener is added to a connection beyond stock’s', async () => {
        const pool = newPool();
        const connection = await connect(pool);
        expect(
          ['error', 'end', 'connect', 'drain'].map((name) => connection.listenerCount(name)),
        ).to.deep.equal([1, 1, 0, 0]);
        connection.release();
        expect(['error', 'end'].map((name) => connection.listenerCount(name))).to.deep.equal([1, 1]);
      });

      if (flavour === 'stock') {
        it('what its pools do is what we know of it, and do in fewer steps', () => {
          const promisePool = newPromisePool();
          for (const { query, execute } of [promisePool, promisePool.pool]) {
            expect(isKnown(query)).to.equal(true);
            expect(isKnown(execute)).to.equal(true);
          }
        });
      }

      it('10,000 leases leave no listener behind', async () => {
        const pool = newPromisePool({ connectionLimit: 1 });
        const first = await pool.getConnection();
        const core = first.connection as unknown as Connection;
        const listeners = () =>
          [core, core.stream].map((it) =>
            it.eventNames().map((name) => [name, it.listenerCount(name as string)]),
          );
        const before = listeners();
        first.release();
        for (let turn = 0; turn < 5_000; turn += 1) {
          (await pool.getConnection()).release();
          (await connect(pool.pool)).release();
        }
        expect(listeners()).to.deep.equal(before);
      });

      it(`40. idleTimeout ${flavour === 'enhanced' ? 'works' : 'is of no effect'} where maxIdle is not below connectionLimit`, async () => {
        const pool = newPool({ idleTimeout: 100 });
        (await connect(pool)).release();
        if (flavour === 'enhanced') await until(() => pool._allConnections.length === 0);
        else await delay(400);
        expect(counts(pool)).to.deep.equal(flavour === 'enhanced' ? [0, 0, 0] : [1, 1, 0]);
      });

      it(`57. a transaction left open is ${flavour === 'enhanced' ? 'rolled back' : 'handed to the next holder'}`, async () => {
        const pool = newPool({ connectionLimit: 1 });
        await select(pool, 'CREATE TABLE IF NOT EXISTS left_open (n INT) ENGINE=InnoDB');
        await select(pool, 'TRUNCATE left_open');
        const connection = await connect(pool);
        await select(connection, 'START TRANSACTION');
        await select(connection, 'INSERT INTO left_open VALUES (1)');
        await failure(select(connection, 'SELEKT'));
        const told = record(pool);
        connection.release();
        await until(() => told.length > 0);
        expect(told).to.deep.equal(['release 1/1/0']);
        const rows = await select(pool, 'SELECT n FROM left_open');
        expect(rows).to.deep.equal(flavour === 'enhanced' ? [] : [{ n: 1 }]);
        await select(pool, 'ROLLBACK');
        await select(pool, 'DROP TABLE left_open');
      });

      it('57. a transaction over pool.query on a pool of one goes on', async () => {
        const pool = newPool({ connectionLimit: 1 });
        await select(pool, 'CREATE TABLE IF NOT EXISTS pool_of_one (n INT) ENGINE=InnoDB');
        await select(pool, 'TRUNCATE pool_of_one');
        await select(pool, 'START TRANSACTION');
        await select(pool, 'INSERT INTO pool_of_one VALUES (1)');
        await failure(select(pool, 'SELEKT'));
        await select(pool, 'COMMIT');
        expect(await select(pool, 'SELECT n FROM pool_of_one')).to.deep.equal([{ n: 1 }]);
        await select(pool, 'DROP TABLE pool_of_one');
      });

      it(`29. a connection that was idle for long and is dead without a word is ${flavour === 'enhanced' ? 'replaced' : 'handed out'}`, async () => {
        const proxy = await proxyTo(server.port);
        const pool = newPool({ connectionLimit: 1, port: proxy.port });
        (await connect(pool)).release();
        await delay(550);
        proxy.failNextWrite();
        const outcome = await select(pool, 'SELECT 1 AS one').catch((error) => error.code);
        expect(outcome).to.deep.equal(flavour === 'enhanced' ? [{ one: 1 }] : 'PROTOCOL_CONNECTION_LOST');
        await new Promise<void>((resolve) => pool.end(() => resolve()));
        await proxy.close();
      });

      if (isOurs) {
        it('enhancePool takes one pool over, and no other of its class', async () => {
          const bundled = new Copy(undefined);
          bundled.use();
          const options = { ...login(), connectionLimit: 1 };
          const pool = enhancePool(bundled.promise.createPool(options)) as unknown as Mysql2Promise.Pool & {
            pool: Pool;
          };
          const other = bundled.mysql2.createPool(options) as unknown as Pool;
          toEnd.push(pool.pool, other);
          expect((await pool.query('SELECT 1 AS one'))[0]).to.deep.equal([{ one: 1 }]);
          (await connect(other)).release();
          const isAccessor = (it: Pool) =>
            Object.getOwnPropertyDescriptor(it, '_allConnections')!.get !== undefined;
          expect([isAccessor(pool.pool), isAccessor(other)]).to.deep.equal([true, false]);
        });

        it('a pool class of no mysql2 that is known is refused and left as it is', () => {
          class Unknown {
            getConnection() {}
          }
          const { getConnection } = Unknown.prototype;
          expect(() => patchMysql2Pool(Unknown)).to.throw('in no way that is known');
          expect(Unknown.prototype.getConnection).to.equal(getConnection);
        });

        it('whoever patches last decides on the pools that are used first from then on', async () => {
          const other = new Copy(undefined);
          other.use();
          const adopted: string[] = [];
          const named = (name: string): Host => ({ ...plainHost, adopted: () => adopted.push(name) });
          const unused = () => {
            const pool = other.mysql2.createPool({ ...login(), connectionLimit: 1 }) as unknown as Pool;
            toEnd.push(pool);
            return pool;
          };
          (await connect(enhancePool(unused()))).release();
          patchMysql2Pool(other.BasePool as never, named('first'));
          (await connect(unused())).release();
          patchMysql2Pool(other.BasePool as never, named('second'));
          patchMysql2Pool(other.BasePool as never);
          (await connect(unused())).release();
          expect(adopted).to.deep.equal(['first', 'second']);
        });

        it('a host that fails when it is told of an engine leaves the pool stock', async () => {
          const declined: unknown[] = [];
          const other = new Copy({
            ...plainHost,
            adopted() {
              throw new Error('cannot tell');
            },
            declined: (_info, error) => declined.push((error as Error).message),
          });
          other.use();
          const pool = other.promise.createPool({ ...login(), connectionLimit: 1 });
          toEnd.push(pool.pool as never);
          expect((await pool.query('SELECT 1 AS one'))[0]).to.deep.equal([{ one: 1 }]);
          expect(declined).to.deep.equal(['cannot tell']);
        });

        it('a pool first used while nobody wants it enhanced stays stock', async () => {
          let wanted = false;
          const other = new Copy({ ...plainHost, enabled: () => wanted });
          other.use();
          const options = { ...login(), connectionLimit: 1 };
          const [early, late] = [
            other.mysql2.createPool(options),
            other.mysql2.createPool(options),
          ] as unknown as Pool[];
          toEnd.push(early!, late!);
          (await connect(early!)).release();
          wanted = true;
          (await connect(early!)).release();
          (await connect(late!)).release();
          const isAccessor = (pool: Pool) =>
            Object.getOwnPropertyDescriptor(pool, '_allConnections')!.get !== undefined;
          expect([isAccessor(early!), isAccessor(late!)]).to.deep.equal([false, true]);
        });
      }
    });
  });
}

/** A port that was free a moment ago; `use` runs while it is taken. */
async function portOf(use: (server: Server) => Promise<void>): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await use(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

async function muteServer() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  const port = await listening(server);
  return { port, close: () => closeAll(server, sockets) };
}

/** Passes everything on, but on demand closes the connection that is written to next, and only then. */
async function proxyTo(port: number) {
  const sockets = new Set<Socket>();
  let failing = false;
  let refusing = false;
  const server = createServer((client) => {
    if (refusing) return client.destroy();
    const { connect } = require('node:net') as typeof import('node:net');
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('data', (data) => {
      if (!failing) return upstream.write(data);
      failing = false;
      return client.destroy();
    });
    upstream.on('data', (data) => client.write(data));
    upstream.on('close', () => client.destroy());
    return client.on('close', () => upstream.destroy());
  });
  return {
    port: await listening(server),
    refuse(all: boolean) {
      refusing = all;
    },
    failNextWrite() {
      failing = true;
    },
    close: () => closeAll(server, sockets),
  };
}

function closeAll(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  return new Promise((resolve) => server.close(() => resolve()));
}
