/** A member's renewal of its lease. */
export interface LeaseRequest {
  /** Grows with every request of a member: an older one that arrives late must be refused. */
  readonly number: number;
  /** The most connections that the member has, or may come to have before it is answered. */
  readonly ceiling: number;
  /** How many it asks for. */
  readonly asked: number;
  /** How many its callers could use: what others go by when they judge what is fair. */
  readonly want: number;
}

/** Another member's entry. */
export interface OtherLease {
  /** What it may have. */
  readonly reserved: number;
  readonly want: number;
}

export interface LeaseGrant {
  /** How many the member may have from now on; below what it has, it is to let go of the rest. */
  readonly granted: number;
  /** For so long nobody is given more than it has: what was granted before the store went away may still be held. */
  readonly graceMs: number;
  readonly others: readonly OtherLease[];
}

/** What a store tells of its own accord: another member is short of connections, or the store was lost. */
export type LeaseNews = 'short' | 'lost';

/**
 * PORT: where one member's lease is kept beside those of the others, such as a table in Redis. What all of them may have together
 * never exceeds the budget; a lease that is not renewed ends by the store's own clock, `leaseMs` after the store has granted it, unless the store
 * knows that its holder is only frozen.
 */
export interface LeaseStore {
  /** Rejects when the store cannot be asked. `signal` says that nobody waits for the answer any more. */
  renew(request: LeaseRequest, signal: AbortSignal): Promise<LeaseGrant>;
  /** The member has no connections any more, and asks for none. */
  leave(): Promise<void>;
  /** Set by the member. */
  onNews: ((news: LeaseNews) => void) | undefined;
}
