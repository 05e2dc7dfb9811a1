/** The value at the share `q` of the sorted `values`, interpolated. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Where the middle half of the values lies. */
export function middleHalf(values: readonly number[]): readonly [number, number] {
  return [quantile(values, 0.25), quantile(values, 0.75)];
}

/** Round by round, so that what disturbs a whole round disturbs neither side of the comparison. */
export function paired(
  ones: readonly number[],
  others: readonly number[],
  compare: (one: number, other: number) => number,
): number[] {
  return ones.map((one, round) => compare(one, others[round] ?? Number.NaN));
}

export const over = (one: number, other: number): number => one / other;
export const above = (one: number, other: number): number => one - other;

const RESAMPLES = 2_000;
/** Of fewer, the lowest and the highest contain the median in less than 95 of 100 cases: 1 − 2^(1−n). */
const LEAST_FOR_INTERVAL = 6;

/** The 95 % bootstrap interval of the median, the same every time for the same values; of fewer than six the lowest and the highest. */
export function intervalOfMedian(values: readonly number[]): readonly [number, number] {
  if (values.length < LEAST_FOR_INTERVAL) return [Math.min(...values), Math.max(...values)];
  const random = seeded(0x5eed);
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? Number.NaN)),
  );
  return [quantile(medians, 0.025), quantile(medians, 0.975)];
}

/** mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
