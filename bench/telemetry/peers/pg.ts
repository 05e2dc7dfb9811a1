import { context, type Span, type Tracer, trace } from '@opentelemetry/api';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import pg from 'pg';
import { patchPgPool } from '../../../adapters/patches.js';
import type { TelemetryConfig } from '../../../instrumentation/types.js';
import type { Address } from '../../../test/servers/database.js';
import { collectingProvider, observedHost } from '../../enhancement.js';
import type { Client } from '../../query/peer.js';
import { discardingTracers } from '../tracers.js';

/** Which pool is to be made, and what is to be told of it. */
export interface PoolWish {
  readonly address: Address;
  readonly size: number;
  /** The engine with these signals; undefined is the stock pool. */
  readonly telemetry?: TelemetryConfig;
  /** With OpenTelemetry's own instrumentation of pg. */
  readonly stockInstrumentation?: boolean;
  /** Whether the trace around each query is sampled. */
  readonly sampled: boolean;
}

const READ = 'SELECT id, name, price FROM item WHERE id = $1';

export async function open(wish: PoolWish): Promise<Client> {
  const { address, size, telemetry } = wish;
  const traces = discardingTracers(wish.sampled);
  const { host, stop } = observedHost({ ...(telemetry && { telemetry }), tracer: traces.tracer });
  if (telemetry !== undefined) patchPgPool(Object.getPrototypeOf(pg.Pool), host);
  if (wish.stockInstrumentation === true) instrumentStock(traces.provider);
  const { host: server, port, user, password, database } = address;
  const pool = new pg.Pool({ host: server, port, user, password, database, max: size });
  // The servers stop before the clients do when a bench fails.
  pool.on('error', () => {});
  return {
    read: (id) => inRequest(traces.tracer, () => pool.query(READ, [id])),
    close: async () => {
      await pool.end();
      await stop();
      await traces.provider.shutdown();
    },
  };
}

/** The span of a request of the application: every peer pays for it, so it is in no difference. */
async function inRequest(tracer: Tracer, work: () => Promise<unknown>): Promise<unknown> {
  const span: Span = tracer.startSpan('request');
  try {
    return await context.with(trace.setSpan(context.active(), span), work);
  } finally {
    span.end();
  }
}

/** By hand: pg was loaded before any hook of `require` could see it. */
function instrumentStock(provider: ReturnType<typeof discardingTracers>['provider']): void {
  const instrumentation = new PgInstrumentation({ enabled: false });
  instrumentation.setTracerProvider(provider);
  instrumentation.setMeterProvider(collectingProvider());
  for (const { name, patch } of instrumentation.getModuleDefinitions()) {
    patch?.(name === 'pg' ? pg : Object.getPrototypeOf(pg.Pool));
  }
}
