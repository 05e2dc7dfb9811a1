/** Between two purges; doubled while no write succeeds in between, since then the new connections are no better. */
const PURGE_EVERY_MS = { least: 5_000, most: 60_000 } as const;

/**
 * Decides when a refused write means that the server is no longer the writer, so that every older connection must go.
 * A pool that has never written may be one for reading: there a refused write is the statement's own affair.
 */
export class Failover {
  #isWriter = false;
  #wroteSince = false;
  #purgedAt = Number.NEGATIVE_INFINITY;
  #pauseMs: number = PURGE_EVERY_MS.least;

  /** A write succeeded. */
  wrote(): void {
    this.#isWriter = true;
    this.#wroteSince = true;
  }

  /** A write was refused. Whether all older connections are to be purged. */
  refused(now: number): boolean {
    if (!this.#isWriter) return false;
    if (this.#wroteSince) this.#pauseMs = PURGE_EVERY_MS.least;
    if (now - this.#purgedAt < this.#pauseMs) return false;
    this.#pauseMs = Math.min(this.#pauseMs * 2, PURGE_EVERY_MS.most);
    this.#purgedAt = now;
    this.#wroteSince = false;
    return true;
  }
}
