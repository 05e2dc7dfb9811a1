// Preloaded after our register entry: when the process ends, it writes to file descriptor 3 what became of every pool
// that the engine took over.
import { writeSync } from 'node:fs';
import type { Library } from '../../adapters/host.js';
import { processHost } from '../../instrumentation/hosts.js';
import type { Pool, PoolCounters, PoolStats } from '../../src/index.js';

export interface AdoptedPool {
  readonly library: Library;
  readonly stats: PoolStats;
  readonly counters: PoolCounters;
}

const pools: { library: Library; engine: Pool<unknown> }[] = [];
const { adopted } = processHost;

processHost.adopted = (info, engine, control) => {
  adopted(info, engine, control);
  pools.push({ library: info.library, engine });
};

process.on('exit', () => {
  const told = pools.map(
    ({ library, engine }): AdoptedPool => ({ library, stats: engine.stats(), counters: engine.counters }),
  );
  writeSync(3, JSON.stringify(told));
});
