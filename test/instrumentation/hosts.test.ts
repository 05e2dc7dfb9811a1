import {
  context,
  createContextKey,
  type DiagLogger,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { expect } from 'chai';
import { STRICT } from '../../adapters/differences.js';
import type { PoolInfo } from '../../adapters/host.js';
import { warmUpOf } from '../../adapters/warming.js';
import { processHost } from '../../instrumentation/hosts.js';
import { EnhancedPoolInstrumentation, poolReports } from '../../instrumentation/index.js';
import { createPool } from '../../src/index.js';
import { openFakePool } from './fake-library.js';

const info: PoolInfo = {
  library: 'mysql2',
  pool: {},
  system: 'mysql',
  database: undefined,
  serverAddress: undefined,
  serverPort: undefined,
};

describe('the instrumentation', () => {
  const enabled: EnhancedPoolInstrumentation[] = [];
  let logged: string[];

  function instrument(...given: ConstructorParameters<typeof EnhancedPoolInstrumentation>) {
    const instrumentation = new EnhancedPoolInstrumentation(...given);
    enabled.push(instrumentation);
    return instrumentation;
  }

  beforeEach(() => {
    logged = [];
    const log = (...words: unknown[]) => void logged.push(words.join(' '));
    const logger: DiagLogger = { error: log, warn: log, info: log, debug() {}, verbose() {} };
    diag.setLogger(logger, { logLevel: DiagLogLevel.ALL, suppressOverrideMessage: true });
  });

  afterEach(() => {
    for (const instrumentation of enabled.splice(0)) instrumentation.disable();
    diag.disable();
  });

  it('reports of the open pools by name, and so does the process for whichever is enabled', async () => {
    const instrumentation = instrument();
    const orders = openFakePool({ database: 'orders' }, { leakThresholdMs: 1 })!;
    const lease = await orders.engine.acquire({ sql: "select 'hunter2'", dialect: 'postgresql' });
    const leaks = () => instrumentation.reports().get('orders')!.leaks;
    while (leaks().length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(leaks()[0]).to.include({ connectionId: 1 });
    const other = instrument();
    const billing = openFakePool({ database: 'billing' })!;
    expect([...other.reports().keys()]).to.deep.equal(['billing']);
    const reports = poolReports();
    expect([...reports.keys()]).to.have.members(['orders', 'billing']);
    expect(reports.get('orders')!.stats).to.include({ leased: 1 });
    expect(JSON.stringify([...reports])).not.to.include('hunter2');
    lease.release();
    await Promise.all([orders.close(), billing.close()]);
    expect(poolReports().size).to.equal(0);
  });

  it('leaves new pools stock once disabled, and takes them over once enabled again', async () => {
    const instrumentation = instrument();
    const live = openFakePool({ database: 'live' })!;
    instrumentation.disable();
    expect(openFakePool()).to.equal(undefined);
    await live.engine.use(undefined, async () => {});
    instrumentation.enable();
    const next = openFakePool();
    expect(next).to.not.equal(undefined);
    await Promise.all([live.close(), next?.close()]);
  });

  it('registered twice lets the one enabled last decide, and the other again once it is gone', () => {
    instrument({ options: { max: 3 } });
    const second = instrument({ options: { max: 4 } });
    expect(processHost.setUp({ ...info })?.options).to.deep.equal({ max: 4 });
    second.disable();
    expect(processHost.setUp({ ...info })?.options).to.deep.equal({ max: 3 });
    expect(logged.join()).to.include('registered more than once');
  });

  it('takes over the libraries it was told to', () => {
    instrument({ libraries: ['pg'] });
    expect(processHost.setUp(info)).to.equal(undefined);
  });

  it('asks the application about every pool', () => {
    instrument({
      options: { max: 3, maxUses: 7 },
      pools: ({ library }) =>
        library === 'mysql2' ? { options: { max: 2 }, compatibility: 'strict' } : { enabled: false },
    });
    const setup = processHost.setUp(info);
    expect(setup?.options).to.deep.equal({ max: 2, maxUses: 7 });
    expect(setup?.differences).to.deep.equal(STRICT);
    expect(processHost.setUp({ ...info, library: 'pg' })).to.equal(undefined);
  });

  it('asks it once about each, whether the pool is to run on the engine or to be watched', () => {
    const asked: string[] = [];
    instrument({
      pools: ({ library }) => {
        asked.push(library);
        return { mode: 'observe' };
      },
    });
    const pool = { ...info };
    const facts = { idle: 0, leased: 0, opening: 0, min: 0, max: 10, connections: [] };
    expect(processHost.setUp(pool)).to.equal(undefined);
    const watching = processHost.watch?.(pool, { facts: () => facts, stop() {} });
    expect(watching?.watched).to.be.an('object');
    expect(asked).to.deep.equal([info.library]);
  });

  it('survives an application that answers nonsense about a pool, and says so', () => {
    let answer: () => unknown = () => {
      throw new Error('no idea');
    };
    instrument({ options: { max: 3 }, pools: () => answer() as never });
    expect(processHost.setUp({ ...info })?.options).to.deep.equal({ max: 3 });
    answer = () => ({ options: { max: 'all' }, nickname: 'x', warm: 'hot' });
    expect(processHost.setUp({ ...info })?.options).to.deep.equal({ max: 3 });
    answer = () => Promise.resolve({ name: 'later' });
    expect(processHost.setUp({ ...info })?.options).to.deep.equal({ max: 3 });
    expect(logged.join('\n')).to.include('no idea').and.include('"all"').and.include('nickname');
    expect(logged.join('\n')).to.include('warm must be a function, got "hot"');
  });

  it("warms by the application's function, in nobody's trace, and says once what it met", async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const suppressed = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
    const request = createContextKey('request');
    const seen: unknown[] = [];
    instrument({
      telemetry: { metrics: false, acquireSpans: 'none', connectSpans: false },
      pools: () => ({
        warm: async (connection: { id: number }) => {
          const active = context.active();
          seen.push([connection.id, active.getValue(suppressed), active.getValue(request)]);
          throw new Error('no such table');
        },
      }),
    });
    const setup = processHost.setUp({ ...info })!;
    const preparing: unknown[] = [];
    const prepare = () => {
      preparing.push([context.active().getValue(suppressed), context.active().getValue(request)]);
      return undefined;
    };
    const warm = warmUpOf<{ id: number }>(setup, prepare, (connection) => connection);
    let id = 0;
    const driver = {
      open: async () => {
        id += 1;
        return { id };
      },
      check: async () => {},
      close: () => {},
      warm,
    };
    const engine = context.with(ROOT_CONTEXT.setValue(request, 'of a caller'), () =>
      createPool({ driver, options: { min: 2 }, observer: setup.observer }),
    );
    await new Promise(setImmediate);
    context.disable();
    expect(engine.stats()).to.include({ idle: 2 });
    expect(seen).to.deep.equal([
      [1, true, undefined],
      [2, true, undefined],
    ]);
    expect(preparing).to.deep.equal(Array(2).fill([true, undefined]));
    const told = logged.filter((line) => line.includes('no such table'));
    expect(told).to.have.length(1);
    expect(told[0]).to.include('a connection of a mysql2 pool could not be warmed');
    await engine.drain();
  });

  it('says of flags that they do nothing yet, and of the environment what is wrong with it', async () => {
    process.env.ENHANCED_POOL_OPTIMIZATIONS = 'queueDeadline=shadow,warp=on,affinity=off';
    try {
      instrument();
    } finally {
      delete process.env.ENHANCED_POOL_OPTIMIZATIONS;
    }
    await new Promise(setImmediate);
    expect(logged.join('\n'))
      .to.match(/flags do nothing: queueDeadline$/m)
      .and.include('warp is not known (value "on")');
  });

  it('takes nothing over while ENHANCED_POOL_ENABLED is false, even if it was made in code', () => {
    process.env.ENHANCED_POOL_ENABLED = 'false';
    try {
      instrument();
    } finally {
      delete process.env.ENHANCED_POOL_ENABLED;
    }
    expect(openFakePool()).to.equal(undefined);
  });
});
