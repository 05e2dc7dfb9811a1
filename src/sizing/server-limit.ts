/** From one try for more than the server granted to the next: doubled by a refusal, halved by a success. */
const PROBE_EVERY_MS = { first: 1_000, least: 250, most: 8_000 } as const;
/** The most while not one connection is open: callers wait for nothing else then. */
const PROBE_UNSERVED_MS = 2_000;
/** So long after the last refusal a tenth of the maximum is granted anew, and again after as long. */
const RELAX_EVERY_MS = 30_000;
const RELAX_SHARE = 0.1;

/**
 * How many connections the server grants, learned from its refusals: what was open when it refused one. More are asked for
 * one at a time, and ever more seldom while it refuses. Numbers and `now` in, numbers out; chance spreads the tries of many pools.
 */
export class ServerLimit {
  /** When one more may be tried than are granted. */
  probeAt = 0;
  #granted = Number.POSITIVE_INFINITY;
  #probeMs: number = PROBE_EVERY_MS.first;
  #refusedAt = Number.NEGATIVE_INFINITY;
  #relaxedAt = 0;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Connections that the server is known to grant; infinite while it has refused none. */
  get granted(): number {
    return this.#granted;
  }

  get inForce(): boolean {
    return this.#granted !== Number.POSITIVE_INFINITY;
  }

  /** One that began to open at `startedAt` was refused for want of room, while `live` others were open. */
  refused(startedAt: number, live: number, now: number): void {
    const isNews = startedAt >= this.#refusedAt;
    if (isNews) {
      const longestMs = live === 0 ? PROBE_UNSERVED_MS : PROBE_EVERY_MS.most;
      this.#probeMs = Math.min(longestMs, this.inForce ? this.#probeMs * 2 : PROBE_EVERY_MS.first);
      this.#probeAfter(now);
    }
    this.#granted = live;
    this.#refusedAt = now;
    this.#relaxedAt = now;
  }

  /** One that began to open at `startedAt` did, and makes it `live`. */
  opened(startedAt: number, live: number, max: number, now: number): void {
    if (!this.inForce) return;
    this.#granted = Math.max(this.#granted, live);
    if (startedAt < this.#refusedAt) return;
    this.#probeMs = Math.max(PROBE_EVERY_MS.least, this.#probeMs / 2);
    this.#probeAfter(now);
    this.#liftAt(max);
  }

  /** How many more may be opened now, beside the `size` there are, of which `opening` are on their way. */
  room(size: number, opening: number, max: number, now: number): number {
    if (!this.inForce) return max - size;
    const steps = Math.floor((now - this.#relaxedAt) / RELAX_EVERY_MS);
    if (steps > 0) {
      this.#relaxedAt += steps * RELAX_EVERY_MS;
      this.#granted += steps * Math.ceil(max * RELAX_SHARE);
      this.#liftAt(max);
    }
    const probe = opening === 0 && now >= this.probeAt ? 1 : 0;
    return Math.min(max - size, Math.max(probe, this.#granted - size));
  }

  /** What is granted up to the maximum is no limit any more. */
  #liftAt(max: number): void {
    if (this.#granted >= max) this.#granted = Number.POSITIVE_INFINITY;
  }

  #probeAfter(now: number): void {
    this.probeAt = now + this.#probeMs * (0.75 + this.#random() / 2);
  }
}
