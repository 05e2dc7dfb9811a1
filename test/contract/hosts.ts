import { ENHANCED, STRICT } from '../../adapters/differences.js';
import { type Host, type PoolSetup, plainHost } from '../../adapters/host.js';
import { WatchedPool } from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';

/** How a library's pools run while they are held to its contract. */
export type Flavour = 'stock' | 'enhanced' | 'strict' | 'observed';

export const hostOf = (setup: Partial<PoolSetup>): Host => ({
  ...plainHost,
  setUp: () => ({ options: {}, observer: undefined, differences: ENHANCED, ...setup }),
});

/** Under `strict` no optimisation acts either. */
export const HOSTS: Readonly<Record<Flavour, Host | undefined>> = {
  stock: undefined,
  enhanced: plainHost,
  strict: hostOf({ differences: STRICT, flags: everyFlag('off') }),
  observed: {
    ...plainHost,
    setUp: () => undefined,
    watch: (_info, source) => ({ watched: new WatchedPool(source.facts) }),
  },
};
