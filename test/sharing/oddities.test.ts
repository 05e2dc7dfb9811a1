import { expect } from 'chai';
import type pg from 'pg';
import type { Pool } from '../../src/index.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { onceShared, sharingPool, untilShared } from './sharing-pool.js';

const READ = 'select id, square from numbers where id = $1';

interface PipelinedStream {
  _writev(...given: unknown[]): unknown;
  readonly writableCorked: number;
}

interface PipelinedClient {
  readonly connection: { readonly stream: PipelinedStream };
  readonly pipeline: boolean;
}

describe('oddities of pg on shared connections', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres'>;
  let pool: pg.Pool;
  let engine: () => Pool<unknown>;

  before(async () => {
    databases = await startDatabases({ postgres: true });
    const opened = sharingPool({ connectionString: databases.postgres.url, max: 2 });
    pool = opened.pool;
    engine = opened.engine;
    await pool.query('create table numbers (id int primary key, square int)');
    await pool.query('insert into numbers select i, i * i from generate_series(1, 100) i');
  });

  beforeEach(() => untilShared(engine, () => pool.query(READ, [1])));

  after(async () => {
    await pool?.end();
    await databases?.stop();
  });

  it('a value that cannot be sent fails its own statement, once, and no other', async () => {
    const unsendable = {
      toPostgres() {
        throw new Error('cannot be sent');
      },
    };
    const told: unknown[] = [];
    const neighbours = Array.from({ length: 20 }, (_, at) => pool.query(READ, [at + 1]));
    pool.query(READ, [unsendable], (error) => told.push(error?.message));
    const later = Array.from({ length: 20 }, (_, at) => pool.query(READ, [at + 1]));
    const answers = await Promise.all([...neighbours, ...later]);
    answers.forEach(({ rows }, at) => {
      const id = 1 + (at % 20);
      expect(rows).deep.equal([{ id, square: id * id }]);
    });
    for (let run = 0; run < 40; run += 1) {
      const { rows } = await pool.query(READ, [7]);
      expect(rows).deep.equal([{ id: 7, square: 49 }]);
    }
    expect(told).deep.equal(['cannot be sent']);
    expect(engine().stats().leased, 'leases left').equal(0);
    expect(engine().counters.staleReleases).equal(0);
  });

  it('values that are no array fail as in stock', async () => {
    const error = await pool.query(READ, 'seven' as never).catch((e) => e);
    expect(error.message).equal('Query values must be an array');
    expect(engine().stats().leased, 'leases left').equal(0);
  });

  it('a query object whose text is a getter is sent whole', async () => {
    class Template {
      readonly values: unknown[];
      readonly strings = ['select id, square from numbers where id = ', ''];
      constructor(value: unknown) {
        this.values = [value];
      }
      get text(): string {
        return this.strings.join('$1');
      }
    }
    for (let run = 1; run <= 60; run += 1) {
      const { rows } = await pool.query(new Template(run) as never);
      expect(rows).deep.equal([{ id: run, square: run * run }]);
    }
  });

  it('statements of one turn go by one write', async () => {
    let writes = 0;
    const ask = async () => {
      writes = 0;
      const streams = (pool as unknown as { _clients: PipelinedClient[] })._clients.map(
        ({ connection }) => connection.stream,
      );
      for (const stream of streams) {
        const write = stream._writev;
        stream._writev = function counted(...given) {
          writes += 1;
          return write.apply(this, given);
        };
      }
      await Promise.all(Array.from({ length: 50 }, (_, at) => pool.query(READ, [at + 1])));
      for (const stream of streams) delete (stream as Partial<PipelinedStream>)._writev;
    };
    await untilShared(engine, ask, 41);
    expect(writes).within(1, 10);
  });

  it('whoever gets a client alone finds nothing held back on it', async () => {
    const unsendable = {
      toPostgres() {
        throw new Error('cannot be sent');
      },
    };
    const read = () => pool.query(READ, [1]);
    await onceShared(engine, read, async () => {
      const refused = pool.query(READ, [unsendable]).catch((error: Error) => error);
      const client = (await pool.connect()) as pg.PoolClient & PipelinedClient;
      expect(client.connection.stream.writableCorked).equal(0);
      expect(client.pipeline).equal(false);
      expect((await client.query(READ, [4])).rows).deep.equal([{ id: 4, square: 16 }]);
      client.release();
      expect(await refused).include({ message: 'cannot be sent' });
    });
  });

  it('a callback in a configuration is nobody, as in stock', async () => {
    const stray = () => expect.fail('the stray callback was called');
    for (let run = 1; run <= 40; run += 1) {
      const { rows } = await pool.query({ text: READ, values: [run], callback: stray } as never);
      expect(rows).deep.equal([{ id: run, square: run * run }]);
    }
  });

  it('a client that throws gives its connection back', async () => {
    const Client = (pool as unknown as { Client: typeof pg.Client }).Client;
    const stock = Client.prototype.query;
    const askInVain = async () => {
      Client.prototype.query = () => {
        throw new Error('thrown');
      };
      const asked = Array.from({ length: 10 }, () => pool.query(READ, [1]).catch((error: Error) => error));
      const errors = await Promise.all(asked);
      Client.prototype.query = stock;
      return errors;
    };
    for (const error of await onceShared(engine, () => pool.query(READ, [1]), askInVain))
      expect((error as Error).message).equal('thrown');
    while (engine().stats().leased > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('a statement behind one that waits for a lock is answered elsewhere, so that its own holder may wait for it', async () => {
    const readOther = 'select count(*)::int as many from others where id > $1';
    await pool.query('create table others as select * from numbers');
    pool.options.max = 4;
    const before = engine().report().statements!.redispatched;
    const sentElsewhere = () => engine().report().statements!.redispatched - before;
    for (let round = 0; round < 5 || (sentElsewhere() === 0 && round < 100); round += 1) {
      await untilShared(engine, () => pool.query(readOther, [1]));
      await untilShared(engine, () => pool.query(READ, [1]));
      const holder = await pool.connect();
      await holder.query('begin');
      await holder.query('lock table numbers in access exclusive mode');
      const locked = pool.query(READ, [3]);
      const behind = await Promise.all(Array.from({ length: 10 }, () => pool.query(readOther, [90])));
      for (const { rows } of behind) expect(rows).deep.equal([{ many: 10 }]);
      await holder.query('commit');
      holder.release();
      expect((await locked).rows).deep.equal([{ id: 3, square: 9 }]);
    }
    expect(sentElsewhere(), 'sent elsewhere').above(0);
    expect(engine().stats()).include({ waiting: 0 });
  });
});
