import {
  createPool,
  type FlagChange,
  type Hint,
  type Lease,
  type OptimizationFlags,
  type Outcome,
  type Pool,
} from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';
import { VirtualRuntime } from './virtual-runtime.js';

/** A connection that answers one statement after the other. */
class Server {
  busyUntil = 0;
  isCut = false;
  answers = 0;
  /** The statements that it owes an answer, and what is told should it be cut. */
  readonly owed = new Set<() => void>();
}

/** What callers do. Times are milliseconds. */
export interface Load {
  readonly callers: number;
  readonly serviceMs: number;
  readonly thinkMs: number;
  /** What a statement is expected to add to a shared connection; undefined where none may share. */
  readonly sharedCostMs?: number;
  /** Whether statements write. */
  readonly writes?: boolean;
  /** Share of statements that are reports, and how long those take. */
  readonly reports?: { readonly share: number; readonly serviceMs: number };
  /** Share of statements that fail, and how. */
  readonly errors?: { readonly share: number; readonly code: string };
  /** How much longer a statement takes once it is prepared by name. */
  readonly preparedTakes?: number;
  /** Whether the statements are those of transactions. */
  readonly inTransactions?: boolean;
  /** After how many leases a connection retires. */
  readonly maxUses?: number;
  readonly openMs?: number;
  /** 6 where nothing else is said. */
  readonly max?: number;
  /** From which idle age a connection is checked, and how long that takes. */
  readonly checkAfterIdleMs?: number;
  readonly checkMs?: number;
  /** Whether the server calls whatever it is asked about dead. */
  readonly lies?: boolean;
  /** Callers who come together now and then, once each. */
  readonly crowds?: { readonly everyMs: number; readonly callers: number };
}

export const SHORT: Load = { callers: 12, serviceMs: 4, thinkMs: 20, sharedCostMs: 0.05 };
export const MIXED: Load = {
  callers: 12,
  serviceMs: 4,
  thinkMs: 20,
  reports: { share: 0.1, serviceMs: 100 },
};

const READ: Hint = { sql: 'select name from item where id = $1', dialect: 'postgresql' };
const REPORT: Hint = { sql: 'select sum(price) from item', dialect: 'postgresql' };

/** Callers who send statements to a pool, on the virtual clock. */
export class World {
  readonly runtime: VirtualRuntime;
  readonly pool: Pool<Server>;
  readonly changes: (FlagChange & { readonly at: number })[] = [];
  readonly latencies: number[] = [];
  failures = 0;
  /** Statements that lost their connection to the pool, though it was sound. */
  cut = 0;
  readonly #load: Load;

  constructor(seed: number, flags: OptimizationFlags, load: Load = SHORT) {
    this.#load = load;
    this.runtime = new VirtualRuntime(seed);
    this.pool = createPool<Server>({
      driver: {
        open: () => this.#open(),
        check: () => this.#after(this.#load.checkMs),
        close() {},
        canShare: () => true,
        hasPrepared: () => false,
        isBroken: ({ isCut }) => isCut,
        bytesHeard: ({ owed, answers }) => (owed.size > 0 ? answers : undefined),
        // One that lies takes every question for an accusation.
        findDead: async (_, silent) => (this.#load.lies === true ? [...silent] : []),
        sever: (server) => this.#cut(server),
        route: () => ({ host: 'server', address: '10.0.0.1' }),
        lookUp: async () => ['10.0.0.1'],
      },
      runtime: this.runtime,
      options: {
        max: load.max ?? 6,
        checkAfterIdleMs: load.checkAfterIdleMs ?? 0,
        maxUses: load.maxUses ?? 0,
      },
      flags: { ...everyFlag('off'), ...flags },
      observer: { onFlagChanged: (change) => this.changes.push({ ...change, at: this.runtime.now() }) },
    });
    for (let caller = 0; caller < load.callers; caller += 1) this.#call();
    if (load.crowds !== undefined) this.#crowd(load.crowds);
  }

  #crowd(crowds: NonNullable<Load['crowds']>): void {
    this.runtime.schedule(crowds.everyMs, () => {
      for (let caller = 0; caller < crowds.callers; caller += 1) this.#ask(() => {});
      this.#crowd(crowds);
    });
  }

  #cut(server: Server): void {
    server.isCut = true;
    for (const tell of server.owed) tell();
    server.owed.clear();
  }

  async #open(): Promise<Server> {
    await this.#after(this.#load.openMs);
    return new Server();
  }

  #after(delayMs = 0): Promise<void> {
    if (delayMs === 0) return Promise.resolve();
    return new Promise((resolve) => this.runtime.schedule(delayMs, resolve));
  }

  #call(): void {
    const { thinkMs } = this.#load;
    this.runtime.schedule(thinkMs * 2 * this.runtime.random(), () => this.#ask(() => this.#call()));
  }

  /** One statement; `then`, however it ends. */
  #ask(then: () => void): void {
    const { sharedCostMs, writes = false, reports, serviceMs } = this.#load;
    const begun = this.runtime.now();
    const isReport = reports !== undefined && this.runtime.random() < reports.share;
    const hint = isReport ? REPORT : READ;
    const takesMs = isReport ? reports.serviceMs : serviceMs;
    const { pipelining, pipelinedWrites } = this.pool.rollout.acting;
    const shares = sharedCostMs !== undefined && pipelining && (pipelinedWrites || !writes);
    const lease = (shares ? this.pool.tryShare(sharedCostMs) : undefined) ?? this.pool.tryAcquire(hint);
    if (lease !== undefined) this.#serve(lease, begun, takesMs, then);
    else
      this.pool.acquire(hint).then(
        (later) => this.#serve(later, begun, takesMs, then),
        () => {
          this.failures += 1;
          then();
        },
      );
  }

  #serve(lease: Lease<Server>, begun: number, serviceMs: number, then: () => void): void {
    const { preparedTakes = 1, inTransactions = false, errors } = this.#load;
    const server = lease.connection;
    const now = this.runtime.now();
    const { autoPrepare, autoPrepareInTransactions } = this.pool.rollout.acting;
    const slowed = (inTransactions ? autoPrepareInTransactions : autoPrepare) ? preparedTakes : 1;
    server.busyUntil = Math.max(now, server.busyUntil) + slowed * serviceMs * (0.5 + this.runtime.random());
    const fails = errors !== undefined && this.runtime.random() < errors.share;
    const end = (outcome: Outcome) => {
      lease.release(outcome);
      this.latencies.push(this.runtime.now() - begun);
      then();
    };
    const tell = () => {
      this.cut += 1;
      end('broken');
    };
    server.owed.add(tell);
    this.runtime.schedule(server.busyUntil - now, () => {
      if (!server.owed.delete(tell)) return;
      server.answers += 1;
      if (fails)
        this.pool.heed(
          Object.assign(new Error('it failed'), { code: errors.code, severity: 'ERROR' }),
          server,
        );
      else this.pool.wrote();
      end(fails ? 'failed' : 'ok');
    });
  }

  async run(seconds: number): Promise<this> {
    await this.runtime.advance(seconds * 1_000);
    return this;
  }

  p95(): number {
    const sorted = this.latencies.slice().sort((one, other) => one - other);
    return sorted[Math.floor(sorted.length * 0.95)]!;
  }
}
