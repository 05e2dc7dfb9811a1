import {
  createPool,
  type FlagChange,
  type Hint,
  type Lease,
  type OptimizationFlags,
  type Pool,
} from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';
import { VirtualRuntime } from './virtual-runtime.js';

/** A connection that answers one statement after the other. */
interface Server {
  busyUntil: number;
}

/** What callers do. Times are milliseconds. */
export interface Load {
  readonly callers: number;
  readonly serviceMs: number;
  readonly thinkMs: number;
  /** What a statement is expected to add to a shared connection; undefined where none may share. */
  readonly sharedCostMs?: number;
  /** Share of statements that are reports, and how long those take. */
  readonly reports?: { readonly share: number; readonly serviceMs: number };
  /** Share of statements that fail, and how. */
  readonly errors?: { readonly share: number; readonly code: string };
  /** How much longer a statement takes once it is prepared by name. */
  readonly preparedTakes?: number;
  /** After how many leases a connection retires. */
  readonly maxUses?: number;
  readonly openMs?: number;
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

/** Callers who send statements to a pool of six, on the virtual clock. */
export class World {
  readonly runtime: VirtualRuntime;
  readonly pool: Pool<Server>;
  readonly changes: (FlagChange & { readonly at: number })[] = [];
  readonly latencies: number[] = [];
  failures = 0;
  readonly #load: Load;

  constructor(seed: number, flags: OptimizationFlags, load: Load = SHORT) {
    this.#load = load;
    this.runtime = new VirtualRuntime(seed);
    this.pool = createPool<Server>({
      driver: {
        open: () => this.#open(),
        check: async () => {},
        close() {},
        canShare: () => true,
      },
      runtime: this.runtime,
      options: { max: 6, checkAfterIdleMs: 0, maxUses: load.maxUses ?? 0 },
      flags: { ...everyFlag('off'), ...flags },
      observer: { onFlagChanged: (change) => this.changes.push({ ...change, at: this.runtime.now() }) },
    });
    for (let caller = 0; caller < load.callers; caller += 1) this.#call();
  }

  #open(): Promise<Server> {
    const { openMs = 0 } = this.#load;
    return new Promise((resolve) => {
      if (openMs === 0) resolve({ busyUntil: 0 });
      else this.runtime.schedule(openMs, () => resolve({ busyUntil: 0 }));
    });
  }

  #call(): void {
    const { thinkMs, sharedCostMs, reports, serviceMs } = this.#load;
    this.runtime.schedule(thinkMs * 2 * this.runtime.random(), () => {
      const begun = this.runtime.now();
      const isReport = reports !== undefined && this.runtime.random() < reports.share;
      const hint = isReport ? REPORT : READ;
      const takesMs = isReport ? reports.serviceMs : serviceMs;
      const shares = sharedCostMs !== undefined && this.pool.rollout.acting.pipelining;
      const lease = (shares ? this.pool.tryShare(sharedCostMs) : undefined) ?? this.pool.tryAcquire(hint);
      if (lease !== undefined) this.#serve(lease, begun, takesMs);
      else
        this.pool.acquire(hint).then(
          (later) => this.#serve(later, begun, takesMs),
          () => {
            this.failures += 1;
            this.#call();
          },
        );
    });
  }

  #serve(lease: Lease<Server>, begun: number, serviceMs: number): void {
    const { preparedTakes = 1, errors } = this.#load;
    const server = lease.connection;
    const now = this.runtime.now();
    const slowed = this.pool.rollout.acting.autoPrepare ? preparedTakes : 1;
    server.busyUntil = Math.max(now, server.busyUntil) + slowed * serviceMs * (0.5 + this.runtime.random());
    const fails = errors !== undefined && this.runtime.random() < errors.share;
    this.runtime.schedule(server.busyUntil - now, () => {
      if (fails)
        this.pool.heed(
          Object.assign(new Error('it failed'), { code: errors.code, severity: 'ERROR' }),
          server,
        );
      else this.pool.wrote();
      lease.release(fails ? 'failed' : 'ok');
      this.latencies.push(this.runtime.now() - begun);
      this.#call();
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
