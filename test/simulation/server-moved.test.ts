import { expect } from 'chai';
import {
  createPool,
  type Lease,
  type OptimizationFlags,
  type Pool,
  type ServerMove,
} from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';
import { VirtualRuntime } from './virtual-runtime.js';

const SIZE = 10;
const THINK_MS = 200;
const HOST = 'writer.example';
const [OLD, NEW, THIRD] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];

interface Connection {
  readonly id: number;
  readonly address: string;
}

/** Busy callers, and a name of the server that a test leads elsewhere. */
class World {
  readonly runtime = new VirtualRuntime(1);
  readonly pool: Pool<Connection>;
  readonly moves: ServerMove[] = [];
  /** When it was looked up for the pool. */
  readonly lookedUpAt: number[] = [];
  /** What the name stands for now, and where connections lead that are opened now. */
  answer: () => readonly string[] | Promise<readonly string[]> = () => [OLD];
  leadsTo = () => OLD;
  leastUsable = Number.POSITIVE_INFINITY;
  mostGoneWithinSecond = 0;
  isBusy = true;
  isDown = false;
  #opened = 0;
  readonly #goneAt: number[] = [];

  constructor(flags: OptimizationFlags = { addressWatch: 'on' }) {
    this.pool = createPool<Connection>({
      driver: {
        open: async () => {
          if (this.isDown) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
          this.#opened += 1;
          return { id: this.#opened, address: this.leadsTo() };
        },
        check: async () => {},
        close() {},
        route: ({ address }) => ({ host: HOST, address }),
        lookUp: async () => {
          this.lookedUpAt.push(this.runtime.now());
          return this.answer();
        },
      },
      runtime: this.runtime,
      options: { min: SIZE, max: SIZE + 2, idleTimeoutMs: 0, checkAfterIdleMs: 0 },
      flags: { ...everyFlag('off'), errorClassify: 'on', breaker: 'on', ...flags },
      observer: {
        onServerMoved: (move) => this.moves.push(move),
        onClosed: () => {
          const now = this.runtime.now();
          this.#goneAt.push(now);
          const lately = this.#goneAt.filter((at) => now - at < 1_000).length;
          this.mostGoneWithinSecond = Math.max(this.mostGoneWithinSecond, lately);
        },
      },
    });
    for (let caller = 0; caller < SIZE; caller += 1) void this.#call();
  }

  leadTo(address: string): void {
    this.answer = () => [address];
    this.leadsTo = () => address;
  }

  /** To any of them, as chance has it, connections of before too; all are answered. */
  async leadToAny(addresses: readonly string[]): Promise<void> {
    this.answer = () => addresses;
    this.leadsTo = () => addresses[Math.floor(addresses.length * this.runtime.random())]!;
    await this.live(1);
    for (const { connection } of [...this.pool.connections()]) this.pool.evict(connection);
    await this.live(1);
  }

  async live(seconds: number): Promise<void> {
    for (let step = 0; step < seconds * 20; step += 1) {
      await this.runtime.advance(50);
      const { idle, leased } = this.pool.stats();
      this.leastUsable = Math.min(this.leastUsable, idle + leased);
    }
  }

  async leased(): Promise<Lease<Connection>> {
    let lease: Lease<Connection> | undefined;
    const leasing = this.pool.acquire().then((given) => {
      lease = given;
    });
    while (lease === undefined) await this.live(0.05);
    await leasing;
    return lease;
  }

  /** How many connections lead there. */
  on(address: string): number {
    return [...this.pool.connections()].filter(({ connection }) => connection.address === address).length;
  }

  get replaced(): number {
    return this.pool.counters.closed.moved;
  }

  async #call(): Promise<void> {
    await new Promise<void>((resolve) => this.runtime.schedule(THINK_MS * this.runtime.random(), resolve));
    if (!this.isBusy) return;
    const lease = await this.pool.acquire();
    this.runtime.schedule(2, () => {
      lease.release();
      void this.#call();
    });
  }
}

describe("a server's name that leads elsewhere", function () {
  this.timeout(120_000);

  it('is noticed within two minutes, and connections of before are replaced one after another, the other one first', async () => {
    const world = new World();
    await world.live(100);
    world.leadTo(NEW);
    await world.live(95);
    expect(world.moves).deep.equal([{ host: HOST, from: [OLD], to: [NEW] }]);
    await world.live(20);
    expect([world.on(OLD), world.on(NEW), world.replaced]).deep.equal([0, SIZE, SIZE]);
    expect(world.leastUsable, 'usable').equal(SIZE);
    expect(world.mostGoneWithinSecond).most(2);
    expect(world.pool.report().names).deep.equal([
      { host: HOST, addresses: [NEW], gone: [OLD], lookups: world.lookedUpAt.length },
    ]);
  });

  it('is looked up twice a minute, and not while the pool rests', async () => {
    const world = new World();
    await world.live(300);
    expect(world.lookedUpAt.length).within(9, 10);
    world.isBusy = false;
    await world.live(1);
    const { length } = world.lookedUpAt;
    await world.live(300);
    expect(world.lookedUpAt.length).equal(length);
    expect(world.replaced).equal(0);
  });

  it('is looked up at once after a failure as of a failover, and more often for a minute', async () => {
    const world = new World();
    await world.live(10);
    world.leadTo(NEW);
    const before = world.lookedUpAt.length;
    world.pool.heed(Object.assign(new Error('read only'), { code: '25006', severity: 'ERROR' }), undefined);
    await world.live(0.2);
    expect(world.lookedUpAt.length).equal(before + 1);
    await world.live(12);
    expect(world.moves.length).equal(1);
  });

  it('is looked up again soon after such a failure where the first look fails', async () => {
    const world = new World();
    await world.live(40);
    world.answer = () => Promise.reject(new Error('EAI_AGAIN'));
    const before = world.lookedUpAt.length;
    world.pool.heed(Object.assign(new Error('read only'), { code: '25006', severity: 'ERROR' }), undefined);
    await world.live(12);
    expect(world.lookedUpAt.length - before).within(2, 3);
  });

  it('is not looked up once more while an answer is pending, whatever fails meanwhile', async () => {
    const world = new World();
    world.answer = () => new Promise(() => {});
    await world.live(40);
    const before = world.lookedUpAt.length;
    for (let failure = 0; failure < 10; failure += 1) {
      world.pool.heed(Object.assign(new Error('read only'), { code: '25006', severity: 'ERROR' }), undefined);
      await world.live(10);
    }
    expect(world.lookedUpAt.length).equal(before);
  });

  it('gives up nobody while one of its addresses is left, nor for one answer without it', async () => {
    const world = new World();
    await world.leadToAny([OLD, NEW, THIRD]);
    world.answer = () => [THIRD, OLD, NEW];
    await world.live(60);
    expect(world.on(NEW)).above(0);
    world.answer = () => [THIRD, OLD];
    await world.live(31);
    world.answer = () => [OLD, NEW, THIRD];
    await world.live(300);
    expect(world.replaced).equal(0);
  });

  it('drains the one of several addresses that is gone for good', async () => {
    const world = new World();
    await world.leadToAny([OLD, NEW]);
    await world.live(35);
    const stayed = world.on(NEW);
    expect(stayed).above(0);
    world.leadTo(NEW);
    await world.live(120);
    expect([world.on(OLD), world.on(NEW)]).deep.equal([0, SIZE]);
    expect(world.replaced).equal(SIZE - stayed);
  });

  it('has one address of three in each answer, as readers behind one name: hardly anything is replaced', async () => {
    const world = new World();
    await world.leadToAny([OLD, NEW, THIRD]);
    world.answer = () => [world.leadsTo()];
    await world.live(3_600);
    expect(world.replaced, 'in an hour').most(2 * SIZE);
    const before = world.replaced;
    await world.live(3_600);
    expect(world.replaced - before, 'in the next').most(SIZE);
  });

  it('is not what those who connect go by: one connection shows that, and then few more', async () => {
    const world = new World();
    world.answer = () => [NEW];
    await world.live(3_600);
    expect(world.replaced).within(1, 10);
  });

  it('cannot be looked up: what works stays', async () => {
    const world = new World();
    await world.live(40);
    world.answer = () => Promise.reject(new Error('ENOTFOUND'));
    await world.live(600);
    expect([world.replaced, world.on(OLD)]).deep.equal([0, SIZE]);
    world.leadTo(NEW);
    await world.live(90);
    expect(world.on(OLD)).equal(0);
  });

  it('answers never: it is asked again, and the process is not kept alive for it', async () => {
    const world = new World();
    world.answer = () => new Promise(() => {});
    await world.live(1_000);
    expect(world.lookedUpAt.length).within(3, 4);
    expect(world.runtime.keptAlive).equal(0);
  });

  it('is nobody’s concern while the server is in trouble, and is once it is well', async () => {
    const world = new World();
    await world.live(40);
    world.leadTo(NEW);
    world.isDown = true;
    const leases = [await world.leased(), await world.leased()];
    for (const { connection } of leases)
      world.pool.heed(Object.assign(new Error('reset'), { code: 'ECONNRESET' }), connection);
    for (const lease of leases) lease.release('broken');
    await world.live(120);
    expect(world.pool.stats().circuit).not.equal('closed');
    expect([world.moves.length, world.replaced]).deep.equal([1, 0]);
    world.isDown = false;
    await world.live(150);
    expect(world.pool.stats().circuit).equal('closed');
    expect(world.on(OLD)).equal(0);
    expect(world.replaced).above(0);
  });

  it('is not looked up, and leads nobody away, where the flag is off', async () => {
    const world = new World({ addressWatch: 'off' });
    world.leadTo(NEW);
    await world.live(120);
    expect([world.lookedUpAt.length, world.replaced]).deep.equal([0, 0]);
    expect(world.pool.report().names).deep.equal([]);
  });
});
