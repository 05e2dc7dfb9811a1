/**
 * Shares of the capital that are staked on every pair. A mixture: the bold one ends a clear case in a dozen pairs, the
 * timid one survives the exceptions of an unclear case.
 */
const STAKES = [0.5, 0.95] as const;

/**
 * Evidence that the first of two measurements tends to be the larger, gathered for as long as one likes.
 *
 * A gambler bets on the sign of every pair's difference. If the two are exchangeable the bets are fair, and by Ville's
 * inequality his capital ever reaches 1/α with a probability of α at most: he may be asked after every pair, which a test
 * of fixed size forbids (issue 8; Ville 1939, and Waudby-Smith and Ramdas 2024 on testing by betting).
 */
export class Evidence {
  readonly #capitals: number[] = STAKES.map(() => 1);

  /** One pair, as the logarithm of its ratio; ratios within ± `indifference` count for neither. */
  add(logRatio: number, indifference: number): void {
    if (!(Math.abs(logRatio) > indifference)) return;
    const sign = logRatio > 0 ? 1 : -1;
    for (let index = 0; index < STAKES.length; index += 1) {
      this.#capitals[index]! *= 1 + STAKES[index]! * sign;
    }
  }

  /** What the gambler owns; he began with 1. */
  get capital(): number {
    return this.#capitals.reduce((sum, capital) => sum + capital, 0) / STAKES.length;
  }
}
