// Objection on knex. Build, then: PG_URL=postgres://… node --require ./dist/instrumentation/register.js dist/examples/orms/objection.js
import knex, { type Knex } from 'knex';
import { Model, raw } from 'objection';
import { type Bank, MAX_CONNECTIONS, runDay } from './bank.js';

class Account extends Model {
  static override tableName = 'accounts';
  declare owner: string;
  declare balance: number;
}

class Transfer extends Model {
  static override tableName = 'transfers';
  declare sender: string;
  declare receiver: string;
  declare amount: number;
}

const db = knex({
  client: 'pg',
  connection: process.env.PG_URL!,
  pool: { min: 0, max: MAX_CONNECTIONS },
});
Model.knex(db);

const createBank: Knex.Migration = {
  async up(trx) {
    await trx.schema.createTable('accounts', (table) => {
      table.increments();
      table.string('owner', 100).notNullable().unique();
      table.integer('balance').notNullable();
    });
    await trx.schema.createTable('transfers', (table) => {
      table.increments();
      table.string('sender', 100).notNullable();
      table.string('receiver', 100).notNullable();
      table.integer('amount').notNullable();
    });
  },

  async down(trx) {
    await trx.schema.dropTable('transfers').dropTable('accounts');
  },
};

const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: async () => ['create the bank'],
  getMigrationName: (name) => name,
  getMigration: async () => createBank,
};

const bank: Bank = {
  async migrate() {
    await db.migrate.latest({ migrationSource });
  },

  async openAccount(owner, balance) {
    await Account.query().insert({ owner, balance });
  },

  async balanceOf(owner) {
    const account = await Account.query().findOne({ owner }).throwIfNotFound();
    return account.balance;
  },

  async deposit(owner, amount) {
    await Account.query().where({ owner }).increment('balance', amount);
  },

  async transfer(sender, receiver, amount) {
    await Account.transaction(async (trx) => {
      const left = await Account.query(trx)
        .where({ owner: sender })
        .patch({ balance: raw('balance - ?', amount) })
        .returning('*')
        .first()
        .throwIfNotFound();
      await Account.query(trx).where({ owner: receiver }).increment('balance', amount);
      await Transfer.query(trx).insert({ sender, receiver, amount });
      if (left.balance < 0) throw new Error(`${sender} has not enough`);
    });
  },

  countTransfers: () => Transfer.query().resultSize(),

  async totalBalance() {
    const row = await Account.query().sum('balance as balance').first().throwIfNotFound();
    return Number(row.balance);
  },

  close: () => db.destroy(),
};

runDay(bank);
