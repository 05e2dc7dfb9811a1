/** The share that is left of what lay `elapsedMs` ago, where half of it is left after `halfLifeMs`. */
export function remaining(elapsedMs: number, halfLifeMs: number): number {
  return 2 ** (-elapsedMs / halfLifeMs);
}
