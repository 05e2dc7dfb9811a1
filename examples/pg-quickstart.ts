// pg on the enhanced engine, registered in code. Build, then: PG_URL=postgres://… node dist/examples/pg-quickstart.js
import { NodeSDK } from '@opentelemetry/sdk-node';
import { EnhancedPoolInstrumentation } from '../instrumentation/index.js';

// In your project: import { EnhancedPoolInstrumentation } from 'opentelemetry-instrumentation-enhanced-pool'.
const sdk = new NodeSDK({ instrumentations: [new EnhancedPoolInstrumentation()] });
sdk.start();

async function main(): Promise<void> {
  // Loaded once the instrumentation is there; from here on nothing is but ordinary pg.
  const { Pool } = await import('pg');
  const pool = new Pool({ connectionString: process.env.PG_URL, max: 10, idleTimeoutMillis: 10_000 });
  pool.on('error', (error) => console.error(`an idle connection was lost: ${error.message}`));

  const { rows } = await pool.query('select $1::text as greeting', ['hello from an enhanced pg.Pool']);
  console.log(rows[0].greeting);

  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('commit');
  } finally {
    client.release();
  }
  console.log({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount });

  await pool.end();
  await sdk.shutdown();
}

main();
