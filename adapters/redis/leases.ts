import { randomUUID } from 'node:crypto';
import {
  type FleetBudget,
  type LeaseGrant,
  type LeaseNews,
  type LeaseRequest,
  type LeaseStore,
  resolveBudget,
  staticShare,
} from '../../src/index.js';
import type { Background } from '../background.js';
import { RENEWAL } from './renewal.js';
import type { RedisClient, RedisModule } from './shapes.js';

/** A server that does not answer a connect for so long is away. */
const CONNECT_TIMEOUT_MS = 2_000;

/** Ours: a lost connection is made anew when the lease is to be renewed, and nothing is sent late. */
const OPTIONS = { disableOfflineQueue: true };
const SOCKET = { reconnectStrategy: false, connectTimeout: CONNECT_TIMEOUT_MS } as const;

/** One for the requests, and one that only listens: while it does, Redis knows that the process is alive. */
interface Connections {
  readonly requests: RedisClient;
  readonly listener: RedisClient;
}

/** One member's lease in a table that Redis keeps for its fleet. Redis 5 or later, one primary. */
export class RedisLeases implements LeaseStore {
  onNews: ((news: LeaseNews) => void) | undefined = undefined;
  readonly member = randomUUID();
  readonly #newClient: () => RedisClient;
  readonly #table: string;
  readonly #numbers: readonly string[];
  readonly #background: Background;
  #connections: Promise<Connections> | undefined = undefined;
  #drop: () => void = () => {};

  /**
   * @param redis a URL, for which the package `redis` has to be installed, or a client of that package, which is only used to make others like it.
   * @param fleet the name that all members of the fleet have in common.
   * @param background runs requests as a check; as an opening the connecting of clients, and `onNews`, upon which a pool may open connections.
   * @throws when the package is wanted and not there, or it or the client is one that is not known, and {PoolError} code `INVALID_OPTIONS`.
   */
  constructor(
    redis: string | RedisClient,
    fleet: string,
    given: FleetBudget,
    background: Background = (_, work) => work(),
  ) {
    const budget = resolveBudget(given);
    this.#newClient = typeof redis === 'string' ? clientsOf(redis) : clientsLike(redis);
    this.#background = background;
    this.#table = `enhanced-pool:{${fleet}}`;
    const { maxConnections, members, leaseMs } = budget;
    this.#numbers = [maxConnections, members, staticShare(budget), Math.ceil(leaseMs)].map(String);
  }

  renew(request: LeaseRequest, signal: AbortSignal): Promise<LeaseGrant> {
    return this.#background('check', () => this.#renew(request, signal));
  }

  leave(): Promise<void> {
    return this.#background('check', () => this.#leave());
  }

  async #renew({ number, ceiling, asked, want }: LeaseRequest, signal: AbortSignal): Promise<LeaseGrant> {
    signal.addEventListener('abort', () => this.#drop(), { once: true });
    try {
      const { requests } = await this.#connected();
      signal.throwIfAborted();
      const words = [number, ceiling, asked, want].map(String);
      const answer = await requests.eval(RENEWAL, {
        keys: [this.#table],
        arguments: [this.member, ...words, ...this.#numbers],
      });
      return grantOf(answer);
    } catch (error) {
      this.#drop();
      throw error;
    }
  }

  async #leave(): Promise<void> {
    if (this.#connections === undefined) return;
    // A server that does not answer must not keep the sockets.
    setTimeout(this.#drop, CONNECT_TIMEOUT_MS).unref();
    try {
      const { requests } = await this.#connections;
      await requests.hDel(this.#table, this.member);
    } finally {
      this.#drop();
    }
  }

  #connected(): Promise<Connections> {
    this.#connections ??= this.#background('open', () => this.#connect());
    return this.#connections;
  }

  async #connect(): Promise<Connections> {
    const requests = this.#newClient();
    const listener = this.#newClient();
    const drop = () => {
      if (this.#drop !== drop) return;
      this.#drop = () => {};
      this.#connections = undefined;
      for (const client of [requests, listener]) end(client);
      this.#tell('lost');
    };
    this.#drop = drop;
    for (const client of [requests, listener]) {
      client.on('error', drop);
      client.on('end', drop);
      client.unref();
    }
    await Promise.all([requests.connect(), listener.connect()]);
    const short = `${this.#table}:short`;
    await listener.subscribe([short, `${this.#table}:${this.member}`], (message) => {
      if (message !== this.member) this.#tell('short');
    });
    return { requests, listener };
  }

  #tell(news: LeaseNews): void {
    this.#background('open', () => this.onNews?.(news));
  }
}

/** Makes clients of the package `redis`, which the application has installed. */
function clientsOf(url: string): () => RedisClient {
  let module: RedisModule;
  try {
    module = require('redis');
  } catch {
    throw new Error('the package redis is not installed, which a fleet with a Redis URL needs');
  }
  // Clients of 3 connect when they are made, and know none of the ways in which ours are ended.
  if (module.createCluster === undefined)
    throw new Error('the package redis has to be of version 4.3 or later');
  const newClient = () => module.createClient({ url, ...OPTIONS, socket: SOCKET });
  requireKnown(newClient());
  return newClient;
}

function clientsLike(client: RedisClient): () => RedisClient {
  requireKnown(client);
  const { socket } = (client as { options?: { socket?: object } }).options ?? {};
  return () => client.duplicate({ ...OPTIONS, socket: { ...socket, ...SOCKET } });
}

/** @throws for clients of other packages and of redis before 4.3, which would keep the process alive. */
function requireKnown({ connect, hDel, unref }: Partial<RedisClient>): void {
  if (!connect || !hDel || !unref)
    throw new Error('the client is not one of `createClient` of the package redis, 4.3 or later');
}

function end(client: RedisClient): void {
  try {
    if (client.destroy !== undefined) client.destroy();
    else client.disconnect?.().catch(() => {});
  } catch {
    // It had ended already.
  }
}

/** @throws when the script answered something else. */
function grantOf(answer: unknown): LeaseGrant {
  const [granted, graceMs, others] = answer as [number, number, number[]];
  const leases = [];
  for (let at = 0; at < others.length; at += 2) leases.push({ reserved: others[at]!, want: others[at + 1]! });
  return { granted: Number(granted), graceMs: Number(graceMs), others: leases };
}
