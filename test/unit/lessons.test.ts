import { expect } from 'chai';
import { createPool, fingerprint, type Lease, type OptimizationFlags } from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';
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
