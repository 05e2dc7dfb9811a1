// Drizzle on mysql2. Build, then: MYSQL_URL=mysql://… node --require ./dist/instrumentation/register.js dist/examples/orms/drizzle-mysql2.js
import { count, eq, sql, sum } from 'drizzle-orm';
import { int, mysqlTable, varchar } from 'drizzle-orm/mysql-core';
import { drizzle } from 'drizzle-orm/mysql2';
import { migrate } from 'drizzle-orm/mysql2/migrator';
import { createPool } from 'mysql2/promise';
import { type Bank, MAX_CONNECTIONS, runDay } from './bank.js';

const accounts = mysqlTable('accounts', {
  id: int().autoincrement().primaryKey(),
  owner: varchar({ length: 100 }).notNull().unique(),
  balance: int().notNull(),
});

const transfers = mysqlTable('transfers', {
  id: int().autoincrement().primaryKey(),
  sender: varchar({ length: 100 }).notNull(),
  receiver: varchar({ length: 100 }).notNull(),
  amount: int().notNull(),
});

const pool = createPool({ uri: process.env.MYSQL_URL!, connectionLimit: MAX_CONNECTIONS });
const db = drizzle(pool);

const bank: Bank = {
  migrate: () => migrate(db, { migrationsFolder: 'examples/orms/drizzle/mysql' }),

  async openAccount(owner, balance) {
    await db.insert(accounts).values({ owner, balance });
  },

  async balanceOf(owner) {
    const [account] = await db.select().from(accounts).where(eq(accounts.owner, owner));
    return account!.balance;
  },

  async deposit(owner, amount) {
    await db
      .update(accounts)
      .set({ balance: sql`${accounts.balance} + ${amount}` })
      .where(eq(accounts.owner, owner));
  },

  async transfer(sender, receiver, amount) {
    await db.transaction(async (tx) => {
      await tx
        .update(accounts)
        .set({ balance: sql`${accounts.balance} - ${amount}` })
        .where(eq(accounts.owner, sender));
      await tx
        .update(accounts)
        .set({ balance: sql`${accounts.balance} + ${amount}` })
        .where(eq(accounts.owner, receiver));
      await tx.insert(transfers).values({ sender, receiver, amount });
      const [left] = await tx.select().from(accounts).where(eq(accounts.owner, sender));
      if (left!.balance < 0) tx.rollback();
    });
  },

  async countTransfers() {
    const [row] = await db.select({ value: count() }).from(transfers);
    return row!.value;
  },

  async totalBalance() {
    const [row] = await db.select({ value: sum(accounts.balance) }).from(accounts);
    return Number(row!.value);
  },

  close: () => pool.end(),
};

runDay(bank);
