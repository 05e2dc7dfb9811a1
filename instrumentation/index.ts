export type { Differences } from '../adapters/differences.js';
export type { Library, PoolInfo } from '../adapters/host.js';
export { withQueryHint } from '../adapters/query-hint.js';
export type {
  FlagSetting,
  Hint,
  OptimizationFlags,
  OptimizationName,
  PoolOptions,
  PoolReport,
} from '../src/index.js';
export { poolReports } from './hosts.js';
export { EnhancedPoolInstrumentation } from './instrumentation.js';
export type {
  Compatibility,
  EnhancedPoolInstrumentationConfig,
  FlagProvider,
  PoolOverrides,
  RolloutConfig,
  TelemetryConfig,
} from './types.js';
