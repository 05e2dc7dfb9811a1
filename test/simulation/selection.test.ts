import { expect } from 'chai';
import { createPool, type OptimizationFlags, type Pool } from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';
import { FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const SLOWER = 5;
const READ_MS = 2;
const SLOW = 6;
const CALLERS = 3;
const SQL = 'SELECT x FROM small';

interface Connection {
  readonly id: number;
  readonly prepared: Set<string>;
}

interface World {
  readonly pool: Pool<Connection>;
  readonly runtime: VirtualRuntime;
  readonly latencies: number[];
  /** How often each connection was used. */
  readonly uses: number[];
}

/** Callers of a pool of six; the one opened last, the newest idle one, takes five times as long for everything. */
function world(flags: OptimizationFlags, statements: readonly string[] = []): World {
  const runtime = new VirtualRuntime(1);
  let opened = 0;
  const pool = createPool<Connection>({
    driver: {
      open: async () => {
        opened += 1;
        return { id: opened, prepared: new Set() };
      },
      check: async () => {},
      close() {},
      hasPrepared: ({ prepared }, statement) => prepared.has(statement),
    },
    runtime,
    options: { min: 6, max: 6, idleTimeoutMs: 0 },
    flags: { ...everyFlag('off'), ...flags },
  });
  const it: World = { pool, runtime, latencies: [], uses: [] };
  let turn = 0;
  const call = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      runtime.schedule(4 * runtime.random(), resolve);
    });
    const begun = runtime.now();
    turn += 1;
    const statement = statements[turn % statements.length];
    const lease = await pool.acquire(statement === undefined ? { sql: SQL } : { sql: SQL, statement });
    const { id, prepared } = lease.connection;
    const preparesMs = statement === undefined || prepared.has(statement) ? 0 : READ_MS;
    if (statement !== undefined) prepared.add(statement);
    it.uses[id] = (it.uses[id] ?? 0) + 1;
    const serviceMs = (preparesMs + READ_MS) * (id === SLOW ? SLOWER : 1) * (0.8 + 0.4 * runtime.random());
    runtime.schedule(serviceMs, () => {
      lease.release();
      it.latencies.push(runtime.now() - begun);
      void call();
    });
  };
  for (let caller = 0; caller < CALLERS; caller += 1) void call();
  return it;
}

async function played(seconds: number, it: World): Promise<World> {
  await it.runtime.advance(seconds * 1_000);
  return it;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('selection by cost', function () {
  this.timeout(60_000);

  it('lets a slow connection sink to where the idle ones grow old', async () => {
    const plain = await played(5, world({ selection: 'off' }));
    const selecting = await played(5, world({ selection: 'on' }));
    expect(plain.uses[SLOW]).above(100);
    expect(selecting.uses[SLOW], 'enough to know it').within(10, 40);
    expect(mean(selecting.latencies)).below(mean(plain.latencies) * 0.7);
    expect(selecting.pool.counters.passedOver.slow).above(0);
    const slow = selecting.pool.report().connections[SLOW - 1];
    expect(slow!.slowness).above(2);
    expect(slow!.efficiency).below(0.5);
  });

  it('only tells in shadow what it would have saved', async () => {
    const plain = await played(20, world({ selection: 'off' }));
    const shadow = await played(20, world({ selection: 'shadow' }));
    expect(shadow.latencies).deep.equal(plain.latencies);
    expect(shadow.pool.counters.passedOver.slow).equal(0);
    const { regret } = shadow.pool.rollout.report().find(({ name }) => name === 'selection')!;
    expect(regret, 'milliseconds that it would have saved').below(-100);
  });

  it('finds the connection that has the settings which are named, also where nobody knows of statements', async () => {
    const switched = async (affinity: 'on' | 'off') => {
      const runtime = new VirtualRuntime(1);
      const pool = createPool<{ tenant?: string }>({
        driver: { open: async () => ({}), check: async () => {}, close() {} },
        runtime,
        options: { min: 6, max: 6, idleTimeoutMs: 0 },
        flags: { ...everyFlag('off'), affinity },
      });
      let switches = 0;
      for (let turn = 0; turn < 600; turn += 1) {
        const settings = `tenant ${Math.floor(3 * runtime.random())}`;
        void pool.acquire({ settings }).then((lease) => {
          if (lease.connection.tenant !== settings) switches += 1;
          lease.connection.tenant = settings;
          runtime.schedule(4 * runtime.random(), () => lease.release());
        });
        await runtime.advance(2 * runtime.random());
      }
      await runtime.advance(100);
      expect(pool.stats()).include({ leased: 0, waiting: 0 });
      return { switches, passedOver: pool.counters.passedOver.settings };
    };
    const plain = await switched('off');
    const affine = await switched('on');
    expect(plain.passedOver).equal(0);
    expect(affine.passedOver).above(100);
    expect(affine.switches).below(plain.switches / 2);
  });

  it('forgets the settings of a session that was reset', async () => {
    const runtime = new VirtualRuntime(1);
    const pool = createPool({
      driver: new FakeDriver(runtime),
      runtime,
      options: { min: 2, max: 2, idleTimeoutMs: 0 },
      flags: { ...everyFlag('off'), affinity: 'on' },
    });
    await runtime.advance(10);
    const [one, other] = [await pool.acquire({ settings: 'a' }), await pool.acquire({ settings: 'b' })];
    const ofA = one.connection;
    one.release();
    other.release();
    const again = await pool.acquire({ settings: 'a' });
    expect(again.connection, 'kept in mind').equal(ofA);
    ofA.dirty = true;
    again.release();
    await runtime.advance(10);
    expect(ofA.dirty).equal(false);
    const held = await pool.acquire({ settings: 'c' });
    held.release();
    const last = await pool.acquire({ settings: 'a' });
    expect(last.connection, 'the newest: nobody has them').equal(held.connection);
  });

  it('finds the connection that has prepared a statement', async () => {
    const statements = Array.from({ length: 30 }, (_, index) => `statement ${index}`);
    const prepared = ({ pool }: World) =>
      [...pool.connections()].reduce((sum, { connection }) => sum + connection.prepared.size, 0);
    const plain = await played(1, world({ affinity: 'off' }, statements));
    const affine = await played(1, world({ affinity: 'on' }, statements));
    expect(prepared(affine)).below(prepared(plain));
    expect(affine.pool.counters.passedOver.statement).above(10);
  });
});
