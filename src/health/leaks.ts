import type { Callers } from '../callers.js';
import type { Driver } from '../driver.js';
import { fingerprint } from '../query/fingerprint.js';
import { type Slot, SlotState } from '../slots.js';

/** A lease that is held beyond the leak threshold. */
export interface LeakReport {
  readonly connectionId: number;
  readonly heldMs: number;
  /** Of the statement that ran last on it; else of what its holder said it would run, `session` where that was nothing. */
  readonly fingerprint: string | undefined;
  /** Who took it, as by the ids of a trace and a span; undefined where nobody can tell. */
  readonly holder: string | undefined;
}

/** The leases that have been reported as leaks and are still held. */
export function leakReports<C>(
  slots: Iterable<Slot<C>>,
  driver: Driver<C>,
  callers: Callers | undefined,
  now: number,
): LeakReport[] {
  const leaked = [...slots].filter(({ state, leakReported }) => state === SlotState.leased && leakReported);
  return leaked.map((slot) => ({
    connectionId: slot.id,
    heldMs: now - slot.leasedAt,
    fingerprint: lastFingerprint(slot, driver),
    holder: slot.holder === undefined ? undefined : callers?.describe(slot.holder),
  }));
}

/** Of what ran last on a leased connection, since it was leased. */
export function lastFingerprint<C>(slot: Slot<C>, driver: Driver<C>): string | undefined {
  const last = driver.lastStatement?.(slot.connection!);
  return last !== undefined && last.startedAt >= slot.leasedAt
    ? fingerprint(last.sql, last.dialect)
    : slot.profile?.fingerprint;
}
