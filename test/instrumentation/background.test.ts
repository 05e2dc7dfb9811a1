import { AsyncLocalStorage } from 'node:async_hooks';
import { expect } from 'chai';
import { type BackgroundWork, inBackground } from '../../adapters/background.js';
import { KnexDriver } from '../../adapters/knex/driver.js';
import { PgDriver } from '../../adapters/pg/driver.js';
import { RedisLeases } from '../../adapters/redis/leases.js';
import type { RedisClient } from '../../adapters/redis/shapes.js';
import type { Driver, LastStatement, Route } from '../../src/index.js';

type Connection = { readonly id: number };

/** A driver that tells which of its methods was called, and with what. Whoever adds to the port adds here. */
class WholeDriver implements Required<Driver<Connection>> {
  readonly #told: unknown[][] = [];

  #note(...told: unknown[]): never {
    this.#told.push(told);
    return told as never;
  }

  get told(): unknown[][] {
    return this.#told;
  }

  open(...given: unknown[]): Promise<Connection> {
    return this.#note('open', ...given);
  }
  check(...given: unknown[]): Promise<void> {
    return this.#note('check', ...given);
  }
  warm(...given: unknown[]): Promise<void> {
    return this.#note('warm', ...given);
  }
  close(...given: unknown[]): void {
    return this.#note('close', ...given);
  }
  isBroken(...given: unknown[]): boolean {
    return this.#note('isBroken', ...given);
  }
  mustCheck(...given: unknown[]): boolean {
    return this.#note('mustCheck', ...given);
  }
  hasPrepared(...given: unknown[]): boolean {
    return this.#note('hasPrepared', ...given);
  }
  canShare(...given: unknown[]): boolean {
    return this.#note('canShare', ...given);
  }
  onSilent(...given: unknown[]): void {
    this.#note('onSilent', ...given);
  }
  bytesHeard(...given: unknown[]): number {
    return this.#note('bytesHeard', ...given);
  }
  bytesAtRest(...given: unknown[]): number {
    return this.#note('bytesAtRest', ...given);
  }
  rememberStatements(...given: unknown[]): void {
    this.#note('rememberStatements', ...given);
  }
  lastStatement(...given: unknown[]): LastStatement {
    return this.#note('lastStatement', ...given);
  }
  findDead(...given: unknown[]): Promise<Connection[]> {
    return this.#note('findDead', ...given);
  }
  sever(...given: unknown[]): void {
    this.#note('sever', ...given);
  }
  route(...given: unknown[]): Route {
    return this.#note('route', ...given);
  }
  lookUp(...given: unknown[]): Promise<readonly string[]> {
    return this.#note('lookUp', ...given);
  }
  isDirty(...given: unknown[]): boolean {
    return this.#note('isDirty', ...given);
  }
  unanswered(...given: unknown[]): Promise<void> {
    return this.#note('unanswered', ...given);
  }
  reset(...given: unknown[]): Promise<void> {
    return this.#note('reset', ...given);
  }
}

const IN_BACKGROUND: Readonly<Record<string, BackgroundWork>> = {
  open: 'open',
  check: 'check',
  findDead: 'check',
  lookUp: 'check',
  reset: 'reset',
  close: 'close',
};

function methodsOf({ prototype }: { prototype: object }): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function')
    .map(([name]) => name);
}

describe('a driver in the background', () => {
  let works: BackgroundWork[];
  const background = <T>(what: BackgroundWork, work: () => T): T => {
    works.push(what);
    return work();
  };

  beforeEach(() => {
    works = [];
  });

  for (const name of methodsOf(WholeDriver)) {
    it(`passes ${name} on`, () => {
      const driver = new WholeDriver();
      const wrapped = inBackground(driver, background) as unknown as Record<
        string,
        (...given: unknown[]) => unknown
      >;
      wrapped[name]!({ id: 1 }, 'more');
      expect(driver.told).deep.equal([[name, { id: 1 }, 'more']]);
      expect(works).deep.equal(name in IN_BACKGROUND ? [IN_BACKGROUND[name]] : []);
    });
  }

  it('lacks what the driver lacks, and has what a plain object has', () => {
    const driver: Driver<Connection> = {
      open: () => Promise.resolve({ id: 1 }),
      check: () => Promise.resolve(),
      close() {},
      isBroken: ({ id }) => id === 2,
    };
    const wrapped = inBackground(driver, background);
    expect(Object.keys(wrapped)).have.members(['open', 'check', 'close', 'isBroken']);
    expect(wrapped.isBroken!({ id: 2 })).equal(true);
  });

  for (const Class of [PgDriver, KnexDriver]) {
    it(`has all of ${Class.name}`, () => {
      const wrapped = inBackground(Object.create(Class.prototype) as Driver<never>, background);
      expect(Object.keys(wrapped)).have.members(methodsOf(Class));
    });
  }

  it('is the driver itself where nothing is asked for', () => {
    const driver = new WholeDriver();
    expect(inBackground(driver, undefined)).equal(driver);
  });
});

describe('the leases of a fleet in the background', () => {
  const work = new AsyncLocalStorage<BackgroundWork>();
  const background = <T>(what: BackgroundWork, run: () => T): T => work.run(what, run);
  let done: [string, BackgroundWork | undefined][];
  /** What a message calls, as a socket does: in the context in which it was opened. */
  let hear: (message: string) => void;

  function note<T>(name: string, answer?: T): Promise<T> {
    done.push([name, work.getStore()]);
    return Promise.resolve(answer as T);
  }

  const client: RedisClient = {
    duplicate: () => client,
    on: () => client,
    unref() {},
    connect: () => note('connect'),
    eval: () => note('eval', [1, 0, []]),
    hDel: () => note('hDel'),
    subscribe(_, listener) {
      hear = AsyncLocalStorage.bind((message: string) => listener(message, ''));
      return note('subscribe');
    },
  };

  function leasesOf(it: RedisClient): RedisLeases {
    done = [];
    const leases = new RedisLeases(it, 'orders', { maxConnections: 2, members: 1 }, background);
    leases.onNews = (news) => void note(news);
    return leases;
  }

  const request = { number: 1, ceiling: 0, asked: 1, want: 1 };
  const never = new AbortController().signal;

  it('are asked for and given back as a connection is checked, by clients that are opened as one is opened', async () => {
    const leases = leasesOf(client);
    await leases.renew(request, never);
    hear('another member');
    leases.onNews = undefined;
    await leases.leave();
    expect(done).deep.equal([
      ['connect', 'open'],
      ['connect', 'open'],
      ['subscribe', 'open'],
      ['eval', 'check'],
      ['short', 'open'],
      ['hDel', 'check'],
    ]);
  });

  it('tell that they are lost where connections may be opened for it, whatever lost them', async () => {
    const leases = leasesOf({
      ...client,
      duplicate: () => ({ ...client, eval: () => Promise.reject('no') }),
    });
    await leases.renew(request, never).catch(() => {});
    expect(done.at(-1)).deep.equal(['lost', 'open']);
  });
});
