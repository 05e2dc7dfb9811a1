/** The most of these moments, which are in order, that come within so long. */
export function mostWithin(durationMs: number, moments: readonly number[]): number {
  let from = 0;
  let most = 0;
  for (const [index, at] of moments.entries()) {
    while (at - moments[from]! > durationMs) from += 1;
    most = Math.max(most, index - from + 1);
  }
  return most;
}
