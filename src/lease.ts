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

/** The right to use one connection until it is released. */
export class Lease<C> {
  readonly connection: C;
  /** @internal The slot it stands on. */
  readonly slot: Slot<C>;
  /** @internal Whether its wait and use are measured. */
  readonly timed: boolean;
  /** @internal */
  released = false;

  /** @internal */
  constructor(connection: C, slot: Slot<C>, timed: boolean) {
    this.connection = connection;
    this.slot = slot;
    this.timed = timed;
  }

  /**
   * Gives the connection back. Only the first call does: a later one returns false, is counted, and never
   * touches the connection's next holder.
   */
  release(outcome: Outcome = 'ok'): boolean {
    return this.slot.home.takeBack(this, outcome);
  }
}
