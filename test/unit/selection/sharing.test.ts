import { expect } from 'chai';
import { classify } from '../../../src/query/classify.js';
import { QueryProfiles } from '../../../src/query/profiles.js';
import { Statements } from '../../../src/query/statements.js';
import { barrierOf, LatestLeast, SharingProfile } from '../../../src/selection/sharing.js';

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
    expect(barrier('update t set x = 1')).equal('writes');
    expect(barrier('with n as (select 1) insert into t select * from n')).equal('writes');
    expect(barrier('with n as (delete from t returning x) select * from n')).equal('may_write');
    expect(barrier('truncate t')).equal('may_write');
    expect(barrier('call p()')).equal('may_write');
    expect(barrier('select my_function()')).equal('may_write');
    expect(barrier('select 1 from t for update')).equal('may_write');
  });

  it('is one that writes rows where its user lets it', () => {
    const profileOf = (sql: string) => {
      const profile = new SharingProfile(barrier(sql));
      for (let run = 0; run < 8; run += 1) profile.learnAlone(0.3);
      return profile;
    };
    expect(profileOf('insert into t values ($1)').whyAlone(ROUND_TRIP_MS)).equal('writes');
    expect(profileOf('insert into t values ($1)').whyAlone(ROUND_TRIP_MS, true)).equal(undefined);
    expect(profileOf('select my_function()').whyAlone(ROUND_TRIP_MS, true)).equal('may_write');
    expect(profileOf('commit').whyAlone(ROUND_TRIP_MS, true)).equal('may_write');
    expect(profileOf("set search_path = 'x'").whyAlone(ROUND_TRIP_MS, true)).equal('session_state');
  });

  it('has shown on connections of its own that it is short', () => {
    expect(new SharingProfile(undefined).whyAlone(ROUND_TRIP_MS)).equal('not_learned');
    expect(learned(0.3, 7).whyAlone(ROUND_TRIP_MS)).equal('not_learned');
    expect(learned(0.3).whyAlone(ROUND_TRIP_MS)).equal(undefined);
    expect(learned(5).whyAlone(ROUND_TRIP_MS)).equal('takes_too_long');
    expect(learned(20).whyAlone(ROUND_TRIP_MS)).equal('takes_too_long');
    expect(learned(21).whyAlone(ROUND_TRIP_MS), 'slow runs show nothing').equal('not_learned');
  });

  it('costs what it takes beyond the way there and back, or what a shared connection took for each', () => {
    expect(learned(0.8).costMs(ROUND_TRIP_MS)).closeTo(0.6, 1e-9);
    const profile = learned(0.6);
    expect(profile.costMs(ROUND_TRIP_MS), 'while it is not known for sure').equal(0.5);
    for (let run = 0; run < 8; run += 1) profile.learnShared(0.1, true);
    expect(profile.costMs(ROUND_TRIP_MS)).closeTo(0.1, 1e-9);
    for (let run = 0; run < 31; run += 1) profile.learnShared(0.05, true);
    expect(profile.costMs(ROUND_TRIP_MS), 'until as many were averaged again').closeTo(0.1, 1e-9);
    profile.learnShared(0.05, true);
    expect(profile.costMs(ROUND_TRIP_MS)).closeTo(0.05, 1e-9);
  });

  it('shows what it costs when it is sent behind another only: else the way there and back is in it', () => {
    const profile = learned(0.6);
    for (let run = 0; run < 100; run += 1) profile.learnShared(0.6, false);
    expect(profile.costMs(ROUND_TRIP_MS)).equal(0.5);
  });

  it('is moved out when it turns out to take long, though all that the pool asks takes as long', () => {
    const profile = learned(5);
    expect(profile.whyAlone(5), 'there is nothing shorter').equal(undefined);
    const moved = Array.from({ length: 8 }, () => profile.learnShared(5, true));
    expect(moved.indexOf(true)).equal(7);
    expect(profile.whyAlone(5)).equal('not_learned');
    const short = Array.from({ length: 8 }, () => learned(5).learnShared(0.5, true));
    expect(short).not.include(true);
  });

  for (const [servedMs, most] of [
    [0.6, 256],
    [5, 40],
    [15, 32],
  ] as const) {
    it(`is moved out when ${most} have taken ${servedMs} ms each, however many were short, and stays by what it takes alone`, () => {
      const profile = learned(0.3);
      for (let run = 0; run < 10_000; run += 1) profile.learnShared(0.1, true);
      expect(profile.whyAlone(ROUND_TRIP_MS)).equal(undefined);
      let statements = 1;
      while (!profile.learnShared(servedMs, true)) statements += 1;
      expect(statements).at.most(most);
      for (let run = 0; run < 16; run += 1) profile.learnAlone(servedMs + ROUND_TRIP_MS);
      expect(profile.whyAlone(ROUND_TRIP_MS)).equal('takes_too_long');
      profile.learnAlone(0.3);
      expect(profile.whyAlone(ROUND_TRIP_MS), 'until one is short again').equal(undefined);
    });
  }

  it('is moved out once, whatever those take that were in flight', () => {
    const profile = learned(0.3);
    for (let run = 0; run < 1_000; run += 1) profile.learnShared(0.1, true);
    const moved = Array.from({ length: 200 }, () => profile.learnShared(5, true));
    expect(moved.filter(Boolean)).length(1);
    let runs = 0;
    for (; profile.whyAlone(ROUND_TRIP_MS) === 'not_learned'; runs += 1) profile.learnAlone(0.3);
    expect(runs).equal(16);
  });

  it('loses some of what it has learned by a slow one, not all', () => {
    const profile = learned(0.3, 8);
    for (let times = 0; times < 8; times += 1) {
      for (const _slow of [1, 2, 3]) profile.foundSlow();
      for (let run = 0; run < 4_096; run += 1) profile.learnAlone(0.3);
    }
    for (const _slow of [1, 2, 3]) profile.foundSlow();
    for (let run = 0; run < 4_000; run += 1) profile.learnAlone(0.3);
    profile.foundSlow();
    let runs = 0;
    for (; profile.whyAlone(ROUND_TRIP_MS) === 'not_learned'; runs += 1) profile.learnAlone(0.3);
    expect(runs).equal(4_096 - 4_000 + 512);
  });

  it('stays for moments in which all stand still', () => {
    const profile = learned(0.3);
    for (let turn = 0; turn < 20; turn += 1) {
      for (let run = 0; run < 256; run += 1) profile.learnShared(0.1, true);
      // One on each of ten connections.
      const moved = Array.from({ length: 10 }, () => profile.learnShared(100, true));
      expect(moved).not.include(true);
    }
  });

  it('is moved out when one in twenty takes so long that the average is, though many in a row are short', () => {
    const profile = learned(0.3);
    let moved = false;
    for (let run = 0; run < 2_000 && !moved; run += 1) {
      // None in every third hundred.
      const isLong = run % 20 === 19 && Math.floor(run / 100) % 3 !== 2;
      moved = profile.learnShared(isLong ? 18 : 0.05, true);
    }
    expect(moved).equal(true);
  });

  it('is moved out by the third slow one, for twice as long each time, and for less once it has shared well', () => {
    const moveOut = (profile: SharingProfile) =>
      expect([1, 2, 3].map(() => profile.foundSlow())).deep.equal([false, false, true]);
    const runsToReturn = (profile: SharingProfile) => {
      let runs = 0;
      for (; profile.whyAlone(ROUND_TRIP_MS) === 'not_learned'; runs += 1) profile.learnAlone(0.3);
      return runs;
    };
    const profile = learned(0.3);
    moveOut(profile);
    expect(runsToReturn(profile)).equal(16);
    moveOut(profile);
    expect(runsToReturn(profile)).equal(32);
    for (let run = 0; run < 512; run += 1) profile.learnShared(0.1, true);
    moveOut(profile);
    expect(runsToReturn(profile)).equal(32);
    for (let run = 0; run < 512; run += 1) expect(profile.learnShared(21, false)).equal(false);
    moveOut(profile);
    expect(runsToReturn(profile), 'slow runs are no sharing well').equal(64);
  });

  it('has the slow ones remembered through hundreds of good runs', () => {
    const profile = learned(0.3);
    const found = Array.from({ length: 4 }, () => {
      for (let run = 0; run < 100; run += 1) profile.learnShared(0.1, true);
      return profile.foundSlow();
    });
    expect(found).deep.equal([false, false, false, true]);
  });

  it('stays for slow ones that are few and far between', () => {
    const profile = learned(0.3);
    for (let slow = 0; slow < 10; slow += 1) {
      expect(profile.foundSlow()).equal(false);
      for (let run = 0; run < 512; run += 1) profile.learnShared(0.1, true);
    }
  });

  it('begins to learn anew with a slow one', () => {
    const profile = learned(0.3, 7);
    expect(profile.foundSlow()).equal(false);
    profile.learnAlone(0.3);
    expect(profile.whyAlone(ROUND_TRIP_MS)).equal('not_learned');
  });

  it('runs alone now and then, so that its time stays known', () => {
    const profile = learned(0.3);
    const reasons = Array.from({ length: 256 }, () => profile.whyAlone(ROUND_TRIP_MS));
    expect(reasons.filter((reason) => reason === 'probe')).have.length(2);
  });
});

describe('the least of the latest values', () => {
  it('is that of the window at hand and the one before', () => {
    const least = new LatestLeast(3);
    const after = (value: number) => {
      least.record(value);
      return least.value;
    };
    expect(least.value).equal(Number.POSITIVE_INFINITY);
    expect([5, 1, 7].map(after)).deep.equal([5, 1, 1]);
    expect([8, 6, 9].map(after)).deep.equal([1, 1, 1]);
    expect([9, 9, 9].map(after), 'the first window is forgotten').deep.equal([6, 6, 6]);
    expect([4].map(after)).deep.equal([4]);
  });
});

describe('the statements of a pool', () => {
  const READ = 'select 1 from t where id = $1';

  it('are moved out for one that was slow among quick ones, not for a moment in which all were', () => {
    const statements = new Statements(new QueryProfiles(), 'postgresql');
    const read = statements.of(READ)!;
    const learn = (runs: number, tookMs: number) => {
      for (let run = 0; run < runs; run += 1) statements.learnAlone(read, tookMs, false);
    };
    const mayShare = () => read.sharing.whyAlone(statements.roundTripMs) === undefined;
    learn(20, 0.3);
    expect(mayShare()).equal(true);
    learn(10, 400);
    learn(8, 0.3);
    expect(mayShare(), 'after a moment in which the machine stood still').equal(true);
    for (let slow = 0; slow < 3; slow += 1) {
      learn(1, 400);
      learn(10, 0.3);
    }
    learn(2, 0.3);
    expect(mayShare()).equal(false);
    expect(statements.counters.movedOut).equal(1);
  });

  it('come to share under a load that makes each of them wait for the machine now and then', () => {
    const statements = new Statements(new QueryProfiles(), 'postgresql');
    const read = statements.of(READ)!;
    for (let burst = 0; burst < 4; burst += 1) {
      for (let run = 0; run < 10; run += 1) statements.learnAlone(read, 25 + run, false);
      for (let run = 0; run < 5; run += 1) statements.learnAlone(read, 0.3, false);
    }
    expect(read.sharing.whyAlone(statements.roundTripMs)).equal(undefined);
  });

  it('know the shortest time in which anything was answered', () => {
    const statements = new Statements(new QueryProfiles(), 'postgresql');
    expect(statements.roundTripMs).equal(Number.POSITIVE_INFINITY);
    for (const tookMs of [0.3, 0.2, 0.4]) statements.learnAlone(statements.of(READ)!, tookMs, false);
    expect(statements.roundTripMs).equal(0.2);
  });

  it('lose the name that made them slower, and that is counted', () => {
    const statements = new Statements(new QueryProfiles(), 'postgresql');
    const read = statements.of(READ)!;
    for (let run = 0; run < 6; run += 1) read.preparation.next();
    for (let pair = 0; pair < 15; pair += 1) {
      statements.learnAlone(read, 3, true);
      statements.learnAlone(read, 1, false);
    }
    expect(statements.counters.unprepared).equal(0);
    statements.learnAlone(read, 3, true);
    statements.learnAlone(read, 1, false);
    expect(statements.counters.unprepared).equal(1);
  });

  it('are moved out of shared connections where they take long there, and where one falls silent again and again', () => {
    const movedOutBy = (servedMs: number, isService: boolean, fellSilent: boolean) => {
      const statements = new Statements(new QueryProfiles(), 'postgresql');
      const read = statements.of(READ)!;
      for (let run = 0; run < 20; run += 1) statements.learnAlone(read, 0.3, false);
      for (let run = 0; run < 8; run += 1) {
        statements.learnShared(read, servedMs, isService, fellSilent);
        for (let quick = 0; quick < 20; quick += 1) statements.learnShared(read, 0.1, false, false);
      }
      return statements.counters.movedOut;
    };
    expect(movedOutBy(5, true, false)).equal(1);
    expect(movedOutBy(5, false, false), 'the way there and back is in it').equal(0);
    expect(movedOutBy(400, false, true)).equal(1);
    expect(movedOutBy(400, false, false), 'the event loop stood still').equal(0);
    expect(movedOutBy(10, false, true), 'it was not slow').equal(0);
  });

  it('are asked for by their text, which keeps their profile from being forgotten', () => {
    const profiles = new QueryProfiles();
    const statements = new Statements(profiles, 'postgresql');
    const read = statements.of(READ)!;
    for (let number = 1; number < 512; number += 1) profiles.ofType(`${number}`);
    expect(statements.of(READ)).equal(read);
    profiles.ofType('newcomer');
    expect(read.profile.forgotten).equal(false);
  });

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
    const ofLength = (length: number) => statements.of(`select '${'x'.repeat(length - 9)}'`);
    expect([ofLength(8_192)?.text.length, ofLength(8_193)]).deep.equal([8_192, undefined]);
    for (let table = 0; table < 512; table += 1) statements.of(`select 1 from t${table}`);
    for (let table = 0; table < 512; table += 1) statements.of(`select 1 from t${table}`);
    expect(statements.of('select 1 from one_too_many')).equal(undefined);
  });
});
