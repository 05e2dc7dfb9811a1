// Prisma on pg, through its driver adapter. Build, then:
// PG_URL=postgres://… node --require ./dist/instrumentation/register.js dist/examples/orms/prisma.js
import { PrismaPg } from '@prisma/adapter-pg';
import { type Bank, MAX_CONNECTIONS, runDay } from './bank.js';
import { PrismaClient } from './prisma/client/client.js';

const adapter = new PrismaPg({ connectionString: process.env.PG_URL, max: MAX_CONNECTIONS });
const prisma = new PrismaClient({ adapter });

const bank: Bank = {
  // What `prisma migrate deploy` runs. That command has an engine of its own and none of the application's pool.
  async migrate() {
    await prisma.$executeRaw`
      create table accounts (id serial primary key, owner varchar(100) not null unique, balance int not null)`;
    await prisma.$executeRaw`
      create table transfers (
        id serial primary key, sender varchar(100) not null, receiver varchar(100) not null, amount int not null
      )`;
  },

  async openAccount(owner, balance) {
    await prisma.account.create({ data: { owner, balance } });
  },

  async balanceOf(owner) {
    const { balance } = await prisma.account.findUniqueOrThrow({ where: { owner } });
    return balance;
  },

  async deposit(owner, amount) {
    await prisma.account.update({ where: { owner }, data: { balance: { increment: amount } } });
  },

  async transfer(sender, receiver, amount) {
    await prisma.$transaction(
      async (tx) => {
        const left = await tx.account.update({
          where: { owner: sender },
          data: { balance: { decrement: amount } },
        });
        await tx.account.update({ where: { owner: receiver }, data: { balance: { increment: amount } } });
        await tx.transfer.create({ data: { sender, receiver, amount } });
        if (left.balance < 0) throw new Error(`${sender} has not enough`);
      },
      { maxWait: 30_000, timeout: 30_000 },
    );
  },

  countTransfers: () => prisma.transfer.count(),

  async totalBalance() {
    const { _sum } = await prisma.account.aggregate({ _sum: { balance: true } });
    return _sum.balance ?? 0;
  },

  close: () => prisma.$disconnect(),
};

runDay(bank);
