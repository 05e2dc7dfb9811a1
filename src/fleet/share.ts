import { LEAST_SHARE, type ResolvedBudget, staticShare } from './budget.js';
import type { OtherLease } from './lease-store.js';

/** Without a renewal a share begins to shrink at this part of its lease, and is down at the other: what is idle by then is closed in time. */
const SHRINKS = { from: 0.5, to: 0.9 } as const;

/** After so many leases without a word everybody has shrunk, those who had borrowed included: the static share is free. */
const SETTLED_LEASES = 2;

/** A lease as its holder knows it. */
export interface HeldLease {
  readonly granted: number;
  /** When the request was sent to which it is the answer: the store's own count began later. */
  readonly since: number;
}

/** What a member may have `ageMs` after it asked for its latest lease, whatever has become of the store since. */
export function shareAt({ granted, since }: HeldLease, budget: ResolvedBudget, now: number): number {
  const age = (now - since) / budget.leaseMs;
  if (age <= SHRINKS.from) return granted;
  const own = staticShare(budget);
  if (age >= SETTLED_LEASES) return own;
  const low = Math.min(granted, own);
  const shrunk = Math.min(1, (age - SHRINKS.from) / (SHRINKS.to - SHRINKS.from));
  return Math.max(low, granted - Math.ceil((granted - low) * shrunk));
}

/** What a member may have that has never had a lease, and cannot get one since `since`. */
export function shareWithoutLease(since: number, budget: ResolvedBudget, now: number): number {
  return now - since >= SETTLED_LEASES * budget.leaseMs ? staticShare(budget) : LEAST_SHARE;
}

/** When the share of a lease, or of one who has none, changes next; infinite when it does not any more. */
export function shareChangesAt({ since }: { since: number }, budget: ResolvedBudget, now: number): number {
  const { leaseMs } = budget;
  const shrinksAt = since + SHRINKS.from * leaseMs;
  const settledAt = since + SETTLED_LEASES * leaseMs;
  if (now < shrinksAt) return shrinksAt;
  if (now < since + SHRINKS.to * leaseMs) return now + leaseMs / 20;
  return now < settledAt ? settledAt : Number.POSITIVE_INFINITY;
}

/** What those who are absent may have at any time, and nobody else therefore. */
export function heldForAbsent(present: number, budget: ResolvedBudget): number {
  return staticShare(budget) * Math.max(0, budget.members - present);
}

/**
 * What one of several may have of `total`: as much as it wants, or as much as everybody who does not get what he wants (max-min fairness).
 * Where that leaves a remainder it is one more, for whoever comes first.
 */
export function fairShare(want: number, others: readonly number[], total: number): number {
  const wants = [want, ...others].sort((one, other) => one - other);
  let left = total;
  for (const [index, each] of wants.entries()) {
    const level = Math.max(0, left) / (wants.length - index);
    if (each > level) return Math.min(want, Math.ceil(level));
    left -= each;
  }
  return want;
}

/** What a member is to ask for. */
export function askFor(
  { want, open, most }: { want: number; open: number; most: number },
  others: readonly OtherLease[],
  isContended: boolean,
  budget: ResolvedBudget,
): number {
  // What is open anyway may stay so while nobody else needs it.
  if (!isContended) return Math.min(most, Math.max(LEAST_SHARE, want, open));
  const total = budget.maxConnections - heldForAbsent(others.length + 1, budget);
  const fair = fairShare(
    want,
    others.map((other) => other.want),
    total,
  );
  return Math.min(most, Math.max(LEAST_SHARE, fair));
}

/** Whether somebody wants more than it has. */
export function isShort({ reserved, want }: OtherLease): boolean {
  return want > reserved;
}
