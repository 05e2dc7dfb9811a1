import { type Slot, SlotState } from '../slots.js';
import type { PoolStats } from '../stats.js';

/** More would not be read. */
const NAMED = 3;

/** What keeps those who wait, and what to try, as the middle of a sentence. */
export function causeOfWaiting(
  stats: PoolStats,
  slots: Iterable<Slot<unknown>>,
  openError: unknown,
  now: number,
  fleet?: { readonly budget: number; readonly share: number },
): string {
  if (openError !== undefined) {
    const why = openError instanceof Error ? openError.message : String(openError);
    return `connections cannot be opened (${why})`;
  }
  if (fleet !== undefined && fleet.share < stats.max && stats.leased >= fleet.share) {
    const held = `${fleet.share} of its ${stats.max}, out of a budget of ${fleet.budget}`;
    return `all connections that the fleet leaves this pool are held (${held}); raise the budget, or send less`;
  }
  if (stats.leased >= stats.limit) {
    const advice = 'look for slow queries or leases that are not released, or raise max';
    return `all connections are held: ${describeHolders(slots, now)}; ${advice}`;
  }
  return stats.opening > 0
    ? 'connections are slow to open: look at the server and the network'
    : 'connections are being checked or closed';
}

/**
 * Who holds the connections, the longest first, as the end of a sentence: how many, by the fingerprint of what they said
 * they would run, and for how long. Empty when nobody holds any.
 */
export function describeHolders(slots: Iterable<Slot<unknown>>, now: number): string {
  const kinds = new Map<string, { count: number; longestMs: number }>();
  for (const { state, profile, leasedAt } of slots) {
    if (state !== SlotState.leased) continue;
    const name = profile?.fingerprint ?? 'unknown';
    const kind = kinds.get(name) ?? { count: 0, longestMs: 0 };
    kind.count += 1;
    kind.longestMs = Math.max(kind.longestMs, now - leasedAt);
    kinds.set(name, kind);
  }
  return [...kinds]
    .sort(([, one], [, other]) => other.longestMs - one.longestMs)
    .slice(0, NAMED)
    .map(([name, { count, longestMs }]) => `${count} by ${name} for up to ${Math.round(longestMs)} ms`)
    .join(', ');
}
