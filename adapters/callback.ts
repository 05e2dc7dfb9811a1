import { AsyncResource } from 'node:async_hooks';

/**
 * Ties a callback that will be stored to the asynchronous context it was given in, so that a release on behalf of
 * another request cannot lend it its own. Not by `AsyncResource.bind`, which costs 20 µs on Node 22.
 */
export function inCallersContext<Given extends unknown[], Result>(
  callback: (...given: Given) => Result,
): (...given: Given) => Result {
  const context = new AsyncResource('EnhancedPoolCallback');
  return (...given) =>
    context.runInAsyncScope(callback as (...given: unknown[]) => Result, undefined, ...given);
}

/** What `call` returns or throws, at once or later. */
export function settled(call: () => unknown): Promise<unknown> {
  return new Promise((resolve) => resolve(call()));
}
