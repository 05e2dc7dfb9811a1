import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { checkConfig, checkedOrThrow } from '../../instrumentation/config.js';
import { isSwitchedOff, readEnvironment } from '../../instrumentation/environment.js';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';
import { PoolError } from '../../src/index.js';

const broken = {
  libraries: ['pg', 'oracle'],
  options: { max: 0, min: '3', acquireTimeoutMs: -1, size: 4 },
  optimizations: { lanes: 'maybe', telepathy: 'on' },
  pools: 'orders',
  telemetry: { acquireSpans: 'often', metrics: 1 },
  compatibility: 'lenient',
  fleet: { maxConnections: 0, members: '9', leaseMs: 5, redis: 'http://:hunter2@redis', name: '', shards: 2 },
  turbo: true,
};

describe('the configuration', () => {
  it('is refused with one error that names every fault and quotes each value', () => {
    let error: unknown;
    try {
      new EnhancedPoolInstrumentation(broken as never);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).to.be.instanceOf(PoolError).with.property('code', 'INVALID_OPTIONS');
    const { message } = error as Error;
    for (const part of [
      'libraries must be a list of "pg", "mysql2", "knex", got "oracle"',
      'options.max must be a whole number of 1 or more, got 0',
      'options.min must be a whole number of 0 or more, got "3"',
      'options.acquireTimeoutMs must be a number of milliseconds of 0 or more, got -1',
      'options.size is not an option (value 4)',
      'optimizations.lanes must be one of "off", "shadow", "on", "auto", got "maybe"',
      'optimizations.telepathy is not known (value "on")',
      'pools must be a function, got "orders"',
      'telemetry.acquireSpans must be one of "waited", "all", "none", got "often"',
      'telemetry.metrics must be true or false, got 1',
      'compatibility must be "enhanced", "strict" or an object, got "lenient"',
      'fleet.maxConnections must be a whole number of 1 or more, got 0',
      'fleet.members must be a whole number of 1 or more, got "9"',
      'fleet.leaseMs must be a number of milliseconds of 500 or more, got 5',
      'fleet.redis must be a URL that begins with redis:// or rediss://, or a client of the package redis',
      'fleet.name must be a string that is not empty, got ""',
      'fleet.shards is not known (value 2)',
      'turbo is not known (value true)',
    ]) {
      expect(message).to.include(part);
    }
    expect(message).not.to.include('hunter2');
  });

  it('is refused when its parts contradict one another', () => {
    const { faults } = checkConfig({
      options: { min: 5, max: 3, keepMin: true, checkAfterIdleMs: 100 },
      compatibility: 'strict',
    });
    expect(checkConfig({ fleet: { maxConnections: 4, members: 5 } }).faults.join()).to.include('got 4 and 5');
    expect(faults).to.have.length(3);
    expect(faults.join()).to.include('got min 5 and max 3').and.include('keepMin').and.include('got 100');
  });

  it('may ask for a min beyond the default max, for the native pool has its own', () => {
    expect(checkConfig({ options: { min: 30 } }).faults).to.deep.equal([]);
  });

  it('accepts a good one as it is', () => {
    const good = {
      libraries: ['pg'],
      options: { min: 1, max: 5 },
      optimizations: { lanes: 'shadow' },
      telemetry: { requireParentSpan: false },
      fleet: { maxConnections: 90, members: 50, redis: 'rediss://user:secret@cache:6380/1', name: 'orders' },
      compatibility: { minKeptFilled: false },
    };
    expect(checkedOrThrow(good)).to.deep.equal(good);
  });

  it('never has a URL with a login quoted, wherever it stands', () => {
    const url = 'redis://:hunter2/@cache';
    const misplaced: unknown[] = [
      { fleet: url },
      { fleet: { maxConnections: url } },
      { telemetry: { endpoint: url } },
    ];
    for (const config of misplaced)
      expect(checkConfig(config).faults.join()).to.include('a URL with a login').and.not.include('hunter2');
  });

  it('cannot pollute a prototype', () => {
    const { good, faults } = checkConfig(
      JSON.parse('{"__proto__": {"polluted": 1}, "options": {"__proto__": {"max": 1}, "constructor": 2}}'),
    );
    expect(faults).to.have.length(3);
    expect(({} as Record<string, unknown>).polluted).to.equal(undefined);
    expect(Object.getPrototypeOf(good.options ?? {})).to.equal(Object.prototype);
    expect(Object.keys(good.options ?? {})).to.deep.equal([]);
  });
});

describe('the environment', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'enhanced-pool-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  function fileOf(text: string): string {
    const path = join(folder, 'config.json');
    writeFileSync(path, text);
    return path;
  }

  it('gives flags by name', () => {
    const { good, faults } = readEnvironment({ ENHANCED_POOL_OPTIMIZATIONS: 'lanes=shadow, affinity=off' });
    expect(faults).to.deep.equal([]);
    expect(good.optimizations).to.deep.equal({ lanes: 'shadow', affinity: 'off' });
  });

  it('gives a configuration by a file, and flags stand above it', () => {
    const { good, faults } = readEnvironment({
      ENHANCED_POOL_CONFIG: fileOf('{"options": {"max": 7}, "optimizations": {"lanes": "on"}}'),
      ENHANCED_POOL_OPTIMIZATIONS: 'lanes=off',
    });
    expect(faults).to.deep.equal([]);
    expect(good.options).to.deep.equal({ max: 7 });
    expect(good.optimizations).to.deep.equal({ lanes: 'off' });
  });

  it('has its faults told and its good parts kept', () => {
    const { good, faults } = readEnvironment({
      ENHANCED_POOL_CONFIG: fileOf('{"options": {"max": 0, "maxUses": 9}, "what": 1}'),
      ENHANCED_POOL_OPTIMIZATIONS: 'lanes=shadow,affinity,warp=on',
      ENHANCED_POOL_ENABLED: 'perhaps',
    });
    expect(good.options).to.deep.equal({ maxUses: 9 });
    expect(good.optimizations).to.deep.equal({ lanes: 'shadow' });
    expect(faults).to.have.length(5);
    expect(faults.join('\n')).to.include('"perhaps"').and.include('"affinity"').and.include('warp');
  });

  it('never quotes a file that is not JSON', () => {
    const { faults } = readEnvironment({ ENHANCED_POOL_CONFIG: fileOf('password=s3cret') });
    expect(faults).to.have.length(1);
    expect(faults[0]).to.include('is not JSON').and.not.include('s3cret');
  });

  it('may name a file that is not there', () => {
    expect(readEnvironment({ ENHANCED_POOL_CONFIG: join(folder, 'none') }).faults[0]).to.include('ENOENT');
  });

  it('gives a budget to share, and never quotes where Redis is', () => {
    const redis = 'redis://:hunter2@cache:6379';
    const given = readEnvironment({
      ENHANCED_POOL_FLEET: 'maxConnections=90, members=50,leaseMs=5000,name=7',
      ENHANCED_POOL_FLEET_REDIS: redis,
    });
    expect(given.faults).to.deep.equal([]);
    expect(given.good.fleet).to.deep.equal({
      maxConnections: 90,
      members: 50,
      leaseMs: 5_000,
      name: '7',
      redis,
    });
    const { good, faults } = readEnvironment({
      ENHANCED_POOL_FLEET: 'maxConnections=many,members,leaseMs=5000',
      ENHANCED_POOL_FLEET_REDIS: 'htp://:hunter2@cache',
    });
    expect(good.fleet).to.equal(undefined);
    expect(faults.join('\n'))
      .to.include('got "many"')
      .and.include('got "members"')
      .and.include('fleet.redis');
    expect(faults.join('\n')).not.to.include('hunter2');
    for (const misplaced of [
      'redis=redis://:hunter2=@cache',
      'redis=htp://:hunter2@cache',
      'hunter2@cache=1',
    ])
      expect(readEnvironment({ ENHANCED_POOL_FLEET: `members=50,${misplaced}` }).faults.join('\n'))
        .to.include('ENHANCED_POOL_FLEET')
        .and.not.include('hunter2');
    expect(readEnvironment({ ENHANCED_POOL_FLEET_REDIS: redis }).faults).to.deep.equal([
      'ENHANCED_POOL_FLEET_REDIS does nothing without ENHANCED_POOL_FLEET',
    ]);
  });

  it('switches everything off', () => {
    expect(isSwitchedOff({ ENHANCED_POOL_ENABLED: 'false' })).to.equal(true);
    expect(isSwitchedOff({ ENHANCED_POOL_ENABLED: 'true' })).to.equal(false);
    expect(isSwitchedOff({})).to.equal(false);
  });
});
