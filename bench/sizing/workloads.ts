import { readFileSync } from 'node:fs';
import { seeded } from '../statistics.js';

/** Callers as they come, and how long each will hold its connection; times are milliseconds from the start. */
export interface Workload {
  readonly name: string;
  readonly durationMs: number;
  readonly arrivals: Float64Array;
  readonly holds: Float64Array;
}

type Random = () => number;

/** Lognormal holds of 4 ms on average with σ 0.8: short statements with a tail. */
const HOLD_MEAN_MS = 4;
const HOLD_SIGMA = 0.8;

/** The eight shapes of load: each `minutes` long, the same every time for the same seed. */
export function generated(seed: number, minutes: number): Workload[] {
  const durationMs = minutes * 60_000;
  const make = (name: string, arrive: (random: Random) => number[]): Workload => {
    const random = seeded(seed * 7_919 + name.length * 104_729 + name.charCodeAt(0));
    const arrivals = Float64Array.from(arrive(random).sort((a, b) => a - b));
    return { name, durationMs, arrivals, holds: arrivals.map(() => lognormal(random)) };
  };
  const rates = (ratePerSecond: (t: number) => number) => (random: Random) =>
    poisson(durationMs, ratePerSecond, random);
  return [
    make(
      'steady',
      rates(() => 500),
    ),
    make(
      'ramp',
      rates((t) => 50 + (1_950 * t) / durationMs),
    ),
    make(
      'diurnal',
      rates((t) => 1_000 * (1 - 0.95 * Math.cos((2 * Math.PI * t) / (5 * 60_000)))),
    ),
    make(
      'flash',
      rates((t) => (t > 0.5 * durationMs && t < 0.5 * durationMs + 20_000 ? 2_500 : 50)),
    ),
    make('periodic', (random) => every(15_000, durationMs, (at) => at + 400 * random(), 400)),
    make('cron', (random) => every(45_000, durationMs, (at) => at + 2 * random(), 60)),
    make('mmpp', (random) => modulated(durationMs, random)),
    make('heavy-tailed', (random) => paretoGaps(durationMs, random)),
  ];
}

/** A recorded load: lines of `t_ms,count`, so many callers spread over the time until the next line. */
export function recorded(name: string, file: string, seed: number): Workload {
  const random = seeded(seed);
  const lines = readFileSync(file, 'utf8').split('\n');
  const points = lines.flatMap((line, index) => {
    const [atMs, count] = line.split(',').map(Number);
    if (line.trim() === '' || (index === 0 && !Number.isFinite(atMs))) return [];
    if (!Number.isFinite(atMs) || !Number.isFinite(count) || count! < 0) {
      throw new Error(`${file}:${index + 1} is not 't_ms,count': ${line.slice(0, 60)}`);
    }
    return [{ atMs: atMs!, count: count! }];
  });
  if (points.length < 2) throw new Error(`${file} has fewer than two lines of 't_ms,count'`);
  points.sort((a, b) => a.atMs - b.atMs);
  const startMs = points[0]!.atMs;
  const arrivals = points.flatMap(({ atMs, count }, index) => {
    const next = points[index + 1]?.atMs ?? 2 * atMs - points[index - 1]!.atMs;
    return Array.from({ length: count }, () => atMs - startMs + (next - atMs) * random());
  });
  const sorted = Float64Array.from(arrivals.sort((a, b) => a - b));
  const durationMs = points.at(-1)!.atMs - startMs + 1_000;
  return { name, durationMs, arrivals: sorted, holds: sorted.map(() => lognormal(random)) };
}

function lognormal(random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return HOLD_MEAN_MS * Math.exp(HOLD_SIGMA * normal - HOLD_SIGMA ** 2 / 2);
}

/** Thinning: candidates at the highest rate, kept by the share of it that is due. */
function poisson(durationMs: number, ratePerSecond: (t: number) => number, random: Random): number[] {
  const highest = 2_500;
  const times: number[] = [];
  for (let t = gap(highest, random); t < durationMs; t += gap(highest, random)) {
    if (random() * highest < ratePerSecond(t)) times.push(t);
  }
  return times;
}

function gap(ratePerSecond: number, random: Random): number {
  return (-Math.log(1 - random()) * 1_000) / ratePerSecond;
}

function every(periodMs: number, durationMs: number, at: (start: number) => number, count: number): number[] {
  const times: number[] = [];
  for (let start = 5_000; start + 1_000 < durationMs; start += periodMs) {
    for (let caller = 0; caller < count; caller += 1) times.push(at(start));
  }
  return times;
}

/** A Markov-modulated Poisson process: 1,500 a second for 1 s on average, then 50 a second for 8 s. */
function modulated(durationMs: number, random: Random): number[] {
  const times: number[] = [];
  let busy = false;
  for (let t = 0; t < durationMs; busy = !busy) {
    const until = Math.min(durationMs, t - Math.log(1 - random()) * (busy ? 1_000 : 8_000));
    const rate = busy ? 1_500 : 50;
    for (t += gap(rate, random); t < until; t += gap(rate, random)) times.push(t);
    t = until;
  }
  return times;
}

/** Clusters whose gaps are Pareto with a tail index of 1.5, each of up to 100 callers within some 50 ms. */
function paretoGaps(durationMs: number, random: Random): number[] {
  const times: number[] = [];
  for (let t = 0; t < durationMs; t += 500 * (1 - random()) ** (-1 / 1.5)) {
    const size = Math.min(100, Math.ceil(4 * (1 - random()) ** (-1 / 1.5)));
    for (let caller = 0; caller < size; caller += 1) times.push(t + 50 * random());
  }
  return times.filter((t) => t < durationMs);
}
