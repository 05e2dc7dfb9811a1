// One peer, alone in a process of its own, as it would be in an application: neither its compiler, its heap nor its
// processor time has anything of another peer's.

import { type ChildProcess, fork } from 'node:child_process';

/** What a peer's process does: one order after the other, until it is told to stop. */
export interface Obedient<Order> {
  obey(order: Order): Promise<unknown>;
  close(): Promise<unknown>;
}

/** A peer in its process, seen from the suite. */
export class PeerProcess<Part, Order> {
  readonly #child: ChildProcess;
  readonly #ready: Promise<unknown>;

  /**
   * @param file whose main program calls `obeyOrders`.
   * @param part which peer it is to be.
   */
  constructor(file: string, part: Part, engineFlags: readonly string[] = []) {
    this.#child = fork(file, [JSON.stringify(part)], { execArgv: ['--expose-gc', ...engineFlags] });
    this.#ready = this.#reply();
  }

  async ask<Answer>(order: Order): Promise<Answer> {
    await this.#ready;
    this.#child.send(order as object);
    return this.#reply();
  }

  /** Harmless where the process has ended by itself. */
  async stop(): Promise<void> {
    if (!this.#child.connected) return;
    await this.#ready;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await gone;
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

/** The main program of such a process. */
export async function obeyOrders<Part, Order>(open: (part: Part) => Promise<Obedient<Order>>): Promise<void> {
  const peer = await open(JSON.parse(process.argv[2]!) as Part);
  process.on('message', (order: Order) => {
    peer.obey(order).then(
      (reply) => process.send?.(reply),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.once('disconnect', () => peer.close().then(() => process.exit(0)));
  process.send?.('ready');
}
