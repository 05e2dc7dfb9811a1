// Kysely on mysql2. Build, then: MYSQL_URL=mysql://… node --require ./dist/instrumentation/register.js dist/examples/orms/kysely-mysql2.js
import { type Generated, Kysely, MysqlDialect } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { createPool } from 'mysql2';
import { type Bank, MAX_CONNECTIONS, runDay } from './bank.js';

interface Tables {
  accounts: { id: Generated<number>; owner: string; balance: number };
  transfers: { id: Generated<number>; sender: string; receiver: string; amount: number };
}

const pool = createPool({ uri: process.env.MYSQL_URL!, connectionLimit: MAX_CONNECTIONS });
const db = new Kysely<Tables>({ dialect: new MysqlDialect({ pool }) });

const createBank: Migration = {
  async up(schema) {
    await schema.schema
      .createTable('accounts')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('owner', 'varchar(100)', (column) => column.notNull().unique())
      .addColumn('balance', 'integer', (column) => column.notNull())
      .execute();
    await schema.schema
      .createTable('transfers')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('sender', 'varchar(100)', (column) => column.notNull())
      .addColumn('receiver', 'varchar(100)', (column) => column.notNull())
      .addColumn('amount', 'integer', (column) => column.notNull())
      .execute();
  },
};

const bank: Bank = {
  async migrate() {
    const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ createBank }) } });
    const { error } = await migrator.migrateToLatest();
    if (error) throw error;
  },

  async openAccount(owner, balance) {
    await db.insertInto('accounts').values({ owner, balance }).execute();
  },

  async balanceOf(owner) {
    const account = await db
      .selectFrom('accounts')
      .where('owner', '=', owner)
      .selectAll()
      .executeTakeFirstOrThrow();
    return account.balance;
  },

  async deposit(owner, amount) {
    await db
      .updateTable('accounts')
      .set((eb) => ({ balance: eb('balance', '+', amount) }))
      .where('owner', '=', owner)
      .execute();
  },

  async transfer(sender, receiver, amount) {
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
  },

  async countTransfers() {
    const { count } = await db
      .selectFrom('transfers')
      .select((eb) => eb.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    return Number(count);
  },

  async totalBalance() {
    const { total } = await db
      .selectFrom('accounts')
      .select((eb) => eb.fn.sum('balance').as('total'))
      .executeTakeFirstOrThrow();
    return Number(total);
  },

  // Ends the pool as well.
  close: () => db.destroy(),
};

runDay(bank);
