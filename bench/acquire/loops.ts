import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PeerPool } from './peer.js';

/** Operations without a turn of the event loop: timers and upkeep get their due, and the turns cost next to nothing. */
const OPERATIONS_PER_TURN = 8_192;

/** One caller who acquires and releases, over and over. */
export async function sequence(pool: PeerPool, operations: number): Promise<void> {
  for (let left = operations; left > 0; left -= OPERATIONS_PER_TURN) {
    const few = Math.min(left, OPERATIONS_PER_TURN);
    if (pool.releaseSettles) await sequenceAwaited(pool, few);
    else await sequenceUnawaited(pool, few);
    await nextTurn();
  }
}

async function sequenceUnawaited(pool: PeerPool, operations: number): Promise<void> {
  for (let left = operations; left > 0; left -= 1) pool.release(await pool.acquire());
}

async function sequenceAwaited(pool: PeerPool, operations: number): Promise<void> {
  for (let left = operations; left > 0; left -= 1) await pool.release(await pool.acquire());
}

/** The same without a promise. */
export async function tries(pool: PeerPool, operations: number): Promise<void> {
  for (let left = operations; left > 0; left -= OPERATIONS_PER_TURN) {
    trySome(pool, Math.min(left, OPERATIONS_PER_TURN));
    await nextTurn();
  }
}

function trySome(pool: PeerPool, operations: number): void {
  for (let left = operations; left > 0; left -= 1) pool.tryOnce?.();
}

/** Many callers who each acquire, yield once and release, over and over. */
export async function crowd(pool: PeerPool, callers: number, operations: number): Promise<void> {
  let left = operations;
  const call = async () => {
    while (left > 0) {
      left -= 1;
      const held = await pool.acquire();
      await undefined;
      if (pool.releaseSettles) await pool.release(held);
      else pool.release(held);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  await nextTurn();
}

/** Opens `count` resources and leaves them idle. */
export async function fill(pool: PeerPool, count: number): Promise<void> {
  for (const held of await hold(pool, count)) await pool.release(held);
}

export function hold(pool: PeerPool, count: number): Promise<unknown[]> {
  return Promise.all(Array.from({ length: count }, () => pool.acquire()));
}

/** How long the event loop stood still at worst, and how late the last of them was told. */
export interface TimeoutStorm {
  readonly stallMs: number;
  readonly latenessMs: number;
}

/** Lets `callers` time out at once on a pool that has nothing for them. */
export async function timeOutTogether(
  pool: PeerPool,
  callers: number,
  timeoutMs: number,
): Promise<TimeoutStorm> {
  let left = callers;
  const count = () => {
    left -= 1;
  };
  for (let caller = 0; caller < callers; caller += 1) pool.acquire().then(count, count);
  const due = performance.now() + timeoutMs;
  let turnAt = performance.now();
  let stallMs = 0;
  while (left > 0) {
    await nextTurn();
    const now = performance.now();
    stallMs = Math.max(stallMs, now - turnAt);
    turnAt = now;
  }
  return { stallMs, latenessMs: turnAt - due };
}
