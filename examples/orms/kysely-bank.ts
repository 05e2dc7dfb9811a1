// What the two applications on Kysely share: everything but the driver, the key column and how a transfer is made safe.
import type { ColumnDataType, ColumnDefinitionBuilder, Generated, Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { Bank } from './bank.js';

export interface Tables {
  accounts: { id: Generated<number>; owner: string; balance: number };
  transfers: { id: Generated<number>; sender: string; receiver: string; amount: number };
}

/** How the dialect numbers rows. */
export interface KeyColumn {
  readonly type: ColumnDataType;
  readonly build: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder;
}

export function kyselyBank(db: Kysely<Tables>, { type, build }: KeyColumn, transfer: Bank['transfer']): Bank {
  const createBank: Migration = {
    async up(schema) {
      await schema.schema
        .createTable('accounts')
        .addColumn('id', type, build)
        .addColumn('owner', 'varchar(100)', (column) => column.notNull().unique())
        .addColumn('balance', 'integer', (column) => column.notNull())
        .execute();
      await schema.schema
        .createTable('transfers')
        .addColumn('id', type, build)
        .addColumn('sender', 'varchar(100)', (column) => column.notNull())
        .addColumn('receiver', 'varchar(100)', (column) => column.notNull())
        .addColumn('amount', 'integer', (column) => column.notNull())
        .execute();
    },
  };

  return {
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

    transfer,

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
}
