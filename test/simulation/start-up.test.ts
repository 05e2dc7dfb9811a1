import { expect } from 'chai';
import { createPool, type Pool } from '../../src/index.js';
import { type FakeConnection, FakeDriver } from './fake-driver.js';
import { VirtualRuntime } from './virtual-runtime.js';

const LOGIN_MS = 1;
const ROUND_TRIPS_MS = 5;

/** A server that lets in one after another, and refuses whoever would be too many in its backlog. */
class Server {
  readonly #runtime: VirtualRuntime;
  readonly #backlog: number;
  #freeAt = 0;
  #waiting = 0;
  refused = 0;
  mostWaiting = 0;

  constructor(runtime: VirtualRuntime, backlog: number) {
    this.#runtime = runtime;
    this.#backlog = backlog;
  }

  logIn(): Promise<void> {
    if (this.#waiting >= this.#backlog) {
      this.refused += 1;
      return Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
    }
    this.#waiting += 1;
    this.mostWaiting = Math.max(this.mostWaiting, this.#waiting);
    const now = this.#runtime.now();
    this.#freeAt = Math.max(now, this.#freeAt) + LOGIN_MS;
    return new Promise((resolve) => {
      this.#runtime.schedule(this.#freeAt - now + ROUND_TRIPS_MS, () => {
        this.#waiting -= 1;
        resolve();
      });
    });
  }
}

interface Fleet {
  readonly runtime: VirtualRuntime;
  readonly server: Server;
  readonly pools: Pool<FakeConnection>[];
  /** When each pool began to open its connections. */
  readonly beganAt: number[][];
}

/** Processes that all start now. */
function start(processes: number, min: number, backlog = Number.POSITIVE_INFINITY): Fleet {
  const runtime = new VirtualRuntime(1);
  const server = new Server(runtime, backlog);
  const beganAt: number[][] = [];
  const pools = Array.from({ length: processes }, () => {
    const driver = new FakeDriver(runtime);
    const { open } = driver;
    driver.open = () => server.logIn().then(() => open.call(driver));
    const began: number[] = [];
    beganAt.push(began);
    return createPool({
      driver,
      runtime,
      options: { min, max: 2 * min },
      observer: { onOpening: () => began.push(runtime.now()) },
    });
  });
  return { runtime, server, pools, beganAt };
}

async function untilFilled({ runtime, pools }: Fleet, min: number): Promise<number> {
  for (let step = 0; step < 600 && pools.some((pool) => pool.idle < min); step += 1)
    await runtime.advance(100);
  expect(Math.min(...pools.map((pool) => pool.idle))).equal(min);
  return runtime.now();
}

describe('a pool that starts', () => {
  it('opens a handful of min at once, without a timer', () => {
    const { beganAt } = start(1, 10);
    expect(beganAt).deep.equal([Array.from({ length: 10 }, () => 0)]);
  });

  it('begins at once with a min of many, and is full within half a second where the server keeps up', async () => {
    const fleet = start(1, 100);
    expect(fleet.beganAt[0]).have.length(10);
    await fleet.runtime.advance(500);
    expect(fleet.pools[0]!.stats()).include({ idle: 100, opening: 0 });
    expect(fleet.server.mostWaiting).most(50);
  });

  it('holds nobody up who waits', async () => {
    const fleet = start(1, 100);
    const callers = Array.from({ length: 60 }, () => fleet.pools[0]!.acquire());
    expect(fleet.pools[0]!.stats().opening).equal(60);
    await Promise.all([...callers, fleet.runtime.advance(60 * LOGIN_MS + ROUND_TRIPS_MS)]);
    expect(fleet.pools[0]!.stats().leased).equal(60);
  });

  it('goes on filling when it starts while the server refuses', async () => {
    const fleet = start(1, 40, 0);
    await fleet.runtime.advance(2_000);
    expect(fleet.pools[0]!.idle).equal(0);
    expect(fleet.server.refused).most(30);
  });
});

describe('fifty processes that start together', function () {
  this.timeout(60_000);

  it('do not storm their server: it is never asked for more than a part at once, and is done as soon', async () => {
    const [processes, min] = [50, 40];
    const fleet = start(processes, min);
    const tookMs = await untilFilled(fleet, min);
    expect(fleet.server.mostWaiting, 'of 2,000').most(1_000);
    expect(tookMs, 'one after another they take two seconds').below(4_000);
  });

  it('begin their waves each at a time of its own', async () => {
    const fleet = start(50, 40);
    await untilFilled(fleet, 40);
    const secondWaves = fleet.beganAt.map((times) => times.find((at) => at > 0)!);
    expect(new Set(secondWaves).size).above(40);
    expect(Math.max(...secondWaves) - Math.min(...secondWaves)).above(50);
  });

  it('fill their pools in spite of a backlog that could not take them all', async () => {
    const fleet = start(50, 40, 1_000);
    await untilFilled(fleet, 40);
    expect(fleet.server.refused).equal(0);
  });
});
