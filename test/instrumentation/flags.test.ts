import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { settle } from '../../instrumentation/config.js';
import { flagsOf, isInEngineShare } from '../../instrumentation/flags.js';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';
import type { EnhancedPoolInstrumentationConfig, PoolOverrides } from '../../instrumentation/types.js';
import { watchConfigFile } from '../../instrumentation/watched-file.js';
import { openFakePool } from './fake-library.js';

const info = (database: string) => ({
  library: 'pg' as const,
  pool: {},
  system: 'postgresql',
  database,
  serverAddress: 'db',
  serverPort: 5432,
});

function flags(config: EnhancedPoolInstrumentationConfig, overrides: PoolOverrides = {}) {
  const warnings: string[] = [];
  const found = flagsOf(info('orders'), settle(config), overrides, (message) => warnings.push(message));
  return { ...found, warnings };
}

describe('the flags of a pool', () => {
  it('are the pool’s own, else the provider’s, else the configuration’s', () => {
    const optimizations = { lanes: 'on', affinity: 'on', breaker: 'on' } as const;
    const flagProvider = (flag: string) => ({ lanes: 'shadow', affinity: false })[flag] as 'shadow' | boolean;
    const found = flags({ optimizations, flagProvider }, { optimizations: { lanes: 'off' } });
    expect(found).include({ lanes: 'off', affinity: 'off', breaker: 'on' });
  });

  it('survive a provider that throws or answers nonsense, and it is told', () => {
    const found = flags({
      optimizations: { lanes: 'on', affinity: 'on' },
      flagProvider: (flag) => {
        if (flag === 'lanes') throw new Error('the flag server is away');
        return flag === 'affinity' ? ('perhaps' as 'on') : undefined;
      },
    });
    expect(found).include({ lanes: 'on', affinity: 'on' });
    expect(found.warnings).have.length(2);
  });

  it('are on trial in the share of processes that the provider names', () => {
    const settings = Array.from({ length: 400 }, (_, process) =>
      flags({ flagProvider: () => 25, rollout: { instanceId: `process ${process}` } }),
    );
    expect(settings.filter(({ lanes }) => lanes === 'auto').length).within(70, 130);
    expect(settings.filter(({ lanes }) => lanes === 'off').length).within(270, 330);
  });

  it('are off in processes outside of their share', () => {
    const optimizations = { lanes: 'on' } as const;
    const within = (percent: number) =>
      flags({ optimizations, rollout: { optimizations: { lanes: percent } } });
    expect(within(0).lanes).equal('off');
    expect(within(100).lanes).equal('on');
  });

  it('are all off where it is to be strictly as stock', () => {
    const { warnings: _, ...found } = flags({ optimizations: { lanes: 'on' }, compatibility: 'strict' });
    expect(new Set(Object.values(found))).deep.equal(new Set(['off']));
  });
});

describe('the share of the engine', () => {
  it('counts processes, or pools', () => {
    const inShare = (rollout: object, database = 'orders') =>
      isInEngineShare(info(database), settle({ rollout }));
    expect(inShare({})).equal(true);
    expect(inShare({ engine: 0 })).equal(false);
    const pools = Array.from({ length: 400 }, (_, pool) =>
      inShare({ engine: 50, by: 'pool', instanceId: 'one' }, `database ${pool}`),
    );
    expect(pools.filter(Boolean).length).within(160, 240);
    const ofOneProcess = Array.from({ length: 40 }, (_, pool) =>
      inShare({ engine: 50, instanceId: 'one' }, `database ${pool}`),
    );
    expect(new Set(ofOneProcess).size).equal(1);
  });
});

describe('the file of ENHANCED_POOL_CONFIG', () => {
  const directory = mkdtempSync(join(tmpdir(), 'enhanced-pool-'));
  const file = join(directory, 'pool.json');
  const write = (config: object) => writeFileSync(file, JSON.stringify(config));
  let instrumentation: EnhancedPoolInstrumentation;

  before(() => {
    write({ optimizations: { lanes: 'off' } });
    process.env.ENHANCED_POOL_CONFIG = file;
    instrumentation = new EnhancedPoolInstrumentation();
  });

  after(() => {
    delete process.env.ENHANCED_POOL_CONFIG;
    instrumentation.disable();
    rmSync(directory, { recursive: true });
  });

  it('is heeded whenever it changes: live pools get new flags, and new pools none while it says enabled: false', async function () {
    this.timeout(60_000);
    const pool = openFakePool()!;
    const stageOfLanes = () => pool.engine.rollout.report().find(({ name }) => name === 'lanes')!.stage;
    expect(stageOfLanes()).equal('off');
    write({ optimizations: { lanes: 'on' } });
    await until(() => stageOfLanes() === 'on');
    write({ enabled: false });
    await until(() => {
      const refused = openFakePool();
      void refused?.close();
      return refused === undefined;
    });
    write({ enabled: true });
    let next: ReturnType<typeof openFakePool>;
    await until(() => {
      next = openFakePool();
      return next !== undefined;
    });
    await Promise.all([pool.close(), next!.close()]);
  });

  it('is heeded when it changes in the very moment in which the watching begins, and when it comes and goes', async () => {
    const watched = join(directory, 'watched.json');
    let changes = 0;
    const end = watchConfigFile(watched, () => {
      changes += 1;
    });
    writeFileSync(watched, '{}');
    await until(() => changes === 1);
    rmSync(watched);
    await until(() => changes === 2);
    end();
    writeFileSync(watched, '{}');
    await sleep(1_500);
    expect(changes).equal(2);
  });
});

async function until(reached: () => boolean): Promise<void> {
  for (let looks = 0; !reached(); looks += 1) {
    expect(looks, 'looks at what does not come about').below(200);
    await sleep(50);
  }
}
