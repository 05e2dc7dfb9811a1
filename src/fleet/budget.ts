import { count, invalidOptions, numberFault, quote, timeMs, unknownKey } from '../config.js';

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

/** The first two have to be given. */
const NUMBERS = { maxConnections: count(1, 1), members: count(1, 1), leaseMs: timeMs(10_000, 500) };

/**
 * Fills in the default.
 * @throws {PoolError} code `INVALID_OPTIONS`, naming every bad value at once.
 */
export function resolveBudget(given: FleetBudget): ResolvedBudget {
  const faults = budgetFaults(given, 'fleet');
  if (faults.length > 0) throw invalidOptions(faults);
  return { ...given, leaseMs: given.leaseMs ?? NUMBERS.leaseMs.fallback };
}

/** What is wrong with the numbers of `given`, a sentence for each fault; `more` names keys that others look after. */
export function budgetFaults(given: unknown, path: string, more: readonly string[] = []): string[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return [`${path} must be an object, got ${quote(given)}`];
  }
  const known = [...Object.keys(NUMBERS), ...more];
  const {
    maxConnections,
    members,
    leaseMs = NUMBERS.leaseMs.fallback,
  } = given as Partial<Record<string, unknown>>;
  const faults = Object.entries(given)
    .filter(([key, value]) => value !== undefined && !known.includes(key))
    .map(([key, value]) => unknownKey('known', `${path}.${key}`, value, known));
  for (const [key, value] of Object.entries({ maxConnections, members, leaseMs })) {
    const fault = numberFault(value, NUMBERS[key as keyof typeof NUMBERS]);
    if (fault !== undefined) faults.push(`${path}.${key} must be ${fault}, got ${quote(value)}`);
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
