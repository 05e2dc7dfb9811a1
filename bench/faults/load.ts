import { setTimeout as sleep } from 'node:timers/promises';

/** How one request ended. */
export interface Request {
  /** When it was due; it was sent then, or as soon after as the event loop let us. */
  readonly dueAt: number;
  /** Infinite while it hangs. */
  endedAt: number;
  error: unknown;
}

/** So many requests a second, whether or not the earlier ones were answered: users do not wait for each other. */
export async function openLoop(
  perSecond: number,
  durationMs: number,
  graceMs: number,
  send: (index: number) => Promise<unknown>,
): Promise<Request[]> {
  const requests: Request[] = [];
  const begin = performance.now();
  const spacingMs = 1_000 / perSecond;
  const total = Math.round(durationMs / spacingMs);
  while (requests.length < total) {
    const due = Math.min(total, 1 + Math.floor((performance.now() - begin) / spacingMs));
    while (requests.length < due)
      requests.push(sendAt(begin + requests.length * spacingMs, requests.length, send));
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
