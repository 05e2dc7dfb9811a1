import type { Slot } from './slots.js';

/**
 * How a lease ended: `ok`; `failed`, the work failed but the connection is sound (an SQL error);
 * `broken`, the connection is of no further use.
 */
export type Outcome = 'ok' | 'failed' | 'broken';

/** Where a lease goes back to. */
export interface LeaseHome<C> {
  takeBack(lease: Lease<C>, outcome: Outcome): boolean;
}

/** The three states of a lease; one number, because a lease is made for every query. */
const HELD = 0;
const HELD_AND_TIMED = 1;
const RELEASED = 2;

/** The right to use one connection until it is released. */
export class Lease<C> {
  /** @internal The slot it stands on. */
  readonly slot: Slot<C>;
  #state: typeof HELD | typeof HELD_AND_TIMED | typeof RELEASED;

  /** @internal */
  constructor(slot: Slot<C>, timed: boolean) {
    this.slot = slot;
    this.#state = timed ? HELD_AND_TIMED : HELD;
  }

  get connection(): C {
    return this.slot.connection!;
  }

  /** @internal Whether its wait and use are measured; false once it is released. */
  get timed(): boolean {
    return this.#state === HELD_AND_TIMED;
  }

  get released(): boolean {
    return this.#state === RELEASED;
  }

  /** @internal When it was given, by the pool's clock. */
  get since(): number {
    return this.slot.leasedAt;
  }

  /**
   * Gives the connection back. Only the first call does: a later one returns false, is counted, and never
   * touches the connection's next holder.
   */
  release(outcome: Outcome = 'ok'): boolean {
    return this.slot.home.takeBack(this, outcome);
  }

  /** @internal From here on a release is a stale one. */
  end(): void {
    this.#state = RELEASED;
  }
}

/** The right to put one short statement on a connection that others use at the same time. */
export class SharedLease<C> extends Lease<C> {
  readonly #since: number;
  /** @internal What the statement is expected to add to the wait of those behind it, in milliseconds. */
  readonly costMs: number;
  /**
   * How long the connection was busy with this statement, in milliseconds: since it was sent, or since the answer before
   * it. Known once the lease is released.
   */
  servedMs = 0;
  /** Whether the connection fell silent over it; known as `servedMs` is. */
  fellSilent = false;

  /** @internal */
  constructor(slot: Slot<C>, timed: boolean, since: number, costMs: number) {
    super(slot, timed);
    this.#since = since;
    this.costMs = costMs;
  }

  override get since(): number {
    return this.#since;
  }
}
