// TypeORM on pg. Build, then: PG_URL=postgres://… node --require ./dist/instrumentation/register.js dist/examples/orms/typeorm.js
import { DataSource, EntitySchema, type MigrationInterface, type QueryRunner, Table } from 'typeorm';
import { type Bank, MAX_CONNECTIONS, runDay } from './bank.js';

interface Account {
  id: number;
  owner: string;
  balance: number;
}

interface Transfer {
  id: number;
  sender: string;
  receiver: string;
  amount: number;
}

const AccountSchema = new EntitySchema<Account>({
  name: 'Account',
  tableName: 'accounts',
  columns: {
    id: { type: Number, primary: true, generated: true },
    owner: { type: String, length: 100, unique: true },
    balance: { type: Number },
  },
});

const TransferSchema = new EntitySchema<Transfer>({
  name: 'Transfer',
  tableName: 'transfers',
  columns: {
    id: { type: Number, primary: true, generated: true },
    sender: { type: String, length: 100 },
    receiver: { type: String, length: 100 },
    amount: { type: Number },
  },
});

class CreateBank1795500000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const id = { name: 'id', type: 'serial', isPrimary: true };
    await runner.createTable(
      new Table({
        name: 'accounts',
        columns: [
          id,
          { name: 'owner', type: 'varchar', length: '100', isUnique: true },
          { name: 'balance', type: 'integer' },
        ],
      }),
    );
    await runner.createTable(
      new Table({
        name: 'transfers',
        columns: [
          id,
          { name: 'sender', type: 'varchar', length: '100' },
          { name: 'receiver', type: 'varchar', length: '100' },
          { name: 'amount', type: 'integer' },
        ],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('transfers');
    await runner.dropTable('accounts');
  }
}

const source = new DataSource({
  type: 'postgres',
  url: process.env.PG_URL!,
  poolSize: MAX_CONNECTIONS,
  entities: [AccountSchema, TransferSchema],
  migrations: [CreateBank1795500000000],
});
const accounts = source.getRepository(AccountSchema);
const transfers = source.getRepository(TransferSchema);

const bank: Bank = {
  async migrate() {
    await source.initialize();
    await source.runMigrations();
  },

  async openAccount(owner, balance) {
    await accounts.insert({ owner, balance });
  },

  async balanceOf(owner) {
    const { balance } = await accounts.findOneByOrFail({ owner });
    return balance;
  },

  async deposit(owner, amount) {
    await accounts.increment({ owner }, 'balance', amount);
  },

  async transfer(sender, receiver, amount) {
    await source.transaction(async (manager) => {
      await manager.decrement(AccountSchema, { owner: sender }, 'balance', amount);
      await manager.increment(AccountSchema, { owner: receiver }, 'balance', amount);
      await manager.save(TransferSchema, { sender, receiver, amount });
      const left = await manager.findOneByOrFail(AccountSchema, { owner: sender });
      if (left.balance < 0) throw new Error(`${sender} has not enough`);
    });
  },

  countTransfers: () => transfers.count(),

  async totalBalance() {
    return Number(await accounts.sum('balance'));
  },

  close: () => source.destroy(),
};

runDay(bank);
