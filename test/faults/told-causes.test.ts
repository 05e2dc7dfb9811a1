import { expect } from 'chai';
import pg from 'pg';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';
import { type Database, startDatabases } from '../servers/index.js';

const MAX = 2;
/** Leases are told for what they are before: that takes several acquires in vain, and a machine may stand still meanwhile. */
const LEAK_THRESHOLD_MS = 6_000;

describe('what an acquire timeout tells of its cause, on a real PostgreSQL', function () {
  this.timeout(60_000);
  let postgres: Database;
  let stopServers: () => Promise<void>;
  let instrumentation: EnhancedPoolInstrumentation;
  let pool: pg.Pool;
  let clients: pg.PoolClient[];

  before(async () => {
    const databases = await startDatabases({ postgres: true, mysql: false });
    postgres = databases.postgres!;
    stopServers = () => databases.stop();
    instrumentation = new EnhancedPoolInstrumentation({ options: { leakThresholdMs: LEAK_THRESHOLD_MS } });
  });

  after(async () => {
    instrumentation?.disable();
    await stopServers?.();
  });

  beforeEach(() => {
    clients = [];
  });

  afterEach(async () => {
    for (const client of clients) client.release(true);
    await pool.end();
  });

  function open(user = postgres.user, password = postgres.password): void {
    const { port, database } = postgres;
    pool = new pg.Pool({
      host: '127.0.0.1',
      port,
      database,
      user,
      password,
      max: MAX,
      connectionTimeoutMillis: 1_500,
    });
  }

  async function hold(count: number): Promise<void> {
    for (let held = 0; held < count; held += 1) {
      const client = await pool.connect();
      client.on('error', () => {});
      clients.push(client);
    }
  }

  /** Waits in vain, again and again until it is told so. */
  async function toldAs(words: string): Promise<void> {
    let told = '';
    for (let waits = 0; waits < 10 && !told.includes(words); waits += 1) {
      const error = await pool.connect().then(
        () => undefined,
        (failure: Error) => failure,
      );
      told = (error?.cause as Error | undefined)?.message ?? String(error);
    }
    expect(told).contain(words);
  }

  it('holders who run nothing, then a leak', async () => {
    open();
    await hold(MAX);
    await toldAs('all connections are held, 2 of 2 by holders who run nothing on them now: 2 by ');
    await toldAs(`held, 2 of 2 for longer than leakThresholdMs (${LEAK_THRESHOLD_MS} ms): 2 by `);
  });

  it('connections on which nothing comes', async () => {
    open();
    await hold(MAX);
    for (const client of clients) client.query('SELECT pg_sleep(300)').catch(() => {});
    await toldAs('held, 2 of 2 with an answer owed and no byte come for up to ');
  });

  it('a server that grants fewer', async () => {
    open();
    await pool.query("CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 1");
    await pool.end();
    open('few', 'few');
    await hold(1);
    await toldAs(`all connections that the server grants this pool are held (1 of its ${MAX})`);
  });
});
