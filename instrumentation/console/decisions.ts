import type {
  CircuitChange,
  CloseReason,
  FlagChange,
  Lease,
  NestedAcquires,
  Observer,
  ServerMove,
  Slot,
  Waiter,
  WorkloadChange,
} from '../../src/index.js';
import { errorType } from '../telemetry/attributes.js';
import { whyServed } from '../telemetry/spans.js';

/** One thing that a pool did, in words. */
export interface ToldDecision {
  readonly at: number;
  readonly kind:
    | 'served'
    | 'failed'
    | 'opened'
    | 'closed'
    | 'resized'
    | 'leak'
    | 'flag'
    | 'circuit'
    | 'workload';
  readonly words: string;
}

const MOST_REMEMBERED = 60;
const MOST_POOLS = 100;

/** The last decisions of every pool, in words. */
export class DecisionLog {
  readonly #byPool = new Map<string, ToldDecision[]>();

  of(pool: string): readonly ToldDecision[] {
    return this.#byPool.get(pool) ?? [];
  }

  remember(pool: string, kind: ToldDecision['kind'], words: string): void {
    let told = this.#byPool.get(pool);
    if (told === undefined) {
      told = [];
      this.#byPool.set(pool, told);
      const [oldest] = this.#byPool.keys();
      if (this.#byPool.size > MOST_POOLS) this.#byPool.delete(oldest!);
    }
    told.push({ at: Date.now(), kind, words });
    if (told.length > MOST_REMEMBERED) told.shift();
  }

  /** Listens to one pool. */
  listener(pool: string): Observer<unknown> {
    const tell = (kind: ToldDecision['kind'], words: string) => this.remember(pool, kind, words);
    return {
      onLeased(lease: Lease<unknown>, waitedMs: number, waiter: Waiter<unknown> | undefined) {
        if (waiter === undefined) return;
        const { reason } = whyServed(lease, waiter.openedFor, false);
        tell('served', `connection ${lease.slot.id} after ${waitedMs.toFixed(1)} ms: ${reason}`);
      },
      onFailed: (error: unknown, waitedMs: number) =>
        tell('failed', `a caller got ${errorType(error)} after ${waitedMs.toFixed(0)} ms`),
      onOpened: (slot: Slot<unknown>, tookMs: number) =>
        tell('opened', `connection ${slot.id} opened in ${tookMs.toFixed(1)} ms`),
      onOpenFailed: (slot: Slot<unknown>, tookMs: number, error: unknown) =>
        tell(
          'failed',
          `connection ${slot.id} did not open: ${errorType(error)} after ${tookMs.toFixed(0)} ms`,
        ),
      onClosed: (slot: Slot<unknown>, reason: CloseReason) =>
        tell('closed', `connection ${slot.id} closed: ${reason}, after ${slot.uses} uses`),
      onResized: (from: number, to: number, reason: string) =>
        tell('resized', `at most ${to} connections, before ${from}: ${reason}`),
      onLeakSuspected: (slot: Slot<unknown>, heldMs: number) =>
        tell('leak', `connection ${slot.id} has been held for ${Math.round(heldMs)} ms`),
      onNestedAcquires: ({ held, stuckMs }: NestedAcquires<unknown>) =>
        tell(
          'leak',
          `${held} connections are held by callers who wait for another, for ${Math.round(stuckMs)} ms`,
        ),
      onSevered: (slot: Slot<unknown>, silentMs: number) =>
        tell('closed', `connection ${slot.id} cut: nothing came on it for ${Math.round(silentMs)} ms`),
      onServerMoved: ({ host, from, to }: ServerMove) =>
        tell('closed', `${host} is ${to.join(', ')} now: connections to ${from.join(', ')} are replaced`),
      onCircuitChanged: ({ from, to, reason }: CircuitChange) =>
        tell('circuit', `circuit: ${from} → ${to}, because ${reason}`),
      onWorkloadChanged: ({ from, to }: WorkloadChange) =>
        tell('workload', `the load is ${to}, it was ${from}`),
      onFlagChanged: ({ name, from, to, reason }: FlagChange) =>
        tell('flag', `${name}: ${from} → ${to}, because ${reason}`),
    };
  }
}
