// An application whose SDK sends everything by OTLP, and which holds canaries in all that must not leave it.
import { SpanStatusCode, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { Pool, PoolClient } from 'pg';
import { EnhancedPoolInstrumentation } from '../../../instrumentation/index.js';

const sdk = new NodeSDK({
  autoDetectResources: false,
  instrumentations: [
    new EnhancedPoolInstrumentation({
      options: { leakThresholdMs: 50 },
      telemetry: { querySpans: process.env.APP_QUERY_SPANS === 'true' },
    }),
  ],
});
sdk.start();

const canary = process.env.APP_CANARY!;
const settings = JSON.parse(process.env.APP_POSTGRES!) as Record<string, unknown>;

async function main(): Promise<void> {
  const { Pool } = await import('pg');
  const pool = new Pool({ ...settings, max: 1, connectionTimeoutMillis: 5_000 });
  const setUp = await pool.connect();
  await setUp.query('create temp table secret (word text primary key)');
  setUp.release();

  await inRequest('waits', async () => {
    const held = await pool.connect();
    const waiting = pool.connect();
    setTimeout(() => held.release(), 20);
    (await waiting).release();
  });
  await inRequest('reads', async () => {
    await pool.query(`select word from secret where word = '${canary}'`);
    await pool.query('select word from secret where word = $1', [canary]);
    await pool.query(`insert into secret values ('${canary}')`);
  });
  await inRequest('violates', () => pool.query('insert into secret values ($1)', [canary]));
  await inRequest('garbles', () => pool.query(`selekt '${canary}'`));
  const impatient = new Pool({ ...settings, max: 1, connectionTimeoutMillis: 500 });
  // On a busy machine to open a connection may take longer than that; it is told of no request.
  while (impatient.totalCount === 0) (await impatient.connect().catch(() => undefined))?.release();
  await inRequest('gives up', async () => {
    const held = await pool.connect();
    await new Promise((resolve) => setTimeout(resolve, 250));
    const only = await impatient.connect();
    try {
      await impatient.query(`select '${canary}'`);
    } catch (error) {
      const { message, cause } = error as Error;
      console.log(message, cause instanceof Error ? cause.stack : cause);
      throw error;
    } finally {
      held.release();
      only.release();
      await impatient.end();
    }
  });
  await losesTwoOfThree(new Pool({ ...settings, max: 3 }));
  await inRequest('is locked out', async () => {
    const lockedOut = new Pool({ ...settings, password: canary, max: 1 });
    try {
      await lockedOut.query('select 1');
    } finally {
      await lockedOut.end();
    }
  });
  await pool.end();
  await sdk.shutdown();
}

/** The server ends two connections that a request holds; the third, idle by then, is asked whether it is alive. */
async function losesTwoOfThree(pool: Pool): Promise<void> {
  pool.on('error', () => {});
  await inRequest('loses two', async () => {
    const clients = await Promise.all(Array.from({ length: 3 }, () => pool.connect()));
    const [killer, ...victims] = clients as [PoolClient, ...PoolClient[]];
    const pids = await Promise.all(victims.map((client) => client.query('select pg_backend_pid() as pid')));
    const lost = victims.map((client) => new Promise<Error>((resolve) => client.on('error', resolve)));
    await killer.query('select pg_terminate_backend(pid) from unnest($1::int[]) as pid', [
      pids.map(({ rows }) => rows[0].pid),
    ]);
    const errors = await Promise.all(lost);
    killer.release();
    for (const [index, client] of victims.entries()) client.release(errors[index]);
    while (pool.idleCount < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  await pool.end();
}

/** A request of the application, in its own words. What a driver says is the application's, not ours. */
function inRequest(name: string, work: () => Promise<unknown>): Promise<void> {
  return trace.getTracer('application').startActiveSpan(name, async (span) => {
    try {
      await work();
    } catch {
      span.setStatus({ code: SpanStatusCode.ERROR });
    } finally {
      span.end();
    }
  });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
