import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type mysql2 from 'mysql2/promise';
import { seeded } from '../../bench/statistics.js';
import type { Pool } from '../../src/index.js';
import { endingWithin } from '../ending-within.js';
import { sharingKnex, sharingMysql2, sharingPool, untilShared } from '../sharing/sharing-pool.js';
import { mysql, postgres, type WireKind } from './messages.js';
import { HostileServer, PRANKS, type Random } from './server.js';

/** `HOSTILE_SEEDS=500` for the long run, `HOSTILE_SEED=7` for one. */
const SEEDS = Number(process.env.HOSTILE_SEEDS ?? 5);
const ONE_SEED = process.env.HOSTILE_SEED;

const MAX = 4;
const CALLS = 40;
const ACQUIRE_TIMEOUT_MS = 1_000;
/** Nothing takes so long but what never ends. */
const within = endingWithin(15_000);
/** By then nearly everybody has an answer who ever gets one. */
const STRANDED_AFTER_MS = 1_000;

/**
 * After an answer that nobody asked for, and after a garbled one, mysql2 itself leaves callers without one, on the stock pool too: with the
 * garbled alone for 4 of 149 seeds.
 */
const GARBLES = 'garbles a byte';
const ENDURED_BY_MYSQL2 = PRANKS.filter((prank) => !prank.startsWith('says ') && prank !== GARBLES);

/**
 * After these an answer may be another question's, and no driver can tell: with several on their way they go by their order. One that
 * merely ends too early is nobody's.
 */
const mixesUp = (prank: string | undefined) => prank?.startsWith('says ') === true || prank === GARBLES;

/** No two differ by one digit only, so that a garbled one is nobody else's. */
const TOKENS = Array.from({ length: CALLS }, (_, caller) => 10_000 + 11 * caller);

type Connection = object;

/** A pool on the engine, as its users call it. */
interface Subject {
  readonly engine: () => Pool<unknown>;
  query(token: number, withValues: boolean): Promise<unknown>;
  connect(): Promise<Connection>;
  ask(connection: Connection, token: number): Promise<unknown>;
  release(connection: Connection): void;
  transact(token: number): Promise<unknown>;
  close(): Promise<unknown>;
}

interface SubjectKind {
  readonly name: string;
  readonly wire: WireKind;
  readonly pranks: readonly string[];
  open(port: number): Subject;
}

const login = (port: number) => ({ host: '127.0.0.1', port, user: 'app', password: 'x', database: 'app' });

function openKnex(client: 'pg' | 'mysql2', port: number): Subject {
  const { knex, engine } = sharingKnex({
    client,
    // It would ask for it, and a server that answers nonsense to that ends the process: stock knex throws in a handler of pg.
    version: '16.1',
    connection: login(port),
    pool: { min: 0, max: MAX },
    acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
    log: { warn() {} },
  });
  return {
    engine,
    query: async (token, withValues) =>
      withValues ? knex.raw('select ?', [token]) : knex.raw(`select ${token}`),
    connect: () => knex.client.acquireConnection(),
    ask: async (connection, token) => knex.raw(`select ${token}`).connection(connection),
    release: (connection) => knex.client.releaseConnection(connection),
    transact: (token) => knex.transaction((trx) => trx.raw(`select ${token}`)),
    close: () => knex.destroy(),
  };
}

const SUBJECTS: readonly SubjectKind[] = [
  {
    name: 'pg',
    wire: postgres,
    pranks: PRANKS,
    open(port) {
      const { pool, engine } = sharingPool({
        ...login(port),
        max: MAX,
        connectionTimeoutMillis: ACQUIRE_TIMEOUT_MS,
      });
      pool.on('error', () => {});
      const connect = async () => {
        const client = await pool.connect();
        if (client.listenerCount('error') === 0) client.on('error', () => {});
        return client;
      };
      const transact = async (token: number) => {
        const client = await connect();
        try {
          await client.query('BEGIN');
          const answer = await client.query(`select ${token}`);
          await client.query('COMMIT');
          return answer;
        } finally {
          client.release();
        }
      };
      return {
        engine,
        query: (token, withValues) =>
          withValues ? pool.query('select $1', [token]) : pool.query(`select ${token}`),
        connect,
        ask: (client, token) => (client as { query(sql: string): Promise<unknown> }).query(`select ${token}`),
        release: (client) => (client as { release(): void }).release(),
        transact,
        close: () => pool.end(),
      };
    },
  },
  {
    name: 'mysql2',
    wire: mysql,
    pranks: ENDURED_BY_MYSQL2,
    open(port) {
      const { pool, engine } = sharingMysql2(
        { ...login(port), connectionLimit: MAX, connectTimeout: ACQUIRE_TIMEOUT_MS },
        {},
        { options: { acquireTimeoutMs: ACQUIRE_TIMEOUT_MS } },
      );
      return {
        engine,
        query: (token, withValues) =>
          withValues ? pool.query('select ?', [token]) : pool.query(`select ${token}`),
        connect: () => pool.getConnection(),
        ask: (connection, token) => (connection as mysql2.Connection).query(`select ${token}`),
        release: (connection) => (connection as { release(): void }).release(),
        async transact(token) {
          const connection = await pool.getConnection();
          try {
            await connection.beginTransaction();
            const answer = await connection.query(`select ${token}`);
            await connection.commit();
            return answer;
          } finally {
            connection.release();
          }
        },
        // One that the server closes just then fails, in stock too, what it was told to end with.
        close: () =>
          pool.end().catch((error: { code?: string }) => {
            if (error.code !== 'PROTOCOL_CONNECTION_LOST') throw error;
          }),
      };
    },
  },
  { name: 'knex on pg', wire: postgres, pranks: PRANKS, open: (port) => openKnex('pg', port) },
  {
    name: 'knex on mysql2',
    wire: mysql,
    pranks: ENDURED_BY_MYSQL2,
    open: (port) => openKnex('mysql2', port),
  },
];

/** A frame of this package, and one of the drivers' parsers. */
const OURS = /[\\/]dist[\\/](?:src|adapters|instrumentation)[\\/]/;
const PARSERS = /pg-protocol|mysql2.lib.packets/;

/**
 * What ends the process of an application, and nobody caught; but for what the drivers throw at their sockets, in stock too: without a
 * frame of ours.
 */
class Unhandled {
  readonly seen: unknown[] = [];
  readonly #note = (error: unknown) => {
    const stack = String((error as Error).stack);
    if (OURS.test(stack) || !PARSERS.test(stack)) this.seen.push(error);
  };
  readonly #others = process.listeners('uncaughtException');
  readonly #frames = Error.stackTraceLimit;

  watch(): void {
    // Else a frame of ours may be left out, far down.
    Error.stackTraceLimit = 100;
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', this.#note);
    process.on('unhandledRejection', this.#note);
  }

  stop(): void {
    Error.stackTraceLimit = this.#frames;
    process.removeListener('uncaughtException', this.#note);
    process.removeListener('unhandledRejection', this.#note);
    for (const listener of this.#others) process.on('uncaughtException', listener);
  }
}

/** What one was told: a number, and over which connection; undefined where no such answer came. */
function answerOf(result: unknown): { readonly token: number; readonly connection: number } | undefined {
  const rows = Array.isArray(result) ? result[0] : (result as { rows?: unknown } | undefined)?.rows;
  const said = /^(\d+)@(\d+)$/.exec(String((rows as { token?: unknown }[] | undefined)?.[0]?.token));
  return said === null ? undefined : { token: Number(said[1]), connection: Number(said[2]) };
}

/** Whoever is answered is told what he asked for, unless the server itself mixes up its answers. */
function expectOwn(result: unknown, token: number, { playedOn }: HostileServer): void {
  const answer = answerOf(result);
  if (answer?.token === token) return;
  const mayBe =
    answer === undefined ? [...playedOn.values()].some(mixesUp) : mixesUp(playedOn.get(answer.connection));
  expect(mayBe, `asked for ${token}, was told ${JSON.stringify(answer) ?? 'nothing'}`).equal(true);
}

/** Until statements share connections: of those of pg that recur. */
async function teach({ engine, query }: Subject, server: HostileServer): Promise<void> {
  server.isPeaceful = true;
  for (const withValues of [false, true])
    await untilShared(engine, () => Promise.all([0, 1].map(() => query(TOKENS[0]!, withValues))));
  server.isPeaceful = false;
}

/**
 * Forty callers of all kinds; whoever has a connection to themselves is the only one.
 * @param wrong takes in what is not as it should be, also where a caller is left without an end.
 */
async function callAll(
  subject: Subject,
  server: HostileServer,
  random: Random,
  wrong: unknown[],
): Promise<void> {
  const held = new Set<Connection>();
  const hold = async (token: number) => {
    const connection = await subject.connect();
    expect(held.has(connection), 'one connection leased to two').equal(false);
    held.add(connection);
    try {
      const answer = await subject.ask(connection, token);
      if (token % 2 === 0) await sleep(1);
      return answer;
    } finally {
      held.delete(connection);
      subject.release(connection);
    }
  };
  const call = async (token: number) => {
    // Several at a time, so that some share a connection.
    await sleep(10 * Math.floor(random() * 10));
    const kind = random();
    if (kind < 0.3) return subject.query(token, false);
    if (kind < 0.6) return subject.query(token, true);
    return kind < 0.8 ? hold(token) : subject.transact(token);
  };
  const asked = TOKENS.map(async (token) => expectOwn(await call(token), token, server));
  await Promise.all(
    asked.map((one) =>
      one.catch((error) => {
        if (error?.name === 'AssertionError') wrong.push(error);
      }),
    ),
  );
}

async function play({ wire, pranks, open }: SubjectKind, seed: number, playsAfter?: number): Promise<void> {
  const random = seeded(seed);
  const server = await HostileServer.start(wire, random);
  server.pranks = pranks;
  server.playsAfter = playsAfter;
  const subject = open(server.port);
  const wrong: unknown[] = [];
  const unhandled = new Unhandled();
  unhandled.watch();
  try {
    if (wire === postgres && seed % 2 === 0) await within('a lesson', teach(subject, server));
    await within('a caller', callAll(subject, server, random, wrong));
    if (wrong.length > 0) throw wrong[0];
    await within('a check', allBack(subject.engine()));
    // Once the server is itself again so is the pool.
    server.hostility = 0;
    await within('recovery', untilServed(subject, server));
    await within('the end', subject.close());
    await within('a connection', allClosed(subject.engine()));
    await sleep(1);
    expect(unhandled.seen, 'unhandled').deep.equal([]);
  } catch (error) {
    (error as Error).message +=
      `\nHOSTILE_SEED=${seed}; the server: ${server.played.join('; ')}; the pool: ${JSON.stringify(subject.engine().stats())}`;
    throw error;
  } finally {
    unhandled.stop();
    await server.stop();
    subject.close().catch(() => {});
  }
}

/** Where the driver may leave callers without an answer: nobody shares a connection with them, and the pool is closed over their heads. */
async function playStranding({ wire, open }: SubjectKind, prank: string, seed: number): Promise<void> {
  const random = seeded(seed);
  const server = await HostileServer.start(wire, random);
  server.pranks = [prank];
  const subject = open(server.port);
  const wrong: unknown[] = [];
  // What mysql2 throws at its sockets and connections is thrown by it in stock, too.
  const unhandled = new Unhandled();
  unhandled.watch();
  try {
    await Promise.race([callAll(subject, server, random, wrong), sleep(STRANDED_AFTER_MS)]);
    await within(`the end of seed ${seed}`, subject.close());
    await within(`a connection of seed ${seed}`, allClosed(subject.engine()));
    expect(wrong, `wrong answers and leases of seed ${seed}`).deep.equal([]);
    expect(unhandled.seen, `unhandled of seed ${seed}`).deep.equal([]);
  } finally {
    unhandled.stop();
    await server.stop();
  }
}

async function allBack(engine: Pool<unknown>): Promise<void> {
  for (;;) {
    const { leased, waiting, checking } = engine.stats();
    if (leased + waiting + checking === 0) return;
    await sleep(5);
  }
}

async function allClosed(engine: Pool<unknown>): Promise<void> {
  for (;;) {
    const { open, closing } = engine.stats();
    if (open + closing === 0) return;
    await sleep(5);
  }
}

async function untilServed(subject: Subject, server: HostileServer): Promise<void> {
  for (let served = 0; served < 3; ) {
    const answer = await subject.query(TOKENS[0]!, false).catch(() => undefined);
    const ok = answer !== undefined;
    if (ok) expectOwn(answer, TOKENS[0]!, server);
    served = ok ? served + 1 : 0;
    if (!ok) await sleep(5);
  }
}

for (const kind of SUBJECTS) {
  describe(`a hostile server under ${kind.name}`, function () {
    this.timeout(0);

    it(`leaves every caller an end and the pool whole, ${SEEDS} times`, async () => {
      if (ONE_SEED !== undefined) return play(kind, Number(ONE_SEED));
      for (let seed = 1; seed <= SEEDS; seed += 1) await play(kind, seed);
    });

    // knex waits for those who hold a connection before it ends, as long as it takes.
    if (kind.name === 'mysql2') {
      it('that garbles what it says leases no connection to two, and lets the pool end', async () => {
        for (let seed = 1; seed <= SEEDS; seed += 1) await playStranding(kind, GARBLES, seed);
      });
    }

    it('that greets twice leaves no lease behind', async () => {
      for (let seed = 1; seed <= 4; seed += 1) await play({ ...kind, pranks: ['says it twice'] }, seed, 1);
    });
  });
}
