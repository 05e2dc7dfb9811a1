/**
 * A record in one of OpenTelemetry's histograms costs 2 to 8 µs, most of it for the hash of its attributes: of the leases that
 * the engine times, up to 1,000 a second, no more than a few hundred are worth it, and a minute of those still makes a p99 of 15,000.
 */
const RECORDS_PER_SECOND = 250;

/** Of the timed leases one in four is recorded then. */
const THINNED = 3;

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
      this.#mask = this.#seen * 1_000 > RECORDS_PER_SECOND * elapsedMs ? THINNED : 0;
      this.#since = at;
      this.#seen = 0;
    }
    this.#seen += 1;
    return (this.#seen & this.#mask) === 0;
  }
}
