import { type Slot, SlotState } from '../slots.js';

/** More would not be read. */
const NAMED = 3;

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
