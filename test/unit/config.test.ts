import { expect } from 'chai';
import { optionFaults, quote } from '../../src/config.js';
import { createPool, PoolError } from '../../src/index.js';
import { FakeDriver } from '../simulation/fake-driver.js';
import { VirtualRuntime } from '../simulation/virtual-runtime.js';

function faultsOf(options: unknown): string {
  const runtime = new VirtualRuntime(1);
  try {
    createPool({ driver: new FakeDriver(runtime), runtime, options: options as object });
  } catch (error) {
    expect(error).instanceOf(PoolError);
    expect(error).include({ code: 'INVALID_OPTIONS', phase: 'configure' });
    return (error as Error).message;
  }
  return '';
}

describe('pool options', () => {
  it('are good when left out, and at their bounds', () => {
    expect(faultsOf({})).equal('');
    expect(faultsOf({ min: undefined })).equal('');
    expect(faultsOf({ min: 1, max: 1, lifetimeJitter: 1, maxUses: 0, keepMin: false })).equal('');
  });

  it('give one error that quotes every bad value and says what is allowed', () => {
    const message = faultsOf({
      max: 0,
      min: 'two',
      idleTimeoutMs: -1,
      maxUses: 1.5,
      lifetimeJitter: 1.5,
      keepMin: 'yes',
      maxx: 3,
    });
    expect(message).contain('max must be a whole number of 1 or more, got 0');
    expect(message).contain('min must be a whole number of 0 or more, got "two"');
    expect(message).contain('idleTimeoutMs must be a number of milliseconds of 0 or more, got -1');
    expect(message).contain('maxUses must be a whole number of 0 or more, got 1.5');
    expect(message).contain('lifetimeJitter must be a share from 0 to 1, got 1.5');
    expect(message).contain('keepMin must be true or false, got "yes"');
    expect(message).contain('maxx is not an option (value 3); known are min, max');
    expect(message).match(/^Invalid pool options: max .*; min .*\.$/);
  });

  it('are not quoted where the value may be a secret', () => {
    expect(faultsOf({ password: 'hunter2' })).contain('password is not an option (value hidden)');
  });

  it('must not have min above max, defaults included', () => {
    expect(faultsOf({ min: 3, max: 2 })).contain('min must not be above max, got min 3 and max 2');
    expect(faultsOf({ min: 11 })).contain('got min 11 and max 10');
    expect(faultsOf({ min: 2, max: 1 })).contain('got min 2 and max 1');
    for (const options of [
      { min: 2, max: 0 },
      { min: 'z', max: 2 },
      { min: 3, max: '2' },
    ])
      expect(faultsOf(options), 'one fault is enough').not.contain('above');
  });

  it('refuse what is not a finite number, and inherited names', () => {
    expect(faultsOf({ max: Number.NaN })).contain('got NaN');
    expect(faultsOf({ acquireTimeoutMs: Number.POSITIVE_INFINITY })).contain('got Infinity');
    expect(faultsOf(JSON.parse('{"__proto__": 1, "constructor": 2}'))).contain(
      'constructor is not an option',
    );
  });

  it('refuse what is not an object', () => {
    for (const [options, shown] of [
      [[], 'an array'],
      [null, 'null'],
      ['min=3', '"min=3"'],
      [5, '5'],
    ] as const)
      expect(faultsOf(options)).contain(`options must be an object, got ${shown}`);
  });

  it('are named by where they stand in a configuration', () => {
    expect(optionFaults({ max: 0, maxx: 1, min: -1, keepMin: 1 }, 'pools.a')).have.length(4);
    for (const fault of optionFaults({ max: 0, maxx: 1, min: -1, keepMin: 1 }, 'pools.a'))
      expect(fault).match(/^pools\.a\.(max|maxx|min|keepMin) /);
    expect(optionFaults({ min: 3, max: 2 }, 'pools.a')).deep.equal([
      'pools.a.min must not be above pools.a.max, got min 3 and max 2',
    ]);
    expect(optionFaults(7, 'pools.a')).deep.equal(['pools.a must be an object, got 7']);
  });
});

describe('a value in a message', () => {
  const shown: [value: unknown, as: string][] = [
    ['x'.repeat(60), `"${'x'.repeat(60)}"`],
    ['x'.repeat(61), `"${'x'.repeat(60)}…"`],
    ['postgres://me:secret@host/a', 'a URL with a login'],
    ['postgres://host/a', '"postgres://host/a"'],
    ['me@host', '"me@host"'],
    ['a://b\n@c', 'a URL with a login'],
    [[1], 'an array'],
    [{ a: 1 }, 'an object'],
    [{ toString: () => 'a://b@c' }, 'an object'],
    [null, 'null'],
    [undefined, 'undefined'],
    [() => 1, 'a function'],
    [Object.assign(() => 1, { toString: () => 'a://b@c' }), 'a function'],
    [true, 'true'],
    [1.5, '1.5'],
  ];
  for (const [value, as] of shown) it(`is ${as}`, () => expect(quote(value)).equal(as));
});
