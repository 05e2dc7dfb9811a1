// A process of its own: its heap is never collected while it counts, and counting asynchronous resources slows down
// whatever comes after it.

import { createHook } from 'node:async_hooks';
import { fork } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FLOOR, type LoadedPeer, load, PEERS } from './peers.js';

/** What one acquire and release leaves behind. */
export interface Footprint {
  /** Bytes allocated per operation, a value for each sample. */
  readonly bytes: readonly number[];
  /** Asynchronous resources created per operation, by type, those of the awaiting caller left out. */
  readonly resources: Readonly<Record<string, number>>;
}

/** The largest semi-space V8 grants: no sample may fill it. */
const HEAP_OPTIONS = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'];
const OPERATIONS = 4_096;
const WARM_UP_OPERATIONS = 40_000;
const WARM_UP_ROUNDS = 4;

/** By peer, of all of them or of those named. */
export function measureFootprints(
  samples: number,
  names: readonly string[] = PEERS.map(({ name }) => name),
): Promise<Record<string, Footprint>> {
  return new Promise((resolve, reject) => {
    const child = fork(__filename, [String(samples), ...names], { execArgv: HEAP_OPTIONS });
    child.once('message', (footprints) => resolve(footprints as Record<string, Footprint>));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the process that counts bytes ended with code ${code}`)));
  });
}

async function main(samples: number, names: readonly string[]): Promise<void> {
  const footprints: Record<string, Footprint> = {};
  let callers: Readonly<Record<string, number>> = {};
  for (const peer of PEERS.filter(({ name }) => name === FLOOR || names.includes(name))) {
    const { bytes, resources } = await measure(load(peer), samples);
    // The floor comes first: all of its resources are the awaiting caller's.
    if (Object.keys(footprints).length === 0) callers = resources;
    footprints[peer.name] = { bytes, resources: without(resources, callers) };
  }
  process.send?.(footprints, () => process.disconnect());
}

async function measure({ loops, open }: LoadedPeer, samples: number): Promise<Footprint> {
  const pool = await open({ size: 10 });
  await loops.fill(pool, 10);
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
    await loops.sequence(pool, WARM_UP_OPERATIONS);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  const bytes: number[] = [];
  while (bytes.length < samples) {
    globalThis.gc?.();
    await loops.sequence(pool, OPERATIONS);
    const before = process.memoryUsage().heapUsed;
    await loops.sequence(pool, OPERATIONS);
    bytes.push((process.memoryUsage().heapUsed - before) / OPERATIONS);
  }
  const resources = await countResources(() => loops.sequence(pool, OPERATIONS));
  await pool.close();
  return { bytes, resources };
}

async function countResources(work: () => Promise<void>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const hook = createHook({
    init(_id, type) {
      counts[type] = (counts[type] ?? 0) + 1;
    },
  });
  await nextTurn();
  hook.enable();
  await work();
  hook.disable();
  for (const [type, count] of Object.entries(counts)) counts[type] = round(count / OPERATIONS);
  return counts;
}

function without(
  counts: Readonly<Record<string, number>>,
  others: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts)
      .map(([type, count]) => [type, round(count - (others[type] ?? 0))] as const)
      .filter(([, count]) => count !== 0),
  );
}

function round(count: number): number {
  return Math.round(count * 100) / 100;
}

if (require.main === module) {
  // The parent's channel keeps us alive: the timers of most pools do not.
  process.on('message', () => {});
  const [, , samples, ...names] = process.argv;
  main(Number(samples), names);
}
