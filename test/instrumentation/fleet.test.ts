import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api';
import { expect } from 'chai';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';
import { findFreePort } from '../servers/free-port.js';
import { openFakePool } from './fake-library.js';

describe('a budget to share, by configuration', () => {
  let instrumentation: EnhancedPoolInstrumentation;
  let warnings: string[];

  beforeEach(() => {
    warnings = [];
    const warn = (...words: unknown[]) => void warnings.push(words.join(' '));
    const logger: DiagLogger = { error() {}, warn, info() {}, debug() {}, verbose() {} };
    diag.setLogger(logger, { logLevel: DiagLogLevel.ALL, suppressOverrideMessage: true });
  });

  afterEach(() => {
    instrumentation.disable();
    diag.disable();
  });

  it('serves callers by what is certain while Redis is away, and logs that once, without the URL', async () => {
    const redis = `redis://user:hunter2@127.0.0.1:${await findFreePort()}`;
    instrumentation = new EnhancedPoolInstrumentation({
      fleet: { maxConnections: 6, members: 2, redis, leaseMs: 500 },
    });
    const pool = openFakePool({}, { max: 5 })!;
    await pool.engine.use(undefined, async () => {});
    expect(pool.engine.stats()).include({ open: 1, max: 5 });
    expect(pool.engine.fleet!.state).equal('away');
    const wanted = Promise.all([1, 2, 3].map(() => pool.engine.acquire()));
    for (const lease of await wanted) lease.release();
    expect(pool.engine.fleet!.share, 'the static one, after two leases').equal(3);
    await pool.close();
    expect(warnings.filter((warning) => warning.includes('fleet'))).to.have.length(1);
    expect(warnings.join()).include('ECONNREFUSED').and.not.include('hunter2');
  });

  it('is shared in equal parts where the client is of another package, of which none is made', async () => {
    let made = 0;
    const redis = {
      hdel() {},
      duplicate() {
        made += 1;
        return this;
      },
      on() {},
      unref() {},
    };
    instrumentation = new EnhancedPoolInstrumentation({ fleet: { maxConnections: 6, members: 2, redis } });
    const pool = openFakePool()!;
    await pool.engine.use(undefined, async () => {});
    expect(pool.engine.fleet!.state).equal('static');
    await pool.close();
    expect(made).equal(0);
    expect(warnings.join()).include('every pool has its static share').and.include('4.3 or later');
  });

  // 3 has no clusters, and connects when a client is made; what 4.0 makes cannot be told to let the process end.
  for (const [version, createCluster] of [
    ['3', undefined],
    ['4.0', () => {}],
  ] as const) {
    it(`is shared in equal parts where the package redis is ${version}`, async () => {
      const module = require('redis');
      const current = { createClient: module.createClient, createCluster: module.createCluster };
      let connected = 0;
      const connect = () => {
        connected += 1;
      };
      const createClient = () => {
        if (createCluster === undefined) connect();
        return { on() {}, hDel() {}, connect };
      };
      Object.assign(module, { createClient, createCluster });
      try {
        instrumentation = new EnhancedPoolInstrumentation({
          fleet: { maxConnections: 6, members: 2, redis: 'redis://127.0.0.1' },
        });
        const pool = openFakePool()!;
        await pool.engine.use(undefined, async () => {});
        expect(pool.engine.fleet!.state).equal('static');
        await pool.close();
      } finally {
        Object.assign(module, current);
      }
      expect(connected).equal(0);
      expect(warnings.join()).include('every pool has its static share').and.include('4.3 or later');
    });
  }

  it('is another for one pool, or none', async () => {
    instrumentation = new EnhancedPoolInstrumentation({
      fleet: { maxConnections: 6, members: 2 },
      pools: ({ database }) => ({
        fleet: database === 'audit' ? false : { maxConnections: 2, members: 1 },
      }),
    });
    const [audit, orders] = [openFakePool({ database: 'audit' })!, openFakePool()!];
    expect(audit.engine.fleet).equal(undefined);
    expect(orders.engine.fleet).include({ budget: 2, staticShare: 2 });
    await Promise.all([audit.close(), orders.close()]);
  });
});
