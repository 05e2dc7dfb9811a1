// An ordinary orders service. Nothing in this file knows of the package that this demonstration is about.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SpanStatusCode, trace } from '@opentelemetry/api';
import knex from 'knex';
import mysql from 'mysql2/promise';
import { Pool } from 'pg';

// Host, port, user and password come from PGHOST and its kin, as pg reads them by itself.
const orders = new Pool({
  database: 'orders',
  max: 10,
  idleTimeoutMillis: 2_000,
  connectionTimeoutMillis: 10_000,
});

const catalogue = mysql.createPool({
  uri: process.env.CATALOGUE_URL!,
  connectionLimit: 10,
  maxIdle: 2,
  idleTimeout: 2_000,
});

const reports = knex({
  client: 'pg',
  connection: { database: 'reports' },
  acquireConnectionTimeout: 10_000,
  pool: { min: 0, max: 4, idleTimeoutMillis: 2_000 },
});

// A connection that dies says so where nobody awaits it; unheard, that would end the process.
const connectionLost = (error: Error) => console.error(`a connection was lost: ${error.message}`);
orders.on('error', connectionLost);
orders.on('connect', (client) => client.on('error', connectionLost));

async function placeOrder(): Promise<unknown> {
  const client = await orders.connect();
  try {
    await client.query('begin');
    const placed = await client.query(
      'insert into orders (product_id, quantity) values ($1, $2) returning id',
      [1 + Math.floor(Math.random() * 100), 1 + Math.floor(Math.random() * 5)],
    );
    await client.query('commit');
    return placed.rows[0];
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

async function findOrder(id: number): Promise<unknown> {
  const found = await orders.query('select * from orders where id = $1', [id]);
  return found.rows[0];
}

async function findProduct(id: number): Promise<unknown> {
  const [rows] = await catalogue.query<mysql.RowDataPacket[]>('select * from products where id = ?', [id]);
  return rows[0];
}

function topProducts(): Promise<unknown> {
  return reports('sales').select('product_id').sum('quantity as sold').groupBy('product_id').limit(10);
}

/** The sleep stands for a table that is too large for a demonstration. */
function yearlyReport(): Promise<unknown> {
  return reports('sales').select(reports.raw('count(*), pg_sleep(0.6)'));
}

const routes: Record<string, (id: number) => Promise<unknown>> = {
  'POST /orders': placeOrder,
  'GET /orders/:id': findOrder,
  'GET /products/:id': findProduct,
  'GET /reports/top-products': topProducts,
  'GET /reports/year': yearlyReport,
};

const tracer = trace.getTracer('orders-service');

function answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  const id = Number(/\d+$/.exec(request.url ?? '')?.[0]);
  const route = `${request.method} ${request.url?.replace(/\d+$/, ':id')}`;
  return tracer.startActiveSpan(route, async (span) => {
    try {
      const body = await routes[route]?.(id);
      return body === undefined ? { status: 404, body: {} } : { status: 200, body };
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      return {
        status: 500,
        body: { error: error instanceof Error ? error.message || error.name : 'unknown' },
      };
    } finally {
      span.end();
    }
  });
}

const server = createServer(async (request, response) => {
  const { status, body } = await answer(request);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});

server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`orders service on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

let stopping = false;

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  // A pool may wait for ever for a server that is gone.
  setTimeout(() => process.exit(1), 5_000).unref();
  server.close();
  server.closeAllConnections();
  await Promise.all([orders.end(), catalogue.end(), reports.destroy()]);
  if (process.connected) process.disconnect();
}

// Disconnected means that whoever supervises us is gone.
for (const farewell of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(farewell, stop);
