import type { ResolvedOptions } from './config.js';
import { type Slot, SlotState, type Slots } from './slots.js';

/** While a pool is in use its upkeep looks around this often. */
export const UPKEEP_INTERVAL_MS = 100;

/** Above so many leases a second only one in 2^k is timed: the clock, and what is learned from a lease, cost more than the lease does. */
const TIMED_LEASES_PER_SECOND = 1_000;

/** Idle slots that outlived their idle timeout, oldest first, never so many that fewer than `least` are left. */
export function idleTooLong<C>(
  slots: Slots<C>,
  { idleTimeoutMs }: ResolvedOptions,
  least: number,
  now: number,
): Slot<C>[] {
  if (idleTimeoutMs === 0) return [];
  return oldestIdle(slots, slots.open - least, (slot) => now >= slot.idleSince + idleTimeoutMs);
}

/** Idle slots that nobody has held since then: the newest idle one is leased first, so the others were the most in use at once. */
export function unused<C>(slots: Slots<C>, since: number): number {
  let count = 0;
  for (const slot of slots.idle()) {
    if (slot.idleSince < since || slot.uses === 0) count += 1;
  }
  return count;
}

/** Idle slots on which nothing has passed for `keepAliveMs`. */
export function quietIdle<C>(slots: Slots<C>, keepAliveMs: number, now: number): Slot<C>[] {
  return slots.idle().filter((slot) => now - usedAt(slot) >= keepAliveMs);
}

/** Of the `newest` idle slots those on which nothing has passed since `time`. */
export function staleBefore<C>(slots: Slots<C>, newest: number, time: number): Slot<C>[] {
  return slots
    .idle()
    .slice(-newest)
    .filter((slot) => usedAt(slot) <= time);
}

/** When something passed on an idle slot last. */
export function usedAt<C>({ idleSince, provenAt }: Slot<C>): number {
  return Math.max(idleSince, provenAt);
}

/** Idle slots beyond the limit, oldest first. */
export function idleBeyond<C>(slots: Slots<C>, limit: number): Slot<C>[] {
  return oldestIdle(slots, slots.open - limit, () => true);
}

/** How many leases are out that began at `time` or later, of connections that stay. */
export function leasedSince<C>(slots: Slots<C>, time: number): number {
  let count = 0;
  for (const { state, retiring, leasedAt } of slots)
    if (state === SlotState.leased && retiring === undefined && leasedAt >= time) count += 1;
  return count;
}

/** Idle and leased slots whose lifetime is over and that are not on their way out. */
export function pastLifetime<C>(slots: Slots<C>, now: number): Slot<C>[] {
  return inService(slots).filter((slot) => now >= slot.expiresAt);
}

/** Idle and leased slots that are not on their way out. */
export function inService<C>(slots: Slots<C>): Slot<C>[] {
  return [...slots].filter(stays);
}

/** Slots whose open, check or close has run past its deadline. */
export function overdue<C>(slots: Slots<C>, now: number): Slot<C>[] {
  return [...slots].filter((slot) => now >= slot.deadlineAt);
}

/** Leases held beyond the leak threshold and not yet reported. */
export function suspectedLeaks<C>(slots: Slots<C>, options: ResolvedOptions, now: number): Slot<C>[] {
  const { leakThresholdMs } = options;
  if (leakThresholdMs === 0) return [];
  return [...slots].filter(
    (slot) => slot.state === SlotState.leased && !slot.leakReported && now >= slot.leasedAt + leakThresholdMs,
  );
}

/**
 * When the upkeep of the slots has something to do next, `least` of them being kept, and none replaced before `rotatesAt`;
 * infinite when it has not.
 */
export function nextSlotDueAt<C>(
  slots: Slots<C>,
  options: ResolvedOptions,
  least: number,
  rotatesAt: number,
): number {
  let dueAt = Number.POSITIVE_INFINITY;
  const [oldest] = slots.idle();
  if (oldest !== undefined && options.idleTimeoutMs > 0 && slots.open > least) {
    dueAt = oldest.idleSince + options.idleTimeoutMs;
  }
  for (const slot of slots) {
    dueAt = Math.min(dueAt, slot.deadlineAt);
    if (stays(slot)) dueAt = Math.min(dueAt, Math.max(slot.expiresAt, rotatesAt));
    if (slot.state === SlotState.leased && options.leakThresholdMs > 0 && !slot.leakReported) {
      dueAt = Math.min(dueAt, slot.leasedAt + options.leakThresholdMs);
    }
  }
  return dueAt;
}

/** The sparsest timing: one lease in 16,384, which a loop that does nothing but acquire and release comes to. */
export const LONGEST_TIMING_MASK = 16_383;

/** The pace is set anew every 256 leases at the most often: from rest, a sudden crowd is timed no longer than that. */
export const PACING_MASK = 255;

/** The mask `m` for which every lease whose number `n` has `(n & m) === 0` is timed, at the pace of the last `elapsedMs`. */
export function timingMask(
  leases: number,
  elapsedMs: number,
  perSecond: number = TIMED_LEASES_PER_SECOND,
): number {
  const surplus = (leases * 1_000) / (Math.max(elapsedMs, 0.001) * perSecond);
  if (surplus <= 1) return 0;
  return Math.min(2 ** Math.ceil(Math.log2(surplus)) - 1, LONGEST_TIMING_MASK);
}

function stays<C>({ state, retiring, leavesFor }: Slot<C>): boolean {
  const isInService = state === SlotState.idle || state === SlotState.leased;
  return isInService && retiring === undefined && leavesFor === undefined;
}

function oldestIdle<C>(slots: Slots<C>, most: number, due: (slot: Slot<C>) => boolean): Slot<C>[] {
  if (most <= 0) return [];
  const candidates = slots.idle().slice(0, most);
  const firstYoung = candidates.findIndex((slot) => !due(slot));
  return firstYoung === -1 ? candidates : candidates.slice(0, firstYoung);
}
