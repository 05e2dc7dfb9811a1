import { expect } from 'chai';
import { createPool, type LastStatement } from '../../../src/index.js';
import { type FakeConnection, FakeDriver } from '../../simulation/fake-driver.js';
import { VirtualRuntime } from '../../simulation/virtual-runtime.js';

class Telling extends FakeDriver {
  last: LastStatement | undefined = undefined;
  remembered = 0;

  rememberStatements(): void {
    this.remembered += 1;
  }

  lastStatement(): LastStatement | undefined {
    return this.last;
  }
}

describe('the report of leaks', () => {
  const runtime = new VirtualRuntime(1);
  const driver = new Telling(runtime);
  const pool = createPool<FakeConnection>({
    driver,
    runtime,
    options: { leakThresholdMs: 100 },
    callers: { current: () => 'somebody', taskOf: (caller) => caller, describe: (caller) => `by ${caller}` },
  });

  it('lists what is held beyond the threshold, by whom, and what ran last on it', async () => {
    await runtime.advance(50);
    driver.last = { sql: 'SELECT 1', dialect: 'postgresql', startedAt: 49 };
    const acquired = pool.acquire();
    await runtime.advance(99);
    const lease = await acquired;
    expect(pool.report().leaks).deep.equal([]);
    await runtime.advance(1);
    const [leak] = pool.report().leaks;
    expect(leak).include({ connectionId: 1, heldMs: 100, holder: 'by somebody' });
    expect(leak!.fingerprint, 'that was run before it was leased').equal('session');
    driver.last = { sql: 'SELECT 2', dialect: 'postgresql', startedAt: runtime.now() };
    expect(pool.report().leaks[0]!.fingerprint).a('string').not.equal('session');
    lease.release();
    expect(pool.report().leaks).deep.equal([]);
    expect(driver.remembered).equal(1);
  });

  it('needs to know of nobody who has given back what he held', async () => {
    const lease = await pool.acquire();
    expect([...pool.slots()].map(({ holder }) => holder)).deep.equal(['somebody']);
    lease.release();
    await runtime.advance(200);
    expect([...pool.slots()].map(({ holder }) => holder)).deep.equal([undefined]);
  });
});
