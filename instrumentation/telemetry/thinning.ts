import { timingMask } from '../../src/upkeep.js';

/**
 * A record in one of OpenTelemetry's histograms costs 2 to 8 µs, most of it for the hash of its attributes. Above so many a second one in
 * 2^k is made, which leaves 125 to 250: in a minute enough for a p99.
 */
const RECORDS_PER_SECOND = 250;

const PACE_MS = 1_000;

/** Which of what recurs is recorded: all while that is seldom, a part above that. */
export class Thinning {
  #since = Number.NEGATIVE_INFINITY;
  #seen = 0;
  #mask = 0;

  /** @param at in milliseconds; roughly in order. */
  takes(at: number): boolean {
    const elapsedMs = at - this.#since;
    if (elapsedMs >= PACE_MS) {
      this.#mask = timingMask(this.#seen, elapsedMs, RECORDS_PER_SECOND);
      this.#since = at;
      this.#seen = 0;
    }
    this.#seen += 1;
    return (this.#seen & this.#mask) === 0;
  }
}
