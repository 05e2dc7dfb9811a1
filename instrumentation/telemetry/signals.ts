import type { Logger, Tracer } from '@opentelemetry/api';
import type { TelemetryConfig } from '../types.js';
import type { PoolInstruments } from './metrics.js';

/** Where telemetry goes; providers may come, and come again, while pools live. */
export interface Signals {
  tracer: Tracer;
  logger: Logger;
  /** Undefined while there is no SDK to collect them. */
  instruments: PoolInstruments | undefined;
  telemetry: Required<TelemetryConfig>;
}
