import { ownCopy } from '../own-copy.js';
import type { Opened, open } from './pool.js';

/** Opens pools as `open` does, on a copy of everything that is run, loaded for them alone. */
export function ownPools(): (...given: Parameters<typeof open>) => Promise<Opened> {
  const { modules, within } = ownCopy([require.resolve('./pool.js')]);
  const [pools] = modules as [{ open: typeof open }];
  return (...given) => within(async () => pools.open(...given));
}
