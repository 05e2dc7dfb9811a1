import { readFileSync } from 'node:fs';
import { quote } from '../src/config.js';
import { type Checked, checkConfig, checkFlags, merged } from './config.js';
import type { EnhancedPoolInstrumentationConfig } from './types.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** `ENHANCED_POOL_ENABLED=false` switches everything off, whatever the code says. */
export function isSwitchedOff(environment: Environment = process.env): boolean {
  return ['false', '0', 'off', 'no'].includes(environment.ENHANCED_POOL_ENABLED?.trim().toLowerCase() ?? '');
}

/** The file that `ENHANCED_POOL_CONFIG` names; undefined without one. */
export function configFile(environment: Environment = process.env): string | undefined {
  return environment.ENHANCED_POOL_CONFIG || undefined;
}

/** The configuration that the environment gives: never an error, only faults to be logged. */
export function readEnvironment(
  environment: Environment = process.env,
): Checked<EnhancedPoolInstrumentationConfig> {
  const file = readFile(configFile(environment));
  const flags = readFlags(environment.ENHANCED_POOL_OPTIMIZATIONS);
  const console = readConsole(environment.ENHANCED_POOL_CONSOLE);
  return {
    good: merged(merged(file.good, flags.good), console.good),
    faults: [
      ...switchFaults(environment.ENHANCED_POOL_ENABLED),
      ...file.faults,
      ...flags.faults,
      ...console.faults,
    ],
  };
}

function switchFaults(given: string | undefined): string[] {
  const known = ['', 'true', '1', 'on', 'yes'].includes(given?.trim().toLowerCase() ?? '');
  if (known || isSwitchedOff({ ENHANCED_POOL_ENABLED: given })) return [];
  return [`ENHANCED_POOL_ENABLED must be true or false, got ${quote(given)}`];
}

function readFile(path: string | undefined): Checked<EnhancedPoolInstrumentationConfig> {
  if (path === undefined) return { good: {}, faults: [] };
  try {
    const { good, faults } = checkConfig(JSON.parse(readFileSync(path, 'utf8')));
    return { good, faults: faults.map((fault) => `ENHANCED_POOL_CONFIG: ${fault}`) };
  } catch (error) {
    // A syntax error's message quotes the file, which may hold anything: only its kind is told.
    const why = error instanceof SyntaxError ? 'is not JSON' : `cannot be read (${codeOf(error)})`;
    return { good: {}, faults: [`ENHANCED_POOL_CONFIG: the file ${quote(path)} ${why}`] };
  }
}

/** `true`, or a port. */
function readConsole(given: string | undefined): Checked<EnhancedPoolInstrumentationConfig> {
  const word = given?.trim().toLowerCase() ?? '';
  if (word === '') return { good: {}, faults: [] };
  const wanted =
    { true: true, on: true, yes: true, false: false, off: false, no: false }[word] ?? Number(word);
  const { good, faults } = checkConfig({ telemetry: { console: wanted } });
  if (faults.length === 0) return { good, faults };
  return { good: {}, faults: [`ENHANCED_POOL_CONSOLE must be true, false or a port, got ${quote(given)}`] };
}

/** `lanes=shadow,affinity=off` */
function readFlags(given: string | undefined): Checked<EnhancedPoolInstrumentationConfig> {
  const faults: string[] = [];
  const pairs: [string, string][] = [];
  for (const word of (given ?? '').split(',').map((part) => part.trim())) {
    if (word === '') continue;
    const [flag, setting, ...more] = word.split('=').map((part) => part.trim());
    if (flag && setting && more.length === 0) pairs.push([flag, setting]);
    else
      faults.push(`ENHANCED_POOL_OPTIMIZATIONS must look like lanes=shadow,affinity=off, got ${quote(word)}`);
  }
  const { good, faults: unknown } = checkFlags(Object.fromEntries(pairs), '');
  return {
    good: pairs.length === 0 ? {} : { optimizations: good },
    faults: [...faults, ...unknown.map((fault) => `ENHANCED_POOL_OPTIMIZATIONS: ${fault}`)],
  };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown reason';
}
