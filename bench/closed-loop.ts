import { build } from 'hdr-histogram-js';
import type { Chart } from './chart.js';
import { median } from './statistics.js';

const SLOWEST_MICROSECONDS = 60_000_000;

/** Of the requests, one in so many is slower. */
const ONE_IN = [1.25, 2, 4, 10, 20, 50, 100, 200, 500, 1_000];

/** What one window showed of one peer. */
export interface Window {
  readonly perSecond: number;
  /** Of this process, client side only. */
  readonly cpuMicroseconds: number;
  readonly p50Microseconds: number;
  readonly p99Microseconds: number;
  /** For each of `ONE_IN`, what the other requests stayed below, in microseconds. */
  readonly latencies: readonly number[];
}

/**
 * Callers who each send a request as soon as the one before is answered: latencies are those under full load, not those of a
 * given rate. A request that answers `false` counts, but its latency does not.
 */
export async function closedLoop(
  callers: number,
  windowMs: number,
  request: (caller: number) => Promise<unknown>,
): Promise<Window> {
  const latencies = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: SLOWEST_MICROSECONDS,
    numberOfSignificantValueDigits: 3,
  });
  let requests = 0;
  const cpuBefore = process.cpuUsage();
  const begin = performance.now();
  const end = begin + windowMs;
  const call = async (caller: number) => {
    for (let now = performance.now(); now < end; ) {
      const answer = await request(caller);
      const done = performance.now();
      requests += 1;
      if (answer !== false) {
        latencies.recordValue(Math.min(Math.round((done - now) * 1_000), SLOWEST_MICROSECONDS));
      }
      now = done;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  const tookMs = performance.now() - begin;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    perSecond: (requests * 1_000) / tookMs,
    cpuMicroseconds: (user + system) / requests,
    p50Microseconds: latencies.getValueAtPercentile(50),
    p99Microseconds: latencies.getValueAtPercentile(99),
    latencies: ONE_IN.map((many) => latencies.getValueAtPercentile(100 - 100 / many)),
  };
}

/** How long the slow ones take, peer by peer: each point the median over the windows. */
export function latencyChart(title: string, windows: Readonly<Record<string, readonly Window[]>>): Chart {
  return {
    title,
    x: { label: 'one request in so many is slower', logarithmic: true },
    y: { label: 'µs', logarithmic: true },
    series: Object.entries(windows).map(([name, all]) => ({
      name,
      points: ONE_IN.map(
        (many, index) => [many, median(all.map(({ latencies }) => latencies[index]!))] as const,
      ),
    })),
    note: 'under full load: each caller asks again as soon as it is answered',
  };
}
