// Pools that differ in their flags alone, in one process: how its compiler happens to treat each of them is another process's luck.

import type { FlagSetting } from '../../src/rollout/flags.js';
import { everyFlag } from '../../src/rollout/flags.js';
import { interleave } from '../interleave.js';
import { ownCopy } from '../own-copy.js';
import { type Obedient, obeyOrders, PeerProcess } from '../peer-process.js';
import { median } from '../statistics.js';
import type { open as openPool } from './pool.js';

export interface FlaggedPool {
  readonly name: string;
  readonly setting: FlagSetting;
}

const OPERATIONS = 20_000;
const WARM_UPS = 20;

/** Asked for so many rounds, it tells what an acquire and release took in each pool, in nanoseconds: medians. */
export class FlagsProcess extends PeerProcess<readonly FlaggedPool[], number> {
  constructor(pools: readonly FlaggedPool[]) {
    super(__filename, pools);
  }
}

async function open(pools: readonly FlaggedPool[]): Promise<Obedient<number>> {
  const contestants: { name: string; pool: Awaited<ReturnType<typeof openPool>> }[] = [];
  for (const { name, setting } of pools) {
    const { modules } = ownCopy([require.resolve('./pool.js')]);
    const pool = await (modules as [{ open: typeof openPool }])[0].open(everyFlag(setting));
    for (let turn = 0; turn < WARM_UPS; turn += 1) await nanoseconds(pool.lease);
    contestants.push({ name, pool });
  }
  return {
    obey: async (rounds) => {
      const times = await interleave(contestants, rounds, ({ pool }) => nanoseconds(pool.lease));
      return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
    },
    close: () => Promise.all(contestants.map(({ pool }) => pool.close())),
  };
}

async function nanoseconds(lease: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  for (let left = OPERATIONS; left > 0; left -= 1) await lease();
  return ((performance.now() - begin) * 1e6) / OPERATIONS;
}

if (require.main === module) obeyOrders(open);
