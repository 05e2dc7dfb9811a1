// Pools that differ in what is told of them, in one process: the luck of its compiler is then in no difference between them.

import { context, type Span, type Tracer, trace } from '@opentelemetry/api';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import pg from 'pg';
import type { TelemetryConfig } from '../../instrumentation/types.js';
import type { Address } from '../../test/servers/database.js';
import type { Window } from '../closed-loop.js';
import { collectingProvider } from '../collecting.js';
import { observedHost, patchLibrary, SETTLED } from '../enhancement.js';
import { type Obedient, obeyOrders, PeerProcess } from '../peer-process.js';
import { measureWindow } from '../query/client-process.js';
import type { Client } from '../query/peer.js';
import { discardingTracers } from './tracers.js';

/** Which pool is to be made, and what is to be told of it. */
export interface PoolWish {
  readonly name: string;
  /** The engine with these signals; undefined is the stock pool, which cannot share a process with the engine. */
  readonly telemetry?: TelemetryConfig;
  /** With OpenTelemetry's own instrumentation of pg; alone in its process. */
  readonly stockInstrumentation?: boolean;
  /** Whether the trace around each query is sampled. */
  readonly sampled: boolean;
}

interface Part {
  readonly address: Address;
  /** Connections of each pool at most. */
  readonly size: number;
  readonly pools: readonly PoolWish[];
}

interface Order {
  /** Of the pool. */
  readonly name: string;
  readonly callers: number;
  readonly windowMs: number;
}

/** Several pools in a process of their own. */
export class PoolsProcess extends PeerProcess<Part, Order> {
  constructor(part: Part) {
    super(__filename, part);
  }

  measure(name: string, callers: number, windowMs: number): Promise<Window> {
    return this.ask({ name, callers, windowMs });
  }
}

const READ = 'SELECT id, name, price FROM item WHERE id = $1';

async function open({ address, size, pools }: Part): Promise<Obedient<Order>> {
  const clients = new Map<string, Client>();
  for (const wish of pools) clients.set(wish.name, await openPool(wish, address, size));
  return {
    obey: ({ name, callers, windowMs }) => measureWindow(clients.get(name)!, callers, windowMs),
    close: () => Promise.all([...clients.values()].map((client) => client.close())),
  };
}

async function openPool(wish: PoolWish, address: Address, size: number): Promise<Client> {
  const { telemetry } = wish;
  const traces = discardingTracers(wish.sampled);
  const { host, stop } = observedHost({
    ...(telemetry && { telemetry }),
    tracer: traces.tracer,
    optimizations: SETTLED,
  });
  if (telemetry !== undefined) patchLibrary('pg', host);
  if (wish.stockInstrumentation === true) instrumentStock(traces.provider);
  const { host: server, port, user, password, database } = address;
  const pool = new pg.Pool({ host: server, port, user, password, database, max: size });
  // The servers stop before the clients do when a bench fails.
  pool.on('error', () => {});
  // A pool is its host's from its first use on; the next one has another host.
  await pool.query(READ, [0]);
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

if (require.main === module) obeyOrders(open);
