/** What a flag may be: `shadow` computes and compares but never acts, `auto` acts while its guardrails allow it. */
export const FLAG_SETTINGS = ['off', 'shadow', 'on', 'auto'] as const;
export type FlagSetting = (typeof FLAG_SETTINGS)[number];

interface Optimization {
  readonly what: string;
  /** One that has not been built is accepted, so that a configuration survives the versions to come, and does nothing. */
  readonly built: boolean;
}

/** Every optimisation that has a flag. */
export const OPTIMIZATIONS = {
  lateBinding: {
    what: 'a waiter takes whichever comes first, a release or an opened connection',
    built: false,
  },
  errorClassify: { what: 'errors tell a broken connection from a failed statement', built: false },
  forecaster: { what: 'connections are opened ahead of the demand that is forecast', built: false },
  seasonal: { what: 'the forecast knows the time of day', built: false },
  limitProbe: { what: 'the number of connections in use follows what the database can bear', built: false },
  lanes: { what: 'short queries never queue behind long ones', built: false },
  affinity: { what: 'a query gets a connection that has prepared it before', built: false },
  pipelining: { what: 'short read-only statements share a connection', built: false },
  autoPrepare: { what: 'statements that recur are prepared', built: false },
  learnedValidation: { what: 'how long an idle connection may be trusted is learned', built: false },
  failoverPurge: {
    what: 'after a failover all connections to the old server are closed at once',
    built: false,
  },
  breaker: { what: 'a database that is down is left alone for a while', built: false },
  degradedShed: { what: 'a database in trouble gets the essential queries only', built: false },
  queueDeadline: { what: 'callers who cannot be served in time are told at once', built: false },
} as const satisfies Readonly<Record<string, Optimization>>;

export type OptimizationName = keyof typeof OPTIMIZATIONS;
export type OptimizationFlags = { [Name in OptimizationName]?: FlagSetting };

export const OPTIMIZATION_NAMES = Object.keys(OPTIMIZATIONS) as OptimizationName[];

/** Flags that ask for something which this version cannot do. */
export function notBuilt(flags: OptimizationFlags): OptimizationName[] {
  return OPTIMIZATION_NAMES.filter((name) => {
    const setting = Object.hasOwn(flags, name) ? flags[name] : undefined;
    return setting !== undefined && setting !== 'off' && !OPTIMIZATIONS[name].built;
  });
}
