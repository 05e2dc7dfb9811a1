// Kysely on mysql2. Build, then: MYSQL_URL=mysql://… node --require ./dist/instrumentation/register.js dist/examples/orms/kysely-mysql2.js
import { Kysely, MysqlDialect } from 'kysely';
import { createPool } from 'mysql2';
import { type Bank, MAX_CONNECTIONS, runDay } from './bank.js';
import { kyselyBank, type Tables } from './kysely-bank.js';

const pool = createPool({ uri: process.env.MYSQL_URL!, connectionLimit: MAX_CONNECTIONS });
const db = new Kysely<Tables>({ dialect: new MysqlDialect({ pool }) });

const transfer: Bank['transfer'] = async (sender, receiver, amount) => {
  // The controlled kind: the application says when it begins and how it ends.
  const trx = await db.startTransaction().execute();
  try {
    await trx
      .updateTable('accounts')
      .set((eb) => ({ balance: eb('balance', '-', amount) }))
      .where('owner', '=', sender)
      .execute();
    await trx
      .updateTable('accounts')
      .set((eb) => ({ balance: eb('balance', '+', amount) }))
      .where('owner', '=', receiver)
      .execute();
    await trx.insertInto('transfers').values({ sender, receiver, amount }).execute();
    const { balance } = await trx
      .selectFrom('accounts')
      .where('owner', '=', sender)
      .select('balance')
      .executeTakeFirstOrThrow();
    if (balance < 0) throw new Error(`${sender} has not enough`);
    await trx.commit().execute();
  } catch (error) {
    await trx.rollback().execute();
    throw error;
  }
};

runDay(kyselyBank(db, { type: 'integer', build: (column) => column.primaryKey().autoIncrement() }, transfer));
