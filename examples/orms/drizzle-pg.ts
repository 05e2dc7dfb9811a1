// Drizzle on pg. Build, then: PG_URL=postgres://… node --require ./dist/instrumentation/register.js dist/examples/orms/drizzle-pg.js
import { count, eq, sql, sum } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { integer, pgTable, serial, varchar } from 'drizzle-orm/pg-core';
import { Pool } from 'pg';
import { type Bank, MAX_CONNECTIONS, runDay } from './bank.js';

const accounts = pgTable('accounts', {
  id: serial().primaryKey(),
  owner: varchar({ length: 100 }).notNull().unique(),
  balance: integer().notNull(),
});

const transfers = pgTable('transfers', {
  id: serial().primaryKey(),
  sender: varchar({ length: 100 }).notNull(),
  receiver: varchar({ length: 100 }).notNull(),
  amount: integer().notNull(),
});

const pool = new Pool({ connectionString: process.env.PG_URL, max: MAX_CONNECTIONS });
const db = drizzle(pool);

const bank: Bank = {
  migrate: () => migrate(db, { migrationsFolder: 'examples/orms/drizzle/postgres' }),

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
      const [left] = await tx
        .update(accounts)
        .set({ balance: sql`${accounts.balance} - ${amount}` })
        .where(eq(accounts.owner, sender))
        .returning();
      await tx
        .update(accounts)
        .set({ balance: sql`${accounts.balance} + ${amount}` })
        .where(eq(accounts.owner, receiver));
      await tx.insert(transfers).values({ sender, receiver, amount });
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
