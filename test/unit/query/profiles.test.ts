import { expect } from 'chai';
import { createPool, fingerprint, type OptimizationFlags } from '../../../src/index.js';
import { QueryProfiles } from '../../../src/query/profiles.js';
import { everyFlag } from '../../../src/rollout/flags.js';
import { FakeDriver } from '../../simulation/fake-driver.js';
import { VirtualRuntime } from '../../simulation/virtual-runtime.js';

const byId = (id: number) => `SELECT name FROM item WHERE id = ${id}`;
const ofTable = (table: number) => `SELECT name FROM item_${table}`;

describe('query profiles', () => {
  it('are shared by all texts of one fingerprint and by nothing else', () => {
    const profiles = new QueryProfiles();
    const profile = profiles.of(byId(1), 'postgresql');
    expect(profiles.of(byId(2), 'postgresql')).equal(profile);
    expect(profiles.of(byId(1), 'postgresql')).equal(profile);
    expect(profiles.of(byId(1), 'mysql')).not.equal(profile);
    expect(profiles.of(ofTable(1), 'postgresql')).not.equal(profile);
    expect(profile.classification?.readOnly).equal('yes');
  });

  it('go by what the caller says where there is no text', () => {
    const profiles = new QueryProfiles();
    expect(profiles.ofHint(undefined)).equal(profiles.session);
    expect(profiles.ofHint({ readOnly: true })).equal(profiles.session);
    expect(profiles.ofHint({ sql: byId(1), requiresTransaction: true })).equal(profiles.session);
    expect(profiles.ofHint({ queryType: 'report' })).equal(profiles.ofType('report'));
    expect(profiles.ofHint({ sql: byId(1), queryType: 'report' })).equal(profiles.of(byId(2), 'postgresql'));
  });

  it('learn how long a query takes, and forget how long it took', () => {
    const profiles = new QueryProfiles();
    const profile = profiles.of(byId(1), 'postgresql');
    for (const heldMs of [1, 2, 3]) profile.learn(heldMs, 'ok');
    expect(profile.meanMs).closeTo(2, 1e-9);
    expect(profile.typicalMs).closeTo(6 ** (1 / 3), 1e-9);
    expect(profile.longestMs).equal(3);
    profile.learn(1_000, 'ok');
    expect(profile.longestMs).equal(1_000);
    profile.learn(5, 'ok');
    expect(profile.longestMs).closeTo(5 + 995 * 0.98, 1e-9);
    for (let run = 0; run < 400; run += 1) profile.learn(5, 'ok');
    expect(profile.meanMs).closeTo(5, 0.1);
    expect(profile.longestMs).closeTo(5, 1);
  });

  it('learn no duration from a run that failed early, but that it failed', () => {
    const profile = new QueryProfiles().ofType('report');
    profile.learn(100, 'ok');
    profile.learn(1, 'failed');
    expect(profile.meanMs).equal(100);
    expect(profile).include({ runs: 2, failures: 1 });
    expect(profile.failureRate).closeTo(0.5, 1e-9);
    profile.learn(300, 'failed');
    expect(profile.meanMs, 'it timed out').above(100);
    expect(profile.failureRate).closeTo(2 / 3, 1e-9);
  });

  it('tell what a query usually takes as it was up to half a minute ago', () => {
    const profile = new QueryProfiles().ofType('report');
    expect(profile.typicalMs).equal(0);
    profile.learn(10, 'ok');
    expect(profile.usualMs(1_000)).closeTo(10, 1e-9);
    for (let run = 0; run < 1_000; run += 1) profile.learn(40, 'ok');
    expect([30_999, 31_000].map((now) => Math.round(profile.usualMs(now)))).deep.equal([10, 40]);
    for (let run = 0; run < 1_000; run += 1) profile.learn(90, 'ok');
    expect([60_999, 61_000].map((now) => Math.round(profile.usualMs(now)))).deep.equal([40, 90]);
  });

  it('are of a kind by the first word of their text', () => {
    const profiles = new QueryProfiles();
    const kinds = {
      'SELECT 1': 'select',
      'INSERT INTO t VALUES (1)': 'insert',
      'UPDATE t SET a = 1': 'update',
      'DELETE FROM t': 'delete',
      'TRUNCATE t': 'other',
    };
    for (const [sql, kind] of Object.entries(kinds))
      expect(profiles.of(sql, 'postgresql').kind, sql).equal(kind);
    expect([profiles.session.kind, profiles.other.kind, profiles.ofType('report').kind]).deep.equal([
      'session',
      'other',
      'other',
    ]);
  });

  it('are told by the time that they took together, without their texts', () => {
    const profiles = new QueryProfiles();
    for (let run = 0; run < 3; run += 1) profiles.of(byId(run), 'postgresql').learn(2, 'ok');
    profiles.session.learn(5, 'failed');
    profiles.ofType('report').learn(100, 'ok');
    profiles.of(ofTable(1), 'postgresql');
    const [report, item, session, ...others] = profiles.costliest(9);
    expect(report).include({ fingerprint: 'report', summary: undefined, totalMs: 100, longestMs: 100 });
    expect(item).deep.equal({
      fingerprint: fingerprint(byId(1), 'postgresql'),
      summary: 'SELECT item',
      runs: 3,
      failures: 0,
      failureRate: 0,
      meanMs: 2,
      longestMs: 2,
      totalMs: 6,
      lane: 'fast',
    });
    expect(session).include({ fingerprint: 'session', runs: 1, failures: 1, failureRate: 1 });
    expect(others, 'that never ran').deep.equal([]);
    expect(profiles.costliest(1)).deep.equal([report]);
    profiles.other.learn(1_000, 'ok');
    expect(profiles.costliest(1)[0]!.fingerprint).equal('_other');
  });

  it('stay within their bound, keep those that are asked for, and share the rest', () => {
    const profiles = new QueryProfiles();
    const wanted = profiles.of(ofTable(0), 'postgresql');
    for (let table = 1; table < 5_000; table += 1) {
      profiles.of(ofTable(table), 'postgresql');
      profiles.of(ofTable(0), 'postgresql');
    }
    expect(profiles.size).at.most(512);
    expect(profiles.of(ofTable(0), 'postgresql')).equal(wanted);
    for (let table = 0; table < 512; table += 1) profiles.of(ofTable(table), 'postgresql');
    for (const profile of profiles) profile.wanted = true;
    expect(profiles.of(ofTable(100_000), 'postgresql')).equal(profiles.other);
  });

  it('forget one for a newcomer where nobody asked for it since the last look, and one at a time', () => {
    const profiles = new QueryProfiles();
    const all = Array.from({ length: 512 }, (_, number) => profiles.ofType(`old ${number}`));
    expect(profiles.ofType('first newcomer')).not.equal(profiles.other);
    expect(all.map(({ forgotten }) => forgotten).indexOf(false)).equal(1);

    expect(profiles.ofType('old 1')).equal(all[1]);
    expect(profiles.ofType('second newcomer'), 'this one was wanted').equal(profiles.other);
    expect(profiles.ofType('second newcomer')).not.equal(profiles.other);
    expect(all[1]!.forgotten).equal(false);
    expect(profiles.ofType('old 1')).equal(all[1]);
    expect(all[2]!.forgotten).equal(true);
  });

  it('forget one that was wanted when all were looked at and nobody has asked since', () => {
    const profiles = new QueryProfiles();
    const ask = () => Array.from({ length: 512 }, (_, number) => profiles.ofType(`old ${number}`));
    ask();
    const [first] = ask();
    for (let newcomer = 0; newcomer < 512; newcomer += 1)
      expect(profiles.ofType(`newcomer ${newcomer}`)).equal(profiles.other);
    expect(profiles.ofType('one more')).not.equal(profiles.other);
    expect(first!.forgotten).equal(true);
  });

  it('give a forgotten query a new start, though its text is remembered', () => {
    const profiles = new QueryProfiles();
    const first = profiles.of(ofTable(0), 'postgresql');
    for (let table = 1; table < 1_100; table += 1) profiles.ofType(String(table));
    expect(first.forgotten).equal(true);
    const second = profiles.of(ofTable(0), 'postgresql');
    expect(second).not.equal(first);
    expect(profiles.of(ofTable(0), 'postgresql')).equal(second);
  });
});

describe('a pool that reads its queries', () => {
  const open = (flags: Parameters<typeof createPool>[0]['flags']) => {
    const runtime = new VirtualRuntime(1);
    const pool = createPool({
      driver: new FakeDriver(runtime),
      runtime,
      options: { min: 1 },
      flags,
    });
    return { runtime, pool };
  };

  it('learns from what leases were taken for', async () => {
    const { runtime, pool } = open({ lanes: 'shadow' });
    await runtime.advance(10);
    const lease = pool.tryAcquire({ sql: byId(1) })!;
    await runtime.advance(7);
    lease.release();
    const queued = pool.acquire({ sql: byId(2) });
    await runtime.advance(0);
    const second = await queued;
    await runtime.advance(9);
    second.release();
    expect(pool.profiles.of(byId(3), 'postgresql')).include({ runs: 2, meanMs: 8 });
  });

  it('reads none while no optimisation asks for it', async () => {
    const { runtime, pool } = open(everyFlag('off'));
    expect(pool.readsQueries).equal(false);
    await runtime.advance(10);
    pool.tryAcquire({ sql: byId(1) })!.release();
    expect(pool.profiles.size).equal(0);
  });

  it('reads none for what cannot act on its driver', () => {
    const reads = (flags: OptimizationFlags, can: object) => {
      const driver = { open: async () => ({}), check: async () => {}, close() {}, ...can };
      return createPool({ driver, runtime: new VirtualRuntime(1), flags: { ...everyFlag('off'), ...flags } })
        .readsQueries;
    };
    const shares = { canShare: () => true };
    const prepares = { hasPrepared: () => false };
    for (const flag of ['pipelining', 'autoPrepare'] as const)
      expect([reads({ [flag]: 'on' }, prepares), reads({ [flag]: 'on' }, shares)]).deep.equal([false, true]);
    // What settings a hint names matters to any of them.
    expect(reads({ affinity: 'on' }, {})).equal(true);
    expect(reads({ lanes: 'on' }, {})).equal(true);
  });
});
