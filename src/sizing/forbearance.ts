import { keepingMs } from './cost.js';

/** A queue that what comes back serves within this share of the time an opening takes is short, and within so long in any case. */
const SHORT_SHARE = 1 / 16;
const MOST_PATIENT_MS = 10;
/** What is out for longer than several others is not about to come back. */
const OVERDUE_HOLDS = 4;
/** Waits worth an opening: the price of a connection that stands open for two seconds. */
const WORTH_MS = keepingMs(1, 2_000);

/** A queue for which a connection could be opened. */
export interface Queue {
  readonly now: number;
  readonly waiting: number;
  /** How long the first has waited. */
  readonly waitedMs: number;
  /** Leases that are about to come back. */
  readonly leased: number;
  /** Connections there are, and those on their way. */
  readonly open: number;
  readonly holdMs: number;
  readonly connectMs: number;
}

/**
 * Leaves a short queue to what comes back: while many short leases are out the next release is sooner than any connection that begins to
 * open now. Each time that a queue begins, what one connection more would have saved is noted: a hold over the leases out. That fades at
 * the price of the connection; once it is worth one, the connection is opened (rent or buy: the ski rental). So a size is settled on where
 * one more costs more than it saves, and a load that rises goes beyond it within moments.
 */
export class Forbearance {
  #open = 0;
  #savedMs = 0;
  #at = 0;

  /**
   * @param missMs what the absence of one connection more has cost callers, each time; infinite where that is not known.
   * @returns whether nothing is to be opened for it yet.
   */
  forbears(queue: Queue, missMs: number): boolean {
    const { now, waiting, waitedMs, leased, open, holdMs, connectMs } = queue;
    const patienceMs = patienceOf(connectMs);
    if (open !== this.#open) this.#savedMs = 0;
    this.#savedMs = Math.max(0, this.#savedMs - keepingMs(1, now - this.#at));
    this.#open = open;
    this.#at = now;
    if (leased === 0 || waitedMs > patienceMs || (waiting * holdMs) / leased > patienceMs) return false;
    if (waitedMs === 0) this.#savedMs += holdMs / leased;
    return Math.max(this.#savedMs, missMs) < WORTH_MS;
  }
}

/** How long the first of a queue is left to what comes back, where a connection takes `connectMs` to open. */
export function patienceOf(connectMs: number): number {
  return Math.min(MOST_PATIENT_MS, SHORT_SHARE * connectMs);
}

/** How long a lease may be out and still be about to come back. */
export function soonMs(holdMs: number, connectMs: number): number {
  return Math.max(OVERDUE_HOLDS * holdMs, patienceOf(connectMs));
}
