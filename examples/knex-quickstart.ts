// knex on the enhanced engine without patching, for applications that are bundled. Build, then:
// PG_URL=postgres://… node dist/examples/knex-quickstart.js
import knex from 'knex';
import { enhanceKnex } from '../adapters/knex/index.js';

// In your project: import { enhanceKnex } from 'opentelemetry-instrumentation-enhanced-pool/knex'.
const db = knex({
  client: 'pg',
  connection: process.env.PG_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres',
  pool: { min: 0, max: 10 },
});
enhanceKnex(db);

async function main(): Promise<void> {
  const { rows } = await db.raw('select ? as greeting', ['hello from an enhanced knex']);
  console.log(rows[0].greeting);

  const total = await db.transaction(async (transaction) => {
    await transaction.raw('create temporary table numbers (n int) on commit drop');
    await transaction('numbers').insert([{ n: 1 }, { n: 2 }, { n: 3 }]);
    return transaction('numbers').sum('n as total').first();
  });
  console.log(total);

  await db.destroy();
}

main();
