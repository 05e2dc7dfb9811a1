import { type ResolvedBudget, resolveBudget } from '../../src/fleet/budget.js';
import {
  createPool,
  type Driver,
  type LeaseGrant,
  type LeaseNews,
  type LeaseRequest,
  type LeaseStore,
  type Pool,
  type Runtime,
  type Timer,
} from '../../src/index.js';
import { LeaseTable } from '../fleet/lease-table.js';
import { VirtualRuntime } from './virtual-runtime.js';

/** A database server that counts who is connected. */
class Server {
  readonly connections = new Map<object, Process>();
  /** When each connection began to open. */
  readonly openedAt: number[] = [];
  #violation: string | undefined = undefined;
  readonly #budget: number;
  readonly #runtime: VirtualRuntime;

  constructor(budget: number, runtime: VirtualRuntime) {
    this.#budget = budget;
    this.#runtime = runtime;
  }

  connect(process: Process): object {
    const connection = {};
    this.openedAt.push(this.#runtime.now());
    this.connections.set(connection, process);
    if (this.connections.size > this.#budget) {
      this.#violation ??= `${this.connections.size} connections at ${Math.round(this.#runtime.now())} ms, the budget is ${this.#budget}`;
    }
    return connection;
  }

  /** What was wrong first. */
  get violation(): string | undefined {
    return this.#violation;
  }
}

/** Where the leases are kept: it may be away, with its data or without, or hang. */
class Redis {
  readonly table: LeaseTable;
  state: 'up' | 'down' | 'hung' = 'up';
  readonly links = new Set<Link>();
  /** When it was asked. */
  readonly renewedAt: number[] = [];

  constructor(budget: ResolvedBudget) {
    this.table = new LeaseTable(budget);
    this.table.onShort = (member) => {
      for (const link of this.links) if (link.member !== member) link.hear('short');
    };
  }

  die(): void {
    this.state = 'down';
    for (const link of [...this.links]) link.lose();
  }

  comeBack(keepsData: boolean): void {
    this.table.restart(keepsData);
    this.state = 'up';
  }

  /** What was sent to it meanwhile is done now, whether anybody still waits for it or not. */
  readonly backlog: (() => void)[] = [];

  thaw(): void {
    this.state = 'up';
    for (const request of this.backlog.splice(0)) request();
  }
}

/** One process's way to Redis. */
class Link implements LeaseStore {
  onNews: ((news: LeaseNews) => void) | undefined = undefined;
  isCut = false;
  readonly member: string;
  readonly #process: Process;
  readonly #redis: Redis;
  readonly #clock: VirtualRuntime;

  constructor(member: string, process: Process, redis: Redis, clock: VirtualRuntime) {
    this.member = member;
    this.#process = process;
    this.#redis = redis;
    this.#clock = clock;
  }

  renew(request: LeaseRequest, signal: AbortSignal): Promise<LeaseGrant> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => this.lose());
      const fail = () => {
        this.lose();
        this.#process.runtime.schedule(0, () => reject(new Error('connection lost')));
      };
      const serve = () => {
        if (this.#process.isDead || this.#redis.state === 'down') return fail();
        this.#redis.renewedAt.push(this.#clock.now());
        try {
          const grant = this.#redis.table.renew(this.member, request, this.#clock.now());
          this.#process.runtime.schedule(this.#clock.random() * 5, () => resolve(grant));
        } catch {
          fail();
        }
      };
      this.#clock.schedule(this.#clock.random() * 5, () => {
        if (this.isCut || this.#redis.state === 'down' || signal.aborted) return fail();
        this.#redis.links.add(this);
        this.#redis.table.listening.add(this.member);
        if (this.#redis.state === 'hung') this.#redis.backlog.push(serve);
        else serve();
      });
    });
  }

  async leave(): Promise<void> {
    if (this.#redis.state === 'up' && !this.isCut) this.#redis.table.leave(this.member);
    this.lose();
  }

  hear(news: LeaseNews): void {
    this.#process.runtime.schedule(this.#clock.random() * 5, () => this.onNews?.(news));
  }

  lose(): void {
    if (!this.#redis.links.delete(this)) return;
    this.#redis.table.listening.delete(this.member);
    this.hear('lost');
  }
}

/** A process: its clock began at some other time, and it may stand still. */
class Process {
  isDead = false;
  isFrozen = false;
  readonly runtime: Runtime;
  readonly pool: Pool<object>;
  readonly link: Link;
  failures = 0;
  served = 0;
  waiting = 0;
  readonly #missed: (() => void)[] = [];
  readonly #world: FleetWorld;

  constructor(name: string, world: FleetWorld) {
    const { clock } = world;
    this.#world = world;
    const offset = clock.random() * 1e6;
    this.runtime = {
      now: () => clock.now() + offset,
      random: () => clock.random(),
      schedule: (delayMs, run) => this.#schedule(delayMs, run),
      afterPoll: (run) => void this.#schedule(0, run),
      keepAlive: () => clock.keepAlive(),
    };
    this.link = new Link(name, this, world.redis, clock);
    this.pool = createPool({
      driver: this.#driver(),
      runtime: this.runtime,
      options: { max: world.max, idleTimeoutMs: 1_000, acquireTimeoutMs: 0 },
      fleet: { budget: world.budget, leases: this.link },
    });
  }

  /** A caller, who holds a connection for so long. */
  call(holdMs: number): void {
    this.waiting += 1;
    this.pool.acquire().then(
      (lease) => {
        this.waiting -= 1;
        this.served += 1;
        this.runtime.schedule(holdMs, () => lease.release());
      },
      () => {
        this.waiting -= 1;
        this.failures += 1;
      },
    );
  }

  freeze(): void {
    this.isFrozen = true;
  }

  thaw(): void {
    this.isFrozen = false;
    for (const run of this.#missed.splice(0)) this.runtime.schedule(0, run);
  }

  /** Its sockets are closed by its kernel. */
  die(): void {
    this.isDead = true;
    this.link.lose();
    const { connections } = this.#world.server;
    for (const [connection, process] of connections) if (process === this) connections.delete(connection);
  }

  #schedule(delayMs: number, run: () => void): Timer {
    let isCancelled = false;
    const live = () => {
      if (this.isDead || isCancelled) return;
      if (this.isFrozen) this.#missed.push(live);
      else run();
    };
    const timer = this.#world.clock.schedule(delayMs, live);
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  #driver(): Driver<object> {
    const { server, clock } = this.#world;
    const after = (delayMs: number) =>
      new Promise<void>((resolve) => this.runtime.schedule(delayMs, resolve));
    return {
      open: async () => {
        const connection = server.connect(this);
        await after(clock.random() * 20);
        return connection;
      },
      check: () => after(1),
      close: async (connection) => {
        await after(clock.random() * 5);
        server.connections.delete(connection);
      },
    };
  }
}

/** Many processes, one database, and Redis, on one virtual clock. */
export class FleetWorld {
  readonly clock: VirtualRuntime;
  readonly budget: ResolvedBudget;
  readonly max: number;
  readonly redis: Redis;
  readonly server: Server;
  readonly processes: Process[] = [];
  #born = 0;

  constructor(
    seed: number,
    { maxConnections, members, max = 20 }: { maxConnections: number; members: number; max?: number },
  ) {
    this.clock = new VirtualRuntime(seed);
    this.max = max;
    this.budget = resolveBudget({ maxConnections, members, leaseMs: 2_000 });
    this.redis = new Redis(this.budget);
    this.server = new Server(maxConnections, this.clock);
  }

  start(): Process {
    this.#born += 1;
    const process = new Process(`process ${this.#born}`, this);
    this.processes.push(process);
    return process;
  }

  kill(process: Process): void {
    process.die();
    this.processes.splice(this.processes.indexOf(process), 1);
  }

  /** Any of them. */
  any(): Process {
    return this.processes[Math.floor(this.clock.random() * this.processes.length)]!;
  }

  async pass(durationMs: number): Promise<void> {
    await this.clock.advance(durationMs);
    const { violation } = this.server;
    if (violation !== undefined) throw new Error(violation);
  }
}
