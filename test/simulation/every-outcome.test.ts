import { expect } from 'chai';
import { createPool, type Lease, PoolError } from '../../src/index.js';
import { type FakeConnection, FakeDriver, type Reply } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

/** The ways a step can end; `late` is after its deadline, or for a query long after the others' patience. */
const OUTCOMES = ['well', 'badly', 'late', 'never'] as const;
type Outcome = (typeof OUTCOMES)[number];

/** The steps of a connection's life whose first run has the outcome; later ones go well. */
interface Life {
  readonly open: Outcome;
  readonly query: Outcome;
  readonly reset: Outcome;
  readonly check: Outcome;
  readonly close: Outcome;
}

const STEP_MS = 5;
const DEADLINE_MS = 100;
const PATIENCE_MS = 1_000;
/** When the second caller comes: the first has released by then, if it ever does in time. */
const SECOND_AT_MS = 60;

/** When which caller changes its mind: before it is served, while a step is under way for it, after it was served. */
const CANCELLATIONS = [
  undefined,
  { caller: 0, atMs: 0 },
  { caller: 0, atMs: STEP_MS / 2 },
  { caller: 0, atMs: 2 * STEP_MS },
  { caller: 1, atMs: SECOND_AT_MS },
  { caller: 1, atMs: SECOND_AT_MS + STEP_MS / 2 },
  { caller: 1, atMs: SECOND_AT_MS + 2 * STEP_MS },
] as const;

function* everyLife(): Generator<Life> {
  for (const open of OUTCOMES)
    for (const query of OUTCOMES)
      for (const reset of OUTCOMES)
        for (const check of OUTCOMES)
          for (const close of OUTCOMES) yield { open, query, reset, check, close };
}

/** The reply of a step's first run, then good ones. */
function once(outcome: Outcome): () => Reply {
  const first: Reply = {
    well: { afterMs: STEP_MS, ends: 'well' },
    badly: { afterMs: STEP_MS, ends: 'badly' },
    late: { afterMs: 3 * DEADLINE_MS, ends: 'well' },
    never: { afterMs: 0, ends: 'never' },
  }[outcome] as Reply;
  let runs = 0;
  return () => {
    runs += 1;
    return runs === 1 ? first : { afterMs: STEP_MS, ends: 'well' };
  };
}

/** Two callers, one after the other, on a pool of one connection. Throws what is wrong. */
async function live(life: Life, cancellation: (typeof CANCELLATIONS)[number]): Promise<void> {
  const runtime = new VirtualRuntime(1);
  const driver = new FakeDriver(runtime);
  driver.onOpen = once(life.open);
  driver.onReset = once(life.reset);
  driver.onCheck = once(life.check);
  driver.onClose = once(life.close);
  const timeouts = { openTimeoutMs: DEADLINE_MS, checkTimeoutMs: DEADLINE_MS, closeTimeoutMs: DEADLINE_MS };
  const pool = createPool({
    driver,
    runtime,
    options: { max: 1, acquireTimeoutMs: PATIENCE_MS, checkAfterIdleMs: 1, idleTimeoutMs: 0, ...timeouts },
  });
  const query = once(life.query);
  const owners = new Set<FakeConnection>();
  const settled: string[] = [];

  const call = async (caller: number, signal: AbortSignal) => {
    let lease: Lease<FakeConnection>;
    try {
      lease = await pool.acquire({ signal });
    } catch (error) {
      const code = error instanceof PoolError ? error.code : (error as Error).message;
      settled[caller] = code;
      return;
    }
    settled[caller] = 'served';
    must(owners.has(lease.connection), false, 'two owners');
    must(owners.size, 0, 'leases beyond max');
    owners.add(lease.connection);
    const { afterMs, ends } = query();
    if (ends === 'never') return;
    runtime.schedule(afterMs, () => {
      lease.connection.dirty = true;
      owners.delete(lease.connection);
      must(lease.release(ends === 'well' ? 'ok' : 'failed'), true, 'released');
      must(lease.release(), false, 'released twice');
    });
  };

  const aborts = [new AbortController(), new AbortController()] as const;
  if (cancellation !== undefined) {
    runtime.schedule(cancellation.atMs, () => aborts[cancellation.caller].abort());
  }
  void call(0, aborts[0].signal);
  runtime.schedule(SECOND_AT_MS, () => void call(1, aborts[1].signal));
  await runtime.advance(SECOND_AT_MS + PATIENCE_MS + STEP_MS);
  must(settled.filter(Boolean).length, 2, 'callers told');
  for (const [caller, end] of settled.entries()) {
    const wasCancelled = end === 'ABORTED';
    if (wasCancelled) must(cancellation?.caller, caller, 'who is told of an abort');
    else must(/^(served|ACQUIRE_TIMEOUT|OPEN_TIMEOUT|connect refused)$/.test(end), true, `"${end}" expected`);
  }
  let drained = false;
  void pool.drain({ deadlineMs: DEADLINE_MS }).then(() => {
    drained = true;
  });
  await runtime.advance(5 * DEADLINE_MS);
  must(drained, true, 'drained');
  must(driver.live.size, 0, 'connections left open');
  const { open, closing, leased, waiting } = pool.stats();
  must(open + closing + leased + waiting, 0, 'connections and waiters left');
  await runtime.advance(10_000);
  must(runtime.outstanding, 0, 'timers left');
  must(runtime.keptAlive, 0, 'kept alive');
}

function must(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${actual}, not ${expected}`);
}

describe('every outcome of open, query, reset, check and close', function () {
  this.timeout(60_000);

  for (const cancellation of CANCELLATIONS) {
    const when =
      cancellation === undefined
        ? 'nobody gives up'
        : `the ${['first', 'second'][cancellation.caller]} caller gives up at ${cancellation.atMs} ms`;

    it(`leaves nobody waiting and nothing open when ${when}`, async () => {
      const wrong: string[] = [];
      let lives = 0;
      for (const life of everyLife()) {
        lives += 1;
        try {
          await live(life, cancellation);
        } catch (error) {
          wrong.push(`${JSON.stringify(life)}: ${(error as Error).message}`);
        }
      }
      expect(lives).equal(1_024);
      expect(wrong).deep.equal([]);
    });
  }
});
