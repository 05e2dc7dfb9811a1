/** The promise of `call`, also when it throws or returns none. */
export function attempt<T>(call: () => Promise<T> | T): Promise<T> {
  return new Promise((resolve) => resolve(call()));
}
