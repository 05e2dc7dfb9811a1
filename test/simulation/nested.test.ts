import { expect } from 'chai';
import {
  type Callers,
  createPool,
  type Lease,
  type NestedAcquires,
  type Pool,
  type PoolError,
  type PoolOptions,
} from '../../src/index.js';
import { type FakeConnection, FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const TASKS = ['a', 'b', 'c'];

/** Tasks that each hold a connection, use it, and then want another one beside it. */
class World {
  readonly runtime = new VirtualRuntime(1);
  readonly driver = new FakeDriver(this.runtime);
  readonly pool: Pool<FakeConnection>;
  readonly found: NestedAcquires<FakeConnection>[] = [];
  /** By task: `done`, or the code of its error. */
  readonly ends = new Map<string, string>();
  /** What the errors said. */
  readonly told: string[] = [];
  #task: string | undefined = undefined;

  constructor(options: PoolOptions) {
    const callers: Callers = {
      current: () => this.#task,
      taskOf: (caller) => caller,
      describe: (caller) => `task ${caller}`,
    };
    this.pool = createPool({
      driver: this.driver,
      runtime: this.runtime,
      options: { max: 3, ...options },
      callers,
      observer: { onNestedAcquires: (nested) => this.found.push(nested) },
    });
  }

  acquire(task: string): Promise<Lease<FakeConnection>> {
    this.#task = task;
    const acquired = this.pool.acquire();
    this.#task = undefined;
    return acquired;
  }

  async hold(task: string): Promise<Lease<FakeConnection>> {
    const acquired = this.acquire(task);
    await this.runtime.advance(1);
    return acquired;
  }

  holdAll(): Promise<Lease<FakeConnection>[]> {
    return Promise.all(TASKS.map((task) => this.hold(task)));
  }

  /** Uses the first connection for `usesMs` before it wants another one. */
  async run(task: string, usesMs = 5): Promise<void> {
    try {
      const outer = await this.acquire(task);
      try {
        await this.#use(outer.connection, usesMs);
        const inner = await this.acquire(task);
        await this.#use(inner.connection, 5);
        inner.release();
        this.ends.set(task, 'done');
      } finally {
        outer.release();
      }
    } catch (error) {
      const { code, message } = error as PoolError;
      this.ends.set(task, code);
      this.told.push(message);
    }
  }

  async #use(connection: FakeConnection, usesMs: number): Promise<void> {
    connection.busy = true;
    await new Promise<void>((resolve) => this.runtime.schedule(usesMs, resolve));
    connection.busy = false;
    connection.bytes += 100;
  }
}

describe('nested acquires that block a pool', () => {
  it('are reported within a second, once, and are what the timeout names', async () => {
    const world = new World({ acquireTimeoutMs: 5_000 });
    for (const task of TASKS) world.run(task);
    await world.runtime.advance(1_000);
    expect(world.found).have.length(1);
    expect(world.found[0]).include({ held: 3 });
    expect(world.found[0]!.waiters.map(({ caller }) => caller)).deep.equal(TASKS);
    await world.runtime.advance(10_000);
    expect([...world.ends.values()]).include('ACQUIRE_TIMEOUT');
    expect(world.told[0]).contain('a nested acquire has blocked the pool');
    expect(world.pool.counters.nestedAcquires).equal(1);
  });

  it('cost the latest its acquire and let the others go on, where that is asked for', async () => {
    const world = new World({ acquireTimeoutMs: 60_000, failNestedAcquires: true });
    for (const task of TASKS) world.run(task);
    await world.runtime.advance(1_000);
    expect(Object.fromEntries(world.ends)).deep.equal({ a: 'done', b: 'done', c: 'NESTED_ACQUIRE' });
    expect(world.pool.stats()).include({ leased: 0, waiting: 0 });
  });

  it('are broken one after another where those behind run into the same', async () => {
    const world = new World({ acquireTimeoutMs: 0, failNestedAcquires: true });
    for (let task = 0; task < 12; task += 1) world.run(`task ${task}`);
    await world.runtime.advance(30_000);
    expect(world.ends.size).equal(12);
    expect(world.pool.stats()).include({ leased: 0, waiting: 0 });
  });

  it('are found beside a connection that somebody keeps for ever and does not use', async () => {
    const world = new World({ acquireTimeoutMs: 60_000, failNestedAcquires: true });
    const listening = await world.hold('listener');
    for (const task of ['a', 'b']) world.run(task);
    await world.runtime.advance(12_000);
    expect(Object.fromEntries(world.ends)).deep.equal({ a: 'done', b: 'NESTED_ACQUIRE' });
    listening.release();
  });
});

describe('what only looks like nested acquires', () => {
  it('is a task whose other half works: it will give its connection back', async () => {
    const world = new World({ acquireTimeoutMs: 60_000, failNestedAcquires: true });
    for (const task of TASKS) world.run(task, task === 'c' ? 20_000 : 5);
    await world.runtime.advance(19_000);
    expect(world.found).deep.equal([]);
    await world.runtime.advance(2_000);
    expect(Object.fromEntries(world.ends)).deep.equal({ a: 'done', b: 'done', c: 'NESTED_ACQUIRE' });
  });

  it('is a pool whose holders wait for something else than the pool', async () => {
    const world = new World({ acquireTimeoutMs: 60_000, failNestedAcquires: true });
    const held = await world.holdAll();
    for (const task of TASKS.slice(1)) world.run(task);
    await world.runtime.advance(9_000);
    expect(world.found).deep.equal([]);
    for (const lease of held) lease.release();
    await world.runtime.advance(100);
    expect(world.ends.size).equal(2);
  });

  it('is a moment between two statements of each', async () => {
    const world = new World({ acquireTimeoutMs: 60_000, failNestedAcquires: true });
    const held = await world.holdAll();
    for (const task of TASKS) world.run(task);
    for (let statement = 0; statement < 20; statement += 1) {
      await world.runtime.advance(300);
      for (const { connection } of held) connection.bytes += 10;
    }
    expect(world.found).deep.equal([]);
    for (const lease of held) lease.release();
    await world.runtime.advance(2_000);
  });

  it('is an event loop that stands still', async () => {
    const world = new World({ acquireTimeoutMs: 60_000, failNestedAcquires: true });
    const held = await world.holdAll();
    for (const task of TASKS) world.run(task);
    await world.runtime.advance(200);
    world.runtime.stall(400);
    await world.runtime.advance(10);
    expect(world.found).deep.equal([]);
    for (const lease of held) lease.release();
    await world.runtime.advance(2_000);
  });
});
