import { ownCopy } from '../own-copy.js';
import type { OpenedClient, openClient } from './client.js';
import type { Opened, open } from './pool.js';

/** Opens pools as `open` does, on a copy of everything that is run, loaded for them alone. */
export function ownPools(): (...given: Parameters<typeof open>) => Promise<Opened> {
  return alone(require.resolve('./pool.js'), 'open');
}

/** The same for `openClient`. */
export function ownClients(): (...given: Parameters<typeof openClient>) => Promise<OpenedClient> {
  return alone(require.resolve('./client.js'), 'openClient');
}

function alone<Given extends unknown[], Result>(
  file: string,
  name: string,
): (...given: Given) => Promise<Result> {
  const { modules, within } = ownCopy([file]);
  const [own] = modules as [Record<string, (...given: Given) => Result | Promise<Result>>];
  return (...given) => within(async () => own[name]!(...given));
}
