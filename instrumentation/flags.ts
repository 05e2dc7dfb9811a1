import { hostname } from 'node:os';
import type { PoolInfo } from '../adapters/host.js';
import type { FlagSetting, Flags, OptimizationFlags } from '../src/index.js';
import { inRollout } from '../src/rollout/assignment.js';
import {
  everyFlag,
  FLAG_SETTINGS,
  OPTIMIZATION_NAMES,
  type OptimizationName,
  resolveFlags,
} from '../src/rollout/flags.js';
import type { Settings } from './config.js';
import type { PoolOverrides } from './types.js';

/** The settings of one pool's flags: its own overrides, then the provider, then the configuration, then the defaults. */
export function flagsOf(
  info: PoolInfo,
  settings: Settings,
  overrides: PoolOverrides,
  warn: (message: string) => void,
): Flags {
  const compatibility = overrides.compatibility ?? settings.compatibility;
  // Strictly as stock: nothing of ours may decide anything.
  if (compatibility === 'strict') return everyFlag('off');
  const flags: OptimizationFlags = {};
  for (const flag of OPTIMIZATION_NAMES) {
    const setting =
      overrides.optimizations?.[flag] ?? provided(flag, info, settings, warn) ?? configured(flag, settings);
    if (setting !== undefined) flags[flag] = setting;
  }
  return resolveFlags(flags);
}

/** Whether a pool is to run on the engine, as far as the shares go. */
export function isInEngineShare(info: PoolInfo, { rollout }: Settings): boolean {
  const { engine = 100, by = 'process' } = rollout;
  if (engine >= 100) return true;
  const pool =
    by === 'pool' ? `${info.system} ${info.serverAddress}:${info.serverPort}/${info.database}` : '';
  return inRollout(`${instanceIdOf(rollout.instanceId)} ${pool}`, 'engine', engine);
}

function provided(
  flag: OptimizationName,
  info: PoolInfo,
  { flagProvider, rollout }: Settings,
  warn: (message: string) => void,
): FlagSetting | undefined {
  if (flagProvider === undefined) return undefined;
  try {
    const answer = flagProvider(flag, info);
    if (answer === undefined) return undefined;
    if (typeof answer === 'boolean') return answer ? 'on' : 'off';
    if (typeof answer === 'number') {
      return inRollout(instanceIdOf(rollout.instanceId), flag, answer) ? 'auto' : 'off';
    }
    if ((FLAG_SETTINGS as readonly string[]).includes(answer)) return answer;
    warn(`flagProvider answered something unknown for ${flag}: it is left to the configuration`);
  } catch {
    warn(`flagProvider failed for ${flag}: it is left to the configuration`);
  }
  return undefined;
}

function configured(flag: OptimizationName, { optimizations, rollout }: Settings): FlagSetting | undefined {
  const share = rollout.optimizations?.[flag] ?? 100;
  if (share < 100 && !inRollout(instanceIdOf(rollout.instanceId), flag, share)) return 'off';
  return optimizations[flag];
}

function instanceIdOf(given: string | undefined): string {
  return (
    given ?? instanceIdOfResource(process.env.OTEL_RESOURCE_ATTRIBUTES) ?? `${hostname()} ${process.pid}`
  );
}

function instanceIdOfResource(attributes: string | undefined): string | undefined {
  const pair = attributes?.split(',').find((part) => part.trim().startsWith('service.instance.id='));
  return pair?.slice(pair.indexOf('=') + 1).trim() || undefined;
}
