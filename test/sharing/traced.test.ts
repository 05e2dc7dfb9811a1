import { PgInstrumentation, type PgInstrumentationConfig } from '@opentelemetry/instrumentation-pg';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { expect } from 'chai';
import type pg from 'pg';
import type { Host } from '../../adapters/host.js';
import { patchPgPool } from '../../adapters/pg/patch.js';
import type { Pool, PoolOptions } from '../../src/index.js';
import { CollectedMetrics, CollectedSpans, forgetProviders } from '../instrumentation/collected.js';
import { unload } from '../own-libraries.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { sharingHost, sharingKnex, untilShared } from './sharing-pool.js';

const READ = 'select id, square from numbers where id = $1';

type Order = 'stock' | 'before' | 'after';

/** What is told of one span, but for times and ids. */
interface Told {
  readonly name: string;
  readonly kind: number;
  readonly status: unknown;
  readonly parent: string | undefined;
  readonly attributes: ReadableSpan['attributes'];
  readonly events: readonly string[];
}

describe('statements that share connections under the stock instrumentation of pg', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres'>;
  let spans: CollectedSpans;
  let metrics: CollectedMetrics;
  let pool: pg.Pool | undefined;

  before(async () => {
    databases = await startDatabases({ postgres: true });
    const { pool: own } = open('stock', {});
    await own.query('create table numbers (id int primary key, square int)');
    await own.query('insert into numbers select i, i * i from generate_series(1, 100) i');
    await own.end();
    await forget();
  });
  after(() => databases?.stop());
  afterEach(async () => {
    await pool?.end();
    pool = undefined;
    await forget();
  });

  async function forget(): Promise<void> {
    await spans.stop();
    await metrics.stop();
    forgetProviders();
  }

  /** This copy of pg only: the hooks of `require` would reach all. */
  function instrument(own: typeof pg, config: PgInstrumentationConfig = {}): void {
    const instrumentation = new PgInstrumentation({ ...config, enabled: false });
    instrumentation.setTracerProvider(spans.provider);
    instrumentation.setMeterProvider(metrics.provider);
    for (const { name, patch } of instrumentation.getModuleDefinitions())
      patch?.(name === 'pg' ? own : Object.getPrototypeOf(own.Pool));
  }

  /** `order`: whether the stock instrumentation patches before us or after; `stock` is without us. */
  function open(
    order: Order,
    config: PgInstrumentationConfig,
    options: PoolOptions = {},
  ): { pool: pg.Pool; engine: () => Pool<unknown> } {
    unload('pg', 'pg-pool');
    const own = require('pg') as typeof pg;
    const PgPool = Object.getPrototypeOf(own.Pool);
    const { host, engine } = sharingHost({}, { options });
    spans = new CollectedSpans();
    metrics = new CollectedMetrics();
    const enhance = () => patchPgPool(PgPool, host as Host);
    const steps = { stock: [instrument], before: [instrument, enhance], after: [enhance, instrument] };
    for (const step of steps[order]) step(own, config);
    return { pool: new own.Pool({ connectionString: databases.postgres.url, max: 2 }), engine };
  }

  /** What is told of the same work: reads that may share, one that fails, and one by callback. */
  async function tell(order: Order, options: PoolOptions = {}): Promise<Told[]> {
    const opened = open(order, {}, options);
    pool = opened.pool;
    const own = pool;
    const read = (id: number) => own.query(READ, [id]);
    const wrong = () => own.query('select 1 / (id - id) from numbers where id = $1', [1]).catch((e) => e);
    if (order === 'stock') await read(1);
    else {
      for (let run = 0; run < 20; run += 1) await wrong();
      await untilShared(opened.engine, () => read(1));
    }
    // So that nothing is opened later.
    const clients = await Promise.all([own.connect(), own.connect()]);
    for (const client of clients) client.release();
    await spans.collect();
    const before = order === 'stock' ? 0 : opened.engine().counters.shared;
    await spans.inRequest(async () => {
      const reads = Array.from({ length: 20 }, (_, at) => read(at + 1));
      const called = new Promise((resolve) => own.query(READ, [50], (_, result) => resolve(result.rows)));
      (await Promise.all(reads)).forEach(({ rows }, at) => {
        expect(rows).deep.equal([{ id: at + 1, square: (at + 1) ** 2 }]);
      });
      expect(await called).deep.equal([{ id: 50, square: 2500 }]);
      expect(await wrong()).include({ code: '22012' });
    });
    if (order !== 'stock') {
      expect(opened.engine().counters.shared - before, 'shared').above(10);
      expect(opened.engine().report().statements!.preparedHits, 'names').above(0);
    }
    return toldOf(await spans.collect());
  }

  for (const order of ['before', 'after'] as const) {
    it(`tell what they tell in stock: it patched ${order} us`, async () => {
      const stock = await tell('stock');
      await pool!.end();
      await forget();
      const shared = await tell(order);
      expect(shared).deep.equal(stock);
    });
  }

  it('tell what they tell in stock where leaks are looked for', async () => {
    const stock = await tell('stock');
    await pool!.end();
    await forget();
    expect(await tell('before', { leakThresholdMs: 60_000 })).deep.equal(stock);
  });

  for (const leakThresholdMs of [0, 60_000])
    it(`carry the comment of their trace, leaks looked for after ${leakThresholdMs} ms`, async () => {
      const { pool: own, engine } = open(
        'after',
        { addSqlCommenterCommentToQueries: true },
        { leakThresholdMs },
      );
      pool = own;
      const sent: string[] = [];
      own.on('connect', (client) => {
        const { connection } = client as unknown as { connection: { parse(query: { text: string }): void } };
        const { parse } = connection;
        connection.parse = function heard(query) {
          sent.push(query.text);
          parse.call(connection, query);
        };
      });
      await spans.inRequest(() => untilShared(engine, () => own.query(READ, [1])));
      expect(engine().report().statements).include({ redispatched: 0 });
      expect(sent.length).above(0);
      for (const text of sent) expect(text).match(/traceparent/);
    });

  it('are given names that nobody is told, where they run alone as well, and with knex', async () => {
    const { pool: own, engine } = open('before', {});
    pool = own;
    const client = await own.connect();
    client.release();
    engine().setFlag('pipelining', 'off');
    for (let run = 0; run < 60; run += 1)
      expect((await own.query(READ, [7])).rows).deep.equal([{ id: 7, square: 49 }]);
    expect(engine().report().statements!.preparedHits, 'names').above(0);
    const { knex, engine: its } = sharingKnex({ connection: databases.postgres.url });
    instrument(require('pg'));
    try {
      for (let run = 0; run < 60; run += 1)
        expect(await knex('numbers').where({ id: 7 })).deep.equal([{ id: 7, square: 49 }]);
      expect(its().report().statements!.preparedHits, 'names').above(0);
    } finally {
      await knex.destroy();
    }
    const found = await spans.collect();
    expect(found.filter(({ name }) => name.startsWith('pg.query')).length).above(119);
    for (const { attributes } of found) expect(attributes).not.property('db.postgresql.plan');
  });

  for (const order of ['before', 'after'] as const) {
    it(`are sent again on the connection that they have, where their name is refused: it patched ${order} us`, async () => {
      const { pool: own, engine } = open(order, {});
      pool = own;
      await own.query('drop table if exists counts');
      await own.query('create table counts (count int)');
      const write = (count: number) => own.query('insert into counts values ($1)', [count]);
      for (let run = 0; run < 40; run += 1) await write(1);
      expect(engine().report().statements!.preparedHits, 'names').above(10);
      await own.query('alter table counts alter count type bigint');
      const answers = Array.from({ length: 20 }, () => write(3_000_000_000));
      for (const { rowCount } of await Promise.all(answers)) expect(rowCount).equal(1);
      expect(engine().report().statements!.redispatched).above(0);
      expect(engine().stats()).include({ leased: 0, waiting: 0 });
      const { rows } = await own.query('select count(*) from counts where count > 1');
      expect(rows).deep.equal([{ count: '20' }]);
    });
  }

  it('are counted once', async () => {
    const { pool: own, engine } = open('after', {});
    pool = own;
    let asked = 0;
    const read = () => {
      asked += 1;
      return own.query(READ, [asked % 100]);
    };
    await untilShared(engine, read);
    await Promise.all(Array.from({ length: 30 }, read));
    const [point] = (await metrics.collect()).get('db.client.operation.duration')!.dataPoints;
    expect((point!.value as { count: number }).count).equal(asked);
  });

  it('do not share where another wrapper may use the client', async () => {
    const { pool: own, engine } = open('after', {});
    pool = own;
    const { connect } = own;
    own.connect = function wrapped(this: pg.Pool, done?: (...given: unknown[]) => void) {
      return connect.call(this, done as never);
    } as never;
    for (let run = 0; run < 30; run += 1)
      await Promise.all(Array.from({ length: 5 }, () => own.query(READ, [run])));
    expect(engine().counters.shared).equal(0);
  });
});

function toldOf(found: readonly ReadableSpan[]): Told[] {
  const names = new Map(found.map((span) => [span.spanContext().spanId, span.name]));
  return found
    .map((span) => ({
      name: span.name,
      kind: span.kind,
      status: span.status,
      parent: names.get(span.parentSpanContext?.spanId ?? ''),
      attributes: span.attributes,
      events: span.events.map(({ name }) => name),
    }))
    .sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)));
}
