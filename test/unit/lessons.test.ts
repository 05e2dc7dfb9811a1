import { expect } from 'chai';
import { createPool, fingerprint, type Lease, type OptimizationFlags } from '../../src/index.js';
import { Lessons } from '../../src/lessons.js';
import type { QueryProfile } from '../../src/query/profiles.js';
import { everyFlag, type OptimizationName, QUERY_READERS } from '../../src/rollout/flags.js';
import type { Rollout } from '../../src/rollout/rollout.js';
import type { Lanes } from '../../src/selection/lanes.js';
import { Survival } from '../../src/selection/survival.js';
import type { History } from '../../src/sizing/what-if.js';
import { Slots } from '../../src/slots.js';
import { newCounters } from '../../src/stats.js';
import { type FakeConnection, FakeDriver } from '../simulation/fake-driver.js';
import { settle, VirtualRuntime } from '../simulation/virtual-runtime.js';

const QUICK = { sql: 'SELECT a FROM quick WHERE id = 1' };
const SETTING = { sql: 'SET search_path TO a' };
const REPORT = { sql: 'SELECT sum(a) FROM big' };

describe('what a pool is told of its leases', () => {
  let runtime: VirtualRuntime;

  beforeEach(() => {
    runtime = new VirtualRuntime(1);
  });

  function pool(flags: OptimizationFlags = { lanes: 'on' }, max = 4) {
    const driver = new FakeDriver(runtime);
    return createPool<FakeConnection>({
      driver,
      runtime,
      options: { max, acquireTimeoutMs: 0 },
      flags: { ...everyFlag('off'), ...flags },
    });
  }

  async function lease(of: ReturnType<typeof pool>, hint = {}): Promise<Lease<FakeConnection>> {
    const acquired = of.acquireForQuery(hint);
    await runtime.advance(0);
    return acquired;
  }

  async function run(of: ReturnType<typeof pool>, hint: object, tookMs: number, outcome?: 'failed') {
    const leased = await lease(of, hint);
    await runtime.advance(tookMs);
    leased.release(outcome);
  }

  const runsOf = (of: ReturnType<typeof pool>, { sql }: { sql: string }) =>
    of.report().queries.find((query) => query.fingerprint === fingerprint(sql, 'postgresql'))?.runs;

  it('counts as runs of the query that a lease turns out to be for', async () => {
    const it = pool();
    const leased = await lease(it);
    it.identify(leased, QUICK);
    await runtime.advance(3);
    leased.release();
    expect(runsOf(it, QUICK)).equal(1);
    it.identify(leased, REPORT);
    expect(runsOf(it, REPORT), 'it had been given back').equal(undefined);
  });

  it('takes a lease out of the slow lane, and into it, as its query shows', async () => {
    const it = pool();
    for (let count = 0; count < 30; count += 1) await run(it, QUICK, 1);
    for (let count = 0; count < 5; count += 1) await run(it, REPORT, 400);
    const leased = await lease(it, QUICK);
    const [slot] = [...it.slots()].filter(({ id }) => id === leased.slot.id);
    expect(slot!.lane).equal('fast');
    it.identify(leased, REPORT);
    expect(slot!.lane).equal('slow');
    it.identify(leased, QUICK);
    expect(slot!.lane).equal('fast');
    leased.release();
  });

  it('learns of each statement of a session, which as a whole teaches nothing of them', async () => {
    const it = pool();
    const leased = await lease(it, { requiresTransaction: true });
    it.learnStatement(QUICK, 2, 'ok');
    it.learnStatement(QUICK, 2, 'ok');
    it.learnStatement(SETTING, 2, 'ok');
    await runtime.advance(50);
    leased.release();
    expect(runsOf(it, QUICK)).equal(2);
    expect(runsOf(it, SETTING), 'it is the session’s').equal(undefined);
  });

  it('remembers no query where nobody goes by it', async () => {
    const it = pool({});
    const leased = await lease(it, QUICK);
    it.identify(leased, REPORT);
    it.learnStatement(QUICK, 2, 'ok');
    leased.release();
    expect(it.report().queries).deep.equal([]);
  });

  it('costs nobody an answer where what is learned from throws', async () => {
    const it = pool({ lanes: 'auto', selection: 'auto' });
    const hint = {
      get sql(): string {
        throw new Error('a getter of the caller’s');
      },
    };
    const leased = await lease(it, hint);
    expect(leased.connection.id).equal(1);
    expect(
      it
        .report()
        .flags.filter(({ stage }) => stage === 'reverted')
        .map(({ name }) => name),
    ).deep.equal(['lanes', 'selection']);
    leased.release();
    await settle();
    expect(it.tryAcquire(QUICK)!.connection.id).equal(1);
  });
});

describe('what a lease teaches, and whom', () => {
  const SINCE = 1_000;
  const EVERY_LEARNER = [...QUERY_READERS, 'forecaster'];

  /** Lessons whose learners write down what they are told. */
  function taught({ lanesLearn = () => {}, attended = true } = {}) {
    const told = {
      waits: [] as number[],
      holds: [] as number[],
      arrivals: [] as number[],
      held: [] as number[],
      lanes: [] as unknown[],
      tripped: [] as OptimizationName[],
    };
    const rollout = {
      readsQueries: true,
      attended: { lanes: attended },
      recordWait: (waitedMs: number) => told.waits.push(waitedMs),
      recordHold: (ratio: number) => told.holds.push(ratio),
    };
    const lanes = {
      learn: (profile: QueryProfile, tookMs: number) => {
        told.lanes.push([profile, tookMs]);
        lanesLearn();
      },
    };
    const { queries: totals } = newCounters();
    const survival = new Survival();
    const lessons = new Lessons({
      rollout: rollout as unknown as Rollout,
      lanes: lanes as unknown as Lanes,
      survival,
      totals,
      trip: (name) => told.tripped.push(name),
    });
    lessons.history = {
      arrived: (at: number) => told.arrivals.push(at),
      heldFor: (heldMs: number) => told.held.push(heldMs),
    } as unknown as History;
    const slot = new Slots<unknown>().add({ takeBack: () => true }, 0);
    return { lessons, told, totals, survival, slot };
  }

  it('is how long its holder had waited, to all but where many share the connection', () => {
    const { lessons, told, slot } = taught();
    lessons.waited(slot, 30, SINCE);
    slot.depth = 4;
    lessons.waited(slot, 50, SINCE);
    expect(told).deep.include({ arrivals: [970, 950], waits: [30] });
    expect(slot.track.meanWaitedMs).equal(40);
    lessons.history = undefined;
    lessons.waited(slot, 70, SINCE);
    expect([slot.track.meanWaitedMs, told.tripped], 'nobody keeps a history').deep.equal([50, []]);
  });

  it('is how long its query takes, how that compares with the usual, and how its connection does', () => {
    const { lessons, told, totals, slot } = taught();
    const profile = lessons.profiles.of(QUICK.sql, 'postgresql');
    slot.profile = profile;
    lessons.used(slot, SINCE, 'ok', SINCE + 10);
    lessons.used(slot, SINCE, 'failed', SINCE + 20);
    expect(told.held).deep.equal([10, 20]);
    expect(told.holds).have.length(1);
    expect(told.holds[0]).closeTo(2, 1e-9);
    expect(told.lanes).deep.equal([
      [profile, 10],
      [profile, 20],
    ]);
    expect(profile).include({ runs: 2, failures: 1 });
    expect(slot.track).include({ timed: 2, failures: 1, meanHeldMs: 15 });
    expect(totals.select).deep.equal({ runs: 2, heldMs: 30 });
  });

  it('is of a session, or of what there is no room for, no matter for trials and lanes', () => {
    for (const which of ['session', 'other'] as const) {
      const { lessons, told, totals, slot } = taught();
      slot.profile = lessons.profiles[which];
      for (let lease = 0; lease < 2; lease += 1) lessons.used(slot, SINCE, 'ok', SINCE + 10);
      expect(told).deep.include({ holds: [], lanes: [] });
      expect([slot.profile.runs, totals[which].runs]).deep.equal([2, 2]);
    }
  });

  it('is of a connection alone where nobody knows the query', () => {
    const { lessons, totals, slot } = taught();
    lessons.used(slot, SINCE, 'ok', SINCE + 10);
    expect(slot.track.timed).equal(1);
    expect(Object.values(totals).filter(({ runs }) => runs > 0)).deep.equal([]);
  });

  it('is on a shared connection what was its own: behind others it waited', () => {
    const { lessons, told, totals, slot } = taught();
    slot.depth = 4;
    slot.leasedAt = SINCE + 30;
    lessons.used(slot, SINCE, 'ok', SINCE + 40);
    slot.leasedAt = SINCE - 500;
    lessons.used(slot, SINCE, 'ok', SINCE + 5);
    expect(told).deep.include({ waits: [30, 0], held: [40, 5] });
    expect(totals.select).deep.equal({ runs: 2, heldMs: 15 });
    expect(slot.track.timed).equal(0);
  });

  it('is whether a connection that had been idle was alive', () => {
    const { lessons, survival, slot } = taught();
    const believed = survival.deadAfter(100);
    lessons.used(slot, SINCE, 'broken', SINCE);
    expect(survival.deadAfter(100), 'it had not been idle').equal(believed);
    slot.idledMs = 100;
    lessons.used(slot, SINCE, 'failed', SINCE);
    const afterLife = survival.deadAfter(100);
    expect(afterLife).below(believed);
    lessons.used(slot, SINCE, 'broken', SINCE);
    expect(survival.deadAfter(100)).above(afterLife);
  });

  it('is nothing for lanes that nobody attends to', () => {
    const { lessons, told, slot } = taught({ attended: false });
    slot.profile = lessons.profiles.of(QUICK.sql, 'postgresql');
    lessons.used(slot, SINCE, 'ok', SINCE + 10);
    expect(told.lanes).deep.equal([]);
    expect(slot.profile.runs).equal(1);
  });

  it('costs the flag of whoever throws over it, or all flags where that cannot be told', () => {
    const fails = () => {
      throw new Error('of an adviser');
    };
    const { lessons, told, slot, survival } = taught({ lanesLearn: fails });
    slot.profile = lessons.profiles.of(QUICK.sql, 'postgresql');
    lessons.used(slot, SINCE, 'ok', SINCE + 10);
    expect(told.tripped.splice(0)).deep.equal(['lanes']);
    survival.learn = fails;
    lessons.survived(100, true);
    expect(told.tripped.splice(0)).deep.equal(['selection']);
    slot.track.waited = fails;
    lessons.waited(slot, 5, SINCE);
    expect(told.tripped).deep.equal(EVERY_LEARNER);
  });

  it('is taught by a statement of several only where its text is known to leave nothing behind', () => {
    const { lessons, told } = taught();
    const [read, setting] = [QUICK, SETTING].map(({ sql }) => lessons.profiles.of(sql, 'postgresql'));
    for (const profile of [read, setting, lessons.profiles.session, undefined]) lessons.ran(profile, 3, 'ok');
    expect(told.lanes).deep.equal([[read, 3]]);
    expect([read!.runs, setting!.runs, lessons.profiles.session.runs]).deep.equal([1, 0, 0]);
  });
});
