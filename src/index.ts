export type { CircuitChange, CircuitState } from './breaker/breaker.js';
export type { Callers } from './callers.js';
export type { PoolOptions, ResolvedOptions } from './config.js';
export type { Driver, LastStatement } from './driver.js';
export { PoolError, type PoolErrorCode, type PoolErrorPhase } from './errors.js';
export { budgetFaults, type FleetBudget, resolveBudget, staticShare } from './fleet/budget.js';
export type { LeaseGrant, LeaseNews, LeaseRequest, LeaseStore, OtherLease } from './fleet/lease-store.js';
export type { FleetParts, FleetReport, FleetState } from './fleet/member.js';
export type { Route, ServerMove, ServerNameReport } from './health/addresses.js';
export {
  type ClassifyError,
  classifyFailure,
  FAILURES,
  type FailurePattern,
  type FailurePhase,
  type FailureScope,
  type Mitigation,
} from './health/failure.js';
export type { LeakReport } from './health/leaks.js';
export type { NestedAcquires } from './health/nesting.js';
export type { Hint, Priority, QueryCharacteristics } from './hint.js';
export { Lease, type Outcome, SharedLease } from './lease.js';
export type { Observer } from './observer.js';
export { createPool, type DrainOptions, type IsolateOptions, Pool, type PoolParts } from './pool.js';
export {
  type Classification,
  classify,
  type Dialect,
  type ReadOnly,
  type Shape,
  type Verb,
} from './query/classify.js';
export { fingerprint } from './query/fingerprint.js';
export { hottest, isOurName, type NamedStatement, PreparedStatements } from './query/preparation.js';
export { type Lane, QueryProfile, QueryProfiles } from './query/profiles.js';
export { Recent } from './query/recent.js';
export { type Statement, type StatementCounters, Statements } from './query/statements.js';
export type { FlagSetting, Flags, OptimizationFlags, OptimizationName } from './rollout/flags.js';
export type { FlagChange, FlagReport, FlagStage, Rollout } from './rollout/rollout.js';
export { type Runtime, systemRuntime, type Timer } from './runtime.js';
export type { LimitReport } from './sizing/limit-probe.js';
export type { QueryMix } from './sizing/query-mix.js';
export type { Outlook, SizingReport } from './sizing/sizing.js';
export type { UsageReport } from './sizing/usage.js';
export type { Alternative, WhatIf } from './sizing/what-if.js';
export type { Workload, WorkloadChange } from './sizing/workload.js';
export { type CheckReason, type CloseReason, type OpenReason, Slot, SlotState } from './slots.js';
export type { DurationSummary, PoolCounters, PoolerReport, PoolReport, PoolStats } from './stats.js';
export { Waiter } from './waiters.js';
export { type AcquireFailure, type PoolFacts, WatchedPool } from './watched-pool.js';
