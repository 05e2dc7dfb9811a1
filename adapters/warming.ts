import { attempt } from '../src/attempt.js';
import type { PoolSetup } from './host.js';

/**
 * What the application wants done on a connection, the driver's own, that was opened ahead of demand, before it goes idle. `signal` aborts
 * once somebody waits for the connection, or it is to be closed.
 */
export type WarmHook = {
  // A method's parameter may be of a narrower type: the application's own for its connections.
  warm(connection: unknown, signal: AbortSignal): Promise<void> | void;
}['warm'];

/** The same for the engine's connections: undefined where there is nothing to do. */
export type WarmUp<C> = (connection: C, signal: AbortSignal) => Promise<void> | undefined;

/** First what the library can prepare by itself, then what the application wants. */
export function warmUpOf<C>(
  { warm, background = (_, work) => work() }: PoolSetup,
  prepare: ((connection: C) => Promise<void> | undefined) | undefined,
  nativeOf: (connection: C) => unknown,
): WarmUp<C> {
  return (connection, signal) =>
    background('warm', () => {
      const preparing = prepare?.(connection);
      if (warm === undefined) return preparing;
      const warmNative = () => attempt(() => warm(nativeOf(connection), signal));
      if (preparing === undefined) return warmNative();
      return preparing.then(() => (signal.aborted ? undefined : warmNative()));
    });
}
