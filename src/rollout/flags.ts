/**
 * What a flag may be: `off` does nothing; `shadow` decides and compares but never acts; `on` acts; `auto` acts while its
 * guardrails allow it.
 */
export const FLAG_SETTINGS = ['off', 'shadow', 'on', 'auto'] as const;
export type FlagSetting = (typeof FLAG_SETTINGS)[number];

interface Optimization {
  readonly what: string;
  /** The setting of a pool for which nobody chose another. */
  readonly fallback: FlagSetting;
  /** One that has not been built is accepted, so that a configuration survives the versions to come, and does nothing. */
  readonly built: boolean;
}

const planned = (what: string): Optimization => ({ what, fallback: 'off', built: false });
const built = (what: string, fallback: FlagSetting): Optimization => ({ what, fallback, built: true });

/** Every optimisation that has a flag. */
export const OPTIMIZATIONS = {
  lateBinding: planned('a waiter takes whichever comes first, a release or an opened connection'),
  errorClassify: built('errors tell a broken connection from a failed statement', 'on'),
  forecaster: built('connections are kept and opened ahead of the demand that is forecast', 'auto'),
  seasonal: built('the forecast knows what recurs', 'auto'),
  limitProbe: built('no more connections are in use than make the database faster', 'shadow'),
  lanes: built('short queries seldom wait behind long ones', 'auto'),
  selection: built('a query gets the idle connection that is cheapest for it', 'auto'),
  affinity: built(
    'a query gets a connection that has prepared it before, or has the session settings that its hint names',
    'off',
  ),
  pipelining: built('short read-only statements share a connection', 'auto'),
  pipelinedWrites: built('short statements that write share one, too', 'off'),
  autoPrepare: built('statements that recur are prepared', 'auto'),
  autoPrepareInTransactions: built('those of transactions, too', 'off'),
  learnedValidation: built(
    'how long an idle connection may be trusted is learned, and idle ones are kept alive where something ends them',
    'auto',
  ),
  failoverPurge: built('after a failover all connections to the old server are closed at once', 'on'),
  staleReads: built(
    'after a failover reads go on over connections to the old server until one to the new writer is there',
    'off',
  ),
  addressWatch: built(
    "connections to addresses that the server's name no longer stands for are replaced",
    'on',
  ),
  breaker: built('a database that is down is left alone for a while', 'on'),
  stallWatchdog: built(
    'connections on which nothing comes any more are found, and cut once proven dead',
    'on',
  ),
  degradedShed: built(
    'while there is not enough for all, queries of low priority are turned away and those of high priority served first',
    'off',
  ),
  queueDeadline: planned('callers who cannot be served in time are told at once'),
} as const satisfies Readonly<Record<string, Optimization>>;

export type OptimizationName = keyof typeof OPTIMIZATIONS;
export type OptimizationFlags = { [Name in OptimizationName]?: FlagSetting };
/** The setting of every flag. */
export type Flags = Readonly<Record<OptimizationName, FlagSetting>>;

export const OPTIMIZATION_NAMES = Object.keys(OPTIMIZATIONS) as OptimizationName[];
/** Those that this version has. */
export const BUILT_OPTIMIZATIONS = OPTIMIZATION_NAMES.filter((name) => OPTIMIZATIONS[name].built);

/** The same setting for every flag. */
export function everyFlag(setting: FlagSetting): Flags {
  return Object.fromEntries(OPTIMIZATION_NAMES.map((name) => [name, setting])) as unknown as Flags;
}

/** Fills in the defaults. */
export function resolveFlags(flags: OptimizationFlags = {}): Flags {
  return Object.fromEntries(
    OPTIMIZATION_NAMES.map((name) => [name, flags[name] ?? OPTIMIZATIONS[name].fallback]),
  ) as unknown as Flags;
}

/** Whether a flag lets its optimisation act. */
export function acts(setting: FlagSetting): boolean {
  return setting === 'on' || setting === 'auto';
}

/** The optimisations that go by what a connection is wanted for. */
export const QUERY_READERS: readonly OptimizationName[] = [
  'lanes',
  'selection',
  'affinity',
  'pipelining',
  'autoPrepare',
  'staleReads',
];

/** What these do shows after minutes, or their own trials last longer than a block of time: they always act, and their own decisions are weighed. */
export const WEIGHED_BY_REGRET: readonly OptimizationName[] = ['forecaster', 'seasonal', 'limitProbe'];

/** Each decision of these is compared with the plain one, in milliseconds of a caller's wait. */
export const WEIGHED_BY_COST: readonly OptimizationName[] = [
  'lanes',
  'selection',
  'affinity',
  ...WEIGHED_BY_REGRET,
];

/** Flags that ask for something which this version cannot do. */
export function notBuilt(flags: OptimizationFlags): OptimizationName[] {
  return OPTIMIZATION_NAMES.filter((name) => {
    const setting = Object.hasOwn(flags, name) ? flags[name] : undefined;
    return setting !== undefined && setting !== 'off' && !OPTIMIZATIONS[name].built;
  });
}
