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
  const fleet = readFleet(environment.ENHANCED_POOL_FLEET, environment.ENHANCED_POOL_FLEET_REDIS);
  return {
    good: [file, flags, console, fleet].reduce((below, { good }) => merged(below, good), {}),
    faults: [
      ...switchFaults(environment.ENHANCED_POOL_ENABLED),
      ...file.faults,
      ...flags.faults,
      ...console.faults,
      ...fleet.faults,
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

/** `maxConnections=90,members=50`, and a URL. */
function readFleet(
  given: string | undefined,
  redis: string | undefined,
): Checked<EnhancedPoolInstrumentationConfig> {
  if (!given?.trim()) {
    const faults = redis ? ['ENHANCED_POOL_FLEET_REDIS does nothing without ENHANCED_POOL_FLEET'] : [];
    return { good: {}, faults };
  }
  const { pairs, faults } = pairsOf(given, 'ENHANCED_POOL_FLEET', 'maxConnections=90,members=50');
  const fleet: Record<string, unknown> = redis ? { redis } : {};
  // What is no number is left as it is, to be quoted.
  for (const [key, value] of pairs)
    fleet[key] = key === 'name' || Number.isNaN(Number(value)) ? value : Number(value);
  const { good, faults: wrong } = checkConfig({ fleet });
  return { good, faults: [...faults, ...wrong.map((fault) => `ENHANCED_POOL_FLEET: ${fault}`)] };
}

/** `lanes=shadow,affinity=off` */
function readFlags(given: string | undefined): Checked<EnhancedPoolInstrumentationConfig> {
  const { pairs, faults } = pairsOf(given, 'ENHANCED_POOL_OPTIMIZATIONS', 'lanes=shadow,affinity=off');
  const { good, faults: unknown } = checkFlags(Object.fromEntries(pairs), '');
  return {
    good: pairs.length === 0 ? {} : { optimizations: good },
    faults: [...faults, ...unknown.map((fault) => `ENHANCED_POOL_OPTIMIZATIONS: ${fault}`)],
  };
}

/** What a part of a URL has, which may hold a password: such a word is never quoted. */
const LOCATOR = /[:@]/;

/** Pairs `key=value`, parted by commas. */
function pairsOf(
  given: string | undefined,
  variable: string,
  example: string,
): { pairs: [string, string][]; faults: string[] } {
  const faults: string[] = [];
  const pairs: [string, string][] = [];
  for (const word of (given ?? '').split(',').map((part) => part.trim())) {
    if (word === '') continue;
    const [key, value, ...more] = word.split('=').map((part) => part.trim());
    if (key && value && more.length === 0 && !LOCATOR.test(key)) pairs.push([key, value]);
    else
      faults.push(`${variable} must look like ${example}, got ${LOCATOR.test(word) ? 'a URL' : quote(word)}`);
  }
  return { pairs, faults };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown reason';
}
