import type { CircuitChange } from './breaker/breaker.js';
import type { ServerMove } from './health/addresses.js';
import type { NestedAcquires } from './health/nesting.js';
import type { Lease, Outcome } from './lease.js';
import type { FlagChange } from './rollout/rollout.js';
import type { WorkloadChange } from './sizing/workload.js';
import type { CheckReason, CloseReason, OpenReason, Slot } from './slots.js';
import type { Waiter } from './waiters.js';

/**
 * PORT: what happened, told as it happens. Every method may be left out; one that throws is silenced and never
 * breaks a query. Callbacks receive objects that exist anyway, so silence costs nothing.
 */
export interface Observer<C> {
  /** A caller joined the queue; runs in the caller's own asynchronous context. */
  onQueued?(waiter: Waiter<C>): void;
  /** A lease was given; `waiter` is undefined when it was served at once. Told of timed leases (`lease.timed`) and of waiters with a note. */
  onLeased?(lease: Lease<C>, waitedMs: number, waiter: Waiter<C> | undefined): void;
  /** A timed lease came back. */
  onReleased?(lease: Lease<C>, heldMs: number, outcome: Outcome): void;
  /** A caller was turned away or gave up; `waiter` is undefined when it never queued. */
  onFailed?(error: unknown, waitedMs: number, waiter: Waiter<C> | undefined): void;
  onOpening?(slot: Slot<C>, waiter: Waiter<C> | undefined, reason: OpenReason): void;
  onOpened?(slot: Slot<C>, tookMs: number): void;
  onOpenFailed?(slot: Slot<C>, tookMs: number, error: unknown): void;
  /** A check begins that no caller waits for; `about`: the silent ones that are asked about over this one. */
  onChecking?(slot: Slot<C>, reason: CheckReason, about?: readonly Slot<C>[]): void;
  /** A check or a clean-up ended, also one that a caller waits for. */
  onChecked?(slot: Slot<C>, tookMs: number, error: unknown): void;
  /** A connection that nobody waited for was made ready; undefined as `error` where nothing went wrong. */
  onWarmed?(slot: Slot<C>, tookMs: number, error: unknown): void;
  /** A connection was found dead, before anything is concluded from that. */
  onLost?(slot: Slot<C>): void;
  onClosed?(slot: Slot<C>, reason: CloseReason): void;
  /** There may be more connections than before, or fewer: by the word of the user, the server, the fleet or the limit probe. */
  onResized?(from: number, to: number, reason: string): void;
  /** `fingerprint`: of what ran last on it, as far as that is known. */
  onLeakSuspected?(slot: Slot<C>, heldMs: number, fingerprint: string | undefined): void;
  /** Those who hold the connections wait for others: nobody will be served before one of them gives up. */
  onNestedAcquires?(nested: NestedAcquires<C>): void;
  /** A connection was cut on which no byte had come for `silentMs`; `error` is what its holder is told. */
  onSevered?(slot: Slot<C>, silentMs: number, error: Error): void;
  /** A server's name no longer stands for addresses to which connections lead: these are replaced. */
  onServerMoved?(move: ServerMove): void;
  onStaleRelease?(lease: Lease<C>): void;
  /** An optimisation was accepted, taken back, tried again or set. */
  onFlagChanged?(change: FlagChange): void;
  /** The load became one of another kind. */
  onWorkloadChanged?(change: WorkloadChange): void;
  /** The pool's trust in its server changed. */
  onCircuitChanged?(change: CircuitChange): void;
}

const CALLBACKS = [
  'onQueued',
  'onLeased',
  'onReleased',
  'onFailed',
  'onOpening',
  'onOpened',
  'onOpenFailed',
  'onChecking',
  'onChecked',
  'onWarmed',
  'onLost',
  'onClosed',
  'onResized',
  'onLeakSuspected',
  'onNestedAcquires',
  'onSevered',
  'onServerMoved',
  'onStaleRelease',
  'onFlagChanged',
  'onWorkloadChanged',
  'onCircuitChanged',
] as const satisfies readonly (keyof Observer<unknown>)[];

/** The same observer, unable to throw, and with nothing where it does not listen. */
export function guarded<C>(observer: Observer<C>): Observer<C> {
  const safe: Record<string, (...told: unknown[]) => void> = {};
  for (const name of CALLBACKS) {
    const listen = observer[name] as ((...told: unknown[]) => void) | undefined;
    if (listen === undefined) continue;
    safe[name] = (first, second, third) => {
      try {
        listen.call(observer, first, second, third);
      } catch {
        // A listener's fault is not the query's.
      }
    };
  }
  return safe as Observer<C>;
}

/** Two who listen to the same pool. */
export function together<C>(one: Observer<C>, other: Observer<C>): Observer<C> {
  const both: Record<string, (...told: unknown[]) => void> = {};
  for (const name of CALLBACKS) {
    const listeners = [one, other].filter((observer) => observer[name] !== undefined);
    if (listeners.length === 0) continue;
    both[name] = (...told) => {
      for (const listener of listeners) (listener[name] as (...told: unknown[]) => void)(...told);
    };
  }
  return both as Observer<C>;
}
