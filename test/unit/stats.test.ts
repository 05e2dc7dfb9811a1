import { expect } from 'chai';
import { QUERY_KINDS } from '../../src/query/profiles.js';
import { OPTIMIZATION_NAMES } from '../../src/rollout/flags.js';
import { PASSED_OVER_REASONS } from '../../src/selection/cheapest.js';
import { Slots } from '../../src/slots.js';
import { connectionReports, newCounters, poolerReport } from '../../src/stats.js';

/** Every number of an object, however deep. */
function numbersOf(value: object): unknown[] {
  return Object.values(value).flatMap((each) => (typeof each === 'object' ? numbersOf(each) : [each]));
}

describe('the counters of a pool', () => {
  it('begin at nothing, with a place for each reason, optimisation and kind of query', () => {
    const counters = newCounters();
    expect(new Set(numbersOf(counters))).deep.equal(new Set([0]));
    expect(counters.passedOver).have.all.keys(PASSED_OVER_REASONS);
    expect(counters.takenBack).have.all.keys(OPTIMIZATION_NAMES);
    expect(counters.queries).have.all.keys(QUERY_KINDS);
    expect(counters.circuit).have.all.keys('closed', 'degraded', 'open', 'half_open', 'recovering');
  });

  it('of one pool are none of another’s', () => {
    const counters = newCounters();
    counters.queries.select.runs += 1;
    expect([counters.queries.insert.runs, newCounters().queries.select.runs]).deep.equal([0, 0]);
  });
});

describe('what is told of connections', () => {
  it('is what each has shown, and how old it is once it is open', () => {
    const slots = new Slots<object>();
    const [opening, open] = [slots.add({ takeBack: () => true }, 0), slots.add({ takeBack: () => true }, 0)];
    Object.assign(open, { openedAt: 70, uses: 3 });
    open.track.waited(5);
    expect(connectionReports(slots, 100)).deep.equal([
      { id: 1, uses: 0, ageMs: 0, ...opening.track.report(100) },
      { id: 2, uses: 3, ageMs: 30, ...open.track.report(100) },
    ]);
  });

  it('is what stands before the server now, not what is found out later', () => {
    const pooler = {
      mode: 'unknown' as 'unknown' | 'transaction',
      declared: true,
      preparedStatements: false,
    };
    const report = poolerReport(pooler);
    pooler.mode = 'transaction';
    expect(report).deep.equal({ mode: 'unknown', declared: true, preparedStatements: false });
    expect(poolerReport(undefined)).equal(undefined);
  });
});
