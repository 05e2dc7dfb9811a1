import type { Slot, Slots } from '../slots.js';
import { inService } from '../upkeep.js';

/** How many times slower than the others with the same queries a connection is an outlier, and up to which the pool is well. */
const OUTLIER = { slowness: 3, usual: 1.5 } as const;
/** Of fewer connections nobody can say which one is out of line. */
const LEAST_CONNECTIONS = 3;
/** Of a tenth, at least one, as many go as the rotation takes in one step; the next after so long, doubled as long as that does not help. */
const EVERY_MS = { least: 30_000, most: 600_000 } as const;
const SHARE = 0.1;

/**
 * Finds connections that are much slower than the others of the pool: one that leads to a backend or by a way that is worse, where
 * another one would lead elsewhere. Pure: what each has shown and `now` in.
 */
export class Outliers<C> {
  #everyMs: number = EVERY_MS.least;
  #replacedAt = Number.NEGATIVE_INFINITY;

  find(all: Slots<C>, now: number): Slot<C>[] {
    if (now - this.#replacedAt < this.#everyMs) return [];
    const slots = inService(all);
    if (slots.length < LEAST_CONNECTIONS) return [];
    const slow = slots.filter(({ track }) => track.isProvenSlow && track.slowness(now) > OUTLIER.slowness);
    if (slow.length === 0 || median(slots, now) > OUTLIER.usual) return [];
    return slow.slice(0, Math.max(1, Math.floor(SHARE * slots.length)));
  }

  /** One goes for it. If the next is needed soon, that one did not help. */
  replaced(now: number): void {
    if (now === this.#replacedAt) return;
    const isSoon = now - this.#replacedAt < 2 * this.#everyMs;
    this.#everyMs = isSoon ? Math.min(EVERY_MS.most, 2 * this.#everyMs) : EVERY_MS.least;
    this.#replacedAt = now;
  }
}

function median<C>(slots: readonly Slot<C>[], now: number): number {
  const all = slots.map(({ track }) => track.slowness(now)).sort((one, other) => one - other);
  return all[Math.floor(all.length / 2)]!;
}
