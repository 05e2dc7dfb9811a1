import { expect } from 'chai';
import { createPool, type Lease, type OptimizationFlags } from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';
import { FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const MAX = 10;
const SHARED_COST_MS = 0.05;

interface Load {
  /** Arrivals a second. */
  readonly rate: number;
  readonly slowShare: number;
  readonly fastMs: number;
  readonly slowMs: number;
  readonly seconds: number;
  /** Share of callers whose text says the opposite of what they run. */
  readonly mislabelled?: number;
  /** Whether fast callers put their statement on a connection that others use, where there is one. */
  readonly shares?: boolean;
}

interface Latencies {
  readonly fast: number[];
  readonly slow: number[];
}

/** Nine in ten of 1 ms, as a read by key takes, one in ten of 200 ms, 80 % of ten connections. */
const MIXED: Load = { rate: 383, slowShare: 0.1, fastMs: 1, slowMs: 200, seconds: 120 };

/** The same arrivals and the same service times, whatever the flags. */
async function run(load: Load, flags: OptimizationFlags, seed = 1): Promise<Latencies> {
  const { rate, slowShare, fastMs, slowMs, seconds, mislabelled = 0, shares = false } = load;
  const runtime = new VirtualRuntime(seed);
  const chance = new VirtualRuntime(seed + 1_000);
  const pool = createPool({
    driver: new FakeDriver(runtime),
    runtime,
    options: { min: MAX, max: MAX, acquireTimeoutMs: 0, idleTimeoutMs: 0, checkAfterIdleMs: 0 },
    flags,
  });
  const latencies: Latencies = { fast: [], slow: [] };
  const call = async () => {
    const isSlow = chance.random() < slowShare;
    const saysSlow = chance.random() < mislabelled ? !isSlow : isSlow;
    const serviceMs = (isSlow ? slowMs : fastMs) * (0.8 + 0.4 * chance.random());
    const begin = runtime.now();
    const sql = saysSlow ? 'SELECT sum(x) FROM big' : 'SELECT x FROM small';
    const sharing = shares && !isSlow ? SHARED_COST_MS : undefined;
    const lease =
      (sharing === undefined ? undefined : pool.tryShare(sharing)) ??
      pool.tryAcquire({ sql }) ??
      (await new Promise<Lease<unknown>>((resolve, reject) => {
        pool.request(resolve, reject, { sql }, sharing);
      }));
    runtime.schedule(serviceMs, () => {
      lease.release();
      (isSlow ? latencies.slow : latencies.fast).push(runtime.now() - begin);
    });
  };
  let nextMs = 0;
  while (nextMs < seconds * 1_000) {
    nextMs += (-Math.log(1 - chance.random()) * 1_000) / rate;
    await runtime.advance(nextMs - runtime.now());
    void call();
  }
  await runtime.advance(5_000);
  return latencies;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function p99(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(0.99 * values.length)]!;
}

describe('lanes', function () {
  this.timeout(120_000);

  for (const seed of [1, 2, 3]) {
    it(`keep the fast from waiting for the slow, at little cost to them (seed ${seed})`, async () => {
      const plain = await run(MIXED, { lanes: 'off' }, seed);
      const lanes = await run(MIXED, { lanes: 'on' }, seed);
      expect(mean(lanes.fast)).below(mean(plain.fast) / 8);
      expect(p99(lanes.fast)).below(p99(plain.fast) / 5);
      expect(mean(lanes.slow)).below(mean(plain.slow) * 1.15);
      expect(lanes.slow.length).equal(plain.slow.length);
    });

    it(`are never much worse than none when one query in ten is in the wrong one (seed ${seed})`, async () => {
      const load = { ...MIXED, mislabelled: 0.1 };
      const plain = await run(load, { lanes: 'off' }, seed);
      const lanes = await run(load, { lanes: 'on' }, seed);
      expect(p99(lanes.fast)).below(p99(plain.fast) * 1.1);
      expect(p99(lanes.slow)).below(p99(plain.slow) * 1.1);
    });
  }

  it('are kept for those who share a connection as for those who have one alone', async () => {
    const load = { ...MIXED, seconds: 60, shares: true };
    const plain = await run(load, { ...everyFlag('off'), pipelining: 'on' });
    const lanes = await run(load, { ...everyFlag('off'), pipelining: 'on', lanes: 'on' });
    expect(mean(lanes.fast)).below(mean(plain.fast) / 5);
    expect(mean(lanes.slow)).below(mean(plain.slow) * 1.15);
  });

  it('change nothing while all queries are fast', async () => {
    const load: Load = { rate: 4_000, slowShare: 0, fastMs: 2, slowMs: 200, seconds: 10 };
    expect(await run(load, { lanes: 'on' })).deep.equal(await run(load, { lanes: 'off' }));
  });

  it('change nothing while all queries are slow', async () => {
    const load: Load = { rate: 40, slowShare: 1, fastMs: 2, slowMs: 200, seconds: 60 };
    expect(await run(load, { lanes: 'on' })).deep.equal(await run(load, { lanes: 'off' }));
  });

  it('come to an end when every slow one waits for another while it holds its connection', async () => {
    const runtime = new VirtualRuntime(1);
    const options = { min: MAX, max: MAX, acquireTimeoutMs: 0, idleTimeoutMs: 0, checkAfterIdleMs: 0 };
    const pool = createPool({
      driver: new FakeDriver(runtime),
      runtime,
      options,
      flags: { ...everyFlag('off'), lanes: 'on' },
    });
    const pause = (durationMs: number) =>
      new Promise<void>((resolve) => {
        runtime.schedule(durationMs, resolve);
      });
    let done = 0;
    const slow = () =>
      pool.use({ sql: 'SELECT sum(x) FROM big' }, async () => {
        await pause(200);
        done += 1;
      });
    const fast = async (count: number) => {
      for (let left = count; left > 0; left -= 1) {
        await pool.use({ sql: 'SELECT x FROM small' }, () => pause(2));
        await pause(8);
      }
    };
    void fast(2_000);
    void slow().then(slow).then(slow).then(slow);
    await runtime.advance(1_000);
    expect(done, 'runs that taught').equal(4);
    const nested = () => pool.use({ sql: 'SELECT sum(x) FROM big' }, () => pause(200).then(slow));
    for (let caller = 0; caller < MAX - 1; caller += 1) void nested();
    await runtime.advance(250);
    expect(done, 'nobody got a second one').equal(4);
    expect(pool.stats().waiting).equal(MAX - 1);
    await runtime.advance(3_000);
    expect(done).equal(4 + MAX - 1);
  });

  it('do not starve the slow when they are more than the pool can bear', async () => {
    const load: Load = { rate: 600, slowShare: 0.1, fastMs: 2, slowMs: 200, seconds: 20 };
    const { slow } = await run(load, { lanes: 'on' });
    expect(slow.length, 'in 25 s').above(900);
  });
});
