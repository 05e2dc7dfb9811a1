import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { type Host, type PoolInfo, plainHost } from '../../adapters/host.js';
import { enhanceKnex } from '../../adapters/knex/index.js';
import { patchKnex } from '../../adapters/knex/patch.js';
import { facadeOf } from '../../adapters/knex/pool-class.js';
import type { KnexClass, KnexConnection, TarnPool } from '../../adapters/knex/shapes.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { type Flavour, HOSTS } from './hosts.js';

/** What the tests use of knex's client. */
interface TestedClient extends EventEmitter {
  pool: TarnPool & Record<string, unknown[]> & { on(event: string, listener: unknown): void };
  initializePool(config?: object): void;
  acquireConnection(): Promise<TestedConnection>;
  releaseConnection(connection: KnexConnection): Promise<void>;
  acquireRawConnection(): Promise<TestedConnection>;
  destroyRawConnection(connection: KnexConnection): Promise<void>;
  validateConnection(connection: KnexConnection): unknown;
  config: { connection: Record<string, unknown> };
}

interface TestedConnection extends KnexConnection {
  config?: Record<string, unknown>;
  __knexUid?: string;
  query(sql: string): Promise<{ rows: Record<string, unknown>[] }>;
}

type KnexModule = typeof import('knex').default & {
  KnexPool: new (...given: never[]) => unknown;
  KnexTimeoutError: new () => Error;
};

type Dialect = new (...given: unknown[]) => TestedClient;

/** knex's types know only its own classes as clients. */
const asClient = (dialect: Dialect) => dialect as unknown as typeof Knex.Client;

interface Copy {
  readonly flavour: Flavour;
  readonly knex: KnexModule;
  readonly dialects: Readonly<Record<'pg' | 'mysql2' | 'sqlite3', Dialect>>;
  readonly tarn: typeof import('tarn');
  readonly isTarnPool: (pool: unknown) => boolean;
}

/** A copy of knex and tarn of its own: a patch is in place, so the stock one must be another. */
function loadCopy(flavour: Copy['flavour']): Copy {
  for (const file of Object.keys(require.cache)) {
    if (/node_modules\/(knex|tarn)\//.test(file)) delete require.cache[file];
  }
  const knex = require('knex') as KnexModule;
  const Client = require('knex/lib/client.js') as KnexClass;
  const Runner = require('knex/lib/execution/runner.js') as KnexClass;
  if (flavour !== 'stock') patchKnex({ Client, Runner }, HOSTS[flavour]);
  // By name, a dialect is loaded on demand, out of whatever copy is then in the cache.
  const dialect = (client: string) => knex({ client }).client.constructor as unknown as Dialect;
  const dialects = { pg: dialect('pg'), mysql2: dialect('mysql2'), sqlite3: dialect('sqlite3') };
  const { isTarnPool } = require('knex/lib/pool.js') as Pick<Copy, 'isTarnPool'>;
  return { flavour, knex, dialects, tarn: require('tarn') as Copy['tarn'], isTarnPool };
}

const EVENTS = [
  'acquireRequest',
  'acquireSuccess',
  'acquireFail',
  'release',
  'createRequest',
  'createSuccess',
  'createFail',
  'destroyRequest',
  'destroySuccess',
  'destroyFail',
  'startReaping',
  'stopReaping',
  'poolDestroyRequest',
  'poolDestroySuccess',
] as const;

const copies = (['stock', 'enhanced', 'strict', 'observed'] as const).map(loadCopy);

describe('knex contract', () => {
  let databases: Databases<'postgres' | 'mysql'>;
  before(async function () {
    this.timeout(60_000);
    databases = await startDatabases({ postgres: true, mysql: true });
  });
  after(() => databases?.stop());

  for (const copy of copies) {
    describe(copy.flavour, () => behaviours(copy));
  }

  function behaviours({ flavour, knex: makeKnex, dialects, tarn, isTarnPool }: Copy): void {
    const isOurs = flavour === 'enhanced' || flavour === 'strict';
    const opened: Knex[] = [];
    let warnings: string[] = [];
    const log = {
      warn: (message: string) => warnings.push(String(message)),
      error: () => {},
      debug: () => {},
      deprecate: () => {},
    };
    beforeEach(() => {
      warnings = [];
    });
    afterEach(async () => {
      for (const knex of opened.splice(0)) await knex.destroy();
    });

    function open(config: Knex.Config = {}): Knex & { client: TestedClient } {
      const { pool, ...rest } = config;
      const knex = makeKnex({
        client: asClient(dialects.pg),
        ...('connectionPool' in config ? {} : { connection: databases.postgres.url }),
        log,
        pool: { min: 0, max: 2, ...pool },
        ...rest,
      });
      opened.push(knex);
      return knex as Knex & { client: TestedClient };
    }

    function openMysql(config: Knex.Config = {}) {
      const { host, port, user, password, database } = databases.mysql;
      return open({
        client: asClient(dialects.mysql2),
        connection: { host, port, user, password, database },
        ...config,
      });
    }

    const runsOnEngine = (knex: Knex) => facadeOf((knex.client as TestedClient).pool) !== undefined;

    /** A client whose connections are made by `create`, for failures that no server gives on demand. */
    function openScripted(create: () => Promise<unknown>, pool: object = {}, config: Knex.Config = {}) {
      class Scripted extends dialects.pg {
        _driver() {
          return {};
        }
        override acquireRawConnection() {
          return create() as Promise<TestedConnection>;
        }
        override async destroyRawConnection() {}
      }
      return open({ client: asClient(Scripted), pool, ...config });
    }

    const newConnection = async () => ({ made: true });

    /** Every event with its arguments, resources as `r1`, `r2` … and errors as their messages. */
    function record(pool: TestedClient['pool'], counts = false): string[] {
      const told: string[] = [];
      const resources: unknown[] = [];
      const asText = (value: unknown) => {
        if (typeof value === 'number') return String(value);
        if (value instanceof Error) return value.message;
        if (!resources.includes(value)) resources.push(value);
        return `r${resources.indexOf(value) + 1}`;
      };
      for (const event of EVENTS) {
        pool.on(event, (...args: unknown[]) => {
          const numbers = counts
            ? ` used ${pool.numUsed()} free ${pool.numFree()} acquires ${pool.numPendingAcquires()} creates ${pool.numPendingCreates()}`
            : '';
          told.push(`${event}(${args.map(asText).join(', ')})${numbers}`);
        });
      }
      return told;
    }

    async function failure(promise: PromiseLike<unknown>): Promise<Error & Record<string, unknown>> {
      try {
        await promise;
      } catch (error) {
        return error as Error & Record<string, unknown>;
      }
      throw new Error('nothing was thrown');
    }

    const TIMEOUT =
      'Knex: Timeout acquiring a connection. The pool is probably full. Are you missing a .transacting(trx) call?';

    it('1. pool is instanceof tarn.Pool and KnexPool, constructor.name unchanged', () => {
      const { pool } = open().client;
      expect(pool).instanceOf(tarn.Pool).and.instanceOf(makeKnex.KnexPool);
      expect(pool.constructor.name).equal('KnexPool');
      expect(runsOnEngine(opened[0]!)).equal(isOurs);
    });

    it('2. isTarnPool(pool) is true', () => {
      expect(isTarnPool(open().client.pool)).equal(true);
    });

    it('3. an unknown pool option throws the stock message', () => {
      expect(() => open({ pool: { foo: 1 } as object })).throw('Tarn: unsupported option opt.foo');
    });

    it('4. a deprecated option warns once', () => {
      expect(() => open({ pool: { maxWaitingClients: 1 } as object })).throw('unsupported option');
      expect(warnings).lengthOf(1);
      expect(warnings[0]).contain('Pool config option "maxWaitingClients" is no longer supported.');
    });

    it('5. min and max are validated with the stock messages', () => {
      expect(() => open({ pool: { min: 3, max: 2 } })).throw('Tarn: opt.max is smaller than opt.min');
      expect(() => open({ pool: { min: 0, max: -1 } })).throw('Tarn: opt.max must be an integer > 0');
      expect(() => open({ pool: { min: 0.5 } })).throw('Tarn: opt.min must be an integer >= 0');
    });

    it('6. sqlite keeps its pool and its defaults', () => {
      class Driverless extends dialects.sqlite3 {
        _driver() {
          return {};
        }
      }
      const knex = makeKnex({ client: asClient(Driverless), connection: { filename: ':memory:' } });
      const { pool } = knex.client as TestedClient;
      expect([pool.min, pool.max]).deep.equal([1, 1]);
      expect(runsOnEngine(knex)).equal(false);
    });

    it('7. a custom dialect keeps its pool', () => {
      class Custom extends dialects.pg {
        _driver() {
          return {};
        }
      }
      Object.assign(Custom.prototype, { driverName: 'custom' });
      const knex = makeKnex({ client: asClient(Custom), connection: { host: 'nowhere' } });
      expect(runsOnEngine(knex)).equal(false);
    });

    it('8. pool.max 0 makes no pool: Unable to acquire a connection', async () => {
      const knex = open({ pool: { max: 0 } });
      expect(knex.client.pool).equal(undefined);
      expect((await failure(knex.raw('select 1'))).message).equal('Unable to acquire a connection');
    });

    it('9. initializePool twice warns and leaves the pool', () => {
      const { client } = open();
      const { pool } = client;
      client.initializePool();
      expect(client.pool).equal(pool);
      expect(warnings).deep.equal(['The pool has already been initialized']);
    });

    it('10. initialize() after destroy() gives a working pool of the same kind', async () => {
      const knex = open();
      await knex.destroy();
      knex.initialize();
      expect(runsOnEngine(knex)).equal(isOurs);
      expect((await knex.raw('select 1 as one')).rows).deep.equal([{ one: 1 }]);
    });

    it("11. the application's own tarn pool is used as it is", () => {
      const own = new tarn.Pool({ create: async () => ({}), destroy: () => {}, min: 0, max: 1 });
      const knex = open({ connectionPool: own } as Knex.Config);
      expect(knex.client.pool).equal(own);
      expect(runsOnEngine(knex)).equal(false);
    });

    it("12. the application's own pg.Pool is passed through and survives destroy()", async () => {
      const { Pool } = require('pg') as typeof import('pg');
      const own = new Pool({ connectionString: databases.postgres.url, max: 1 });
      own.on('error', () => {});
      const knex = open({ connectionPool: own } as Knex.Config);
      expect((await knex.raw('select 1 as one')).rows).deep.equal([{ one: 1 }]);
      await knex.destroy();
      expect((await own.query('select 2 as two')).rows).deep.equal([{ two: 2 }]);
      await own.end();
    });

    for (const kind of ['mysql2', 'mysql2/promise']) {
      it(`12. the application's own pool of ${kind} is passed through and survives destroy()`, async () => {
        const { host, port, user, password, database } = databases.mysql;
        const { createPool } = require(kind) as typeof import('mysql2/promise');
        const own = createPool({ host, port, user, password, database, connectionLimit: 1 });
        const knex = openMysql({ connection: undefined, connectionPool: own } as never);
        expect(runsOnEngine(knex)).equal(false);
        expect((await knex.raw('select 1 as one'))[0]).deep.equal([{ one: 1 }]);
        await knex.destroy();
        const asked = kind === 'mysql2' ? (own as unknown as { promise(): typeof own }).promise() : own;
        expect((await asked.query('select 2 as two'))[0]).deep.equal([{ two: 2 }]);
        await asked.end();
      });
    }

    it('13. the counts are those of stock at every event', async () => {
      const { client } = open({ pool: { max: 1 } });
      const told = record(client.pool, true);
      const first = await client.acquireConnection();
      const second = client.acquireConnection();
      client.releaseConnection(first);
      client.releaseConnection(await second);
      expect(told).deep.equal([
        'acquireRequest(1) used 0 free 0 acquires 0 creates 0',
        'createRequest(2) used 0 free 0 acquires 1 creates 0',
        'createSuccess(2, r1) used 0 free 1 acquires 1 creates 0',
        'startReaping() used 1 free 0 acquires 0 creates 0',
        'acquireSuccess(1, r1) used 1 free 0 acquires 0 creates 0',
        'acquireRequest(3) used 1 free 0 acquires 0 creates 0',
        'release(r1) used 1 free 0 acquires 1 creates 0',
        'acquireSuccess(3, r1) used 1 free 0 acquires 0 creates 0',
        'release(r1) used 1 free 0 acquires 0 creates 0',
      ]);
    });

    it('13. a caller who gives up counts until acquireFail was told', async () => {
      const { client } = openScripted(newConnection, { max: 1, acquireTimeoutMillis: 40 });
      const held = await client.acquireConnection();
      const told = record(client.pool, true);
      await failure(client.pool.acquire().promise);
      expect(client.pool.numPendingAcquires()).equal(0);
      expect(told).deep.equal([
        'acquireRequest(3) used 1 free 0 acquires 0 creates 0',
        'acquireFail(3, operation timed out for an unknown reason) used 1 free 0 acquires 1 creates 0',
      ]);
      client.releaseConnection(held);
    });

    it('13b. the arrays that other software reads are true', async () => {
      const { client } = open({ pool: { max: 1 } });
      const { pool } = client;
      const lengths = () =>
        ['used', 'free', 'pendingCreates', 'pendingAcquires', 'pendingValidations', 'pendingDestroys'].map(
          (name) => pool[name]!.length,
        );
      expect(lengths()).deep.equal([0, 0, 0, 0, 0, 0]);
      const acquiring = client.acquireConnection();
      expect(lengths()).deep.equal([0, 0, 1, 1, 0, 0]);
      const connection = await acquiring;
      expect(lengths()).deep.equal([1, 0, 0, 0, 0, 0]);
      expect((pool.used![0] as { resource: unknown }).resource).equal(connection);
      client.releaseConnection(connection);
      expect(lengths()).deep.equal([0, 1, 0, 0, 0, 0]);
      expect((pool.free![0] as { resource: unknown }).resource).equal(connection);
    });

    it('14. isEmpty()', async () => {
      const { client } = open();
      expect(client.pool.isEmpty()).equal(true);
      client.releaseConnection(await client.acquireConnection());
      expect(client.pool.isEmpty()).equal(false);
    });

    it('15. pool.min and pool.max are readable, and max may be raised at run time', async () => {
      const { client } = open({ pool: { min: 1, max: 1 } });
      expect([client.pool.min, client.pool.max]).deep.equal([1, 1]);
      const first = await client.acquireConnection();
      client.pool.max = 2;
      const second = await client.acquireConnection();
      expect([client.pool.min, client.pool.max, client.pool.numUsed()]).deep.equal([1, 2, 2]);
      client.releaseConnection(first);
      client.releaseConnection(second);
    });

    it('16. pool.emitter is an EventEmitter', () => {
      const { pool } = open().client;
      pool.on('release', () => {});
      expect(pool.emitter).instanceOf(EventEmitter);
      expect(pool.emitter.eventNames()).deep.equal(['release']);
    });

    it('17. on, removeListener, removeAllListeners', async () => {
      const { client } = open();
      const pool = client.pool as TestedClient['pool'] & {
        removeListener(event: string, listener: unknown): void;
        removeAllListeners(event?: string): void;
      };
      const told: string[] = [];
      const removed = () => told.push('removed');
      expect(pool.on('release', removed)).equal(undefined);
      pool.on('release', () => told.push('kept'));
      pool.removeListener('release', removed);
      client.releaseConnection(await client.acquireConnection());
      pool.removeAllListeners('release');
      client.releaseConnection(await client.acquireConnection());
      expect(told).deep.equal(['kept']);
    });

    it('18. + 19. all events with their arguments, their order and ids from one counter', async () => {
      const knex = open({ pool: { max: 1, idleTimeoutMillis: 20, reapIntervalMillis: 10 } });
      const told = record(knex.client.pool);
      await knex.raw('select 1');
      while (!told.includes('destroySuccess(3, r1)')) await sleep(5);
      await knex.destroy();
      expect(told).deep.equal([
        'acquireRequest(1)',
        'createRequest(2)',
        'createSuccess(2, r1)',
        'startReaping()',
        'acquireSuccess(1, r1)',
        'release(r1)',
        'destroyRequest(3, r1)',
        'stopReaping()',
        'destroySuccess(3, r1)',
        'poolDestroyRequest(4)',
        'poolDestroySuccess(4)',
      ]);
    });

    it('18b. the events of failures', async () => {
      const { client } = openScripted(() => Promise.reject(new Error('no server')), { max: 1 });
      const told = record(client.pool);
      expect((await failure(client.acquireConnection())).message).equal('no server');
      expect(told).deep.equal([
        'acquireRequest(1)',
        'createRequest(2)',
        'createFail(2, no server)',
        'acquireFail(1, no server)',
      ]);
    });

    it('20. release is told before the move, and for unknown connections', async () => {
      const { client } = open();
      const told = record(client.pool, true);
      const connection = await client.acquireConnection();
      told.length = 0;
      client.pool.release(connection);
      client.pool.release({});
      expect(told).deep.equal([
        'release(r1) used 1 free 0 acquires 0 creates 0',
        'release(r2) used 0 free 1 acquires 0 creates 0',
      ]);
    });

    it('21. a throwing listener is logged, not thrown', async () => {
      const lines: string[] = [];
      const { client } = open({ pool: { log: (line: string) => lines.push(line) } as object });
      const fails = () => {
        throw new Error('listener');
      };
      for (const event of ['acquireRequest', 'acquireSuccess', 'release']) client.pool.on(event, fails);
      expect(client.pool.release(await client.acquireConnection())).equal(true);
      expect(lines.map((line) => line.split(' Error: listener')[0])).deep.equal([
        'Tarn: event handler "acquireRequest" threw an exception',
        'Tarn: event handler "acquireSuccess" threw an exception',
        'Tarn: event handler "release" threw an exception',
      ]);
    });

    it('22. + 23. acquire() returns promise and abort(): it rejects with "aborted" and leaves the queue', async () => {
      const { client } = open({ pool: { max: 1 } });
      const held = await client.acquireConnection();
      const pending = client.pool.acquire();
      expect([pending.isRejected, pending.possibleTimeoutCause]).deep.equal([false, null]);
      pending.abort();
      expect((await failure(pending.promise)).message).equal('aborted');
      expect([pending.isRejected, client.pool.numPendingAcquires()]).deep.equal([true, 0]);
      client.releaseConnection(held);
    });

    it('24. + 25. release() says whether anybody held it; a second one is harmless', async () => {
      const { client } = open({ pool: { max: 1 } });
      const connection = await client.acquireConnection();
      expect(client.pool.release(connection)).equal(true);
      expect(client.pool.release(connection)).equal(false);
      expect([client.pool.numFree(), client.pool.numUsed()]).deep.equal([1, 0]);
    });

    it('25. a second release while the connection is free or gone to nobody never gives it two owners', async () => {
      const { client } = open({ pool: { max: 2 } });
      const connection = await client.acquireConnection();
      await client.releaseConnection(connection);
      await client.releaseConnection(connection);
      const [a, b] = await Promise.all([client.acquireConnection(), client.acquireConnection()]);
      expect(a).not.equal(b);
      expect([client.pool.numUsed(), client.pool.numFree()]).deep.equal([2, 0]);
      await client.releaseConnection(a!);
      await client.releaseConnection(b!);
    });

    it('26. first come, first served; last released, first reused', async () => {
      const { client } = open({ pool: { max: 2 } });
      const [a, b] = await Promise.all([client.acquireConnection(), client.acquireConnection()]);
      const order: string[] = [];
      const waits = ['first', 'second'].map(async (name) => {
        const connection = await client.acquireConnection();
        order.push(name);
        return connection;
      });
      client.releaseConnection(a!);
      client.releaseConnection(b!);
      const [c, d] = await Promise.all(waits);
      expect(order).deep.equal(['first', 'second']);
      client.releaseConnection(c!);
      client.releaseConnection(d!);
      const again = await client.acquireConnection();
      expect(again).equal(d);
      client.releaseConnection(again);
    });

    it('27. whichever comes first serves a waiter: a release or the connection opened for it', async () => {
      let arrive: () => void = () => {};
      const late = new Promise<void>((resolve) => {
        arrive = resolve;
      });
      let opening = Promise.resolve();
      const { client } = openScripted(() => opening.then(newConnection));
      const held = await client.acquireConnection();
      opening = late;
      const waiting = client.acquireConnection();
      expect(client.pool.numPendingCreates()).equal(1);
      client.releaseConnection(held);
      const served = await waiting;
      expect(served).equal(held);
      expect(client.pool.numPendingCreates()).equal(1);
      arrive();
      while (client.pool.numPendingCreates() > 0) await sleep(5);
      expect([client.pool.numUsed(), client.pool.numFree()]).deep.equal([1, 1]);
      client.releaseConnection(served);
    });

    it('28. a create error reaches the first waiter untouched', async () => {
      const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      const { client } = openScripted(() => Promise.reject(refused), { max: 1 });
      expect(await failure(client.acquireConnection())).equal(refused);
      const real = open({ connection: { host: '127.0.0.1', port: 1, user: 'x' } });
      expect(await failure(real.raw('select 1'))).property('code', 'ECONNREFUSED');
    });

    it('29. without propagateCreateError it tries again, and a timeout names the create error', async () => {
      let tries = 0;
      const { client } = openScripted(
        () => {
          tries += 1;
          return Promise.reject(new Error(`no server ${tries}`));
        },
        { max: 1, propagateCreateError: false, createRetryIntervalMillis: 40, acquireTimeoutMillis: 1_200 },
      );
      const error = await failure(client.acquireConnection());
      expect(error.message).equal(TIMEOUT);
      expect(error.cause)
        .instanceOf(tarn.TimeoutError)
        .property('message')
        .match(/^no server \d+$/);
      expect(tries).within(4, 30);
    });

    it('30. createTimeoutMillis fails the create, and a late connection is destroyed', async () => {
      const destroyed: unknown[] = [];
      let arrive: (connection: unknown) => void = () => {};
      const late = new Promise((resolve) => {
        arrive = resolve;
      });
      const { client } = openScripted(() => late, { max: 1, createTimeoutMillis: 40 });
      client.destroyRawConnection = async (connection: unknown) => {
        destroyed.push(connection);
      };
      const told = record(client.pool);
      const error = await failure(client.acquireConnection());
      expect(error.message).equal(TIMEOUT);
      expect(error.cause).instanceOf(tarn.TimeoutError);
      expect(told.slice(0, 4)).deep.equal([
        'acquireRequest(1)',
        'createRequest(2)',
        'createFail(2, operation timed out for an unknown reason)',
        'acquireFail(1, operation timed out for an unknown reason)',
      ]);
      arrive(await newConnection());
      while (destroyed.length === 0) await sleep(5);
      expect(destroyed).lengthOf(1);
      expect(told.join()).not.contain('createSuccess').and.not.contain('destroyRequest');
    });

    it('31. a destroyer that fails or takes too long is logged', async () => {
      const lines: string[] = [];
      const { client } = openScripted(newConnection, {
        max: 1,
        destroyTimeoutMillis: 40,
        log: (line: string) => lines.push(line),
      });
      client.destroyRawConnection = () => Promise.reject(new Error('will not go'));
      client.releaseConnection(await client.acquireConnection());
      const told = record(client.pool);
      await client.pool.destroy();
      expect(lines[0]).match(/^Tarn: resource destroyer threw an exception Error: will not go/);
      expect(told).contain('destroyFail(4, r1, will not go)');
    });

    it('31b. a destroyer that takes too long is given up', async () => {
      const lines: string[] = [];
      const { client } = openScripted(newConnection, {
        max: 1,
        destroyTimeoutMillis: 40,
        log: (line: string) => lines.push(line),
      });
      client.destroyRawConnection = () => new Promise(() => {});
      client.releaseConnection(await client.acquireConnection());
      await client.pool.destroy();
      expect(lines[0]).match(/^Tarn: resource destroyer threw an exception Error: operation timed out/);
    });

    it('32. a validator that throws is logged and its connection replaced', async () => {
      const lines: string[] = [];
      const { client } = openScripted(newConnection, { max: 1, log: (line: string) => lines.push(line) });
      const first = await client.acquireConnection();
      client.validateConnection = () => {
        client.validateConnection = () => true;
        throw new Error('validator');
      };
      client.releaseConnection(first);
      const second = await client.acquireConnection();
      expect(second).not.equal(first);
      expect(lines).lengthOf(1);
      expect(lines[0]).match(/^Tarn: resource validator threw an exception Error: validator/);
      client.releaseConnection(second);
    });

    it('33. validation runs before every hand-out', async () => {
      let asked = 0;
      const { client } = openScripted(newConnection, {
        max: 1,
        validate: async () => {
          asked += 1;
          return true;
        },
      });
      const first = await client.acquireConnection();
      const waiting = client.acquireConnection();
      client.releaseConnection(first);
      client.releaseConnection(await waiting);
      client.releaseConnection(await client.acquireConnection());
      expect(asked).equal(3);
    });

    it('34. a disposed connection is never reused, with a warning', async () => {
      const { client } = open({ pool: { max: 1 } });
      const disposed = await client.acquireConnection();
      const waiting = client.acquireConnection();
      disposed.__knex__disposed = 'over';
      client.releaseConnection(disposed);
      const next = await waiting;
      expect(next).not.equal(disposed);
      next.__knex__disposed = 'again';
      client.releaseConnection(next);
      const last = await client.acquireConnection();
      expect(last).not.equal(next);
      expect(warnings).deep.equal(['Connection Error: over', 'Connection Error: again']);
      client.releaseConnection(last);
    });

    it('34b. a connection that its server ended is replaced', async () => {
      const knex = open({ pool: { max: 2 } });
      const connection = await knex.client.acquireConnection();
      const { rows } = await connection.query('select pg_backend_pid() as pid');
      knex.client.releaseConnection(connection);
      const other = open();
      await other.raw('select pg_terminate_backend(?)', [rows[0]!.pid as number]);
      while (connection.__knex__disposed === undefined) await sleep(5);
      expect((await knex.raw('select 1 as one')).rows).deep.equal([{ one: 1 }]);
      expect(warnings.some((warning) => warning.startsWith('Connection Error: '))).equal(true);
    });

    it("35. the application's validate: false or a throw replaces the connection", async () => {
      const answers = [true, false, true, new Error('cannot tell'), true];
      const { client } = openScripted(newConnection, {
        max: 1,
        validate: async () => {
          const answer = answers.shift();
          if (answer instanceof Error) throw answer;
          return answer;
        },
      });
      const seen = new Set<unknown>();
      for (let round = 0; round < 3; round += 1) {
        const connection = await client.acquireConnection();
        seen.add(connection);
        client.releaseConnection(connection);
      }
      expect(seen.size).equal(3);
      expect(warnings).deep.equal(['Pool validate threw an error: cannot tell']);
    });

    it('36. maxConnectionLifetimeMillis', async () => {
      const { client } = openScripted(newConnection, { max: 1, maxConnectionLifetimeMillis: 300 });
      const first = await client.acquireConnection();
      client.releaseConnection(first);
      const same = await client.acquireConnection();
      expect(same).equal(first);
      await sleep(330);
      client.releaseConnection(same);
      const next = await client.acquireConnection();
      expect(next).not.equal(first);
      client.releaseConnection(next);
    });

    it('36. maxConnectionLifetimeJitterMillis ends lifetimes early, never late', async () => {
      const { client } = openScripted(newConnection, {
        max: 1,
        maxConnectionLifetimeMillis: 200,
        maxConnectionLifetimeJitterMillis: 100,
      } as object);
      const first = await client.acquireConnection();
      client.releaseConnection(first);
      await sleep(320);
      const next = await client.acquireConnection();
      expect(next).not.equal(first);
      client.releaseConnection(next);
    });

    it(`37. min connections are ${flavour === 'enhanced' ? 'opened and kept up' : 'only kept from being closed'}`, async () => {
      const { client } = openScripted(newConnection, { min: 2, max: 3 });
      client.releaseConnection(await client.acquireConnection());
      while (flavour === 'enhanced' && client.pool.numFree() < 2) await sleep(5);
      await sleep(20);
      expect(client.pool.numFree()).equal(flavour === 'enhanced' ? 2 : 1);
    });

    it('37. idle connections above min are closed', async () => {
      const { client } = openScripted(newConnection, {
        min: 1,
        max: 3,
        idleTimeoutMillis: 30,
        reapIntervalMillis: 10,
      });
      const all = await Promise.all([1, 2, 3].map(() => client.acquireConnection()));
      for (const connection of all) client.releaseConnection(connection);
      while (client.pool.numFree() > 1) await sleep(10);
      await sleep(60);
      expect([client.pool.numFree(), client.pool.numUsed()]).deep.equal([1, 0]);
    });

    it('38. an idle pool with min 0 lets the process end once it is destroyed', async () => {
      const knex = open();
      await knex.raw('select 1');
      await knex.destroy();
      expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap')).deep.equal([]);
    });

    it('10,000 leases leave no listener behind', async () => {
      const { client } = open({ pool: { max: 1 } });
      const connection = (await client.acquireConnection()) as TestedConnection & EventEmitter;
      const listeners = () =>
        [connection, client.pool.emitter].map((it) =>
          it.eventNames().map((name: string | symbol) => [name, it.listenerCount(name)]),
        );
      const before = listeners();
      await client.releaseConnection(connection);
      for (let turn = 0; turn < 10_000; turn += 1) {
        expect(await client.acquireConnection()).equal(connection);
        await client.releaseConnection(connection);
      }
      expect(listeners()).deep.equal(before);
    });

    it('39. + 40. an acquire timeout is a KnexTimeoutError, logged once, with sql for raw', async () => {
      const knex = open({ pool: { max: 1 }, acquireConnectionTimeout: 1_000 });
      const held = await knex.client.acquireConnection();
      const error = await failure(knex.raw('select ?::int', [1]));
      expect(error).instanceOf(makeKnex.KnexTimeoutError);
      expect([error.name, error.message]).deep.equal(['KnexTimeoutError', TIMEOUT]);
      expect(error.cause).instanceOf(tarn.TimeoutError);
      expect((error.cause as Error).message).equal('operation timed out for an unknown reason');
      expect([error.sql, error.bindings]).deep.equal(['select ?::int', [1]]);
      expect(warnings).lengthOf(1);
      expect(warnings[0]).match(
        /^Acquire connection error: Error: operation timed out for an unknown reason\n? +at /,
      );
      knex.client.releaseConnection(held);
    });

    it('41. the smaller of acquireConnectionTimeout and acquireTimeoutMillis counts', () => {
      const { pool } = open({ acquireConnectionTimeout: 500, pool: { acquireTimeoutMillis: 400 } }).client;
      expect(pool.acquireTimeoutMillis).equal(400);
    });

    it('42. an afterCreate error rejects the caller', async () => {
      const wrong = new Error('afterCreate');
      // knex does not close a connection that it could not prepare.
      const afterCreate = (connection: { end(): void }, done: (error: Error) => void) => {
        connection.end();
        done(wrong);
      };
      expect(await failure(open({ pool: { afterCreate } }).raw('select 1'))).equal(wrong);
    });

    it('43. a connection function is asked again once its settings have expired', async () => {
      let asked = 0;
      let expired = false;
      const knex = open({
        pool: { max: 1 },
        connection: (async () => {
          asked += 1;
          expired = false;
          return { connectionString: databases.postgres.url, expirationChecker: () => expired };
        }) as Knex.Config['connection'] as never,
      });
      const pid = async () => (await knex.raw('select pg_backend_pid() as pid')).rows[0].pid;
      const first = await pid();
      expect(await pid()).equal(first);
      expired = true;
      expect(await pid()).not.equal(first);
      expect(asked).equal(2);
    });

    it('43. settings that are still expired after they were asked for anew time the caller out, and the pool recovers', async () => {
      let stale = false;
      const knex = open({
        pool: { max: 1 },
        acquireConnectionTimeout: 2_000,
        connection: (async () => ({
          connectionString: databases.postgres.url,
          expirationChecker: () => stale,
        })) as Knex.Config['connection'] as never,
      });
      await knex.raw('select 1');
      stale = true;
      const error = await failure(knex.raw('select 1'));
      expect(error.message).equal(TIMEOUT);
      stale = false;
      expect((await knex.raw('select 1 as one')).rows).deep.equal([{ one: 1 }]);
    });

    it('44. the password on the connection is hidden', async () => {
      const { client } = openMysql();
      const connection = await client.acquireConnection();
      expect(Object.keys(connection.config ?? {})).not.contain('password');
      client.releaseConnection(connection);
    });

    it('45. a transaction holds one connection, savepoints included, and releases it once', async () => {
      const knex = open({ pool: { max: 1 } });
      const told = record(knex.client.pool);
      await knex.transaction(async (trx) => {
        await trx.raw('select 1');
        await trx.transaction((inner) => inner.raw('select 2'));
        expect(knex.client.pool.numUsed()).equal(1);
      });
      expect(told.filter((line) => /^(acquireRequest|release)/.test(line))).deep.equal([
        'acquireRequest(1)',
        'release(r1)',
      ]);
    });

    it(`45. a transaction that was begun by hand and left open is ${flavour === 'enhanced' ? 'rolled back' : 'inherited by the next holder'}`, async () => {
      for (const knex of [open({ pool: { max: 1 } }), openMysql({ pool: { max: 1 } })]) {
        const name = `left_open_${flavour}`;
        const query = (on: TestedConnection, sql: string) =>
          new Promise<void>((resolve, reject) =>
            (on.query as (...given: unknown[]) => void)(sql, (error: unknown) =>
              error ? reject(error) : resolve(),
            ),
          );
        await knex.schema.dropTableIfExists(name);
        await knex.schema.createTable(name, (table) => table.integer('n'));
        const connection = await knex.client.acquireConnection();
        await query(connection, 'BEGIN');
        await query(connection, `INSERT INTO ${name} VALUES (1)`);
        await knex.client.releaseConnection(connection);
        const next = await knex.client.acquireConnection();
        expect(next).equal(connection);
        await query(next, 'COMMIT');
        await knex.client.releaseConnection(next);
        expect(await knex(name).select('n')).deep.equal(flavour === 'enhanced' ? [] : [{ n: 1 }]);
        await knex.schema.dropTable(name);
      }
    });

    it('45. a transaction over knex.raw on a pool of one goes on', async () => {
      for (const knex of [open({ pool: { max: 1 } }), openMysql({ pool: { max: 1 } })]) {
        const name = `pool_of_one_${flavour}`;
        await knex.schema.dropTableIfExists(name);
        await knex.schema.createTable(name, (table) => table.integer('n'));
        await knex.raw('BEGIN');
        await knex(name).insert({ n: 1 });
        await knex.raw('COMMIT');
        expect(await knex(name).select('n')).deep.equal([{ n: 1 }]);
        await knex.schema.dropTable(name);
      }
    });

    it('46. a query beside a transaction on a pool of one times out, and the pool recovers', async () => {
      const knex = open({ pool: { max: 1 }, acquireConnectionTimeout: 1_000 });
      await knex.transaction(async () => {
        expect((await failure(knex.raw('select 1'))).message).equal(TIMEOUT);
      });
      expect((await knex.raw('select 1 as one')).rows).deep.equal([{ one: 1 }]);
    });

    it('47. + 48. a connection acquired by hand is used by builder.connection() and released by hand', async () => {
      const knex = open({ pool: { max: 1 } });
      const connection = await knex.client.acquireConnection();
      const told = record(knex.client.pool);
      expect(await knex.select(knex.raw('1 as one')).connection(connection)).deep.equal([{ one: 1 }]);
      expect(told).deep.equal([]);
      await knex.client.releaseConnection(connection);
      expect(knex.client.pool.numFree()).equal(1);
    });

    it('49. a stream releases its connection', async () => {
      const knex = openMysql({ pool: { max: 1 } });
      let rows = 0;
      for await (const _ of knex.select(knex.raw('1 as one')).stream()) rows += 1;
      while (knex.client.pool.numUsed() > 0) await sleep(5);
      expect([rows, knex.client.pool.numUsed(), knex.client.pool.numFree()]).deep.equal([1, 0, 1]);
    });

    it('49. streams of pg: to the end, given up early, and with a consumer that fails', async () => {
      const knex = open({ pool: { max: 1 } });
      const rows = () =>
        knex.select('n').fromRaw('generate_series(1, 1000) as n').stream({ highWaterMark: 1 });
      let seen = 0;
      for await (const _ of rows()) seen += 1;
      for await (const _ of rows()) break;
      const error = await failure(
        (async () => {
          for await (const _ of rows()) throw new Error('consumer');
        })(),
      );
      expect([seen, error.message]).deep.equal([1_000, 'consumer']);
      expect((await knex.raw('select 1 as one')).rows).deep.equal([{ one: 1 }]);
      while (knex.client.pool.numUsed() > 0) await sleep(5);
      expect(knex.client.pool.numFree()).equal(1);
    });

    it('49b. a stream that is abandoned early releases its connection', async () => {
      const knex = openMysql({ pool: { max: 1 } });
      const many = knex.raw('select 1 as one union all select 2 union all select 3');
      for await (const _ of many.stream({ highWaterMark: 1 })) break;
      while (knex.client.pool.numUsed() > 0) await sleep(5);
      expect((await knex.raw('select 1 as one'))[0]).deep.equal([{ one: 1 }]);
    });

    it('49. + 50. a stream releases once; in stock it releases twice, and so frees what another holds by then', async () => {
      const knex = openMysql({ pool: { max: 1 } });
      const told = record(knex.client.pool);
      for (let round = 0; round < 5; round += 1) {
        const stream = knex.select(knex.raw('1 as one')).stream();
        const waiting = knex.client.acquireConnection();
        stream.resume();
        const connection = await waiting;
        await sleep(10);
        // In stock the stream's second release has freed the connection under its new holder.
        expect(knex.client.pool.numUsed()).equal(flavour === 'enhanced' ? 1 : 0);
        knex.client.releaseConnection(connection);
      }
      const releases = told.filter((line) => line.startsWith('release')).length;
      expect(releases).equal(flavour === 'enhanced' ? 10 : 15);
    });

    it('51. timeout() marks the connection; with cancel the pool keeps it', async () => {
      const knex = open({ pool: { max: 1 } });
      const pid = async () => (await knex.raw('select pg_backend_pid() as pid')).rows[0].pid;
      const first = await pid();
      const cancelled = await failure(knex.raw('select pg_sleep(600)').timeout(50, { cancel: true }));
      expect(cancelled.message).contain('Defined query timeout of 50ms exceeded');
      expect(await pid()).equal(first);
      await failure(knex.raw('select pg_sleep(600)').timeout(50));
      expect(await pid()).not.equal(first);
    });

    it('52. two migrators on one pool run a migration once and leave no connection in use', async () => {
      const knex = open({ pool: { max: 2 } });
      const tableName = `migrations_${flavour}`;
      let runs = 0;
      const up = async () => {
        runs += 1;
        await sleep(50);
      };
      const migrationSource = {
        getMigrations: async () => ['first'],
        getMigrationName: (name: string) => name,
        getMigration: async () => ({ up, down: async () => {} }),
      };
      await knex.migrate.currentVersion({ tableName, migrationSource });
      const migrate = () => knex.migrate.latest({ tableName, migrationSource });
      await Promise.allSettled([migrate(), migrate()]);
      expect(runs).equal(1);
      expect(knex.client.pool.numUsed()).equal(0);
      for (const name of [tableName, `${tableName}_lock`]) await knex.schema.dropTable(name);
    });

    it('53. the statements of a schema builder run on one connection', async () => {
      const knex = open({ pool: { max: 2 } });
      const told = record(knex.client.pool);
      const name = `t_${flavour}`;
      await knex.schema.dropTableIfExists(name).createTable(name, (table) => {
        table.increments();
        table.string('word').index();
      });
      expect(told.filter((line) => line.startsWith('acquireRequest'))).lengthOf(1);
      await knex.schema.dropTable(name);
    });

    it('54. destroy() waits for who holds a connection, calls back, and leaves no pool', async () => {
      const knex = open({ pool: { max: 1 } });
      const connection = await knex.client.acquireConnection();
      let destroyed = false;
      const done = new Promise<void>((resolve) =>
        knex.destroy(() => {
          destroyed = true;
          resolve();
        }),
      );
      await sleep(30);
      expect(destroyed).equal(false);
      knex.client.releaseConnection(connection);
      await done;
      expect(knex.client.pool).equal(undefined);
    });

    it('54b. those who wait at destroy() settle: enhanced serves them, stock aborts them', async () => {
      const { client } = open({ pool: { max: 1 } });
      const { pool } = client;
      const held = await client.acquireConnection();
      const waiting = pool.acquire().promise.then(
        (connection: KnexConnection) => {
          pool.release(connection);
          return 'served';
        },
        (error: Error) => error.message,
      );
      const destroying = pool.destroy();
      pool.release(held);
      expect(await waiting).equal(flavour === 'enhanced' ? 'served' : 'aborted');
      await destroying;
    });

    it('54c. acquire() on a destroyed pool times out', async () => {
      const { client } = open({ pool: { acquireTimeoutMillis: 40 } });
      await client.pool.destroy();
      expect(await failure(client.pool.acquire().promise)).instanceOf(tarn.TimeoutError);
    });

    it('54d. who comes while the pool is closing is aborted once it is closed', async () => {
      const { client } = open({ pool: { max: 1, acquireTimeoutMillis: 10_000 } });
      const { pool } = client;
      const held = await client.acquireConnection();
      const told = record(pool);
      const destroying = pool.destroy();
      const late = failure(pool.acquire().promise);
      expect([pool.numPendingAcquires(), pool.pendingAcquires!.length]).deep.equal([1, 1]);
      pool.release(held);
      expect((await late).message).equal('aborted');
      await destroying;
      expect(pool.numPendingAcquires()).equal(0);
      expect(told.filter((line) => line.startsWith('acquire'))).deep.equal([
        'acquireRequest(4)',
        'acquireFail(4, aborted)',
      ]);
    });

    it('55. a query after destroy() rejects with the stock message', async () => {
      const knex = open();
      await knex.destroy();
      expect((await failure(knex.raw('select 1'))).message).equal('Unable to acquire a connection');
    });

    it('56. the order of start, query, query-response and query-error', async () => {
      const knex = open();
      const told: string[] = [];
      for (const event of ['start', 'query', 'query-response', 'query-error']) {
        knex.on(event, () => told.push(event));
      }
      await knex.raw('select 1');
      await failure(knex.raw('select nonsense'));
      expect(told).deep.equal(['start', 'query', 'query-response', 'start', 'query', 'query-error']);
    });

    it('57. with compileSqlOnError false an error names the SQL with its placeholders', async () => {
      const knex = open({ compileSqlOnError: false });
      const error = await failure(knex.raw('select ?::int + nonsense', [1]));
      expect(error.message).equal('select $1::int + nonsense - column "nonsense" does not exist');
    });

    it('58. callbacks of sub-queries run once', async () => {
      const knex = open();
      let runs = 0;
      await knex.select('*').from(function (this: Knex.QueryBuilder) {
        runs += 1;
        this.select(knex.raw('1 as one')).as('t');
      } as never);
      expect(runs).equal(1);
    });

    it("59. what runs after a query has its caller's context", async () => {
      const knex = open({ pool: { max: 1 } });
      const context = new AsyncLocalStorage<number>();
      const seen = await Promise.all(
        [1, 2, 3, 4].map((caller) =>
          context.run(caller, async () => {
            await knex.raw('select 1');
            return context.getStore();
          }),
        ),
      );
      expect(seen).deep.equal([1, 2, 3, 4]);
    });

    for (const order of ['before', 'after'] as const) {
      it(`60. stock OpenTelemetry ${order} us: one span per query, its parent kept`, async () => {
        const at = (path: string) => JSON.stringify(require.resolve(path));
        const patch =
          flavour === 'stock'
            ? ''
            : `const host = { ...require(${at('./hosts.js')}).HOSTS.${flavour}, adopted() { ours += 1; } };
               require(${at('../../adapters/knex/patch.js')}).patchKnex({ Client: require('knex/lib/client.js'),
                 Runner: require('knex/lib/execution/runner.js') }, host);`;
        const program = `let ours = 0;
          const { NodeSDK } = require('@opentelemetry/sdk-node');
          const { InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace');
          const { KnexInstrumentation } = require('@opentelemetry/instrumentation-knex');
          const spans = new InMemorySpanExporter();
          const sdk = new NodeSDK({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })], metricReaders: [],
            logRecordProcessors: [], autoDetectResources: false, instrumentations: [new KnexInstrumentation()] });
          ${order === 'before' ? `sdk.start(); ${patch}` : `${patch} sdk.start();`}
          const knex = require('knex')({ client: 'pg', connection: ${JSON.stringify(databases.postgres.url)},
            pool: { min: 0, max: 1 } });
          const tracer = require('@opentelemetry/api').trace.getTracer('application');
          const ask = (name) => tracer.startActiveSpan(name, async (span) => {
            await knex.select(knex.raw('1 as one'));
            span.end();
          });
          (async () => {
            await Promise.all(['a', 'b', 'c'].map(ask));
            const found = spans.getFinishedSpans();
            const nameOf = (id) => found.find((span) => span.spanContext().spanId === id)?.name;
            console.log(JSON.stringify({ ours, parents: found
              .filter((span) => span.instrumentationScope.name.endsWith('knex'))
              .map((span) => nameOf(span.parentSpanContext?.spanId)).sort() }));
            await knex.destroy();
            await sdk.shutdown();
          })();`;
        const output = await promisify(execFile)(process.execPath, ['-e', program], { cwd: process.cwd() });
        expect(JSON.parse(output.stdout.trim().split('\n').at(-1)!)).deep.equal({
          ours: isOurs ? 1 : 0,
          parents: ['a', 'b', 'c'],
        });
      });
    }

    it('61. pools made by tarn itself stay stock', () => {
      const pool = new tarn.Pool({ create: async () => ({}), destroy: () => {}, min: 0, max: 1 });
      expect(facadeOf(pool as unknown as TarnPool)).equal(undefined);
    });

    it('62. withUserParams shares the pool', () => {
      const knex = open();
      expect((knex.withUserParams({ a: 1 }).client as TestedClient).pool).equal(knex.client.pool);
    });
  }

  describe('patching', () => {
    const { knex: makeKnex, dialects } = loadCopy('stock');
    const Client = require('knex/lib/client.js') as KnexClass;
    const settings = { client: asClient(dialects.pg), pool: { min: 2, max: 3 } };
    const connect = () => makeKnex({ ...settings, connection: databases.postgres.url });
    const poolOf = (knex: Knex) => (knex.client as TestedClient).pool;
    const infos: PoolInfo[] = [];
    let enabled = true;
    const host: Host = {
      ...plainHost,
      enabled: () => enabled,
      adopted: (info) => infos.push(info),
      closed: (info) => infos.splice(infos.indexOf(info), 1),
    };

    it('enhanceKnex: one instance runs on the engine, after initialize() too, and no other', async () => {
      const bundled = loadCopy('stock');
      const knex = bundled.knex({
        client: asClient(bundled.dialects.pg),
        connection: databases.postgres.url,
      });
      const told: unknown[] = [];
      poolOf(knex).on('release', (connection: unknown) => told.push(connection));
      expect(facadeOf(poolOf(knex))).equal(undefined);
      expect(enhanceKnex(enhanceKnex(knex))).equal(knex);
      expect(facadeOf(poolOf(knex))).not.equal(undefined);
      expect((await knex.raw('select 1 as one')).rows).deep.equal([{ one: 1 }]);
      expect(told).lengthOf(1);
      const other = bundled.knex({
        client: asClient(bundled.dialects.pg),
        connection: databases.postgres.url,
      });
      expect(facadeOf(poolOf(other))).equal(undefined);
      await knex.destroy();
      knex.initialize();
      expect(facadeOf(poolOf(knex))).not.equal(undefined);
      await knex.destroy();
    });

    it('enhanceKnex leaves a pool that was used already', async () => {
      const bundled = loadCopy('stock');
      const knex = bundled.knex({
        client: asClient(bundled.dialects.pg),
        connection: databases.postgres.url,
      });
      await knex.raw('select 1');
      enhanceKnex(knex);
      expect(facadeOf(poolOf(knex))).equal(undefined);
      await knex.destroy();
    });

    it('is idempotent, lets the last host decide, and tells it what it knows', async () => {
      patchKnex({ Client }, { ...host, enabled: () => false });
      patchKnex({ Client }, host);
      patchKnex({ Client });
      const knex = connect();
      const { port, database } = databases.postgres;
      const [info] = infos;
      expect(info).include({ library: 'knex', system: 'postgresql', database, serverPort: port });
      expect(info).include({ serverAddress: databases.postgres.host, pool: poolOf(knex) });
      await knex.destroy();
      expect(infos).deep.equal([]);
    });

    it('a pool made while its host is disabled stays stock', async () => {
      patchKnex({ Client }, host);
      enabled = false;
      const knex = connect();
      enabled = true;
      expect(facadeOf(poolOf(knex))).equal(undefined);
      await knex.destroy();
    });

    it('opens nothing before the first query, and then keeps min connections', async () => {
      patchKnex({ Client }, host);
      const knex = connect();
      await sleep(20);
      expect([poolOf(knex).isEmpty(), poolOf(knex).min]).deep.equal([true, 2]);
      await knex.raw('select 1');
      while (poolOf(knex).numFree() < 2) await sleep(10);
      expect([poolOf(knex).numFree(), poolOf(knex).min]).deep.equal([2, 2]);
      await knex.destroy();
    });
  });
});
