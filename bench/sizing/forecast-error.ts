import type { Forecasts } from './engine.js';

const QUANTILE = 0.95;

/** Mean pinball loss of the targets at the 95 % quantile, in connections. */
export function meanPinball({ targets, peaks }: Forecasts): number {
  let sum = 0;
  for (let step = 1; step < peaks.length; step += 1) {
    const short = peaks[step]! - targets[step - 1]!;
    sum += short > 0 ? QUANTILE * short : (QUANTILE - 1) * short;
  }
  return sum / Math.max(1, peaks.length - 1);
}

/** Mean absolute error of the targets over that of "as much as just now". */
export function scaledError({ targets, peaks }: Forecasts): number {
  let error = 0;
  let naive = 0;
  for (let step = 1; step < peaks.length; step += 1) {
    error += Math.abs(peaks[step]! - targets[step - 1]!);
    naive += Math.abs(peaks[step]! - peaks[step - 1]!);
  }
  return error / naive;
}
