import { expect } from 'chai';
import { classify } from '../../../src/query/classify.js';
import { QueryProfiles } from '../../../src/query/profiles.js';
import { Statements } from '../../../src/query/statements.js';
import { barrierOf, SharingProfile } from '../../../src/selection/sharing.js';

const barrier = (sql: string) => barrierOf(classify(sql, 'postgresql'));
const ROUND_TRIP_MS = 0.2;

/** One that has shown in `runs` runs of its own that it takes `heldMs`. */
function learned(heldMs: number, runs = 8): SharingProfile {
  const profile = new SharingProfile(undefined);
  for (let run = 0; run < runs; run += 1) profile.learnAlone(heldMs);
  return profile;
}

describe('what may share a connection', () => {
  it('is a single statement that only reads and leaves nothing behind', () => {
    expect(barrier('select 1 from t where id = $1')).equal(undefined);
    expect(barrier('select 1; select 2')).equal('several_statements');
    expect(barrier("set search_path = 'x'")).equal('session_state');
    expect(barrier('update t set x = 1')).equal('may_write');
    expect(barrier('select my_function()')).equal('may_write');
    expect(barrier('select 1 from t for update')).equal('may_write');
  });

  it('has shown on connections of its own that it is short', () => {
    expect(new SharingProfile(undefined).whyAlone(ROUND_TRIP_MS)).equal('not_learned');
    expect(learned(0.3, 7).whyAlone(ROUND_TRIP_MS)).equal('not_learned');
    expect(learned(0.3).whyAlone(ROUND_TRIP_MS)).equal(undefined);
    expect(learned(5).whyAlone(ROUND_TRIP_MS)).equal('takes_too_long');
  });

  it('costs what it takes beyond the way there and back, or what a shared connection took for each', () => {
    const profile = learned(0.6);
    expect(profile.costMs(ROUND_TRIP_MS)).closeTo(0.4, 1e-9);
    for (let run = 0; run < 32; run += 1) profile.learnShared(0.1);
    expect(profile.costMs(ROUND_TRIP_MS)).closeTo(0.1, 1e-9);
  });

  it('is moved out by a very slow one at once, by slow ones at the third, and for twice as long each time', () => {
    const profile = learned(0.3);
    expect(profile.learnShared(200)).equal(true);
    expect(profile.whyAlone(ROUND_TRIP_MS)).equal('not_learned');
    for (let run = 0; run < 15; run += 1) profile.learnAlone(0.3);
    expect(profile.whyAlone(ROUND_TRIP_MS)).equal('not_learned');
    profile.learnAlone(0.3);
    expect(profile.whyAlone(ROUND_TRIP_MS)).equal(undefined);
    expect([30, 30, 30].map((servedMs) => profile.learnShared(servedMs))).deep.equal([false, false, true]);
  });

  it('runs alone now and then, so that its time stays known', () => {
    const profile = learned(0.3);
    const reasons = Array.from({ length: 256 }, () => profile.whyAlone(ROUND_TRIP_MS));
    expect(reasons.filter((reason) => reason === 'probe')).have.length(2);
  });
});

describe('the statements of a pool', () => {
  it('of one fingerprint share what they have shown, and each text its name', () => {
    const statements = new Statements(new QueryProfiles(), 'postgresql');
    const [one, other] = [
      statements.of('select 1 from t where id = 1')!,
      statements.of('select 1 from t where id = 2')!,
    ];
    expect(one.sharing).equal(other.sharing);
    expect(one.preparation.key).not.equal(other.preparation.key);
    expect(statements.of('select 1 from t where id = 1')).equal(one);
  });

  it('that are too long, or come when there is no room for another fingerprint, are not known', () => {
    const statements = new Statements(new QueryProfiles(), 'postgresql');
    expect(statements.of(`select '${'x'.repeat(10_000)}'`)).equal(undefined);
    for (let table = 0; table < 512; table += 1) statements.of(`select 1 from t${table}`);
    for (let table = 0; table < 512; table += 1) statements.of(`select 1 from t${table}`);
    expect(statements.of('select 1 from one_too_many')).equal(undefined);
  });
});
