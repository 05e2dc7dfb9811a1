// Requests that share pools of one connection, so that whoever releases serves the next: what each finds as its context, and
// which spans its trace has. APP_STOCK adds the stock instrumentations.
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Span, trace } from '@opentelemetry/api';
import { KnexInstrumentation } from '@opentelemetry/instrumentation-knex';
import { MySQL2Instrumentation } from '@opentelemetry/instrumentation-mysql2';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { EnhancedPoolInstrumentation } from '../../../instrumentation/index.js';

/** What the application prints. */
export interface Contexts {
  /** `way` → for each request whether it found its own store and its own span there. */
  readonly found: Readonly<Record<string, readonly string[]>>;
  /** The spans in each request's trace, sorted; those of statements with their text. */
  readonly traces: readonly (readonly string[])[];
  /** The names of spans in traces of their own. */
  readonly apart: readonly string[];
}

const REQUESTS = 4;

const exporter = new InMemorySpanExporter();
const stock =
  process.env.APP_STOCK === undefined ? [] : [PgInstrumentation, MySQL2Instrumentation, KnexInstrumentation];
const sdk = new NodeSDK({
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
  metricReaders: [],
  logRecordProcessors: [],
  autoDetectResources: false,
  instrumentations: [
    ...stock.map((Instrumentation) => new Instrumentation()),
    new EnhancedPoolInstrumentation({ telemetry: { acquireSpans: 'all' } }),
  ],
});
sdk.start();

const { Pool } = require('pg') as typeof import('pg');
const mysql = require('mysql2') as typeof import('mysql2');
const mysqlPromise = require('mysql2/promise') as typeof import('mysql2/promise');
const { default: knex } = require('knex') as typeof import('knex');

const store = new AsyncLocalStorage<number>();
const found: Record<string, string[]> = {};

const pgPool = new Pool({ connectionString: process.env.PG_URL, max: 1 });
const mysqlPool = mysql.createPool({ uri: process.env.MYSQL_URL!, connectionLimit: 1 });
const promisePool = mysqlPromise.createPool({ uri: process.env.MYSQL_URL!, connectionLimit: 1 });
const knexPg = knex({ client: 'pg', connection: process.env.PG_URL!, pool: { min: 0, max: 1 } });

type Done = () => void;
type Found = (place: string) => void;

/** Every way to a connection, each telling what it finds in its callback or continuation. */
const ways: Readonly<Record<string, (request: number, tell: Found) => Promise<void>>> = {
  async 'pg connect, promise'(request, tell) {
    const client = await pgPool.connect();
    tell('connected');
    await client.query(`select ${request} as n`);
    tell('answered');
    client.release();
  },
  'pg connect, callback': (request, tell) =>
    settled((done) =>
      pgPool.connect((_error, client, release) => {
        tell('connected');
        // What comes back from here on is the driver's to tie to a context, not the pool's.
        client!.query(`select ${request} as n`, () => {
          release();
          done();
        });
      }),
    ),
  async 'pg query, promise'(request, tell) {
    await pgPool.query(`select ${request} as n`);
    tell('answered');
  },
  'pg query, callback': (request, tell) =>
    settled((done) =>
      pgPool.query(`select ${request} as n`, () => {
        tell('answered');
        done();
      }),
    ),
  'mysql2 getConnection, callback': (request, tell) =>
    settled((done) =>
      mysqlPool.getConnection((_error, connection) => {
        tell('connected');
        connection.query(`select ${request} as n`, () => {
          connection.release();
          done();
        });
      }),
    ),
  'mysql2 query, callback': (request, tell) =>
    settled((done) =>
      mysqlPool.query(`select ${request} as n`, () => {
        tell('answered');
        done();
      }),
    ),
  async 'mysql2 getConnection, promise'(request, tell) {
    const connection = await promisePool.getConnection();
    tell('connected');
    await connection.query(`select ${request} as n`);
    tell('answered');
    connection.release();
  },
  async 'mysql2 query, promise'(request, tell) {
    await promisePool.query(`select ${request} as n`);
    tell('answered');
  },
  async 'knex query'(request, tell) {
    await knexPg.select(knexPg.raw(`${request} as n`));
    tell('answered');
  },
  async 'knex transaction'(request, tell) {
    await knexPg.transaction(async (trx) => {
      tell('begun');
      await trx.select(trx.raw(`${request} as n`));
      tell('answered');
    });
    tell('committed');
  },
};

function settled(work: (done: Done) => void): Promise<void> {
  return new Promise((resolve) => work(resolve));
}

function serve(request: number): Promise<void> {
  return store.run(request, () =>
    trace.getTracer('application').startActiveSpan(`request ${request}`, async (span) => {
      await Promise.all(Object.keys(ways).map((way) => go(way, request, span)));
      span.end();
    }),
  );
}

function go(way: string, request: number, span: Span): Promise<void> {
  return ways[way]!(request, (place) => {
    const own = `${store.getStore() === request} ${trace.getActiveSpan() === span}`;
    found[`${way}: ${place}`] ??= [];
    found[`${way}: ${place}`]!.push(own);
  });
}

async function main(): Promise<void> {
  await Promise.all(Array.from({ length: REQUESTS }, (_, request) => serve(request)));
  await Promise.all([pgPool.end(), promisePool.end(), knexPg.destroy()]);
  await settled((done) => mysqlPool.end(() => done()));
  const spans = exporter.getFinishedSpans().map((span) => ({
    traceId: span.spanContext().traceId,
    text: [span.name, span.attributes['db.statement'] ?? span.attributes['db.query.text'] ?? '']
      .join(' ')
      .trim(),
  }));
  const traceIdOf = (request: number) => spans.find(({ text }) => text === `request ${request}`)!.traceId;
  const requests = Array.from({ length: REQUESTS }, (_, request) => traceIdOf(request));
  const contexts: Contexts = {
    found,
    traces: requests.map((id) =>
      spans
        .filter(({ traceId }) => traceId === id)
        .map(({ text }) => text)
        .sort(),
    ),
    apart: spans.filter(({ traceId }) => !requests.includes(traceId)).map(({ text }) => text),
  };
  await sdk.shutdown();
  console.log(JSON.stringify(contexts));
}

main();
