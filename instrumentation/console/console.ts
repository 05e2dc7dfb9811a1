import type { DiagLogger } from '@opentelemetry/api';
import type { Observer } from '../../src/index.js';
import { together } from '../../src/observer.js';
import type { PoolRegistry } from '../registry.js';
import { PoolLogs } from './pool-logs.js';
import { ConsoleServer } from './server.js';
import { viewOf } from './view.js';

/** A page that shows what the pools of this process do, for whoever develops on this machine. */
export class PoolConsole {
  readonly #logs: PoolLogs;
  readonly #server: ConsoleServer;

  constructor(registry: PoolRegistry) {
    this.#logs = new PoolLogs((pool) => registry.isOpen(pool));
    this.#server = new ConsoleServer(() => viewOf(registry, this.#logs));
  }

  /** Says on the error output where it is; without a port to be had it stays away, and the application goes on. */
  start(port: number, log: DiagLogger): void {
    this.#server.start(port).then(
      (url) => process.stderr.write(`enhanced pool console: ${url}\n`),
      (error: NodeJS.ErrnoException) => log.error(`there is no console: ${error.code}`),
    );
  }

  stop(): void {
    this.#server.stop();
  }

  /** Listens to a pool beside whoever else does. */
  beside(observer: Observer<unknown> | undefined, pool: string): Observer<unknown> {
    const listener = this.#logs.openFor(pool);
    return observer === undefined ? listener : together(observer, listener);
  }
}
