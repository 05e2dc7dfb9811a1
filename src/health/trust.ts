/** So many connections found alive after a pause, and none dead: fewer than 3 in 1,000 are (the rule of three, 95 %). */
const PROVEN_BY = 1_000;
const DOUBLINGS = 12;
/** What ends a connection sooner is not looked for among what ends idle ones. */
const LEAST_IDLE_MS = 10_000;
/** Deaths within a second of each other have one cause, and it is not their age. */
const APART_MS = 1_000;
/** Ages that are so close are one: timers of servers count seconds. */
const SAME_AGE = { ms: 1_500, share: 0.1 } as const;
/** An idle connection is asked at this share of the age at which something ends them. */
const KEPT_ALIVE_AT = 0.8;
/** One that is found dead may have died long before. */
const FOUND_DEAD_AT = 0.6;
/** What was learned of deaths is learned anew after so long. */
const FORGOTTEN_MS = 6 * 3_600_000;
const REMEMBERED = 8;

/** How a connection was known to be dead. */
export type DeathNews =
  /** The server said that it ended the session for being idle. */
  | 'told'
  /** Its end was noticed as it came. */
  | 'seen'
  /** It did not pass a check; since when, nobody knows. */
  | 'found';

/**
 * Learns how long an idle connection may be trusted, and whether something ends those that are idle for long: a
 * firewall, a NAT, `wait_timeout`. Pure: ages and `now` in, ages out.
 */
export class IdleTrust {
  /** A connection that is idle for longer is checked before it is leased. */
  checkAfterMs: number;
  /** A connection that is idle for so long is asked, so that it stays alive; infinite while nothing is known to end them. */
  keepAliveMs = Number.POSITIVE_INFINITY;
  readonly #plainMs: number;
  /** For each doubling of the plain age: checks passed at that age since the last death. */
  readonly #passed = new Array<number>(DOUBLINGS).fill(0);
  #deaths: { readonly at: number; readonly ageMs: number }[] = [];
  #endedAtMs = Number.POSITIVE_INFINITY;
  #learnedAt = 0;

  /** @param plainMs the age from which connections are checked while nothing is known; infinite for never. */
  constructor(plainMs: number) {
    this.#plainMs = plainMs;
    this.checkAfterMs = plainMs;
  }

  /** One that had been idle for `idleMs` passed a check. */
  passed(idleMs: number, now: number): void {
    const doubling = this.#doubling(idleMs);
    if (doubling !== undefined) this.#passed[doubling]! += 1;
    const outlived = idleMs > this.#endedAtMs * (1 + SAME_AGE.share) + SAME_AGE.ms;
    if (outlived || now - this.#learnedAt > FORGOTTEN_MS) this.#endedAtMs = Number.POSITIVE_INFINITY;
    this.#conclude();
  }

  /** One died that had been idle for `idleMs`. */
  died(idleMs: number, news: DeathNews, now: number): void {
    // Whoever is older is in doubt; and half as old, for nobody knows when it died.
    this.#passed.fill(0, Math.max(0, (this.#doubling(idleMs) ?? 0) - 1));
    if (idleMs >= LEAST_IDLE_MS) this.#suspectTheAge(idleMs, news, now);
    this.#conclude();
  }

  #suspectTheAge(idleMs: number, news: DeathNews, now: number): void {
    const ageMs = news === 'found' ? idleMs * FOUND_DEAD_AT : idleMs;
    const isAlike = (death: { readonly at: number; readonly ageMs: number }) =>
      now - death.at >= APART_MS && (news === 'found' || isSameAge(death.ageMs, ageMs));
    const isKnown = news === 'told' || this.#deaths.some(isAlike);
    this.#deaths = [...this.#deaths.slice(1 - REMEMBERED), { at: now, ageMs }];
    if (!isKnown) return;
    this.#learnedAt = now;
    this.#endedAtMs = Math.min(this.#endedAtMs, ageMs);
  }

  #conclude(): void {
    this.keepAliveMs = this.#endedAtMs * KEPT_ALIVE_AT;
    let provenMs = this.#plainMs;
    for (const passed of this.#passed) {
      if (passed < PROVEN_BY) break;
      provenMs *= 2;
    }
    this.checkAfterMs = Math.min(provenMs, this.keepAliveMs);
  }

  #doubling(idleMs: number): number | undefined {
    if (!Number.isFinite(this.#plainMs) || idleMs < this.#plainMs) return undefined;
    return Math.min(DOUBLINGS - 1, Math.floor(Math.log2(idleMs / this.#plainMs)));
  }
}

function isSameAge(one: number, other: number): boolean {
  return Math.abs(one - other) <= Math.max(SAME_AGE.ms, SAME_AGE.share * Math.min(one, other));
}
