// pg-boss: a job queue with a pg pool of its own, beside the application's. Build, then:
// PG_URL=postgres://… node --require ./dist/instrumentation/register.js dist/examples/orms/pg-boss.js
import { Pool, type PoolClient } from 'pg';
import { type Job, PgBoss } from 'pg-boss';
import { failureOf, inParallel, MAX_CONNECTIONS } from './bank.js';

interface Parcel {
  order: number;
}

const QUEUE = 'parcels';
const boss = new PgBoss({ connectionString: process.env.PG_URL!, max: MAX_CONNECTIONS, supervise: false });
const pool = new Pool({ connectionString: process.env.PG_URL, max: MAX_CONNECTIONS });
const shipped = new Set<number>();

async function main(): Promise<void> {
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue(QUEUE);
  await pool.query('create table orders (number integer primary key)');

  await inTransaction((client) => placeOrder(client, 1_000));
  const refused = await failureOf(
    inTransaction(async (client) => {
      await placeOrder(client, 1_001);
      throw new Error('the payment was refused');
    }),
  );

  const served = await inParallel(1_000, 40, serve);
  const unknownQueue = await failureOf(boss.send('nowhere', { order: 1 }));
  const twice = await failureOf(inTransaction((client) => placeOrder(client, 1_000)));

  await shipTheRest();
  const { rows } = await pool.query('select count(*)::int as orders from orders');
  const { orders } = rows[0];
  await boss.stop();
  await pool.end();
  console.log(JSON.stringify({ refused, served, unknownQueue, twice, orders, shipped: shipped.size }));
}

/** An order and its job: both are there, or none is. */
async function placeOrder(client: PoolClient, order: number): Promise<void> {
  await client.query('insert into orders values ($1)', [order]);
  const db = { executeSql: (sql: string, values?: unknown[]) => client.query(sql, values) };
  await boss.send(QUEUE, { order } satisfies Parcel, { db });
}

async function inTransaction(work: (client: PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await work(client);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

async function serve(index: number): Promise<string> {
  switch (index % 5) {
    case 0:
      await inTransaction((client) => placeOrder(client, index));
      return 'order';
    case 1:
    case 2:
      for (const { id, data } of await boss.fetch<Parcel>(QUEUE)) {
        ship(data);
        await boss.complete(QUEUE, id);
      }
      return 'fetch';
    default: {
      const { rows } = await pool.query('select count(*)::int as orders from orders');
      return rows[0].orders > 0 ? 'count' : 'a wrong count';
    }
  }
}

function ship({ order }: Parcel): void {
  shipped.add(order);
}

/** Until each of the 201 orders is on its way. */
async function shipTheRest(): Promise<void> {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  const check = () => {
    if (shipped.size === 201) resolve();
  };
  await boss.work(QUEUE, { batchSize: 50, pollingIntervalSeconds: 0.5 }, async (jobs: Job<Parcel>[]) => {
    for (const { data } of jobs) ship(data);
    check();
  });
  check();
  await promise;
}

main();
