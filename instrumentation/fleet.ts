import type { PoolInfo, Warn } from '../adapters/host.js';
import { RedisLeases } from '../adapters/redis/leases.js';
import type { RedisClient } from '../adapters/redis/shapes.js';
import type { FleetBudget, FleetParts, LeaseGrant, LeaseRequest } from '../src/index.js';
import { inBackground } from './telemetry/spans.js';
import type { FleetConfig } from './types.js';

/**
 * A pool's place in the fleet that it belongs to, by configuration. Where the package `redis` is missing that is told, and the pool
 * has its static share.
 */
export function fleetOf(info: PoolInfo, config: FleetConfig, warn: Warn): FleetParts {
  const { redis, name = nameOf(info), ...budget } = config;
  if (redis === undefined) return { budget };
  try {
    return { budget, leases: new ToldLeases(redis as string | RedisClient, name, budget, warn) };
  } catch (error) {
    warn(
      `every pool has its static share: ${error instanceof Error ? error.message : 'Redis cannot be used'}`,
    );
    return { budget };
  }
}

/** What leases cannot be had for is logged, once until they are had again. */
class ToldLeases extends RedisLeases {
  #areAway = false;
  readonly #warn: Warn;

  constructor(redis: string | RedisClient, fleet: string, budget: FleetBudget, warn: Warn) {
    super(redis, fleet, budget, inBackground);
    this.#warn = warn;
  }

  override async renew(request: LeaseRequest, signal: AbortSignal): Promise<LeaseGrant> {
    try {
      const grant = await super.renew(request, signal);
      this.#areAway = false;
      return grant;
    } catch (error) {
      if (!this.#areAway)
        this.#warn(
          `the leases of a fleet cannot be renewed (${kindOf(error)}): its pools shrink to their static shares`,
        );
      this.#areAway = true;
      throw error;
    }
  }
}

function nameOf({ system, serverAddress, serverPort }: PoolInfo): string {
  return `${system} ${serverAddress ?? ''}:${serverPort ?? ''}`;
}

/** A message may hold anything: what is told is the code, Redis' own word for it, or the class. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as NodeJS.ErrnoException;
  return code ?? /^[A-Z]{3,}\b/.exec(error.message)?.[0] ?? error.name;
}
