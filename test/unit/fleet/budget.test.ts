import { expect } from 'chai';
import { budgetFaults, resolveBudget, staticShare } from '../../../src/fleet/budget.js';
import { PoolError } from '../../../src/index.js';

const faultsOf = (given: unknown) => budgetFaults(given, 'fleet');

describe('the budget of a fleet', () => {
  it('has leases of ten seconds where nothing else is said', () => {
    expect(resolveBudget({ maxConnections: 20, members: 4 }).leaseMs).equal(10_000);
    expect(resolveBudget({ maxConnections: 20, members: 4, leaseMs: 500 }).leaseMs).equal(500);
  });

  it('must be an object with the two numbers that nobody can guess', () => {
    for (const [given, shown] of [
      [undefined, 'undefined'],
      [null, 'null'],
      [[], 'an array'],
      [20, '20'],
    ] as const) {
      expect(faultsOf(given)).deep.equal([`fleet must be an object, got ${shown}`]);
    }
    expect(faultsOf({})).deep.equal([
      'fleet.maxConnections must be a whole number of 1 or more, got undefined',
      'fleet.members must be a whole number of 1 or more, got undefined',
    ]);
  });

  it('tells all that is wrong at once', () => {
    const faults = faultsOf({ maxConnections: 0, members: 1.5, leaseMs: 499, leases: {}, share: undefined });
    expect(faults).deep.equal([
      'fleet.leases is not known (value an object); known are maxConnections, members, leaseMs',
      'fleet.maxConnections must be a whole number of 1 or more, got 0',
      'fleet.members must be a whole number of 1 or more, got 1.5',
      'fleet.leaseMs must be a number of milliseconds of 500 or more, got 499',
    ]);
    expect(budgetFaults({ maxConnections: 4, members: 4, leases: {} }, 'fleet', ['leases'])).deep.equal([]);
  });

  it('has a connection for each member', () => {
    expect(faultsOf({ maxConnections: 4, members: 4 })).deep.equal([]);
    expect(faultsOf({ maxConnections: 3, members: 4 })).deep.equal([
      'fleet.maxConnections must not be below fleet.members, for each needs a connection: got 3 and 4',
    ]);
  });

  it('that is wrong is an error', () => {
    expect(() => resolveBudget({ maxConnections: 3, members: 4 })).to.throw(
      PoolError,
      'Invalid pool options',
    );
  });

  it('is in equal parts while nobody can be asked, and the rest is nobody’s', () => {
    expect(staticShare(resolveBudget({ maxConnections: 22, members: 4 }))).equal(5);
  });
});
