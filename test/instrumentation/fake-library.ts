import { inBackground } from '../../adapters/background.js';
import type { PoolInfo, PoolSetup } from '../../adapters/host.js';
import { processHost } from '../../instrumentation/hosts.js';
import { createPool, type Driver, type Pool, type PoolOptions } from '../../src/index.js';

export interface FakeConnection {
  readonly number: number;
}

/** A driver whose connections open when a test says so, or at once. */
export class FakeDriver implements Driver<FakeConnection> {
  /** While true, `open` waits for `openNext` or `failNext`. */
  held = false;
  onOpen: () => void = () => {};
  onCheck: () => void = () => {};
  checkBeforeLease = false;
  readonly #opening: { resolve(connection: FakeConnection): void; reject(error: unknown): void }[] = [];
  #opened = 0;

  open(): Promise<FakeConnection> {
    this.onOpen();
    if (!this.held) return Promise.resolve(this.#next());
    return new Promise((resolve, reject) => {
      this.#opening.push({ resolve, reject });
    });
  }

  openNext(): void {
    this.#opening.shift()!.resolve(this.#next());
  }

  failNext(error: unknown): void {
    this.#opening.shift()!.reject(error);
  }

  async check(): Promise<void> {
    this.onCheck();
  }

  close(): void {}

  bytesAtRest(): number {
    return 0;
  }

  canShare(): boolean {
    return true;
  }

  mustCheck(): boolean {
    return this.checkBeforeLease;
  }

  #next(): FakeConnection {
    this.#opened += 1;
    return { number: this.#opened };
  }
}

export interface FakePool {
  readonly info: PoolInfo;
  readonly setup: PoolSetup;
  readonly driver: FakeDriver;
  readonly engine: Pool<FakeConnection>;
  close(): Promise<void>;
}

/** What an adapter does when a pool is first used; undefined when the pool is to stay stock. */
export function openFakePool(about: Partial<PoolInfo> = {}, options: PoolOptions = {}): FakePool | undefined {
  const info: PoolInfo = {
    library: 'pg',
    pool: {},
    system: 'postgresql',
    database: 'orders',
    serverAddress: 'db.example',
    serverPort: 5432,
    ...about,
  };
  const setup = processHost.enabled() ? processHost.setUp(info) : undefined;
  if (setup === undefined) return undefined;
  const driver = new FakeDriver();
  const engine = createPool<FakeConnection>({
    driver: inBackground(driver, setup.background),
    options: { ...options, ...setup.options },
    observer: setup.observer,
    flags: setup.flags,
    callers: setup.callers,
    fleet: setup.fleet,
  });
  // As an adapter does that knows single statements.
  engine.statementCounters = {
    preparedHits: 5,
    prepared: 2,
    preparedAhead: 1,
    deallocated: 1,
    unprepared: 0,
    redispatched: 0,
    movedOut: 1,
  };
  processHost.adopted(info, engine as Pool<unknown>);
  const close = async () => {
    await engine.drain();
    processHost.closed(info, engine as Pool<unknown>);
  };
  return { info, setup, driver, engine, close };
}
