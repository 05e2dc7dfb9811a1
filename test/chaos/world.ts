import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Knex } from 'knex';
import pg from 'pg';
import { type Pool, systemRuntime } from '../../src/index.js';
import { endingWithin } from '../ending-within.js';
import { findProgram } from '../servers/find-program.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { sharingKnex, sharingMysql2, sharingPool } from '../sharing/sharing-pool.js';
import { TroubledNetwork } from './network.js';

const MAX = 6;
const SERVER_CONNECTIONS = 24;
const ACQUIRE_TIMEOUT_MS = 3_000;
/** Nothing takes so long but what never ends. */
export const within = endingWithin(60_000);

/** A pool on the engine under steady load. */
export interface Subject {
  readonly name: string;
  readonly engine: () => Pool<unknown>;
  /** Whatever else has listeners that must not pile up. */
  readonly emitters: () => NodeJS.EventEmitter[];
  ask(token: number): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Three pools, two servers and the networks before them. */
export class World {
  readonly databases: Databases<'postgres' | 'mysql'>;
  readonly networks: readonly TroubledNetwork[];
  readonly subjects: readonly Subject[];
  answered = 0;
  /** Errors by what they say, numbers left out. */
  readonly errors = new Map<string, number>();
  readonly #share: number;
  readonly #unhandled: unknown[] = [];
  readonly #note = (error: unknown) => this.#unhandled.push(error);
  #goesOn = true;
  #callers: Promise<void>[] = [];

  /**
   * @param random what the networks draw delays and losses from.
   * @param share how long troubles last, as a share of what they do by themselves.
   */
  static async begin(random: () => number, share = 1): Promise<World> {
    const databases = await startDatabases({
      postgres: { settings: { max_connections: SERVER_CONNECTIONS } },
      mysql: { settings: { max_connections: SERVER_CONNECTIONS } },
    });
    const { postgres, mysql } = databases;
    const networks = await Promise.all(
      [postgres, mysql].map(({ port }) => TroubledNetwork.before(port, random)),
    );
    return new World(databases, networks, share);
  }

  private constructor(
    databases: Databases<'postgres' | 'mysql'>,
    networks: readonly TroubledNetwork[],
    share: number,
  ) {
    this.#share = share;
    this.databases = databases;
    this.networks = networks;
    const [toPostgres, toMysql] = networks as [TroubledNetwork, TroubledNetwork];
    const login = ({ user, password, database }: typeof databases.postgres, { port }: TroubledNetwork) => {
      return { host: '127.0.0.1', port, user, password, database };
    };
    this.subjects = [
      onPg(login(databases.postgres, toPostgres)),
      onKnex(login(databases.postgres, toPostgres)),
      onMysql(login(databases.mysql, toMysql)),
    ];
    process.on('unhandledRejection', this.#note);
  }

  /** Callers who ask, and ask again after a pause. */
  load(callers: number, pauseMs: number): void {
    for (const subject of this.subjects) {
      for (let caller = 0; caller < callers; caller += 1)
        this.#callers.push(this.#call(subject, caller, pauseMs));
    }
  }

  async #call(subject: Subject, caller: number, pauseMs: number): Promise<void> {
    for (let token = caller; this.#goesOn; token += 1_000) {
      const answer = await within(`${subject.name}: a caller`, outcomeOf(subject.ask(token)));
      const { open, closing, leased, max } = subject.engine().stats();
      if (open + closing > max || leased > max) throw new Error(`${subject.name}: above its max`);
      if (answer instanceof Error) this.#count(answer);
      else {
        if (answer !== token) throw new Error(`${subject.name}: asked for ${token}, was told ${answer}`);
        this.answered += 1;
      }
      await sleep(pauseMs);
    }
  }

  #count({ message }: Error): void {
    const words = message.replace(/\d+/g, 'N').slice(0, 80);
    this.errors.set(words, (this.errors.get(words) ?? 0) + 1);
  }

  /** How long a trouble lasts that may last so long. */
  lastsMs(mostMs: number): number {
    return mostMs * this.#share;
  }

  heal(): void {
    for (const network of this.networks) network.heal();
  }

  /** Once the troubles are over every pool serves again. */
  async recovered(): Promise<void> {
    for (const subject of this.subjects) {
      const served = async () => {
        for (let inARow = 0; inARow < 20; ) {
          inARow = (await outcomeOf(subject.ask(1))) === 1 ? inARow + 1 : 0;
          if (inARow === 0) await sleep(20);
        }
      };
      await within(`${subject.name}: recovery`, served());
    }
  }

  /** Ends it all; throws what was wrong. */
  async end(): Promise<void> {
    this.#goesOn = false;
    try {
      await Promise.all(this.#callers);
      for (const subject of this.subjects) {
        await within(
          `${subject.name}: a lease`,
          until(() => subject.engine().stats().leased === 0),
        );
        await within(`${subject.name}: the end`, subject.close());
        await within(
          `${subject.name}: a connection`,
          until(() => stillOpen(subject) === 0),
        );
      }
      expect(this.#unhandled).deep.equal([]);
    } finally {
      process.removeListener('unhandledRejection', this.#note);
      systemRuntime.now = now;
      await Promise.all(this.networks.map((network) => network.close()));
      await this.databases.stop();
    }
  }
}

function stillOpen({ engine }: Subject): number {
  const { open, closing } = engine().stats();
  return open + closing;
}

type Login = { host: string; port: number; user: string; password: string; database: string };

function onPg(login: Login): Subject {
  const { pool, engine } = sharingPool({ ...login, max: MAX, connectionTimeoutMillis: ACQUIRE_TIMEOUT_MS });
  pool.on('error', () => {});
  return {
    name: 'pg',
    engine,
    emitters: () => [pool, ...(pool as unknown as { _clients: NodeJS.EventEmitter[] })._clients],
    async ask(token) {
      if (token % 3 > 0) return (await pool.query('select $1::int as token', [token])).rows[0].token;
      // A client may die in the turn in which it is handed over, and only a callback is there in that turn: in stock, too.
      const ignore = () => {};
      const client = await new Promise<pg.PoolClient>((resolve, reject) => {
        pool.connect((error, connected) => {
          if (connected === undefined) return reject(error);
          connected.on('error', ignore);
          resolve(connected);
        });
      });
      try {
        await client.query('begin');
        const { rows } = await client.query(`select ${token} as token`);
        await client.query('commit');
        client.release();
        return rows[0].token;
      } catch (error) {
        client.release(error as Error);
        throw error;
      } finally {
        client.removeListener('error', ignore);
      }
    },
    close: () => pool.end(),
  };
}

function onKnex(login: Login): Subject {
  const { knex, engine } = sharingKnex({
    connection: login,
    pool: { min: 0, max: MAX },
    acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
    log: { warn() {} },
  });
  const ask = async (asker: Knex, token: number) =>
    (await asker.raw('select ?::int as token', [token])).rows[0].token;
  return {
    name: 'knex',
    engine,
    emitters: () => [knex.client as NodeJS.EventEmitter],
    ask: (token) => (token % 3 > 0 ? ask(knex, token) : knex.transaction((trx) => ask(trx, token))),
    close: () => knex.destroy(),
  };
}

function onMysql(login: Login): Subject {
  const { pool, engine } = sharingMysql2(
    { ...login, connectionLimit: MAX, connectTimeout: ACQUIRE_TIMEOUT_MS },
    {},
    { options: { acquireTimeoutMs: ACQUIRE_TIMEOUT_MS } },
  );
  return {
    name: 'mysql2',
    engine,
    emitters: () => [pool as unknown as NodeJS.EventEmitter],
    async ask(token) {
      if (token % 3 > 0) {
        const [rows] = await pool.query('select ? as token', [token]);
        return (rows as { token: number }[])[0]!.token;
      }
      const connection = await pool.getConnection();
      try {
        await connection.beginTransaction();
        const [rows] = await connection.query(`select ${token} as token`);
        await connection.commit();
        return (rows as { token: number }[])[0]!.token;
      } finally {
        connection.release();
      }
    },
    close: () => pool.end(),
  };
}

async function outcomeOf<T>(promise: Promise<T>): Promise<T | Error> {
  try {
    return await promise;
  } catch (error) {
    return error as Error;
  }
}

export async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await sleep(5);
}

/** A bad moment: brings it about, and ends it. */
export type Trouble = (world: World) => Promise<void>;

const each = async (world: World, work: (database: World['databases']['postgres']) => unknown) => {
  await Promise.all([world.databases.postgres, world.databases.mysql].map(work));
};

const onNetworks = (trouble: (network: TroubledNetwork) => void, durationMs: number): Trouble => {
  return async (world) => {
    for (const network of world.networks) trouble(network);
    await sleep(world.lastsMs(durationMs));
    world.heal();
  };
};

const { now } = systemRuntime;
let clockOffsetMs = 0;

export const TROUBLES: Readonly<Record<string, Trouble>> = {
  'kill -9': (world) => each(world, (database) => database.restart({ mode: 'kill' })),
  restart: (world) => each(world, (database) => database.restart()),
  'a stopped server': async (world) => {
    await each(world, (database) => database.freeze());
    await sleep(world.lastsMs(1_500));
    await each(world, (database) => database.thaw());
  },
  'a full server': async (world) => {
    const { postgres } = world.databases;
    const others = Array.from({ length: SERVER_CONNECTIONS }, () => new pg.Client(postgres.url));
    for (const other of others) other.on('error', () => {});
    const connected = await Promise.allSettled(others.map((other) => other.connect()));
    const killer = connected.findIndex(({ status }) => status === 'fulfilled');
    if (killer >= 0) {
      await others[killer]!.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where client_addr = $1',
        ['127.0.0.2'],
      ).catch(() => {});
    }
    await sleep(world.lastsMs(1_000));
    await Promise.allSettled(others.map((other) => other.end()));
  },
  latency: onNetworks((network) => {
    network.latencyMs = 60;
    network.jitterMs = 60;
  }, 1_500),
  'lost packets': onNetworks((network) => {
    network.loss = 0.15;
  }, 2_000),
  'half-open connections': onNetworks((network) => network.goMute(), 2_500),
  'slow accept': async (world) => {
    for (const network of world.networks) network.acceptDelayMs = world.lastsMs(800);
    await each(world, (database) => database.restart({ mode: 'immediate' }));
    await sleep(world.lastsMs(1_500));
    world.heal();
  },
  'a stalled event loop': async (world) => {
    for (const until = performance.now() + world.lastsMs(1_200); performance.now() < until; );
  },
  'a jump of the clock': async () => {
    clockOffsetMs += 3_600_000;
    systemRuntime.now = () => now() + clockOffsetMs;
  },
  'no file descriptors': async (world) => {
    const limit = (files: number) => {
      const words = ['--pid', String(process.pid), `--nofile=${files}:`];
      return spawnSync(findProgram('prlimit') ?? 'prlimit', words).status === 0;
    };
    const used = Math.max(...readdirSync('/proc/self/fd').map(Number)) + 1;
    const most = Number(/Max open files\s+(\d+)/.exec(readLimits())?.[1] ?? 1_024);
    await each(world, (database) => database.halt({ mode: 'immediate' }));
    if (!limit(used)) throw new Error('prlimit could not lower the number of open files');
    await sleep(world.lastsMs(500));
    limit(most);
    await each(world, (database) => database.resume());
  },
};

function readLimits(): string {
  return readFileSync('/proc/self/limits', 'utf8');
}
