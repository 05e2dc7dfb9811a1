import type {
  CircuitChange,
  CloseReason,
  FlagChange,
  Lease,
  NestedAcquires,
  Observer,
  OpenReason,
  ServerMove,
  Slot,
  Waiter,
  WorkloadChange,
} from '../../src/index.js';
import { errorType } from '../telemetry/attributes.js';
import { LastCheck } from '../telemetry/last-check.js';
import { whyOpened, whyServed } from '../telemetry/spans.js';
import { RecentDurations } from './recent-durations.js';

/** One thing that a pool did, in words. */
export interface ToldDecision {
  readonly at: number;
  readonly kind:
    | 'served'
    | 'failed'
    | 'opened'
    | 'closed'
    | 'severed'
    | 'moved'
    | 'resized'
    | 'leak'
    | 'flag'
    | 'circuit'
    | 'workload';
  readonly words: string;
}

/** So many of each sort are remembered: the common ones do not wash away those that come once an hour. */
const MOST_REMEMBERED = { served: 20, connections: 40, rare: 60 };
const SORTS: Partial<Record<ToldDecision['kind'], keyof typeof MOST_REMEMBERED>> = {
  served: 'served',
  opened: 'connections',
  closed: 'connections',
  failed: 'connections',
};
const MOST_POOLS = 100;

/** What one pool did lately, and what its callers waited and held. */
export class PoolLog implements Observer<unknown> {
  readonly waits = new RecentDurations();
  readonly uses = new RecentDurations();
  readonly #told: Readonly<Record<keyof typeof MOST_REMEMBERED, ToldDecision[]>> = {
    served: [],
    connections: [],
    rare: [],
  };
  readonly #lastCheck = new LastCheck();
  readonly #openedWhy = new WeakMap<Slot<unknown>, OpenReason>();

  /** In the order in which they were made. */
  get decisions(): readonly ToldDecision[] {
    return Object.values(this.#told)
      .flat()
      .sort((one, other) => one.at - other.at);
  }

  /** The changes of the circuit, of as long ago as they are remembered. */
  get circuit(): readonly ToldDecision[] {
    return this.#told.rare.filter(({ kind }) => kind === 'circuit');
  }

  onLeased(lease: Lease<unknown>, waitedMs: number, waiter: Waiter<unknown> | undefined): void {
    this.waits.record(waitedMs, performance.now());
    if (waiter === undefined) return;
    const { reason } = whyServed(lease, waiter.openedFor, this.#lastCheck.cameBefore(lease.slot));
    this.#tell('served', `connection ${lease.slot.id} after ${waitedMs.toFixed(1)} ms: ${reason}`);
  }

  onReleased(_lease: Lease<unknown>, heldMs: number): void {
    this.uses.record(heldMs, performance.now());
  }

  onFailed(error: unknown, waitedMs: number): void {
    this.waits.record(waitedMs, performance.now());
    this.#tell('failed', `a caller got ${errorType(error)} after ${waitedMs.toFixed(0)} ms`);
  }

  onOpening(slot: Slot<unknown>, _waiter: Waiter<unknown> | undefined, reason: OpenReason): void {
    this.#openedWhy.set(slot, reason);
  }

  onOpened(slot: Slot<unknown>, tookMs: number): void {
    const why = this.#openedWhy.get(slot);
    const told = why === undefined ? '' : `: ${whyOpened(why)}`;
    this.#tell('opened', `connection ${slot.id} opened in ${tookMs.toFixed(1)} ms${told}`);
  }

  onOpenFailed(slot: Slot<unknown>, tookMs: number, error: unknown): void {
    this.#tell(
      'failed',
      `connection ${slot.id} did not open: ${errorType(error)} after ${tookMs.toFixed(0)} ms`,
    );
  }

  onChecked(slot: Slot<unknown>, _tookMs: number, error: unknown): void {
    if (error === undefined) this.#lastCheck.ended(slot);
  }

  onClosed(slot: Slot<unknown>, reason: CloseReason): void {
    this.#tell('closed', `connection ${slot.id} closed: ${reason}, after ${slot.uses} uses`);
  }

  onResized(from: number, to: number, reason: string): void {
    this.#tell('resized', `at most ${to} connections, before ${from}: ${reason}`);
  }

  onLeakSuspected(slot: Slot<unknown>, heldMs: number): void {
    this.#tell('leak', `connection ${slot.id} has been held for ${Math.round(heldMs)} ms`);
  }

  onNestedAcquires({ held, stuckMs }: NestedAcquires<unknown>): void {
    this.#tell(
      'leak',
      `${held} connections are held by callers who wait for another, for ${Math.round(stuckMs)} ms`,
    );
  }

  onSevered(slot: Slot<unknown>, silentMs: number): void {
    this.#tell('severed', `connection ${slot.id} cut: nothing came on it for ${Math.round(silentMs)} ms`);
  }

  onServerMoved({ host, from, to }: ServerMove): void {
    this.#tell('moved', `${host} is ${to.join(', ')} now: connections to ${from.join(', ')} are replaced`);
  }

  onCircuitChanged({ from, to, reason }: CircuitChange): void {
    this.#tell('circuit', `circuit: ${from} → ${to}, because ${reason}`);
  }

  onWorkloadChanged({ from, to }: WorkloadChange): void {
    this.#tell('workload', `the load is ${to}, it was ${from}`);
  }

  onFlagChanged({ name, from, to, reason }: FlagChange): void {
    this.#tell('flag', `${name}: ${from} → ${to}, because ${reason}`);
  }

  #tell(kind: ToldDecision['kind'], words: string): void {
    const sort = SORTS[kind] ?? 'rare';
    const told = this.#told[sort];
    told.push({ at: Date.now(), kind, words });
    if (told.length > MOST_REMEMBERED[sort]) told.shift();
  }
}

/** The log of every pool, by its name. */
export class PoolLogs {
  readonly #byPool = new Map<string, PoolLog>();
  readonly #isOpen: (pool: string) => boolean;

  /** @param isOpen whether there is a pool of that name: its log is kept, of others only so many. */
  constructor(isOpen: (pool: string) => boolean) {
    this.#isOpen = isOpen;
  }

  /** Undefined where there was never a pool of that name, or long ago. */
  find(pool: string): PoolLog | undefined {
    return this.#byPool.get(pool);
  }

  /** For a pool to write to. */
  openFor(pool: string): PoolLog {
    const found = this.#byPool.get(pool);
    if (found !== undefined) return found;
    const log = new PoolLog();
    this.#byPool.set(pool, log);
    if (this.#byPool.size > MOST_POOLS) {
      const closed = [...this.#byPool.keys()].find((name) => name !== pool && !this.#isOpen(name));
      if (closed !== undefined) this.#byPool.delete(closed);
    }
    return log;
  }
}
