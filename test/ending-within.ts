import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for what is to end, and throws if it has not after so long. */
export const endingWithin =
  (mostMs: number) =>
  async <T>(what: string, promise: Promise<T>): Promise<T> => {
    const never = Symbol('never');
    const giveUp = new AbortController();
    try {
      const end = await Promise.race([promise, sleep(mostMs, never, { signal: giveUp.signal })]);
      if (end === never) throw new Error(`${what} never ended`);
      return end as T;
    } finally {
      giveUp.abort();
    }
  };
