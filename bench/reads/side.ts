import { setTimeout as sleep } from 'node:timers/promises';
import type { OptimizationFlags } from '../../src/index.js';
import type { Address } from '../../test/servers/database.js';
import { closedLoop, type Window } from '../closed-loop.js';
import { type Obedient, obeyOrders, PeerProcess } from '../peer-process.js';
import { type OpenedClient, openClient } from './client.js';
import { WORKLOADS, type Workload } from './workloads.js';

export interface SharingWindow extends Window {
  /** Most connections that were seen in use; 0 for stock. */
  readonly connections: number;
}

export interface Memory {
  readonly heapBytes: number;
  readonly peakRssBytes: number;
}

/** Which peer a process is. */
export interface Part {
  readonly workload: string;
  readonly address: Address;
  readonly max: number;
  /** Undefined: stock. */
  readonly flags: OptimizationFlags | undefined;
}

type Order =
  | { readonly do: 'measure' | 'warmUp'; readonly windowMs: number }
  | { readonly do: 'answers'; readonly turns: number }
  | { readonly do: 'memory'; readonly loadMs: number };

/** A peer in its process. */
export class Side {
  readonly name: string;
  readonly #process: PeerProcess<Part, Order>;

  constructor(name: string, part: Part, engineFlags: readonly string[] = []) {
    this.name = name;
    this.#process = new PeerProcess(__filename, part, engineFlags);
  }

  measure(windowMs: number): Promise<SharingWindow> {
    return this.#process.ask({ do: 'measure', windowMs });
  }

  /** As `measure`, of what comes before. */
  warmUp(windowMs: number): Promise<SharingWindow> {
    return this.#process.ask({ do: 'warmUp', windowMs });
  }

  /** What the first so many requests give. */
  answers(turns: number): Promise<unknown[]> {
    return this.#process.ask({ do: 'answers', turns });
  }

  /** After so long under load: what is live while it stands, and the most that the process ever had. */
  memory(loadMs: number): Promise<Memory> {
    return this.#process.ask({ do: 'memory', loadMs });
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

async function open({ workload: name, address, max, flags }: Part): Promise<Obedient<Order>> {
  const workload = WORKLOADS.find((known) => known.name === name)!;
  // What an application with telemetry has loaded without us.
  require('@opentelemetry/sdk-metrics');
  require('@opentelemetry/instrumentation');
  const opened = await openClient(workload.library, address, max, flags);
  return { obey: (order) => obey(order, opened, workload), close: () => opened.close() };
}

async function obey(order: Order, opened: OpenedClient, workload: Workload): Promise<unknown> {
  if (order.do === 'memory') return weigh(opened, workload, order.loadMs);
  if (order.do !== 'answers') {
    globalThis.gc?.({ type: 'minor' });
    const run = (order.do === 'warmUp' && workload.warmUp) || workload.run;
    return measure(opened, workload, order.windowMs, run);
  }
  const turns = Array.from({ length: order.turns }, (_, turn) =>
    workload.run(opened.client as never, turn, turn),
  );
  return Promise.all(turns);
}

let turns = 0;

async function measure(
  { client, engine }: OpenedClient,
  workload: Workload,
  windowMs: number,
  run: Workload['run'] = workload.run,
): Promise<SharingWindow> {
  let connections = 0;
  const window = await closedLoop(workload.callers, windowMs, async (caller) => {
    const turn = turns;
    turns += 1;
    await run(client as never, turn, caller);
    if (caller === 0) connections = Math.max(connections, engine()?.stats().leased ?? 0);
    return workload.counts?.(turn) !== false;
  });
  return { ...window, connections };
}

async function weigh(opened: OpenedClient, workload: Workload, loadMs: number): Promise<Memory> {
  const load = measure(opened, workload, loadMs);
  await sleep(loadMs * 0.9);
  globalThis.gc?.();
  const { heapUsed } = process.memoryUsage();
  await load;
  return { heapBytes: heapUsed, peakRssBytes: process.resourceUsage().maxRSS * 1_024 };
}

if (require.main === module) obeyOrders(open);
