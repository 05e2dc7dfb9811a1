import { expect } from 'chai';
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
  it('are good when left out', () => {
    expect(faultsOf({})).equal('');
    expect(faultsOf({ min: undefined })).equal('');
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
  });

  it('are not quoted where the value may be a secret', () => {
    expect(faultsOf({ password: 'hunter2' })).contain('password is not an option (value hidden)');
  });

  it('must not have min above max, defaults included', () => {
    expect(faultsOf({ min: 3, max: 2 })).contain('min must not be above max, got min 3 and max 2');
    expect(faultsOf({ min: 11 })).contain('got min 11 and max 10');
  });

  it('refuse what is not a finite number, and inherited names', () => {
    expect(faultsOf({ max: Number.NaN })).contain('got NaN');
    expect(faultsOf({ acquireTimeoutMs: Number.POSITIVE_INFINITY })).contain('got Infinity');
    expect(faultsOf(JSON.parse('{"__proto__": 1, "constructor": 2}'))).contain(
      'constructor is not an option',
    );
  });

  it('refuse what is not an object', () => {
    expect(faultsOf([])).contain('options must be an object, got an array');
  });
});
