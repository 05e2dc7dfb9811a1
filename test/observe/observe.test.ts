import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type { Library } from '../../adapters/host.js';
import { processHost } from '../../instrumentation/hosts.js';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';
import { isConvention, METRICS } from '../../instrumentation/telemetry/metric-table.js';
import type { EnhancedPoolInstrumentationConfig } from '../../instrumentation/types.js';
import { CollectedMetrics, CollectedSpans, forgetProviders } from '../instrumentation/collected.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { MAX, SUBJECTS, type Subject, unloadLibraries } from '../subjects.js';

const STATE = 'db.client.connection.state';

describe('observe mode', function () {
  this.timeout(60_000);
  let databases: Databases<'postgres' | 'mysql'>;
  let metrics: CollectedMetrics;
  let spans: CollectedSpans;
  let instrumentation: EnhancedPoolInstrumentation | undefined;
  let subject: Subject | undefined;
  let folder: string | undefined;

  before(async () => {
    databases = await startDatabases({ postgres: true, mysql: true });
  });
  after(() => databases?.stop());
  beforeEach(unloadLibraries);
  afterEach(async () => {
    await subject?.end();
    instrumentation?.disable();
    await metrics.stop();
    await spans.stop();
    forgetProviders();
    subject = undefined;
    delete process.env.ENHANCED_POOL_CONFIG;
    if (folder !== undefined) rmSync(folder, { recursive: true });
    folder = undefined;
  });

  function observe(
    library: Library,
    config: EnhancedPoolInstrumentationConfig = { mode: 'observe' },
  ): Subject {
    metrics = new CollectedMetrics();
    spans = new CollectedSpans();
    instrumentation = new EnhancedPoolInstrumentation(config);
    instrumentation.setMeterProvider(metrics.provider);
    instrumentation.setTracerProvider(spans.provider);
    subject = SUBJECTS[library](databases, processHost);
    return subject;
  }

  const value = async (name: string, ...key: string[]) => metrics.values(name, ...key);
  const nonZero = async (name: string, ...key: string[]) =>
    Object.fromEntries(Object.entries(await value(name, ...key)).filter(([, told]) => told !== 0));
  const single = async (name: string) => Object.values(await value(name))[0];
  const count = async (name: string) => ((await single(name)) as { count: number }).count;
  const mode = () => value('enhanced_pool.mode.status', 'enhanced_pool.mode');
  const outcomes = () => value('enhanced_pool.acquire.count', 'enhanced_pool.acquire.outcome');

  /** A file that is watched, and what to write into it. */
  function watchedFile(config: object): (config: object) => void {
    folder = mkdtempSync(join(tmpdir(), 'enhanced-pool-observe-'));
    const path = join(folder, 'config.json');
    process.env.ENHANCED_POOL_CONFIG = path;
    const write = (content: object) => writeFileSync(path, JSON.stringify(content));
    write(config);
    return write;
  }

  async function until(reached: () => Promise<boolean>): Promise<void> {
    for (let look = 0; look < 200; look += 1) {
      if (await reached()) return;
      await delay(look < 20 ? 1 : 50);
    }
    throw new Error('not reached within ten seconds');
  }

  for (const library of Object.keys(SUBJECTS) as Library[]) {
    describe(`of ${library}`, () => {
      it('tells all that the conventions want, and it is what stock itself counts', async () => {
        const pool = observe(library);
        const asked = 30;
        await spans.inRequest(() => Promise.all(Array.from({ length: asked }, (_, i) => pool.borrow(i))));
        const told = await metrics.collect();
        const conventions = METRICS.map(({ name }) => name).filter(isConvention);
        expect([...told.keys()]).include.members(conventions);
        expect(await value('db.client.connection.count', STATE)).deep.equal({
          idle: pool.counted(),
          used: 0,
        });
        expect(await single('db.client.connection.limit')).equal(MAX);
        expect(await single('db.client.connection.pending_requests')).equal(0);
        expect(await single('db.client.connection.timeouts')).equal(0);
        expect(await count('db.client.connection.wait_time')).equal(asked);
        expect(await count('db.client.connection.use_time')).equal(asked);
        expect(await count('db.client.connection.create_time')).equal(pool.counted());
        expect(await single('enhanced_pool.connection.opened')).equal(pool.counted());
        const { immediate = 0, waited } = (await outcomes()) as { immediate?: number; waited: number };
        expect(immediate + waited).equal(asked);
        expect(waited).above(0);
        expect(await mode()).deep.equal({ observe: 1 });
        expect(told.has('enhanced_pool.optimization.status')).equal(false);
      });

      it('counts what is held and who waits while it is so', async () => {
        const pool = observe(library);
        const all = Promise.all(Array.from({ length: 400 }, (_, i) => pool.borrow(i)));
        let pending: unknown = 0;
        await until(async () => {
          pending = await single('db.client.connection.pending_requests');
          return (await value('db.client.connection.count', STATE)).used === MAX;
        });
        expect(pending).above(0);
        await all;
        expect(await value('db.client.connection.count', STATE)).deep.equal({ idle: MAX, used: 0 });
        expect(await single('db.client.connection.pending_requests')).equal(0);
      });

      it('has a span for each wait, in the trace of who waited, that says why', async () => {
        const pool = observe(library);
        await spans.inRequest(() => Promise.all(Array.from({ length: MAX + 1 }, (_, i) => pool.borrow(i))));
        const acquires = await spans.named('pool.acquire');
        expect(acquires).have.length(MAX + 1);
        const [request] = await spans.named('request');
        for (const { attributes, parentSpanContext } of acquires) {
          expect(parentSpanContext?.spanId).equal(request!.spanContext().spanId);
          expect(attributes['enhanced_pool.decision.chosen']).match(/^(opened|released)_connection$/);
        }
        expect((await spans.named('pool.connect')).length).equal(pool.counted());
      });

      it('tells zero once the pool is closed, and keeps its counts', async () => {
        const pool = observe(library);
        await pool.query(1);
        expect(await single('db.client.connection.limit')).equal(MAX);
        await pool.end();
        subject = undefined;
        await until(async () => (await single('db.client.connection.limit')) === 0);
        expect(await value('db.client.connection.count', STATE)).deep.equal({ idle: 0, used: 0 });
        expect(await single('enhanced_pool.connection.opened')).equal(1);
        expect(
          await nonZero('enhanced_pool.connection.closed', 'enhanced_pool.connection.close_reason'),
        ).deep.equal({ drain: 1 });
      });

      it('ends at once when the instrumentation is disabled, and the pool goes on', async () => {
        const pool = observe(library);
        await pool.query(1);
        expect(await single('db.client.connection.limit')).equal(MAX);
        instrumentation!.disable();
        expect(await pool.query(2)).equal(2);
        expect(await count('db.client.connection.wait_time')).equal(1);
        expect(await single('db.client.connection.limit')).equal(0);
      });

      it('is where a pool outside of the share of the engine is', async () => {
        const pool = observe(library, { rollout: { engine: 0 } });
        await pool.query(1);
        expect(await mode()).deep.equal({ observe: 1 });
      });

      it('is where a pool goes that is taken off the engine by the watched file, nothing lost, its counts carried on', async () => {
        const write = watchedFile({});
        const pool = observe(library, {});
        await pool.query(1);
        expect(await mode()).deep.equal({ enhance: 1 });
        const answers = Promise.all(
          Array.from({ length: 200 }, (_, i) => (i % 2 ? pool.borrow(i) : pool.query(i))),
        );
        write({ mode: 'observe' });
        expect(await answers).deep.equal(Array.from({ length: 200 }, (_, i) => i));
        await until(async () => 'observe' in (await mode()));
        expect(await pool.query(7)).equal(7);
        expect(await mode()).deep.equal({ enhance: 0, observe: 1 });
        const { immediate = 0, waited = 0 } = (await outcomes()) as { immediate?: number; waited?: number };
        const shared = ((await single('enhanced_pool.acquire.shared')) ?? 0) as number;
        expect(immediate + waited + shared).within(202, 402);
        expect(await value('db.client.connection.count', STATE)).deep.equal({
          idle: pool.counted(),
          used: 0,
        });
      });

      it('is left by pools that are yet to be used, and by no other', async () => {
        const write = watchedFile({ mode: 'observe' });
        const pool = observe(library, {});
        await pool.query(1);
        write({ mode: 'enhance' });
        await delay(1_500);
        expect(await pool.query(2)).equal(2);
        expect(await mode()).deep.equal({ observe: 1 });
        const later = SUBJECTS[library](databases, processHost);
        await later.query(3);
        expect(
          await value('enhanced_pool.mode.status', 'db.client.connection.pool.name', 'enhanced_pool.mode'),
        ).have.property(
          `${Object.keys(await value('db.client.connection.limit', 'db.client.connection.pool.name'))[1]} enhance`,
          1,
        );
        await later.end();
      });
    });
  }

  it('follows single queries where that is asked for', async () => {
    for (const library of ['pg', 'mysql2'] as const) {
      const pool = observe(library, { mode: 'observe', telemetry: { querySpans: true } });
      await spans.inRequest(() => pool.query(1));
      const [query] = await spans.named('select');
      expect(query?.attributes, library).include.keys(
        'enhanced_pool.acquire.waited_ms',
        'enhanced_pool.connection.id',
      );
      await pool.end();
      instrumentation!.disable();
    }
    subject = undefined;
  });

  it('tells of acquires that ran out of time, and of connections that did not open', async () => {
    observe('pg');
    const { Pool } = require('pg') as typeof import('pg');
    const pool = new Pool({ connectionString: databases.postgres.url, max: 1, connectionTimeoutMillis: 300 });
    const held = await pool.connect();
    await pool.connect().then(
      () => expect.fail('there was none to be had'),
      (error: Error) => expect(error.message).equal('timeout exceeded when trying to connect'),
    );
    held.release(new Error('of no further use'));
    await pool.query('select 1');
    const nobody = new Pool({ host: '127.0.0.1', port: 1, max: 1, database: 'nobody' });
    await nobody.query('select 1').then(
      () => expect.fail('nobody listens there'),
      (error: Error & { code?: string }) => expect(error.code).equal('ECONNREFUSED'),
    );
    const pools = 'db.client.connection.pool.name';
    const name = Object.keys(await value('db.client.connection.limit', pools)).find((it) => it !== 'nobody');
    expect(await value('db.client.connection.timeouts', pools)).deep.equal({ [name!]: 1, nobody: 0 });
    expect(await value('enhanced_pool.connection.open_failures', pools)).deep.equal({
      [name!]: 0,
      nobody: 1,
    });
    const closed = await nonZero(
      'enhanced_pool.connection.closed',
      pools,
      'enhanced_pool.connection.close_reason',
    );
    expect(closed).deep.equal({ [`${name} broken`]: 1 });
    await Promise.all([pool.end(), nobody.end()]);
  });
});
