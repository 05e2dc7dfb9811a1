import { expect } from 'chai';
import { createPool, type FlagSetting, type Hint, type Lease, type Pool } from '../../src/index.js';
import { type FakeConnection, FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const MAX = 4;
const READ: Hint = { sql: 'SELECT price FROM item', dialect: 'postgresql' };
const WRITE: Hint = { sql: 'UPDATE item SET price = 1', dialect: 'postgresql' };
const READ_ONLY = Object.assign(new Error('cannot execute UPDATE in a read-only transaction'), {
  code: '25006',
  severity: 'ERROR',
});

/** A pool that has written on all its connections, whose server then became a replica. */
class World {
  readonly runtime: VirtualRuntime;
  readonly driver: FakeDriver;
  readonly pool: Pool<FakeConnection>;
  /** Connections to the writer of before. */
  former: ReadonlySet<FakeConnection> = new Set();
  newWriterIsUp = false;
  most = 0;

  constructor(setting: FlagSetting = 'on', seed = 1, checkAfterIdleMs = 0) {
    this.runtime = new VirtualRuntime(seed);
    this.driver = new FakeDriver(this.runtime);
    this.driver.onOpen = () => ({
      afterMs: 10,
      ends: this.former.size === 0 || this.newWriterIsUp ? 'well' : 'badly',
    });
    this.pool = createPool({
      driver: this.driver,
      runtime: this.runtime,
      options: { max: MAX, acquireTimeoutMs: 8_000, checkAfterIdleMs },
      flags: { staleReads: setting, forecaster: 'off', lanes: 'off' },
      classifyError: (error) => (/refused/.test((error as Error).message) ? 'refused' : undefined),
    });
  }

  /** `held` of its connections are in use. */
  async failOver(held = 0): Promise<Lease<FakeConnection>[]> {
    const leases = await this.take(MAX);
    this.pool.wrote();
    for (const lease of leases.splice(held)) lease.release();
    this.former = new Set(this.driver.live);
    this.pool.heed(READ_ONLY);
    return leases;
  }

  async take(count: number): Promise<Lease<FakeConnection>[]> {
    const leases = Promise.all(Array.from({ length: count }, () => this.pool.acquire(WRITE)));
    await this.runtime.advance(50);
    return leases;
  }

  /** What a caller got, by now. */
  ask(hint: Hint | undefined, heldMs = 5): { got: 'former' | 'new' | 'error' | undefined } {
    const answer: ReturnType<World['ask']> = { got: undefined };
    this.pool.acquire(hint).then(
      (lease) => {
        answer.got = this.former.has(lease.connection) ? 'former' : 'new';
        this.most = Math.max(this.most, this.driver.live.size);
        this.runtime.schedule(heldMs, () => {
          if (answer.got === 'new' && hint === WRITE) this.pool.wrote();
          lease.release();
        });
      },
      () => {
        answer.got = 'error';
      },
    );
    return answer;
  }

  get formerOpen(): number {
    return [...this.driver.live].filter((connection) => this.former.has(connection)).length;
  }
}

describe('reads after a failover', () => {
  it('go on over half of the old connections while the new writer is away, and writes wait for it', async () => {
    const world = new World();
    await world.failOver();
    const reads = Array.from({ length: 10 }, () => world.ask(READ));
    const write = world.ask(WRITE);
    await world.runtime.advance(100);
    expect(reads.map(({ got }) => got)).deep.equal(Array(10).fill('former'));
    expect(write.got).equal(undefined);
    expect(world.formerOpen).equal(MAX / 2);
    expect(world.pool.counters.staleReads).equal(10);
    world.newWriterIsUp = true;
    await world.runtime.advance(500);
    expect(write.got).equal('new');
    expect(world.formerOpen, 'the new writer has written').equal(0);
    expect(world.pool.stats()).include({ waiting: 0, stale: 0 });
  });

  it('are for nobody who may do more than read', async () => {
    const world = new World();
    await world.failOver();
    const session = world.ask(undefined);
    const transaction = world.ask({ ...READ, requiresTransaction: true });
    const unknown = world.ask({ sql: 'SELECT f()', dialect: 'postgresql' });
    let isServed = false;
    const serve = (lease: Lease<FakeConnection>) => {
      isServed = true;
      lease.release();
    };
    world.pool.request(serve, () => {}, READ);
    await world.runtime.advance(1_000);
    for (const { got } of [session, transaction, unknown]) expect(got).equal(undefined);
    expect(isServed, 'a session whose hint names a statement').equal(false);
    world.newWriterIsUp = true;
    await world.runtime.advance(1_000);
    for (const { got } of [session, transaction, unknown]) expect(got).equal('new');
    expect(isServed).equal(true);
  });

  it('are over after five seconds, also where nobody writes and nobody calls', async () => {
    const world = new World();
    await world.failOver();
    expect(world.pool.stats()).include({ stale: MAX / 2 });
    await world.runtime.advance(5_100);
    expect(world.formerOpen).equal(0);
    const late = world.ask(READ);
    await world.runtime.advance(1_000);
    expect(late.got, 'it waits for the new writer').equal(undefined);
  });

  it('use what was held when it came, once it is given back, and close the rest', async () => {
    const world = new World();
    const leases = await world.failOver(MAX);
    const read = world.ask(READ);
    await world.runtime.advance(20);
    expect(read.got).equal(undefined);
    for (const lease of leases) lease.release();
    await world.runtime.advance(20);
    expect(read.got).equal('former');
    expect(world.formerOpen).equal(MAX / 2);
  });

  it('go over no connection that would have to be checked first', async () => {
    const world = new World('on', 1, 500);
    const leases = await world.failOver(MAX);
    await world.runtime.advance(1_000);
    for (const lease of leases) lease.release();
    const fresh = world.ask(READ);
    await world.runtime.advance(100);
    expect(fresh.got, 'it was in use until now').equal('former');
    await world.runtime.advance(600);
    const late = world.ask(READ);
    await world.runtime.advance(100);
    expect(late.got).equal(undefined);
    expect(world.formerOpen).equal(0);
  });

  it('do not keep a pool from its end', async () => {
    const world = new World();
    const leases = await world.failOver(MAX);
    for (const lease of leases.splice(MAX / 2)) lease.release();
    await world.runtime.advance(50);
    const read = world.ask(READ);
    let isOver = false;
    world.pool.drain().then(() => {
      isOver = true;
    });
    for (const lease of leases) lease.release();
    await world.runtime.advance(100);
    expect(read.got).equal('former');
    expect(isOver).equal(true);
  });

  it('tell nothing of the new writer by their end, and end together', async () => {
    const world = new World();
    await world.failOver();
    world.newWriterIsUp = true;
    const [first, ...others] = [...world.driver.live].filter((connection) => world.former.has(connection));
    expect(others).length(MAX / 2 - 1);
    for (const connection of [first!, ...others]) world.pool.heed(new Error('refused'), connection);
    expect(world.pool.stats().circuit).equal('closed');
    const read = world.ask(READ);
    await world.runtime.advance(100);
    expect(read.got).equal('new');
    expect(world.formerOpen).equal(0);
  });

  it('never go over a connection that somebody has evicted', async () => {
    const world = new World();
    const leases = await world.failOver(MAX);
    for (const lease of leases) {
      world.pool.evict(lease.connection);
      lease.release();
    }
    await world.runtime.advance(50);
    expect(world.formerOpen).equal(0);
  });

  it('take the connection that is there in place of its room', async () => {
    const world = new World();
    await world.failOver(MAX / 2);
    world.newWriterIsUp = true;
    const read = world.ask(READ);
    await world.runtime.advance(1);
    expect(read.got).equal('former');
    expect(world.formerOpen).equal(MAX);
  });

  it('leave a connection that comes back to who needs its room, at once', async () => {
    const world = new World();
    const leases = await world.failOver(MAX);
    world.newWriterIsUp = true;
    for (const lease of leases.splice(MAX / 2)) lease.release();
    const sessions = [world.ask(undefined, 4_000), world.ask(undefined, 4_000)];
    await world.runtime.advance(50);
    for (const { got } of sessions) expect(got).equal('new');
    const session = world.ask(undefined);
    leases[0]!.release();
    await world.runtime.advance(30);
    expect(session.got).equal('new');
  });

  it('make room for those who need the new writer', async () => {
    const world = new World();
    await world.failOver();
    world.newWriterIsUp = true;
    const sessions = Array.from({ length: MAX }, () => world.ask(undefined, 4_000));
    await world.runtime.advance(1_500);
    expect(sessions.map(({ got }) => got)).deep.equal(Array(MAX).fill('new'));
    expect(world.formerOpen).equal(0);
    expect(world.most).most(MAX);
  });

  it('wait for the new writer where the flag does not act', async () => {
    for (const setting of ['off', 'shadow'] as const) {
      const world = new World(setting);
      await world.failOver();
      const read = world.ask(READ);
      await world.runtime.advance(500);
      expect(read.got).equal(undefined);
      expect(world.formerOpen).equal(0);
    }
  });

  it('end with the pool, its isolation and its shrinking', async () => {
    const drained = new World();
    await drained.failOver();
    const end = drained.pool.drain();
    await drained.runtime.advance(50);
    await end;
    const isolated = new World();
    await isolated.failOver();
    isolated.pool.isolate();
    await isolated.runtime.advance(50);
    const small = new World();
    await small.failOver();
    small.pool.resize({ min: 0, max: 1 });
    await small.runtime.advance(50);
    for (const { formerOpen } of [drained, isolated, small]) expect(formerOpen).equal(0);
  });

  it('never get more than max connections, lose nobody, and leave nothing behind, whatever comes and goes', async () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const world = new World('on', seed);
      const { runtime, pool } = world;
      await world.failOver(Math.floor(MAX * runtime.random())).then((leases) => {
        for (const lease of leases) runtime.schedule(100 * runtime.random(), () => lease.release());
      });
      const upAt = runtime.now() + 3_000 * runtime.random();
      const asked: { hint: Hint | undefined; answer: ReturnType<World['ask']> }[] = [];
      for (let step = 0; step < 300; step += 1) {
        world.newWriterIsUp = runtime.now() >= upAt;
        const hint = [READ, READ, WRITE, undefined][Math.floor(4 * runtime.random())];
        asked.push({ hint, answer: world.ask(hint, 10 * runtime.random()) });
        await runtime.advance(20 * runtime.random());
        const { open, closing } = pool.stats();
        expect(open + closing, `seed ${seed}`).most(MAX);
      }
      world.newWriterIsUp = true;
      for (let step = 0; step < 60; step += 1) {
        asked.push({ hint: WRITE, answer: world.ask(WRITE) });
        await runtime.advance(200);
      }
      expect(pool.stats(), `seed ${seed}`).include({ waiting: 0, stale: 0, leased: 0, circuit: 'closed' });
      expect(world.formerOpen, `seed ${seed}`).equal(0);
      for (const { hint, answer } of asked)
        expect(answer.got, `seed ${seed}: ${hint?.sql}`).oneOf(hint === READ ? ['former', 'new'] : ['new']);
    }
  });
});
