import { EventEmitter } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DiagLogLevel, diag } from '@opentelemetry/api';
import { expect } from 'chai';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';

/** As much of a `pg` client as a pool needs. */
class FakeClient extends EventEmitter {
  _queryable = true;

  connect(done: () => void): void {
    setImmediate(done);
  }

  query(text: string, _values: unknown, done: (error: undefined, result: unknown) => void): void {
    setImmediate(() => done(undefined, { rows: [text] }));
  }

  end(done?: () => void): void {
    if (done !== undefined) setImmediate(done);
  }
}

type Pool = import('pg').Pool;

describe('the patches', () => {
  const stockPool = dirname(createRequire(require.resolve('pg')).resolve('pg-pool'));
  let folder: string;
  let copies = 0;
  let instrumentation: EnhancedPoolInstrumentation | undefined;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'enhanced-pool-'));
  });

  after(() => rmSync(folder, { recursive: true }));

  afterEach(() => {
    instrumentation?.disable();
    instrumentation = undefined;
  });

  /** A copy of pg-pool of its own, loaded now. */
  function loadCopy(version?: string): () => Pool {
    copies += 1;
    const copy = join(folder, String(copies), 'node_modules/pg-pool');
    cpSync(stockPool, copy, { recursive: true });
    if (version !== undefined) {
      const file = join(copy, 'package.json');
      writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), version }));
    }
    const PoolClass = require(join(copy, 'index.js'));
    return () => new PoolClass({ Client: FakeClient, max: 1 });
  }

  async function isEnhancedAfterUse(pool: Pool): Promise<boolean> {
    await answersQueries(pool);
    return Object.getOwnPropertyDescriptor(pool, '_clients')?.get !== undefined;
  }

  async function answersQueries(pool: Pool): Promise<void> {
    const { rows } = await (pool as unknown as { query(text: string): Promise<{ rows: unknown[] }> }).query(
      'select 1',
    );
    expect(rows).to.deep.equal(['select 1']);
  }

  it('reach every copy of a library, loaded before or after', async () => {
    const early = loadCopy();
    instrumentation = new EnhancedPoolInstrumentation();
    const pools = [early(), loadCopy()(), loadCopy()()];
    for (const pool of pools) expect(await isEnhancedAfterUse(pool)).to.equal(true);
    await Promise.all(pools.map((pool) => pool.end()));
  });

  it('reach a pool that was made before them and not used yet', async () => {
    const pool = loadCopy()();
    instrumentation = new EnhancedPoolInstrumentation();
    expect(await isEnhancedAfterUse(pool)).to.equal(true);
    await pool.end();
  });

  it('leave a pool stock that was used before them', async () => {
    const pool = loadCopy()();
    await answersQueries(pool);
    instrumentation = new EnhancedPoolInstrumentation();
    expect(await isEnhancedAfterUse(pool)).to.equal(false);
    await pool.end();
  });

  it('leave versions alone that they do not know', async () => {
    const early = loadCopy('2.0.10');
    instrumentation = new EnhancedPoolInstrumentation();
    const pools = [early(), loadCopy('2.0.10')(), loadCopy('4.0.0')()];
    for (const pool of pools) expect(await isEnhancedAfterUse(pool)).to.equal(false);
    await Promise.all(pools.map((pool) => pool.end()));
  });

  it('warn once of each version that they leave alone', async () => {
    const warnings: string[] = [];
    const nothing = () => {};
    diag.setLogger(
      {
        warn: (...words: unknown[]) => warnings.push(words.join(' ')),
        error: nothing,
        info: nothing,
        debug: nothing,
        verbose: nothing,
      },
      { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
    );
    try {
      loadCopy('2.0.9');
      instrumentation = new EnhancedPoolInstrumentation();
      loadCopy('2.0.9');
      loadCopy('4.0.1');
      loadCopy('4.0.1');
      loadCopy();
    } finally {
      diag.disable();
    }
    expect(warnings.map((warning) => warning.replace(/^.*?(?=pg-pool)/, ''))).to.deep.equal([
      'pg-pool 2.0.9 stays stock: supported are 3.1.1 and later, below 4.0.0',
      'pg-pool 4.0.1 stays stock: supported are 3.1.1 and later, below 4.0.0',
    ]);
  });

  it('leave new pools stock while disabled, give live ones back, which go on, and work again when enabled', async () => {
    instrumentation = new EnhancedPoolInstrumentation();
    const makePool = loadCopy();
    const live = makePool();
    expect(await isEnhancedAfterUse(live)).to.equal(true);
    instrumentation.disable();
    const loadedMeanwhile = loadCopy();
    const stock = [makePool(), loadedMeanwhile()];
    for (const pool of stock) expect(await isEnhancedAfterUse(pool)).to.equal(false);
    expect(await isEnhancedAfterUse(live)).to.equal(false);
    instrumentation.enable();
    const next = [makePool(), loadedMeanwhile()];
    for (const pool of next) expect(await isEnhancedAfterUse(pool)).to.equal(true);
    await Promise.all([live, ...stock, ...next].map((pool) => pool.end()));
  });

  it('do not touch libraries that were not asked for', async () => {
    instrumentation = new EnhancedPoolInstrumentation({ libraries: ['knex'] });
    const pool = loadCopy()();
    expect(await isEnhancedAfterUse(pool)).to.equal(false);
    await pool.end();
  });
});
