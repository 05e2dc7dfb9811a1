/** So many waits and holds of a block are kept: enough for its quantiles, and a bound. */
const SAMPLES = 256;

/** Cumulative counts of a pool at one instant. */
export interface Totals {
  readonly leases: number;
  /** Acquires that ended without a connection. */
  readonly failed: number;
  /** Connections lost to errors. */
  readonly faults: number;
  readonly opened: number;
}

/** What was measured between two instants under one arrangement of the flags. */
export interface BlockMeasures {
  readonly leases: number;
  readonly waitP95Ms: number;
  /** Holding time over what the same queries took before, the median. */
  readonly holdRatio: number;
  readonly failedShare: number;
  readonly faultShare: number;
  readonly opened: number;
  /** The latest upkeep in it, and by how much. */
  readonly lagMs: number;
}

/** Gathers the measures of the block that runs. Constant memory. */
export class Block {
  readonly #waits = new Samples();
  readonly #holds = new Samples();
  #begin: Totals = { leases: 0, failed: 0, faults: 0, opened: 0 };
  #lagMs = 0;

  start(totals: Totals): void {
    this.#begin = totals;
    this.#waits.clear();
    this.#holds.clear();
    this.#lagMs = 0;
  }

  recordWait(waitedMs: number): void {
    this.#waits.add(waitedMs);
  }

  recordHold(ratio: number): void {
    this.#holds.add(ratio);
  }

  recordLag(lateMs: number): void {
    if (lateMs > this.#lagMs) this.#lagMs = lateMs;
  }

  leasesSince(totals: Totals): number {
    return totals.leases - this.#begin.leases;
  }

  end(totals: Totals): BlockMeasures {
    const leases = totals.leases - this.#begin.leases;
    const failed = totals.failed - this.#begin.failed;
    return {
      leases,
      waitP95Ms: this.#waits.quantile(0.95),
      holdRatio: this.#holds.quantile(0.5),
      failedShare: failed / Math.max(1, leases + failed),
      faultShare: (totals.faults - this.#begin.faults) / Math.max(1, leases),
      opened: totals.opened - this.#begin.opened,
      lagMs: this.#lagMs,
    };
  }
}

/** The latest of a stream of numbers. */
class Samples {
  readonly #kept = new Float64Array(SAMPLES);
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  add(value: number): void {
    this.#kept[this.#count % SAMPLES] = value;
    this.#count += 1;
  }

  quantile(q: number): number {
    const length = Math.min(this.#count, SAMPLES);
    if (length === 0) return 0;
    const sorted = this.#kept.slice(0, length).sort();
    return sorted[Math.min(length - 1, Math.floor(q * length))]!;
  }
}
