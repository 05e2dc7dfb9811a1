import { classDefining } from '../defining-class.js';
import { enhance } from './patch.js';
import type { KnexClass, KnexClient, KnexRunner } from './shapes.js';

/**
 * Makes the pool of one knex instance run on the engine without module patching, for bundled applications; other
 * instances stay as they are. Call it before the first query; a pool that was used already stays stock, and the one that
 * `initialize` makes after `destroy` does not. Returns the same instance.
 */
export function enhanceKnex<K extends object>(knex: K): K {
  const { client } = knex as { readonly client?: KnexClient & { runner(builder: object): KnexRunner } };
  if (client === undefined) throw new TypeError('enhanceKnex expects a knex instance');
  const Client = classDefining<KnexClass>(client, 'initializePool', 'enhanceKnex expects a knex instance');
  enhance(client, { Client, Runner: client.runner({}).constructor as unknown as KnexClass });
  return knex;
}
