import type { Driver } from './driver.js';
import { type CloseReason, type Slot, SlotState } from './slots.js';

/** For so long a caller counts on a connection that is being warmed when he comes: then another is opened for him. */
export const HURRY_MS = 10;

/** After a warm-up that cost its connection none is begun for so long; doubled by each that comes after it, up to the second. */
const REST_MS = { least: 10_000, most: 600_000 } as const;

/** Whether connections are warmed: not for a while where that cost a connection. */
export class Warming {
  #restsUntil = Number.NEGATIVE_INFINITY;
  #restMs = 0;

  mayBegin(now: number): boolean {
    return now >= this.#restsUntil;
  }

  /** One ended in its time. */
  ended(): void {
    this.#restMs = 0;
  }

  /** One did not, or broke its connection. */
  overran(now: number): void {
    // Those that were on their way together count as one.
    if (!this.mayBegin(now)) return;
    this.#restMs = Math.min(REST_MS.most, Math.max(REST_MS.least, 2 * this.#restMs));
    this.#restsUntil = now + this.#restMs;
  }
}

/** Begins a warm-up; what the driver throws at once it might as well have rejected with. */
export function warmUpOn<C>(
  driver: Driver<C>,
  connection: C,
  signal: AbortSignal,
): Promise<void> | undefined {
  try {
    return driver.warm?.(connection, signal);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Whether its warm-up cost a slot its connection: the one in its place would go the same way. */
export function isCostOfWarming({ state, uses }: Slot<unknown>, reason: CloseReason): boolean {
  const broke = reason === 'broken' && state === SlotState.warming;
  const cannotBeCleaned = reason === 'dirty' && uses === 0;
  return reason === 'warm' || broke || cannotBeCleaned;
}
