import { setTimeout as sleep } from 'node:timers/promises';

/** Slower than so many milliseconds is too late: the plan's "peak performance" is the load at which one in a hundred is. */
export const TOO_LATE_MS = 50;

/** How one request ended. */
export interface Request {
  /** When it was due; it was sent then, or as soon after as the event loop let us. */
  readonly dueAt: number;
  /** Infinite while it hangs. */
  endedAt: number;
  error: unknown;
}

/** When requests are due, in milliseconds from the beginning: so many a second, one like the other. */
export function evenly(perSecond: number, durationMs: number): number[] {
  const spacingMs = 1_000 / perSecond;
  return Array.from({ length: Math.round(durationMs / spacingMs) }, (_, index) => index * spacingMs);
}

/** The same, by chance: nobody knows of the others (a Poisson process). */
export function byChance(perSecond: number, durationMs: number, random: () => number): number[] {
  const due: number[] = [];
  const next = (after: number) => after - (Math.log(1 - random()) * 1_000) / perSecond;
  for (let at = next(0); at < durationMs; at = next(at)) due.push(at);
  return due;
}

/** Sends requests when they are due, whether or not the earlier ones were answered: users do not wait for each other. */
export async function openLoop(
  due: readonly number[],
  graceMs: number,
  send: (index: number) => Promise<unknown>,
): Promise<Request[]> {
  const requests: Request[] = [];
  const begin = performance.now();
  while (requests.length < due.length) {
    const elapsedMs = performance.now() - begin;
    for (let at = due[requests.length]; at !== undefined && at <= elapsedMs; at = due[requests.length]) {
      requests.push(sendAt(begin + at, requests.length, send));
    }
    await sleep(1);
  }
  const giveUpAt = performance.now() + graceMs;
  while (
    performance.now() < giveUpAt &&
    requests.some(({ endedAt }) => endedAt === Number.POSITIVE_INFINITY)
  ) {
    await sleep(20);
  }
  return requests;
}

/** Sends one request that was due at `dueAt`, and follows it. */
export function sendAt(dueAt: number, index: number, send: (index: number) => Promise<unknown>): Request {
  const request: Request = { dueAt, endedAt: Number.POSITIVE_INFINITY, error: undefined };
  send(index).then(
    () => {
      request.endedAt = performance.now();
    },
    (error: unknown) => {
      request.endedAt = performance.now();
      request.error = error ?? new Error('rejected without a reason');
    },
  );
  return request;
}
