import { UNBOUNDED_WAIT_MS, type Waiter } from '../waiters.js';

/** Callers come faster than they are served once the first of them has waited for this share of what it may. */
const CROWDED_AT = 0.5;

/** Why there is not enough for all: the server is in trouble, or too many want something of it. */
export type Shortage = 'trouble' | 'crowd';

/**
 * Those who wait and said how much depends on their query. While there is not enough for all those of low priority are turned away, and
 * those of high priority are served first; else a priority means nothing.
 */
export class Priorities<C> {
  /** Undefined while there is enough. */
  shortage: Shortage | undefined = undefined;
  /** In the order in which they came; some may have left the queue since the upkeep looked. */
  readonly #low = new Set<Waiter<C>>();
  readonly #high = new Set<Waiter<C>>();

  joined(waiter: Waiter<C>): void {
    const priority = waiter.hint?.priority;
    if (priority === 'low') this.#low.add(waiter);
    else if (priority === 'high') this.#high.add(waiter);
  }

  /**
   * @param head who has waited longest.
   * @returns when it is to be looked for again, though nobody comes and nobody is served.
   */
  look(isTroubled: boolean, head: Waiter<C> | undefined, now: number): number {
    const crowdedAt = crowdsAt(head);
    this.shortage = isTroubled ? 'trouble' : now >= crowdedAt ? 'crowd' : undefined;
    return now >= crowdedAt ? Number.POSITIVE_INFINITY : crowdedAt;
  }

  /** Who is to be served before all others. */
  first(): Waiter<C> | undefined {
    if (this.shortage === undefined) return undefined;
    for (const waiter of this.#high) {
      if (waiter.queued) return waiter;
      this.#high.delete(waiter);
    }
    return undefined;
  }

  /** The upkeep's part. Up to `most` who are to be turned away. */
  toShed(most: number): Waiter<C>[] {
    for (const waiters of [this.#low, this.#high])
      for (const waiter of waiters) if (!waiter.queued) waiters.delete(waiter);
    return this.shortage === undefined ? [] : [...this.#low].slice(0, most);
  }
}

function crowdsAt<C>(head: Waiter<C> | undefined): number {
  if (head === undefined) return Number.POSITIVE_INFINITY;
  return head.queuedAt + CROWDED_AT * (head.timeoutMs || UNBOUNDED_WAIT_MS);
}
