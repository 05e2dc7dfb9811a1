import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  DataPointType,
  type Histogram,
  MeterProvider,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import { expect } from 'chai';
import {
  EnhancedPoolInstrumentation,
  type EnhancedPoolInstrumentationConfig,
} from '../../instrumentation/index.js';
import { METRICS, seriesAtMost } from '../../instrumentation/telemetry/metric-table.js';
import { VERSION } from '../../instrumentation/version.js';
import { DASHBOARDS } from '../dashboards/boards.js';
import { CollectedMetrics, CollectingReader, forgetProviders } from './collected.js';
import { type FakePool, openFakePool } from './fake-library.js';

const COUNT = 'db.client.connection.count';
const POOL = 'db.client.connection.pool.name';
const STATE = 'db.client.connection.state';

describe('pool metrics', () => {
  let collected: CollectedMetrics;
  let instrumentation: EnhancedPoolInstrumentation;
  let pools: FakePool[];

  function begin(config: EnhancedPoolInstrumentationConfig = {}): void {
    instrumentation = new EnhancedPoolInstrumentation(config);
    instrumentation.setMeterProvider(collected.provider);
  }

  function open(...given: Parameters<typeof openFakePool>): FakePool {
    const pool = openFakePool(...given)!;
    pools.push(pool);
    return pool;
  }

  beforeEach(() => {
    collected = new CollectedMetrics();
    pools = [];
  });

  afterEach(async () => {
    instrumentation.disable();
    await Promise.all(pools.map((pool) => pool.close()));
    await collected.stop();
    forgetProviders();
  });

  it('are the nine of the conventions, with names, instruments, units and identity', async () => {
    begin();
    const { engine } = open();
    (await engine.acquire()).release();
    const all = await collected.collect();
    const kinds: Record<string, [string, string]> = {
      [COUNT]: ['{connection}', 'up-down counter'],
      'db.client.connection.idle.max': ['{connection}', 'up-down counter'],
      'db.client.connection.idle.min': ['{connection}', 'up-down counter'],
      'db.client.connection.limit': ['{connection}', 'up-down counter'],
      'db.client.connection.pending_requests': ['{request}', 'up-down counter'],
      'db.client.connection.timeouts': ['{timeout}', 'counter'],
      'db.client.connection.create_time': ['s', 'histogram'],
      'db.client.connection.wait_time': ['s', 'histogram'],
      'db.client.connection.use_time': ['s', 'histogram'],
    };
    for (const [name, [unit, kind]] of Object.entries(kinds)) {
      const metric = all.get(name);
      expect(metric?.descriptor.unit, name).to.equal(unit);
      expect(kindOf(metric!), name).to.equal(kind);
      expect(metric?.dataPoints[0]?.attributes, name).to.include({
        'db.system.name': 'postgresql',
        'db.namespace': 'orders',
        'server.address': 'db.example',
        'server.port': 5432,
        [POOL]: 'orders',
      });
    }
    const strangers = [...all.keys()].filter(
      (name) => !(name in kinds) && !name.startsWith('enhanced_pool.'),
    );
    expect(strangers).to.deep.equal([]);
  });

  it('tell the truth at the instant they are collected', async () => {
    begin();
    const { engine, driver } = open({}, { max: 3 });
    const leases = [await engine.acquire(), await engine.acquire()];
    expect(await collected.values(COUNT, STATE)).to.deep.equal({ idle: 0, used: 2 });
    leases[0]!.release();
    expect(await collected.values(COUNT, STATE)).to.deep.equal({ idle: 1, used: 1 });
    driver.held = true;
    const waiting = [engine.acquire(), engine.acquire(), engine.acquire()];
    expect(await collected.values('db.client.connection.pending_requests', POOL)).to.deep.equal({
      orders: 2,
    });
    driver.openNext();
    expect(await collected.values('db.client.connection.limit', POOL)).to.deep.equal({ orders: 3 });
    leases[1]!.release();
    for (const lease of await Promise.all(waiting)) lease.release();
    expect(
      await collected.values('enhanced_pool.acquire.count', 'enhanced_pool.acquire.outcome'),
    ).to.deep.equal({
      immediate: 1,
      waited: 4,
      timeout: 0,
      aborted: 0,
      rejected: 0,
      open_failed: 0,
    });
  });

  it('count timeouts, closed connections by reason and connections that are opening', async () => {
    begin();
    const { engine, driver } = open({}, { max: 1 });
    driver.held = true;
    const timingOut = engine.acquire({ deadlineMs: 1 }).then(
      () => 'served',
      (error) => error.code,
    );
    expect(await collected.values('enhanced_pool.connection.opening', POOL)).to.deep.equal({ orders: 1 });
    expect(await timingOut).to.equal('ACQUIRE_TIMEOUT');
    driver.openNext();
    const lease = await engine.acquire();
    lease.release('broken');
    expect(await collected.values('db.client.connection.timeouts', POOL)).to.deep.equal({ orders: 1 });
    const closed = await collected.values(
      'enhanced_pool.connection.closed',
      'enhanced_pool.connection.close_reason',
    );
    expect(Object.entries(closed).filter(([, count]) => count !== 0)).to.deep.equal([['broken', 1]]);
  });

  it('tell zero of a new pool wherever a panel or an alert asks for a rate, so that the first event is seen', async () => {
    begin();
    open();
    const told = await collected.collect();
    const asked = METRICS.filter((row) => row.instrument === 'counter' && asksForRateOf(row.name));
    expect(asked.map(({ name }) => name)).to.include.members([
      'enhanced_pool.lease.suspected_leaks',
      'enhanced_pool.connection.open_failures',
      'enhanced_pool.circuit.transitions',
      'enhanced_pool.optimization.reverts',
    ]);
    for (const row of asked) {
      // What nobody counts without a flag, or outside of pg and knex.
      if (/\.(query|statement)\./.test(row.name)) continue;
      const values = told.get(row.name)?.dataPoints.map(({ value }) => value);
      expect(values, row.name).to.deep.equal(Array(seriesAtMost(row)).fill(0));
    }
  });

  it('tell no zeros that would take the places of what is counted later: an SDK has so many for each metric, and lets none go', async () => {
    begin();
    const told = async (name: string) => (await collected.collect()).get(name)?.dataPoints.length ?? 0;
    const reverts = METRICS.find(({ name }) => name === 'enhanced_pool.optimization.reverts')!;
    const enough = Math.floor(1_999 / seriesAtMost(reverts));
    for (let number = 0; number < enough; number += 1) open({ database: `tenant${number}` });
    const places = enough * seriesAtMost(reverts);
    expect(await told(reverts.name)).to.equal(places);
    await pools.shift()!.close();
    open({ database: 'tenant0' });
    expect(await told(reverts.name), 'its next pool has them').to.equal(places);
    expect(Object.values(await collected.values(reverts.name, POOL))).to.have.lengthOf(enough);
    open({ database: 'one too many' });
    expect(await told(reverts.name)).to.equal(places);
    expect(await told('enhanced_pool.acquire.nested')).to.equal(enough + 1);
    await pools.shift()!.close();
    open({ database: 'in place of one' });
    expect(await told(reverts.name), 'what a closed pool had is not free').to.equal(places);
  });

  it('have buckets made for seconds', async () => {
    begin();
    const { engine } = open();
    (await engine.acquire()).release();
    const all = await collected.collect();
    for (const name of ['wait_time', 'use_time', 'create_time']) {
      const { buckets, count } = all.get(`db.client.connection.${name}`)!.dataPoints[0]!.value as Histogram;
      expect(buckets.boundaries[0], name).to.be.at.most(0.001);
      expect(buckets.boundaries.at(-1), name).to.be.at.most(60);
      expect(count, name).to.equal(1);
    }
  });

  it('name a pool as the conventions do, or as the application does, and tell namesakes apart', async () => {
    begin({ pools: ({ database }) => (database === 'named' ? { name: 'billing' } : undefined) });
    open();
    open({ library: 'knex' });
    open({ database: undefined });
    open({ database: undefined, serverAddress: '::1' });
    open({ database: undefined, serverAddress: undefined, serverPort: undefined });
    open({ database: 'named' });
    expect(Object.keys(await collected.values('db.client.connection.limit', POOL))).to.have.members([
      'orders',
      'orders#2',
      'db.example:5432',
      '[::1]:5432',
      'postgresql',
      'billing',
    ]);
  });

  it('of a closed pool are zero, and its counts go on in the next pool of its name', async () => {
    begin();
    const first = openFakePool()!;
    (await first.engine.acquire()).release();
    expect(await collected.values(COUNT, STATE)).to.deep.equal({ idle: 1, used: 0 });
    await first.close();
    expect(await collected.values(COUNT, STATE)).to.deep.equal({ idle: 0, used: 0 });
    expect(await collected.values('db.client.connection.limit', POOL)).to.deep.equal({ orders: 0 });
    expect(await collected.values('enhanced_pool.connection.opened', POOL)).to.deep.equal({ orders: 1 });
    const second = open();
    (await second.engine.acquire()).release();
    expect(await collected.values('enhanced_pool.connection.opened', POOL)).to.deep.equal({ orders: 2 });
  });

  it('become zero when a pool is closed, though the next one of its name leads to another database', async () => {
    begin({ pools: () => ({ name: 'tenants' }) });
    const limits = () => collected.values('db.client.connection.limit', POOL, 'db.namespace');
    const first = openFakePool({ database: 'one' })!;
    (await first.engine.acquire()).release();
    expect(await limits()).to.deep.equal({ 'tenants one': 10 });
    await first.close();
    open({ database: 'two' });
    expect(await limits()).to.deep.equal({ 'tenants one': 0, 'tenants two': 10 });
    expect(await collected.values('enhanced_pool.connection.opened', POOL, 'db.namespace')).to.deep.equal({
      'tenants one': 1,
      'tenants two': 0,
    });
  });

  it('that were so of a closed pool are zero in the next one, also where nobody collected in between', async () => {
    begin();
    const first = openFakePool()!;
    first.engine.isolate();
    const states = () => collected.values('enhanced_pool.circuit.status', 'enhanced_pool.circuit.state');
    expect(await states()).to.deep.equal({ open: 1 });
    await first.close();
    open();
    expect(await states()).to.deep.equal({ open: 0, closed: 1 });
  });

  it('forget pools that come and go', async () => {
    begin();
    for (let number = 0; number < 300; number += 1) {
      const pool = openFakePool({ database: `tenant${number}` })!;
      (await pool.engine.acquire()).release();
      await pool.close();
    }
    await collected.collect();
    // The SDK repeats for ever what it was once told; what we tell is seen by a provider that comes later.
    const later = new CollectedMetrics();
    instrumentation.setMeterProvider(later.provider);
    expect(Object.keys(await later.values('enhanced_pool.connection.opened', POOL))).to.have.length(100);
    expect(await later.values('db.client.connection.limit', POOL)).to.deep.equal({});
    await later.stop();
  });

  it('become zero when a pool is closed, though thousands that nobody was told of are closed after it', async () => {
    begin();
    const first = openFakePool({ database: 'first' })!;
    expect(await collected.values('db.client.connection.limit', POOL)).to.deep.equal({ first: 10 });
    await first.close();
    for (let number = 0; number < 2_100; number += 1)
      await openFakePool({ database: `tenant${number}` })!.close();
    expect(await collected.values('db.client.connection.limit', POOL)).to.deep.equal({ first: 0 });
  });

  it('of pools that came and went leave no stale value', async () => {
    begin();
    for (let number = 1; number <= 1_000; number += 1) {
      const pool = openFakePool({ database: `tenant${number}` })!;
      (await pool.engine.acquire()).release();
      if (number % 250 === 0) await collected.collect();
      await pool.close();
    }
    await expectNothingStale(collected);
  });

  it('of 10,000 pools leave no stale value with any of several readers, nor more series than an SDK takes', async function () {
    this.timeout(120_000);
    const [often, seldom] = [new CollectingReader(), new CollectingReader()];
    const provider = new MeterProvider({ readers: [often.reader, seldom.reader] });
    instrumentation = new EnhancedPoolInstrumentation();
    instrumentation.setMeterProvider(provider);
    const live: FakePool[] = [];
    for (let number = 1; number <= 10_000; number += 1) {
      const pool = openFakePool({ database: `tenant${number}` })!;
      (await pool.engine.acquire()).release();
      live.push(pool);
      // Some are told while they are open, most only after they have been closed.
      if (number % 1_000 === 0) await often.collect();
      if (number % 2_500 === 0) await seldom.collect();
      if (live.length > 20) await live.shift()!.close();
    }
    await Promise.all(live.map((pool) => pool.close()));
    for (const reader of [often, seldom]) await expectNothingStale(reader);
    await provider.shutdown();
  });

  it('of 10,000 pools that came and went take bounded memory, where the SDK forgets as well', async function () {
    this.timeout(120_000);
    const collectGarbage = garbageCollector();
    const { provider } = collected;
    collected = new CollectedMetrics(AggregationTemporality.DELTA);
    begin();
    const heapAfter: number[] = [];
    for (let number = 1; number <= 10_000; number += 1) {
      const pool = openFakePool({ database: `tenant${number}` })!;
      (await pool.engine.acquire()).release();
      await pool.close();
      if (number % 250 === 0) await collected.collect();
      if (number % 5_000 > 0) continue;
      await new Promise(setImmediate);
      collectGarbage();
      heapAfter.push(process.memoryUsage().heapUsed);
    }
    expect(heapAfter[1]! - heapAfter[0]!).to.be.below(4_000_000);
    await provider.shutdown();
  });

  it('of pools that came and went while nobody collected take bounded memory', async function () {
    this.timeout(120_000);
    const collectGarbage = garbageCollector();
    instrumentation = new EnhancedPoolInstrumentation();
    const heapAfter: number[] = [];
    for (let number = 1; number <= 10_000; number += 1) {
      await openFakePool({ database: `tenant${number}` })!.close();
      if (number % 5_000 > 0) continue;
      // What was looked up through a weak reference lives until the turn ends.
      await new Promise(setImmediate);
      collectGarbage();
      heapAfter.push(process.memoryUsage().heapUsed);
    }
    expect(heapAfter[1]! - heapAfter[0]!).to.be.below(4_000_000);
  });

  it('keep no pool alive that the application has dropped', async () => {
    const collectGarbage = garbageCollector();
    begin();
    const engine = new WeakRef(openFakePool({ database: 'dropped' }, { keepMin: false })!.engine);
    await collected.collect();
    for (let turn = 0; turn < 50 && engine.deref() !== undefined; turn += 1) {
      await new Promise(setImmediate);
      collectGarbage();
    }
    expect(engine.deref()).to.equal(undefined);
    expect(await collected.values(COUNT, STATE)).to.deep.equal({ idle: 0, used: 0 });
  });

  it('go to an SDK that is registered after us, from the next pool on at the latest', async () => {
    instrumentation = new EnhancedPoolInstrumentation();
    const early = open({ database: 'early' });
    metrics.setGlobalMeterProvider(collected.provider);
    open({ database: 'late' });
    (await early.engine.acquire()).release();
    expect(Object.keys(await collected.values(COUNT, POOL))).to.have.members(['early', 'late']);
    expect((await collected.collect()).get('db.client.connection.wait_time')?.dataPoints).to.have.length(1);
  });

  it('go to one provider only when it is set twice', async () => {
    begin();
    const { engine } = open();
    await engine.acquire().then((lease) => lease.release());
    instrumentation.setMeterProvider(collected.provider);
    expect(await collected.values(COUNT, STATE)).to.deep.equal({ idle: 1, used: 0 });
    const other = new CollectedMetrics();
    instrumentation.setMeterProvider(other.provider);
    expect(await other.values(COUNT, STATE)).to.deep.equal({ idle: 1, used: 0 });
    const lease = await engine.acquire();
    expect(await other.values(COUNT, STATE)).to.deep.equal({ idle: 0, used: 1 });
    lease.release();
    await other.stop();
  });

  it('can be switched off', async () => {
    begin();
    const { engine } = open();
    (await engine.acquire()).release();
    instrumentation.setConfig({ telemetry: { metrics: false } });
    const { provider } = collected;
    collected = new CollectedMetrics();
    instrumentation.setMeterProvider(collected.provider);
    (await engine.acquire()).release();
    expect((await collected.collect()).size).to.equal(0);
    await provider.shutdown();
  });

  it('carry the version that package.json has', () => {
    begin();
    let folder = __dirname;
    while (!readPackage(folder)) folder = dirname(folder);
    expect(readPackage(folder)?.version).to.equal(VERSION);
    expect(instrumentation.instrumentationVersion).to.equal(VERSION);
  });
});

/** Of pools all of which are closed. */
async function expectNothingStale(reader: CollectingReader): Promise<void> {
  const told = await reader.collect();
  for (const name of [COUNT, 'db.client.connection.limit', 'enhanced_pool.utilization']) {
    const values = told.get(name)!.dataPoints.map(({ value }) => value);
    expect(values.length, name).to.be.within(2, 2_000);
    expect(new Set(values), name).to.deep.equal(new Set([0]));
  }
}

const QUERIES = readdirSync(DASHBOARDS)
  .map((file) => readFileSync(join(DASHBOARDS, file), 'utf8'))
  .join();

function asksForRateOf(metric: string): boolean {
  const name = metric.replaceAll('.', '_');
  return new RegExp(`(increase|rate)\\(\\{__name__=~?\\\\?"${name}[_(]`).test(QUERIES);
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

function kindOf(metric: MetricData): string {
  if (metric.dataPointType === DataPointType.HISTOGRAM) return 'histogram';
  if (metric.dataPointType !== DataPointType.SUM) return 'another';
  return metric.isMonotonic ? 'counter' : 'up-down counter';
}

function readPackage(folder: string): { version: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  } catch {
    return undefined;
  }
}
