import { createPool, type Hint, type Lease, type Pool, SharedLease } from '../../src/index.js';
import { MOST_IN_FLIGHT } from '../../src/selection/packing.js';
import { type FakeConnection, FakeDriver, type Reply } from './fake-driver.js';
import { settle, VirtualRuntime } from './virtual-runtime.js';

const SEEDS = Number(process.env.SIMULATION_SEEDS ?? 200);
const OPERATIONS = 10_000;

describe('ten thousand random operations', function () {
  this.timeout(240_000);

  it(`hold every invariant, for each of ${SEEDS} seeds`, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const world = new World(seed);
      try {
        await world.live(OPERATIONS);
        await world.end();
      } catch (error) {
        (error as Error).message = `seed ${seed}, operation ${world.operation}: ${(error as Error).message}`;
        throw error;
      }
    }
  });
});

/** A pool, its driver and its callers on one virtual clock. */
class World {
  operation = 0;
  readonly #runtime: VirtualRuntime;
  readonly #driver: FakeDriver;
  readonly #pool: Pool<FakeConnection>;
  readonly #held: Lease<FakeConnection>[] = [];
  readonly #stale: Lease<FakeConnection>[] = [];
  /** Who holds each connection: one alone, or several who share it. */
  readonly #owners = new Map<FakeConnection, Set<Lease<FakeConnection>>>();
  /** Connections in use that are to close when their last holder lets go. */
  readonly #doomed = new Set<FakeConnection>();
  readonly #aborts: AbortController[] = [];
  readonly #lanes: boolean;
  #unsettled = 0;
  /** Since when callers have waited beside an idle connection without a lease given or ended. */
  #heldBackSince = Number.POSITIVE_INFINITY;
  #turnover = 0;
  #lastMax = 8;

  constructor(seed: number) {
    this.#runtime = new VirtualRuntime(seed);
    this.#lanes = seed % 3 === 0;
    this.#driver = new FakeDriver(this.#runtime);
    this.#driver.onOpen = () => this.#reply(0.1, 0.02);
    this.#driver.onCheck = () => this.#reply(0.1, 0.02);
    this.#driver.onReset = () => this.#reply(0.05, 0.01);
    this.#driver.onClose = () => this.#reply(0.05, 0.02);
    if (seed % 4 === 1) this.#driver.onWarm = () => this.#reply(0.1, 0.05);
    this.#pool = createPool({
      driver: this.#driver,
      runtime: this.#runtime,
      options: {
        min: seed % 3,
        max: this.#lastMax,
        acquireTimeoutMs: seed % 5 === 0 ? 0 : 400,
        openTimeoutMs: 150,
        closeTimeoutMs: 80,
        checkTimeoutMs: 60,
        warmTimeoutMs: 60,
        checkAfterIdleMs: 50,
        idleTimeoutMs: 200,
        maxLifetimeMs: seed % 2 === 0 ? 1_500 : 0,
        maxUses: seed % 7 === 0 ? 20 : 0,
        maxWaiters: 60,
        leakThresholdMs: 300,
        openRetryMs: seed % 4 === 0 ? 30 : 0,
      },
      flags: { lanes: this.#lanes ? 'on' : 'off' },
      observer: {
        onOpening: () => this.#expectRoom(),
      },
    });
  }

  async live(operations: number): Promise<void> {
    for (; this.operation < operations; this.operation += 1) {
      await this.#act(this.#runtime.random());
      await settle();
      this.#expectConsistent();
    }
  }

  /** Drains; whatever is still held or awaited must settle, and nothing may be left. */
  async end(): Promise<void> {
    const drained = this.#pool.drain({ deadlineMs: 500 });
    let ended = false;
    drained.then(() => {
      ended = true;
    });
    while (this.#held.length > 3) this.#release(this.#held.pop()!, 'ok');
    await this.#runtime.advance(1_500);
    must(ended, true, 'drain ended');
    must(this.#unsettled, 0, 'unsettled acquires');
    const { open, closing, waiting } = this.#pool.stats();
    must(open + closing + waiting, 0, 'connections and waiters left');
    must(this.#driver.live.size, 0, 'connections left open');
    for (const lease of this.#held.splice(0))
      must(lease.release(), true, 'a lease outlives the drain harmlessly');
    await this.#runtime.advance(5_000);
    must(this.#runtime.outstanding, 0, 'timers left');
  }

  async #act(chance: number): Promise<void> {
    if (chance < 0.28) this.#acquire();
    else if (chance < 0.33) this.#tryAcquire();
    else if (chance < 0.4) this.#tryShare();
    else if (chance < 0.68) this.#releaseOne();
    else if (chance < 0.71) this.#releaseAgain();
    else if (chance < 0.75) this.#aborts.pop()?.abort(new Error('enough'));
    else if (chance < 0.78) this.#breakOne();
    else if (chance < 0.8) this.#evictOne();
    else if (chance < 0.82) this.#resize();
    else if (chance < 0.83) this.#runtime.stall(60 + 100 * this.#runtime.random());
    else await this.#runtime.advance(20 * this.#runtime.random());
  }

  #acquire(): void {
    const abort = new AbortController();
    if (this.#runtime.random() < 0.3) this.#aborts.push(abort);
    const deadlineMs = this.#runtime.random() < 0.2 ? 1 + 100 * this.#runtime.random() : undefined;
    this.#unsettled += 1;
    let settled = false;
    const once = () => {
      must(settled, false, 'an acquire settles once');
      settled = true;
      this.#unsettled -= 1;
    };
    const query = this.#lanes ? this.#query() : {};
    this.#pool
      .acquire({ signal: abort.signal, ...query, ...(deadlineMs === undefined ? {} : { deadlineMs }) })
      .then((lease) => {
        once();
        this.#take(lease);
      }, once);
  }

  /** Anything that may be said of a query, true or not. */
  #query(): Hint {
    const chance = this.#runtime.random();
    if (chance < 0.2) return {};
    if (chance < 0.5) return { queryType: 'look-up', estimatedDurationMs: 1 };
    if (chance < 0.6) return { queryType: 'job', estimatedDurationMs: 500, requiresTransaction: true };
    const type = Math.floor(1_000 * this.#runtime.random());
    return { queryType: `report ${type}`, estimatedDurationMs: 500 };
  }

  #tryAcquire(): void {
    const lease = this.#pool.tryAcquire(this.#lanes ? this.#query() : undefined);
    if (lease !== undefined) this.#take(lease);
  }

  #tryShare(): void {
    const { waiting } = this.#pool.stats();
    for (let more = Math.floor(6 * this.#runtime.random()); more >= 0; more -= 1) {
      const lease = this.#pool.tryShare(2 * this.#runtime.random());
      if (lease === undefined) continue;
      must(waiting, 0, 'nobody shares while others wait for a connection of their own');
      this.#take(lease);
    }
  }

  #take(lease: Lease<FakeConnection>): void {
    const { connection } = lease;
    const owners = this.#owners.get(connection) ?? new Set();
    const shares = lease instanceof SharedLease;
    for (const owner of owners) {
      must(
        shares && owner instanceof SharedLease,
        true,
        `connection ${connection.id} has one owner, or sharers`,
      );
    }
    must(connection.closed, false, `connection ${connection.id} is open when leased`);
    must(
      shares && owners.size > 0 && this.#doomed.has(connection),
      false,
      'a connection to be closed takes nobody in',
    );
    owners.add(lease);
    must(owners.size <= MOST_IN_FLIGHT, true, 'no more share a connection than it can bear');
    this.#owners.set(connection, owners);
    this.#held.push(lease);
  }

  #releaseOne(): void {
    const index = Math.floor(this.#held.length * this.#runtime.random());
    const [lease] = this.#held.splice(index, 1);
    if (lease === undefined) return;
    const chance = this.#runtime.random();
    lease.connection.dirty = chance < 0.05;
    this.#release(lease, chance < 0.1 ? 'broken' : chance < 0.3 ? 'failed' : 'ok');
  }

  #release(lease: Lease<FakeConnection>, outcome: 'ok' | 'failed' | 'broken'): void {
    const { connection } = lease;
    const owners = this.#owners.get(connection)!;
    owners.delete(lease);
    if (outcome === 'broken' && owners.size > 0) this.#doomed.add(connection);
    if (owners.size === 0) this.#doomed.delete(connection);
    must(lease.release(outcome), true, 'the first release counts');
    if (this.#stale.length < 50) this.#stale.push(lease);
    else this.#stale[this.operation % 50] = lease;
  }

  #releaseAgain(): void {
    const lease = this.#stale[Math.floor(this.#stale.length * this.#runtime.random())];
    if (lease !== undefined) must(lease.release(), false, 'a second release does nothing');
  }

  #breakOne(): void {
    const [connection] = this.#driver.live;
    if (connection !== undefined) connection.broken = true;
  }

  #evictOne(): void {
    const [connection] = this.#driver.live;
    if (connection === undefined) return;
    if ((this.#owners.get(connection)?.size ?? 0) > 0) this.#doomed.add(connection);
    this.#pool.evict(connection);
  }

  #resize(): void {
    this.#lastMax = 1 + Math.floor(12 * this.#runtime.random());
    this.#pool.resize({ max: this.#lastMax, min: Math.min(this.#lastMax, this.#pool.options.min) });
  }

  #expectRoom(): void {
    const { open, closing } = this.#pool.stats();
    // The observer hears of an opening after its slot was made.
    if (open + closing > this.#pool.options.max)
      throw new Error(`bug: opened above max: ${open} + ${closing}`);
  }

  #expectConsistent(): void {
    const { open, idle, leased, checking, warming, stale, opening, closing, waiting, max } =
      this.#pool.stats();
    must(open, idle + leased + checking + warming + stale + opening, 'open is the sum of its parts');
    must(waiting, this.#unsettled, 'the queue holds all who are unsettled');
    if (waiting > 0) {
      const served = idle === 0 || waiting <= checking || this.#isHeldBack();
      const numbers = JSON.stringify(this.#pool.stats());
      must(
        served,
        true,
        `nobody waits while a connection idles, but for the outcome of a check (${numbers})`,
      );
      const isCareful = this.#pool.stats().circuit !== 'closed';
      const helpIsNear =
        opening + checking + warming + leased + closing > 0 ||
        this.#pool.options.openRetryMs > 0 ||
        isCareful;
      must(helpIsNear, true, 'a waiter always has something to wait for');
      if (this.#pool.options.openRetryMs === 0 && !isCareful) {
        must(open + closing >= Math.min(max, waiting), true, 'waiters have connections made for them');
      }
    }
    if (waiting === 0 || idle === 0) this.#heldBackSince = Number.POSITIVE_INFINITY;
    const holding = new Set(this.#held.map(({ slot }) => slot));
    must(leased, holding.size, 'leases are known to their holders');
    for (const slot of holding)
      must(slot.holders, this.#owners.get(slot.connection!)!.size, 'holders are counted');
  }

  /** Lanes may let slow queries wait beside an idle connection, but not when nothing else happens in the pool. */
  #isHeldBack(): boolean {
    if (!this.#lanes || [...this.#pool.waiters()].some(({ lane }) => lane === 'fast')) return false;
    const { immediate, waited, released } = this.#pool.counters;
    const turnover = immediate + waited + released;
    const now = this.#runtime.now();
    if (turnover !== this.#turnover || this.#heldBackSince > now) this.#heldBackSince = now;
    this.#turnover = turnover;
    return now - this.#heldBackSince <= 1_200;
  }

  #reply(badly: number, never: number): Reply {
    const chance = this.#runtime.random();
    const afterMs = 1 + 30 * this.#runtime.random();
    if (chance < never) return { afterMs, ends: 'never' };
    return { afterMs, ends: chance < badly + never ? 'badly' : 'well' };
  }
}

/** Two million of these are made: chai's own would take most of the time. */
function must(actual: unknown, wanted: unknown, what: string): void {
  if (actual !== wanted) throw new Error(`${what}: expected ${wanted}, got ${actual}`);
}
