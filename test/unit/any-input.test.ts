import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { checkConfig, checkOverrides, merged, settle } from '../../instrumentation/config.js';
import { readEnvironment } from '../../instrumentation/environment.js';
import { Histogram } from '../../src/histogram.js';
import { createPool, type Hint, type Pool, PoolError, type PoolOptions } from '../../src/index.js';
import { fingerprint } from '../../src/query/fingerprint.js';
import { type FakeConnection, FakeDriver } from '../simulation/fake-driver.js';
import { VirtualRuntime } from '../simulation/virtual-runtime.js';

/** Keys under which an object has more than what is its own. */
const UNSAFE = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'];
const KEYS = [
  ...[
    'libraries',
    'mode',
    'options',
    'optimizations',
    'pools',
    'telemetry',
    'rollout',
    'pooler',
    'compatibility',
  ],
  ...[
    'max',
    'min',
    'lanes',
    'metrics',
    'engine',
    'instanceId',
    'preparedStatements',
    'checkAfterIdleMs',
    'enabled',
  ],
  ...['fleet', 'redis', 'members', 'maxConnections', 'leaseMs', 'name'],
];

const key = fc.oneof(fc.constantFrom(...KEYS), fc.constantFrom(...UNSAFE), fc.string({ maxLength: 8 }));
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(
      'on',
      'auto',
      'strict',
      'observe',
      'transaction',
      'redis://127.0.0.1',
      90,
      true,
      false,
      null,
      undefined,
      0,
      1,
      -1,
      0.5,
    ),
    fc.double(),
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.array(fc.tuple(key, tie('tree')), { maxLength: 5 }).map((entries) => objectOf(entries)),
  ),
}));

/** With `__proto__` as a key like any other, as `JSON.parse` makes it. */
function objectOf(entries: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [name, value] of entries) {
    Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
  }
  return object;
}

/** What every object has; it must be the same afterwards. */
const pristine = () => JSON.stringify(Object.getOwnPropertyNames(Object.prototype));

function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return true;
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isPlain);
}

const NEEDLE = 'NEEDLE-f7a1';

describe('whatever is given', () => {
  it('as a configuration is checked, kept where it is good, and changes no prototype', () => {
    const before = pristine();
    fc.assert(
      fc.property(tree, (given) => {
        for (const check of [checkConfig, checkOverrides]) {
          const { good, faults } = check(given);
          expect(isPlain(good)).equal(true);
          for (const name of UNSAFE) expect(Object.hasOwn(good, name), name).equal(false);
          // What was kept is good.
          expect(check(good).faults).deep.equal([]);
          for (const fault of faults) expect(fault).a('string').not.empty;
        }
        const { good } = checkConfig(given);
        settle(merged(merged({}, good), good));
      }),
      { numRuns: 2_000 },
    );
    expect(pristine()).equal(before);
    expect(({} as Record<string, unknown>).max).equal(undefined);
  });

  it('as a value under a secretive key is never quoted', () => {
    const secretive = fc.constantFrom(
      'password',
      'PGPASSWORD',
      'secret',
      'apiKey',
      'connectionString',
      'databaseUrl',
      'pwd',
    );
    fc.assert(
      fc.property(
        secretive,
        fc.constantFrom('', 'options', 'telemetry', 'optimizations'),
        (name, section) => {
          const given = section === '' ? { [name]: NEEDLE } : { [section]: { [name]: NEEDLE } };
          const { faults } = checkConfig(given);
          expect(faults.length).above(0);
          expect(faults.join()).not.contain(NEEDLE);
        },
      ),
    );
  });

  it('in the environment is told in faults, and ends nothing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'enhanced-pool-'));
    const file = join(folder, 'config.json');
    const before = pristine();
    const word = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.constantFrom(...UNSAFE, 'true', '0', '70000'),
      fc
        .array(fc.tuple(key, fc.constantFrom('on', 'off', '', 'constructor')), { maxLength: 4 })
        .map((pairs) => pairs.map((pair) => pair.join('=')).join(',')),
    );
    const budget = fc
      .array(
        fc.tuple(
          fc.oneof(fc.constantFrom('maxConnections', 'members', 'leaseMs', 'name'), key),
          fc.oneof(
            fc.integer({ min: -1, max: 1_000 }).map(String),
            fc.constantFrom('1e3', 'NaN', '', ...UNSAFE),
          ),
        ),
        { maxLength: 5 },
      )
      .map((pairs) => pairs.map((pair) => pair.join('=')).join(','));
    let fleets = 0;
    try {
      fc.assert(
        fc.property(
          fc.option(word, { nil: undefined }),
          fc.option(word, { nil: undefined }),
          fc.option(word, { nil: undefined }),
          fc.option(fc.oneof(word, budget, fc.constant('maxConnections=90,members=50')), { nil: undefined }),
          fc.option(fc.oneof(word, fc.constantFrom('redis://127.0.0.1', `redis://:${NEEDLE}@h h`)), {
            nil: undefined,
          }),
          fc.oneof(
            tree.map((given) => JSON.stringify(given) ?? ''),
            fc.string({ unit: 'binary' }),
          ),
          (optimizations, console, enabled, fleet, redis, text) => {
            writeFileSync(file, text);
            const { good, faults } = readEnvironment({
              ENHANCED_POOL_OPTIMIZATIONS: optimizations,
              ENHANCED_POOL_CONSOLE: console,
              ENHANCED_POOL_ENABLED: enabled,
              ENHANCED_POOL_FLEET: fleet,
              ENHANCED_POOL_FLEET_REDIS: redis,
              ENHANCED_POOL_CONFIG: file,
            });
            expect(faults.join()).not.contain(NEEDLE);
            if (good.fleet !== undefined) fleets += 1;
            expect(isPlain(good)).equal(true);
            expect(checkConfig(good).faults).deep.equal([]);
          },
        ),
        { numRuns: 500 },
      );
      expect(fleets, 'budgets that were good').above(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(pristine()).equal(before);
  });

  it('as options makes a pool that keeps them, or one error that names the faults', () => {
    fc.assert(
      fc.property(tree, (options) => {
        let pool: Pool<FakeConnection> | undefined;
        try {
          const runtime = new VirtualRuntime(1);
          pool = createPool({ driver: new FakeDriver(runtime), runtime, options: options as PoolOptions });
        } catch (error) {
          expect(error).instanceOf(PoolError).with.property('code', 'INVALID_OPTIONS');
        }
        if (pool !== undefined) expect(pool.stats().max).at.least(Math.max(1, pool.stats().min));
      }),
      { numRuns: 1_000 },
    );
  });

  it('as a hint gets a connection or an error in its time, and the connection comes back', async () => {
    const hint = fc.record(
      {
        sql: fc.oneof(
          fc.string({ unit: 'binary', maxLength: 60 }),
          fc.constantFrom('select 1', 'begin', 'set x = 1'),
        ),
        dialect: fc.constantFrom('postgresql', 'mysql'),
        statement: fc.string({ maxLength: 5 }),
        queryType: fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom(...UNSAFE)),
        estimatedComplexity: fc.double(),
        estimatedDurationMs: fc.double(),
        readOnly: fc.boolean(),
        requiresTransaction: fc.boolean(),
        deadlineMs: fc.oneof(fc.double(), fc.constantFrom(0, 1, 50, Number.NaN, -1, '50', null)),
        signal: fc.constantFrom(AbortSignal.abort(), new AbortController().signal),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(hint, { minLength: 1, maxLength: 12 }), fc.nat(), async (hints, seed) => {
        const runtime = new VirtualRuntime(seed);
        const pool = createPool({
          driver: new FakeDriver(runtime),
          runtime,
          options: { max: 2, acquireTimeoutMs: 1_000, idleTimeoutMs: 0 },
          flags: { lanes: 'on', selection: 'on', affinity: 'on' },
        });
        let settled = 0;
        for (const one of hints) {
          pool.acquire(one as Hint).then(
            (lease) => {
              settled += 1;
              runtime.schedule(10, () => lease.release());
            },
            (error) => {
              settled += 1;
              expect(error).instanceOf(PoolError);
            },
          );
        }
        for (let step = 0; step < 400 && settled < hints.length; step += 1) {
          await runtime.advance(5);
        }
        await runtime.advance(20);
        expect(settled).equal(hints.length);
        expect(pool.stats()).include({ leased: 0, waiting: 0 });
        expect(JSON.stringify(pool.report())).a('string');
      }),
      { numRuns: 200 },
    );
  });

  it('as a text has a short fingerprint, always the same, in which nothing of the text is to be read', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.constantFrom('postgresql', 'mysql'),
        (text, dialect) => {
          const short = fingerprint(`${text} ${NEEDLE}`, dialect);
          expect(short).match(/^[0-9a-z]{1,64}$/);
          expect(fingerprint(`${text} ${NEEDLE}`, dialect)).equal(short);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('as a duration leaves the numbers of a report in order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })), (durations) => {
        const histogram = new Histogram();
        for (const duration of durations) histogram.record(duration);
        const { count, meanMs, p50Ms, p99Ms, maxMs } = histogram.summary();
        expect(count).equal(durations.length);
        expect(maxMs).equal(Math.max(0, ...durations));
        expect(p50Ms).most(p99Ms);
        expect(Number.isNaN(meanMs)).equal(false);
      }),
    );
  });
});
