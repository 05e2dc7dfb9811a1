import { invalidOptions, quote, unknownKey } from '../config.js';

/** How many connections a fleet of pools may have to one database server. Every pool of every process and thread is a member. */
export interface FleetBudget {
  /** Most connections of all members together. */
  maxConnections: number;
  /** Most members that there ever are at once: processes, times their pools on this server. */
  members: number;
  /** How long a share that was granted holds without being renewed. Default 10,000; at least 500. */
  leaseMs?: number;
}

export type ResolvedBudget = Readonly<Required<FleetBudget>>;

/** What every member may keep, whatever the others do; a pool with none could not serve anybody. */
export const LEAST_SHARE = 1;

const LEASE_MS = { fallback: 10_000, least: 500 } as const;

/**
 * Fills in the default.
 * @throws {PoolError} code `INVALID_OPTIONS`, naming every bad value at once.
 */
export function resolveBudget(given: FleetBudget): ResolvedBudget {
  const faults = budgetFaults(given, 'fleet');
  if (faults.length > 0) throw invalidOptions(faults);
  return { ...given, leaseMs: given.leaseMs ?? LEASE_MS.fallback };
}

/** What is wrong with the numbers of `given`, a sentence for each fault; `more` names keys that others look after. */
export function budgetFaults(given: unknown, path: string, more: readonly string[] = []): string[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return [`${path} must be an object, got ${quote(given)}`];
  }
  const known = ['maxConnections', 'members', 'leaseMs', ...more];
  const { maxConnections, members, leaseMs } = given as Partial<Record<string, unknown>>;
  const faults = Object.entries(given)
    .filter(([key, value]) => value !== undefined && !known.includes(key))
    .map(([key, value]) => unknownKey('known', `${path}.${key}`, value, known));
  for (const [key, value] of Object.entries({ maxConnections, members })) {
    if (!Number.isInteger(value) || (value as number) < 1)
      faults.push(`${path}.${key} must be a whole number of 1 or more, got ${quote(value)}`);
  }
  if (leaseMs !== undefined && !(Number.isFinite(leaseMs) && (leaseMs as number) >= LEASE_MS.least)) {
    faults.push(
      `${path}.leaseMs must be a number of milliseconds of ${LEASE_MS.least} or more, got ${quote(leaseMs)}`,
    );
  }
  if (faults.length === 0 && (maxConnections as number) < (members as number)) {
    faults.push(
      `${path}.maxConnections must not be below ${path}.members, for each needs a connection: got ${maxConnections} and ${members}`,
    );
  }
  return faults;
}

/** What each member may have while nobody can be asked: the budget in equal parts. */
export function staticShare({ maxConnections, members }: ResolvedBudget): number {
  return Math.floor(maxConnections / members);
}
