import type { Host, PoolInfo } from '../adapters/host.js';
import type { PoolReport } from '../src/index.js';

/** A host that can tell of the pools that it took over. */
interface ReportingHost extends Host {
  reports(): ReadonlyMap<string, PoolReport>;
}

/**
 * A library is patched once in a process, for whichever instrumentation is enabled when a pool is first used: the one
 * enabled last decides. A pool stays with the one that took it over.
 */
const enabledHosts: ReportingHost[] = [];
const owners = new WeakMap<PoolInfo, Host>();

/** From now on `host` decides. */
export function enlist(host: ReportingHost): void {
  dismiss(host);
  enabledHosts.push(host);
}

/** `host` takes over no more pools. */
export function dismiss(host: ReportingHost): void {
  const index = enabledHosts.indexOf(host);
  if (index !== -1) enabledHosts.splice(index, 1);
}

export function someoneIsEnlisted(): boolean {
  return enabledHosts.length > 0;
}

/**
 * What every open pool knows that an instrumentation of this process has taken over or watches, by the pool's name in telemetry: `reports()` of whichever instrumentations are enabled, the one of
 * `./register` included. Made anew with every call, at a cost: for a person who looks, not for every request.
 */
export function poolReports(): Map<string, PoolReport> {
  return new Map(enabledHosts.flatMap((host) => [...host.reports()]));
}

/** The host that the patches ask. */
export const processHost: Host = {
  enabled: () => enabledHosts.at(-1)?.enabled() ?? false,
  setUp(info) {
    const host = enabledHosts.at(-1);
    if (host !== undefined) owners.set(info, host);
    return host?.setUp(info);
  },
  watch(info, source) {
    const host = owners.get(info) ?? enabledHosts.at(-1);
    if (host !== undefined) owners.set(info, host);
    return host?.watch?.(info, source);
  },
  adopted: (info, engine, control) => owners.get(info)?.adopted(info, engine, control),
  fellBack: (info, reason) => owners.get(info)?.fellBack?.(info, reason),
  declined: (info, error) => owners.get(info)?.declined?.(info, error),
  closed: (info, engine) => owners.get(info)?.closed(info, engine),
};
