import { type Differences, ENHANCED, STRICT } from '../adapters/differences.js';
import type { Library } from '../adapters/host.js';
import type { PoolerConfig } from '../adapters/pg/pooler.js';
import { invalidOptions, optionFaults, quote, unknownKey } from '../src/config.js';
import { budgetFaults, type PoolOptions } from '../src/index.js';
import { FLAG_SETTINGS, OPTIMIZATION_NAMES, type OptimizationFlags } from '../src/rollout/flags.js';
import type {
  Compatibility,
  EnhancedPoolInstrumentationConfig,
  FlagProvider,
  FleetConfig,
  Mode,
  PoolOverrides,
  RolloutConfig,
  TelemetryConfig,
} from './types.js';

export const LIBRARIES: readonly Library[] = ['pg', 'mysql2', 'knex'];

/** A whole configuration, defaults filled in. */
export interface Settings {
  readonly libraries: readonly Library[];
  readonly options: PoolOptions;
  readonly optimizations: OptimizationFlags;
  readonly pools: EnhancedPoolInstrumentationConfig['pools'];
  readonly telemetry: Required<TelemetryConfig>;
  readonly rollout: RolloutConfig;
  readonly flagProvider: FlagProvider | undefined;
  readonly pooler: PoolerConfig;
  readonly fleet: FleetConfig | undefined;
  readonly compatibility: Compatibility;
  readonly mode: Mode;
}

/** What is good of something that was given, and a sentence for everything that is not. */
export interface Checked<T> {
  readonly good: T;
  readonly faults: string[];
}

/** Looks at the value at `path`: gives back what is good of it, undefined when nothing is, and notes the faults. */
type Check = (value: unknown, path: string, faults: string[]) => unknown;

/** @throws {PoolError} code `INVALID_OPTIONS`, naming every fault at once. */
export function checkedOrThrow(given: unknown): EnhancedPoolInstrumentationConfig {
  const { good, faults } = checkConfig(given);
  if (faults.length > 0) throw invalidOptions(faults);
  return good;
}

export function checkConfig(given: unknown): Checked<EnhancedPoolInstrumentationConfig> {
  return check(CONFIG, given, '');
}

/** What the application's `pools` answered. */
export function checkOverrides(given: unknown): Checked<PoolOverrides> {
  return check(OVERRIDES, given, 'pools()');
}

export function checkFlags(given: unknown, path: string): Checked<OptimizationFlags> {
  return check(FLAGS, given, path);
}

/** `above` over `below`: sections are merged by key, anything else is replaced. */
export function merged(
  below: EnhancedPoolInstrumentationConfig,
  above: EnhancedPoolInstrumentationConfig,
): EnhancedPoolInstrumentationConfig {
  const fleet = above.fleet === undefined ? below.fleet : { ...below.fleet, ...above.fleet };
  return {
    ...below,
    ...above,
    ...(fleet === undefined ? {} : { fleet }),
    options: { ...below.options, ...above.options },
    optimizations: { ...below.optimizations, ...above.optimizations },
    telemetry: { ...below.telemetry, ...above.telemetry },
    rollout: { ...below.rollout, ...above.rollout },
    pooler: { ...below.pooler, ...above.pooler },
  };
}

export function settle(config: EnhancedPoolInstrumentationConfig): Settings {
  const {
    metrics = true,
    acquireSpans = 'waited',
    requireParentSpan = true,
    connectSpans = true,
    checkSpans = true,
    querySpans = false,
    console = false,
  } = config.telemetry ?? {};
  return {
    libraries: config.libraries ?? LIBRARIES,
    options: config.options ?? {},
    optimizations: config.optimizations ?? {},
    pools: config.pools,
    telemetry: { metrics, acquireSpans, requireParentSpan, connectSpans, checkSpans, querySpans, console },
    compatibility: config.compatibility ?? 'enhanced',
    rollout: config.rollout ?? {},
    pooler: config.pooler ?? {},
    flagProvider: config.flagProvider,
    fleet: config.fleet,
    mode: config.mode ?? 'enhance',
  };
}

export function differencesOf(compatibility: Compatibility): Readonly<Differences> {
  if (compatibility === 'strict') return STRICT;
  return compatibility === 'enhanced' ? ENHANCED : { ...ENHANCED, ...compatibility };
}

const bool: Check = (value, path, faults) => {
  if (typeof value === 'boolean') return value;
  faults.push(`${path} must be true or false, got ${quote(value)}`);
  return undefined;
};

const boolOrPort: Check = (value, path, faults) => {
  const isPort = Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
  if (typeof value === 'boolean' || isPort) return value;
  faults.push(`${path} must be true, false or a port, got ${quote(value)}`);
  return undefined;
};

const name: Check = (value, path, faults) => {
  if (typeof value === 'string' && value.trim() !== '') return value;
  faults.push(`${path} must be a string that is not empty, got ${quote(value)}`);
  return undefined;
};

const callable: Check = (value, path, faults) => {
  if (typeof value === 'function') return value;
  faults.push(`${path} must be a function, got ${quote(value)}`);
  return undefined;
};

const percent: Check = (value, path, faults) => {
  if (typeof value === 'number' && value >= 0 && value <= 100) return value;
  faults.push(`${path} must be a number of percent, 0 to 100, got ${quote(value)}`);
  return undefined;
};

function oneOf(allowed: readonly string[]): Check {
  return (value, path, faults) => {
    if (typeof value === 'string' && allowed.includes(value)) return value;
    faults.push(`${path} must be one of ${allowed.map(quote).join(', ')}, got ${quote(value)}`);
    return undefined;
  };
}

function shape(checks: Readonly<Record<string, Check>>): Check {
  return (value, path, faults) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      faults.push(`${path || 'the configuration'} must be an object, got ${quote(value)}`);
      return undefined;
    }
    const good: Record<string, unknown> = {};
    for (const [key, part] of Object.entries(value)) {
      if (part === undefined) continue;
      const keyPath = path === '' ? key : `${path}.${key}`;
      if (!Object.hasOwn(checks, key)) {
        faults.push(unknownKey('known', keyPath, part, Object.keys(checks)));
        continue;
      }
      const goodPart = checks[key]!(part, keyPath, faults);
      if (goodPart !== undefined) good[key] = goodPart;
    }
    return good;
  };
}

const libraries: Check = (value, path, faults) => {
  const fault = (got: string) => {
    faults.push(`${path} must be a list of ${LIBRARIES.map(quote).join(', ')}, got ${got}`);
  };
  if (!Array.isArray(value)) return void fault(quote(value));
  if (value.length === 0)
    return void fault('an empty one: to switch everything off set ENHANCED_POOL_ENABLED=false');
  const strangers = value.filter((library) => !LIBRARIES.includes(library));
  if (strangers.length > 0) fault(strangers.map(quote).join(', '));
  const known = value.filter((library) => LIBRARIES.includes(library));
  return known.length > 0 ? known : undefined;
};

/** The engine's own check; an absent `max` is the native pool's, so it cannot yet be told whether `min` is below it. */
const poolOptions: Check = (value, path, faults) => {
  const found = optionFaults(withMax(value), path);
  faults.push(...found);
  if (found.length === 0) return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const sound = Object.entries(value).filter(
    ([key, part]) => optionFaults(withMax({ [key]: part })).length === 0,
  );
  const good = Object.fromEntries(sound);
  if (optionFaults(withMax(good)).length === 0) return good;
  const { min: _min, max: _max, ...rest } = good;
  return rest;
};

function withMax(options: unknown): unknown {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options;
  const max = Object.hasOwn(options, 'max') ? (options as PoolOptions).max : undefined;
  return max === undefined ? { ...options, max: Number.MAX_SAFE_INTEGER } : options;
}

/** A Redis URL may hold a password: it is never quoted. */
const redis: Check = (value, path, faults) => {
  const isUrl = typeof value === 'string' && /^rediss?:\/\/./.test(value) && URL.canParse(value);
  if (isUrl || typeof (value as { duplicate?: unknown } | null)?.duplicate === 'function') return value;
  faults.push(
    `${path} must be a URL that begins with redis:// or rediss://, or a client of the package redis`,
  );
  return undefined;
};

/** Without a part that is good there is no budget: half of one could only be a wrong one. */
const fleet: Check = (value, path, faults) => {
  const found = budgetFaults(value, path, ['redis', 'name']);
  if (typeof value === 'object' && value !== null) {
    const { redis: given, name: called } = value as FleetConfig;
    if (given !== undefined) redis(given, `${path}.redis`, found);
    if (called !== undefined) name(called, `${path}.name`, found);
  }
  faults.push(...found);
  return found.length === 0 ? value : undefined;
};

const fleetOrFalse: Check = (value, path, faults) => (value === false ? false : fleet(value, path, faults));

const differences = shape(Object.fromEntries(Object.keys(ENHANCED).map((difference) => [difference, bool])));

const compatibility: Check = (value, path, faults) => {
  if (typeof value === 'object') return differences(value, path, faults);
  if (value === 'enhanced' || value === 'strict') return value;
  faults.push(`${path} must be "enhanced", "strict" or an object, got ${quote(value)}`);
  return undefined;
};

const FLAGS = shape(Object.fromEntries(OPTIMIZATION_NAMES.map((flag) => [flag, oneOf(FLAG_SETTINGS)])));

const mode = oneOf(['enhance', 'observe']);

const pooler = shape({ mode: oneOf(['auto', 'none', 'session', 'transaction']), preparedStatements: bool });

const OVERRIDES = shape({
  enabled: bool,
  mode,
  name,
  options: poolOptions,
  optimizations: FLAGS,
  pooler,
  warm: callable,
  fleet: fleetOrFalse,
  compatibility,
});

const CONFIG = shape({
  enabled: bool,
  mode,
  libraries,
  options: poolOptions,
  optimizations: FLAGS,
  pools: callable,
  flagProvider: callable,
  fleet,
  rollout: shape({
    engine: percent,
    by: oneOf(['process', 'pool']),
    optimizations: shape(Object.fromEntries(OPTIMIZATION_NAMES.map((flag) => [flag, percent]))),
    instanceId: name,
  }),
  telemetry: shape({
    metrics: bool,
    acquireSpans: oneOf(['waited', 'all', 'none']),
    requireParentSpan: bool,
    connectSpans: bool,
    checkSpans: bool,
    querySpans: bool,
    console: boolOrPort,
  }),
  pooler,
  compatibility,
});

function check<T extends object>(how: Check, given: unknown, path: string): Checked<T> {
  const faults: string[] = [];
  const good = (how(given, path, faults) ?? {}) as T;
  faults.push(...contradictions(good, path));
  return { good, faults };
}

/** Options that ask for what the compatibility forbids. */
function contradictions(
  config: { options?: PoolOptions; compatibility?: Compatibility },
  path: string,
): string[] {
  const { options, compatibility: asked } = config;
  if (options === undefined || asked === undefined) return [];
  const prefix = path === '' ? '' : `${path}.`;
  const { minKeptFilled, checkedOnBorrow, lifetimesSpread } = differencesOf(asked);
  const faults: string[] = [];
  if (options.keepMin === true && !minKeptFilled) {
    faults.push(`${prefix}options.keepMin must not be true while compatibility forbids minKeptFilled`);
  }
  const mustBeZero = (name: 'checkAfterIdleMs' | 'lifetimeJitter', difference: string) => {
    const value = options[name];
    if ((value ?? 0) === 0) return;
    faults.push(
      `${prefix}options.${name} must be 0 while compatibility forbids ${difference}, got ${quote(value)}`,
    );
  };
  if (!checkedOnBorrow) mustBeZero('checkAfterIdleMs', 'checkedOnBorrow');
  if (!lifetimesSpread) mustBeZero('lifetimeJitter', 'lifetimesSpread');
  return faults;
}
