import { setTimeout as sleep } from 'node:timers/promises';
import { createPool } from '../../src/index.js';
import { Forecaster } from '../../src/sizing/forecaster.js';
import { seeded } from '../statistics.js';

const STEPS = 100_000;
const REST_MS = 10_000;

/** What one step of the forecaster takes, over hours of a load that comes and goes. */
export function microsecondsPerStep(max: number): number {
  const random = seeded(1);
  const forecaster = new Forecaster(0, () => true, { onDecision() {}, onSeasonFault() {} });
  const startedAt = process.cpuUsage();
  for (let step = 1; step <= STEPS; step += 1) {
    const busy = step % 150 < 30 ? max : 2;
    forecaster.step({
      now: step * 100,
      elapsedMs: 100,
      atRest: false,
      stalled: false,
      peak: Math.floor(busy * random()),
      load: busy / 2,
      arrivals: Math.floor(10 * busy * random()),
      open: max,
      holdMs: 4,
      connectMs: 40,
      min: 0,
      limit: max,
      idleTimeoutMs: 10_000,
      unprovenMs: Number.POSITIVE_INFINITY,
    });
  }
  const { user, system } = process.cpuUsage(startedAt);
  return (user + system) / STEPS;
}

/** What `pools` that were each used once cost a core while nobody uses them. */
export async function shareOfCoreAtRest(pools: number): Promise<number> {
  const made = Array.from({ length: pools }, () =>
    createPool({
      driver: { open: async () => ({}), check: async () => {}, close: () => {} },
      flags: { forecaster: 'on', seasonal: 'on' },
    }),
  );
  for (const pool of made) (await pool.acquire()).release();
  await sleep(1_000);
  const startedAt = process.cpuUsage();
  await sleep(REST_MS);
  const { user, system } = process.cpuUsage(startedAt);
  await Promise.all(made.map((pool) => pool.drain()));
  return (user + system) / 1_000 / REST_MS;
}
