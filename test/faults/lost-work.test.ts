import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { expect } from 'chai';
import knex from 'knex';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';
import { LEAK_EVENT, NESTED_EVENT } from '../../instrumentation/telemetry/signal-table.js';
import { CollectedSpans, forgetProviders } from '../instrumentation/collected.js';
import { type Database, startDatabases } from '../servers/index.js';

const MAX = 2;
const WAIT_MS = 20_000;

/** One connection in hand: to run statements on, and to give back. */
interface Hold {
  run(sql: string): Promise<unknown>;
  release(): void;
}

interface Subject {
  hold(): Promise<Hold>;
  /** A statement beside whatever is held. */
  run(sql: string): Promise<unknown>;
  close(): Promise<unknown>;
}

const SUBJECTS: Readonly<Record<string, (database: Database) => Subject>> = {
  pg(address) {
    const pool = new pg.Pool({ ...loginOf(address), max: MAX, connectionTimeoutMillis: WAIT_MS });
    return {
      async hold() {
        const client = await pool.connect();
        return { run: (sql) => client.query(sql), release: () => client.release() };
      },
      run: (sql) => pool.query(sql),
      close: () => pool.end(),
    };
  },
  mysql2(address) {
    const pool = mysql.createPool({ ...loginOf(address), connectionLimit: MAX });
    return {
      async hold() {
        const connection = await pool.getConnection();
        return { run: (sql) => connection.query(sql), release: () => connection.release() };
      },
      run: (sql) => pool.query(sql),
      close: () => pool.end(),
    };
  },
  knex(address) {
    const connection = loginOf(address);
    const db = knex({
      client: 'pg',
      connection,
      pool: { min: 0, max: MAX },
      acquireConnectionTimeout: WAIT_MS,
    });
    return {
      async hold() {
        const transaction = await db.transaction();
        return { run: async (sql) => transaction.raw(sql), release: () => void transaction.rollback() };
      },
      run: async (sql) => db.raw(sql),
      close: () => db.destroy(),
    };
  },
};

describe('lost work, on real servers', function () {
  this.timeout(60_000);
  let postgres: Database;
  let mariadb: Database;
  let stopServers: () => Promise<void>;
  let instrumentation: EnhancedPoolInstrumentation;
  let spans: CollectedSpans;
  const logs = new InMemoryLogRecordExporter();
  const loggers = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter: logs })] });

  before(async () => {
    const databases = await startDatabases({ postgres: true, mysql: true });
    postgres = databases.postgres!;
    mariadb = databases.mysql!;
    stopServers = () => databases.stop();
    spans = new CollectedSpans();
    instrumentation = new EnhancedPoolInstrumentation({
      options: { failNestedAcquires: true, leakThresholdMs: 300 },
    });
    instrumentation.setLoggerProvider(loggers);
  });

  after(async () => {
    instrumentation?.disable();
    await spans?.stop();
    await loggers.shutdown();
    forgetProviders();
    await stopServers?.();
  });

  beforeEach(() => logs.reset());

  const named = (name: string) => logs.getFinishedLogRecords().filter(({ eventName }) => eventName === name);

  for (const [name, open] of Object.entries(SUBJECTS)) {
    it(`${name}: of tasks that block each other one is told at once, and the others go on`, async () => {
      const it = open(name === 'mysql2' ? mariadb : postgres);
      let holding = 0;
      let allHold = () => {};
      const barrier = new Promise<void>((resolve) => {
        allHold = resolve;
      });
      const task = () =>
        spans.inRequest(async () => {
          const held = await it.hold();
          try {
            await held.run('SELECT 1');
            holding += 1;
            if (holding === MAX) allHold();
            await barrier;
            await it.run('SELECT 2');
            return 'done';
          } catch (error) {
            return String((error as { code?: unknown }).code);
          } finally {
            held.release();
          }
        });
      const began = performance.now();
      const ends = await Promise.all([task(), task()]);
      expect(ends).have.members(['done', 'NESTED_ACQUIRE']);
      expect(performance.now() - began, 'long before its own deadline').below(WAIT_MS);
      const [event, ...others] = named(NESTED_EVENT.name);
      expect(others).deep.equal([]);
      expect(event?.spanContext?.traceId, 'the trace of one of them').a('string');
      await it.close();
    });

    it(`${name}: a lease that does not come back is reported with its trace and what ran last on it`, async () => {
      const it = open(name === 'mysql2' ? mariadb : postgres);
      let released = () => {};
      const leak = spans.inRequest(async () => {
        const held = await it.hold();
        await held.run("SELECT 'hunter2' AS leaked");
        await new Promise<void>((resolve) => {
          released = resolve;
        });
        held.release();
      });
      while (named(LEAK_EVENT.name).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      released();
      await leak;
      const { attributes, spanContext } = named(LEAK_EVENT.name)[0]!;
      const [request] = (await spans.named('request')).slice(-1);
      expect(spanContext?.traceId).equal(request!.spanContext().traceId);
      expect(attributes['enhanced_pool.query.fingerprint']).a('string').not.equal('session');
      expect(JSON.stringify(attributes)).not.contain('hunter2');
      await it.close();
    });
  }
});

function loginOf({ port, user, password, database }: Database) {
  return { host: '127.0.0.1', port, user, password, database };
}
