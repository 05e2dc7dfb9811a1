// MikroORM on pg. Build, then: PG_URL=postgres://… node --require ./dist/instrumentation/register.js dist/examples/orms/mikro-orm.js
import { defineEntity, LockMode, p } from '@mikro-orm/core';
import { Migration, Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { type Bank, MAX_CONNECTIONS, runDay } from './bank.js';

const Account = defineEntity({
  name: 'Account',
  tableName: 'accounts',
  properties: {
    id: p.integer().primary(),
    owner: p.string().length(100).unique(),
    balance: p.integer(),
  },
});

const Transfer = defineEntity({
  name: 'Transfer',
  tableName: 'transfers',
  properties: {
    id: p.integer().primary(),
    sender: p.string().length(100),
    receiver: p.string().length(100),
    amount: p.integer(),
  },
});

class CreateBank extends Migration {
  override up(): void {
    this.addSql(
      'create table accounts (id serial primary key, owner varchar(100) not null unique, balance int not null)',
    );
    this.addSql(
      'create table transfers (id serial primary key, sender varchar(100) not null, receiver varchar(100) not null, amount int not null)',
    );
  }
}

const orm = new MikroORM({
  clientUrl: process.env.PG_URL!,
  entities: [Account, Transfer],
  extensions: [Migrator],
  migrations: { migrationsList: [CreateBank], snapshot: false, silent: true },
  pool: { min: 0, max: MAX_CONNECTIONS },
});
/** Every request works on a fork of its own: its identity map is nobody else's. */
const fork = () => orm.em.fork();

const bank: Bank = {
  async migrate() {
    await orm.migrator.up();
  },

  async openAccount(owner, balance) {
    const em = fork();
    em.create(Account, { owner, balance });
    await em.flush();
  },

  async balanceOf(owner) {
    const { balance } = await fork().findOneOrFail(Account, { owner });
    return balance;
  },

  async deposit(owner, amount) {
    await fork().transactional(async (em) => {
      const account = await em.findOneOrFail(Account, { owner }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      account.balance += amount;
    });
  },

  async transfer(sender, receiver, amount) {
    await fork().transactional(async (em) => {
      const lockMode = LockMode.PESSIMISTIC_WRITE;
      const from = await em.findOneOrFail(Account, { owner: sender }, { lockMode });
      const to = await em.findOneOrFail(Account, { owner: receiver }, { lockMode });
      from.balance -= amount;
      to.balance += amount;
      em.create(Transfer, { sender, receiver, amount });
      await em.flush();
      if (from.balance < 0) throw new Error(`${sender} has not enough`);
    });
  },

  countTransfers: () => fork().count(Transfer),

  async totalBalance() {
    const [row] = await fork().execute('select sum(balance) as total from accounts');
    return Number(row?.total);
  },

  close: () => orm.close(),
};

runDay(bank);
