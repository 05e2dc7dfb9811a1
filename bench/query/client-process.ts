import { closedLoop, type Window } from '../closed-loop.js';
import { type Obedient, obeyOrders, PeerProcess } from '../peer-process.js';
import type { Client, ClientModule } from './peer.js';

/** Of the table that is read from. */
export const ROWS = 10_000;

/** Which client a process has: what `file` exports as `way`, given `wish`. */
interface Part {
  readonly file: string;
  readonly way: string;
  readonly wish: unknown;
}

interface Order {
  readonly callers: number;
  readonly windowMs: number;
}

/** A client in a process of its own. */
export class ClientProcess {
  readonly #process: PeerProcess<Part, Order>;

  constructor(part: Part) {
    this.#process = new PeerProcess(__filename, part);
  }

  measure(callers: number, windowMs: number): Promise<Window> {
    return this.#process.ask({ callers, windowMs });
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

async function open({ file, way, wish }: Part): Promise<Obedient<Order>> {
  const client = await (require(file) as ClientModule)[way]!(wish);
  return {
    obey: ({ callers, windowMs }) => measureWindow(client, callers, windowMs),
    close: () => client.close(),
  };
}

export async function measureWindow(client: Client, callers: number, windowMs: number): Promise<Window> {
  // `interleave` collects in the suite's process, not in this one.
  globalThis.gc?.({ type: 'minor' });
  const ids = Array.from({ length: callers }, (_, caller) => caller);
  await Promise.all(ids.map((id) => client.read(id, id)));
  return closedLoop(callers, windowMs, (caller) => {
    ids[caller] = (ids[caller]! + 7_919) % ROWS;
    return client.read(ids[caller]!, caller);
  });
}

if (require.main === module) obeyOrders(open);
