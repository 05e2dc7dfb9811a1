import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { metrics } from '@opentelemetry/api';
import type { OptimizationFlags } from '../../src/index.js';
import type { Address } from '../../test/servers/database.js';
import { closedLoop, type Window } from '../closed-loop.js';
import { collectingProvider, collectingReader } from '../collecting.js';
import { type Obedient, obeyOrders, PeerProcess } from '../peer-process.js';
import { type OpenedClient, openClient } from './client.js';
import { ownClients } from './own-pool.js';
import { WORKLOADS, type Workload } from './workloads.js';

export interface SharingWindow extends Window {
  /** Most connections that were seen in use; 0 for stock. */
  readonly connections: number;
}

export interface Memory {
  readonly heapBytes: number;
  readonly peakRssBytes: number;
}

/** One peer of a process. */
export interface PeerPart {
  readonly name: string;
  readonly max: number;
  /** Undefined: stock. */
  readonly flags: OptimizationFlags | undefined;
}

/** What a process is. */
interface Part {
  readonly workload: string;
  readonly address: Address;
  /** Several have a copy each of everything that is run. */
  readonly peers: readonly PeerPart[];
  /** Whether OpenTelemetry is started as the README says, by its Node SDK; else only metrics are. */
  readonly nodeSdk?: boolean;
}

const FIRST_CALLERS = 10;
/** Of the time of the load. */
const FIRST_SHARE = 0.3;

type Order = { readonly peer: string } & (
  | { readonly do: 'measure' | 'warmUp'; readonly windowMs: number }
  | { readonly do: 'answers'; readonly turns: number }
  | { readonly do: 'memory'; readonly loadMs: number }
);

/** A peer in its process. */
export class Side {
  readonly name: string;
  readonly #process: PeerProcess<Part, Order>;

  private constructor(name: string, process: PeerProcess<Part, Order>) {
    this.name = name;
    this.#process = process;
  }

  /** Peers that share a process. */
  static start(part: Part, engineFlags: readonly string[] = []): Side[] {
    const process = new PeerProcess<Part, Order>(__filename, part, engineFlags);
    return part.peers.map(({ name }) => new Side(name, process));
  }

  measure(windowMs: number): Promise<SharingWindow> {
    return this.#process.ask({ peer: this.name, do: 'measure', windowMs });
  }

  /** As `measure`, of what comes before. */
  warmUp(windowMs: number): Promise<SharingWindow> {
    return this.#process.ask({ peer: this.name, do: 'warmUp', windowMs });
  }

  /** What the first so many requests give. */
  answers(turns: number): Promise<unknown[]> {
    return this.#process.ask({ peer: this.name, do: 'answers', turns });
  }

  /** After so long under load: what is live while it stands, and the most that the process ever had. */
  memory(loadMs: number): Promise<Memory> {
    return this.#process.ask({ peer: this.name, do: 'memory', loadMs });
  }

  /** Ends its process. */
  stop(): Promise<void> {
    return this.#process.stop();
  }
}

async function open({ workload: name, address, peers, nodeSdk }: Part): Promise<Obedient<Order>> {
  const workload = WORKLOADS.find((known) => known.name === name)!;
  // What an application with telemetry has without us as well; the engine comes with metrics of its own.
  require('@opentelemetry/instrumentation');
  const hasStock = peers.some(({ flags }) => flags === undefined);
  const telemetry = nodeSdk ? await startedSdk() : hasStock ? collectingProvider() : undefined;
  const opened = new Map<string, OpenedClient>();
  for (const peer of peers) {
    const opens = peers.length === 1 ? openClient : ownClients();
    const meters = nodeSdk ? metrics.getMeterProvider() : undefined;
    opened.set(peer.name, await opens(workload.library, address, peer.max, peer.flags, meters));
  }
  return {
    obey: (order) => obey(order, opened.get(order.peer)!, workload),
    async close() {
      await Promise.all([...opened.values()].map((client) => client.close()));
      await telemetry?.shutdown();
    },
  };
}

/** Spans and logs go nowhere, and metrics where those of `collectingProvider` go. */
async function startedSdk(): Promise<{ shutdown(): Promise<void> }> {
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({
    metricReaders: [collectingReader()],
    spanProcessors: [],
    logRecordProcessors: [],
    autoDetectResources: false,
  });
  sdk.start();
  return sdk;
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

/**
 * Few callers first, as an application has when it starts: V8 decides once what lives long, and in a process whose first work is
 * 512 requests at once it takes rows for that, and allocates them as old ever after.
 */
async function weigh(opened: OpenedClient, workload: Workload, loadMs: number): Promise<Memory> {
  await measure(opened, { ...workload, callers: FIRST_CALLERS }, loadMs * FIRST_SHARE);
  const load = measure(opened, workload, loadMs);
  await sleep(loadMs * 0.9);
  globalThis.gc?.();
  const { heapUsed } = process.memoryUsage();
  await load;
  return { heapBytes: heapUsed, peakRssBytes: peakRssKibibytes() * 1_024 };
}

/** By `getrusage` it would be no less than what the process had that began this one. */
function peakRssKibibytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS;
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
}

if (require.main === module) obeyOrders(open);
