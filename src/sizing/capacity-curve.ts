import { remaining } from '../decay.js';

/** Half octaves of leases in flight, up to 4,096. */
const BINS = 25;
const HALF_LIFE_MS = 600_000;
/** All bins fade together, once so little would be left of each. */
const FADES_BELOW = 0.9;
/** Leases that a bin must have seen. */
const FEWEST = 200;
/** As much throughput as the most is one within so much of it. */
const AS_MUCH = 0.97;

interface Bin {
  leases: number;
  heldMs: number;
}

/**
 * What the database was seen to do: how long leases are held (H) while so many are out (N). N / H is how many it then completes a
 * second (Little's law), whether or not anybody waits, so that a load which comes and goes draws the curve without an experiment.
 */
export class CapacityCurve {
  readonly #bins: readonly Bin[] = Array.from({ length: BINS }, () => ({ leases: 0, heldMs: 0 }));
  #fadedAt = 0;

  learn(completed: number, elapsedMs: number, holdMs: number, now: number): void {
    const inFlight = (completed * holdMs) / elapsedMs;
    if (!(inFlight >= 1)) return;
    this.#fade(now);
    const bin = this.#binOf(inFlight);
    bin.leases += completed;
    bin.heldMs += completed * holdMs;
  }

  /** How long a lease is held while about `inFlight` are out; undefined where that was hardly seen. */
  holdMs(inFlight: number): number | undefined {
    const bin = this.#binOf(inFlight);
    return bin.leases < FEWEST ? undefined : bin.heldMs / bin.leases;
  }

  /** The fewest in flight, up to `most`, with which it was seen to do about as much as with any number; undefined while that is not known. */
  enough(most: number): number | undefined {
    const seen = this.#seenUpTo(most);
    if (seen.length < 2) return undefined;
    const best = Math.max(...seen.map(({ throughput }) => throughput));
    return Math.ceil(seen.find(({ throughput }) => throughput >= AS_MUCH * best)!.inFlight);
  }

  /**
   * How throughput grows with what is in flight, near `most`: 1 as much, 0 not at all (the slope of its logarithm over two octaves
   * or what of them was seen); undefined while that is not known.
   */
  elasticity(most: number): number | undefined {
    const seen = this.#seenUpTo(most).filter(({ inFlight }) => inFlight >= most / 4);
    const [first, last] = [seen[0], seen.at(-1)];
    if (first === undefined || last === undefined || first === last || last.inFlight < most / 2)
      return undefined;
    return Math.log(last.throughput / first.throughput) / Math.log(last.inFlight / first.inFlight);
  }

  #binOf(inFlight: number): Bin {
    return this.#bins[Math.min(BINS - 1, Math.max(0, Math.round(2 * Math.log2(inFlight))))]!;
  }

  #seenUpTo(most: number): { inFlight: number; throughput: number }[] {
    const seen = [];
    for (const [index, { leases, heldMs }] of this.#bins.entries()) {
      const inFlight = 2 ** (index / 2);
      if (leases >= FEWEST && inFlight <= most * Math.SQRT2)
        seen.push({ inFlight: Math.min(inFlight, most), throughput: (inFlight * leases) / heldMs });
    }
    return seen;
  }

  #fade(now: number): void {
    const kept = remaining(now - this.#fadedAt, HALF_LIFE_MS);
    if (kept > FADES_BELOW) return;
    this.#fadedAt = now;
    for (const bin of this.#bins) {
      bin.leases *= kept;
      bin.heldMs *= kept;
    }
  }
}
