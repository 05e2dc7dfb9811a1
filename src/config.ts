import { PoolError } from './errors.js';

/** Options of one pool. Times are milliseconds; 0 switches a time or a bound off. */
export interface PoolOptions {
  /** Connections kept open even when nobody needs them. Default 0. */
  min?: number;
  /** Most connections ever open, connecting and closing ones included. Default 10. */
  max?: number;
  /** Longest wait of an acquire. Default 30,000; 0 waits for ever. */
  acquireTimeoutMs?: number;
  /** Longest wait for one connection to open. Default 30,000; 0 waits for ever. */
  openTimeoutMs?: number;
  /** How long a closing connection may count against `max`. Default 5,000. */
  closeTimeoutMs?: number;
  /** Longest wait for a check or a reset. Default 5,000; 0 waits for ever. */
  checkTimeoutMs?: number;
  /** Longest time that a connection is warmed by the driver's `warm`. Default 5,000; 0 sets no bound. */
  warmTimeoutMs?: number;
  /** A connection idle for longer is checked before it is leased. Default 500 (HikariCP's `aliveBypassWindowMs`); 0 never checks. */
  checkAfterIdleMs?: number;
  /** Connections above `min` that were idle for longer are closed, oldest first. Default 30,000; 0 keeps them. */
  idleTimeoutMs?: number;
  /** Connections are retired at this age, less what `lifetimeJitter` takes. Default 0, never. */
  maxLifetimeMs?: number;
  /**
   * Up to this share of its lifetime, drawn at birth, a connection retires early; and they are replaced in turn, which may take
   * as long again. Default 0.1; 0 is exact: whatever is due goes at once.
   */
  lifetimeJitter?: number;
  /** Connections are retired after so many leases. Default 0, never. */
  maxUses?: number;
  /** A lease held for longer is reported to the observer, once. Default 0, never. */
  leakThresholdMs?: number;
  /** Most callers that may wait at once; the next one is rejected. Default 100,000; 0 sets no bound. */
  maxWaiters?: number;
  /** When opening fails, wait so long and try again in place of rejecting a waiter. Default 0, reject. */
  openRetryMs?: number;
  /** Whether `min` connections are opened and kept up ahead of demand. Default true. */
  keepMin?: boolean;
  /**
   * Whether, once the holders of all connections wait for others, one of them is rejected with code `NESTED_ACQUIRE`, the latest
   * first, so that the rest can go on. Needs somebody who tells callers apart, as the instrumentation does by their traces.
   * Default false.
   */
  failNestedAcquires?: boolean;
}

export type ResolvedOptions = Required<PoolOptions>;

interface NumberRule {
  readonly fallback: number;
  /** What a message calls the value. */
  readonly kind: string;
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
}

const boundless = { least: 0, most: Number.POSITIVE_INFINITY };
/** A whole number of `least` or more. */
export const count = (fallback: number, least = 0): NumberRule => ({
  ...boundless,
  kind: 'a whole number',
  fallback,
  least,
  whole: true,
});
/** A time in milliseconds, of `least` or more. */
export const timeMs = (fallback: number, least = 0): NumberRule => ({
  ...boundless,
  kind: 'a number of milliseconds',
  fallback,
  least,
  whole: false,
});
const share = (fallback: number): NumberRule => ({
  kind: 'a share',
  fallback,
  least: 0,
  most: 1,
  whole: false,
});

const SWITCHES = { keepMin: true, failNestedAcquires: false };

const NUMBERS: Readonly<Record<Exclude<keyof PoolOptions, keyof typeof SWITCHES>, NumberRule>> = {
  min: count(0),
  max: count(10, 1),
  acquireTimeoutMs: timeMs(30_000),
  openTimeoutMs: timeMs(30_000),
  closeTimeoutMs: timeMs(5_000),
  checkTimeoutMs: timeMs(5_000),
  warmTimeoutMs: timeMs(5_000),
  checkAfterIdleMs: timeMs(500),
  idleTimeoutMs: timeMs(30_000),
  maxLifetimeMs: timeMs(0),
  lifetimeJitter: share(0.1),
  maxUses: count(0),
  leakThresholdMs: timeMs(0),
  maxWaiters: count(100_000),
  openRetryMs: timeMs(0),
};

/** Names under which people keep what must not be printed. */
const SECRETIVE = /pass|pwd|secret|token|key|credential|connection.?string|url/i;

/** Every option name, for those who check a whole configuration at once. */
export const OPTION_NAMES: readonly string[] = [...Object.keys(NUMBERS), ...Object.keys(SWITCHES)];

/**
 * Fills in the defaults.
 * @throws {PoolError} code `INVALID_OPTIONS`, naming every bad value at once.
 */
export function resolveOptions(options: PoolOptions = {}): ResolvedOptions {
  const faults = optionFaults(options);
  if (faults.length > 0) throw invalidOptions(faults);
  const resolved: Record<string, number | boolean> = {};
  for (const [name, { fallback }] of Object.entries(NUMBERS)) {
    resolved[name] = options[name as keyof typeof NUMBERS] ?? fallback;
  }
  for (const [name, fallback] of Object.entries(SWITCHES)) {
    resolved[name] = options[name as keyof typeof SWITCHES] ?? fallback;
  }
  return resolved as unknown as ResolvedOptions;
}

/** What is wrong with `options`, a sentence for each fault; empty when they are good. */
export function optionFaults(options: unknown, path = ''): string[] {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return [`${path || 'options'} must be an object, got ${quote(options)}`];
  }
  const prefix = path === '' ? '' : `${path}.`;
  const faults: string[] = [];
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const rule = Object.hasOwn(NUMBERS, name) ? NUMBERS[name as keyof typeof NUMBERS] : undefined;
    if (rule !== undefined) {
      const fault = numberFault(value, rule);
      if (fault !== undefined) faults.push(`${prefix}${name} must be ${fault}, got ${quote(value)}`);
    } else if (Object.hasOwn(SWITCHES, name)) {
      if (typeof value !== 'boolean')
        faults.push(`${prefix}${name} must be true or false, got ${quote(value)}`);
    } else {
      faults.push(unknownKey('an option', `${prefix}${name}`, value, OPTION_NAMES));
    }
  }
  const { min = NUMBERS.min.fallback, max = NUMBERS.max.fallback } = options as PoolOptions;
  if (typeof min === 'number' && typeof max === 'number' && min > max && max >= 1) {
    faults.push(`${prefix}min must not be above ${prefix}max, got min ${min} and max ${max}`);
  }
  return faults;
}

/** The one error that carries all faults of a configuration. */
export function invalidOptions(faults: readonly string[]): PoolError {
  return new PoolError('INVALID_OPTIONS', 'configure', `Invalid pool options: ${faults.join('; ')}.`);
}

/** The sentence for a key that means nothing here. What may be a secret is not quoted. */
export function unknownKey(kind: string, path: string, value: unknown, known: readonly string[]): string {
  const shown = SECRETIVE.test(path) ? 'hidden' : quote(value);
  return `${path} is not ${kind} (value ${shown}); known are ${known.join(', ')}`;
}

/** A value as a message shows it: short, and never more than its first characters. A URL with a login may hold a password. */
export function quote(value: unknown): string {
  if (typeof value === 'string' && /:\/\/.*@/s.test(value)) return 'a URL with a login';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

/** What a number must be, where `value` is none such. */
export function numberFault(value: unknown, rule: NumberRule): string | undefined {
  const { kind, least, most, whole } = rule;
  if (typeof value === 'number' && value >= least && value <= most && Number.isFinite(value)) {
    if (!whole || Number.isInteger(value)) return undefined;
  }
  return most === Number.POSITIVE_INFINITY
    ? `${kind} of ${least} or more`
    : `${kind} from ${least} to ${most}`;
}
