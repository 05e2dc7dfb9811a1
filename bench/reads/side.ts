// One peer, alone in a process of its own, as it would be in an application: neither its compiler, its heap nor its
// processor time has anything of another peer's.

import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OptimizationFlags } from '../../src/index.js';
import type { Address } from '../../test/servers/database.js';
import { closedLoop, type Window } from '../closed-loop.js';
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
  | { readonly do: 'measure'; readonly windowMs: number }
  | { readonly do: 'answers'; readonly turns: number }
  | { readonly do: 'memory'; readonly loadMs: number };

/** A peer in its process. */
export class Side {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ready: Promise<unknown>;

  constructor(name: string, part: Part, engineFlags: readonly string[] = []) {
    this.name = name;
    this.#child = fork(__filename, [JSON.stringify(part)], { execArgv: ['--expose-gc', ...engineFlags] });
    this.#ready = this.#reply();
  }

  measure(windowMs: number): Promise<SharingWindow> {
    return this.#ask({ do: 'measure', windowMs });
  }

  /** What the first so many requests give. */
  answers(turns: number): Promise<unknown[]> {
    return this.#ask({ do: 'answers', turns });
  }

  /** After so long under load: what is live while it stands, and the most that the process ever had. */
  memory(loadMs: number): Promise<Memory> {
    return this.#ask({ do: 'memory', loadMs });
  }

  async stop(): Promise<void> {
    await this.#ready;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await gone;
  }

  async #ask<Answer>(order: Order): Promise<Answer> {
    await this.#ready;
    this.#child.send(order);
    return this.#reply();
  }

  #reply<Answer>(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const child = this.#child;
      const ended = (code: number | null) => reject(new Error(`a peer's process ended with code ${code}`));
      child.once('exit', ended);
      child.once('message', (reply) => {
        child.off('exit', ended);
        resolve(reply as Answer);
      });
    });
  }
}

async function main({ workload: name, address, max, flags }: Part): Promise<void> {
  const workload = WORKLOADS.find((known) => known.name === name)!;
  // What an application with telemetry has loaded without us.
  require('@opentelemetry/sdk-metrics');
  require('@opentelemetry/instrumentation');
  const opened = await openClient(workload.library, address, max, flags);
  process.on('message', (order: Order) => {
    obey(order, opened, workload).then(
      (reply) => process.send?.(reply),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.once('disconnect', () => opened.close().then(() => process.exit(0)));
  process.send?.('ready');
}

async function obey(order: Order, opened: OpenedClient, workload: Workload): Promise<unknown> {
  if (order.do === 'memory') return weigh(opened, workload, order.loadMs);
  if (order.do === 'measure') {
    globalThis.gc?.({ type: 'minor' });
    return measure(opened, workload, order.windowMs);
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
): Promise<SharingWindow> {
  let connections = 0;
  const window = await closedLoop(workload.callers, windowMs, async (caller) => {
    const turn = turns;
    turns += 1;
    await workload.run(client as never, turn, caller);
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

if (require.main === module) main(JSON.parse(process.argv[2]!) as Part);
