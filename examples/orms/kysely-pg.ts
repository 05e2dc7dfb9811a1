// Kysely on pg. Build, then: PG_URL=postgres://… node --require ./dist/instrumentation/register.js dist/examples/orms/kysely-pg.js
import { Kysely, PostgresDialect } from 'kysely';
import { Pool } from 'pg';
import { type Bank, MAX_CONNECTIONS, runDay } from './bank.js';
import { kyselyBank, type Tables } from './kysely-bank.js';

const pool = new Pool({ connectionString: process.env.PG_URL, max: MAX_CONNECTIONS });
const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });

const transfer: Bank['transfer'] = async (sender, receiver, amount) => {
  await db.transaction().execute(async (trx) => {
    const { balance } = await trx
      .updateTable('accounts')
      .set((eb) => ({ balance: eb('balance', '-', amount) }))
      .where('owner', '=', sender)
      .returning('balance')
      .executeTakeFirstOrThrow();
    await trx
      .updateTable('accounts')
      .set((eb) => ({ balance: eb('balance', '+', amount) }))
      .where('owner', '=', receiver)
      .execute();
    await trx.insertInto('transfers').values({ sender, receiver, amount }).execute();
    if (balance < 0) throw new Error(`${sender} has not enough`);
  });
};

runDay(kyselyBank(db, { type: 'serial', build: (column) => column.primaryKey() }, transfer));
