// Sequelize on pg, with its own pool: that one stays as it is. Build, then:
// PG_URL=postgres://… node --require ./dist/instrumentation/register.js dist/examples/orms/sequelize.js
import {
  type CreationOptional,
  DataTypes,
  type InferAttributes,
  type InferCreationAttributes,
  Model,
  Sequelize,
} from 'sequelize';
import { type Bank, MAX_CONNECTIONS, runDay } from './bank.js';

const sequelize = new Sequelize(process.env.PG_URL!, {
  dialect: 'postgres',
  logging: false,
  define: { timestamps: false },
  pool: { max: MAX_CONNECTIONS },
});

class Account extends Model<InferAttributes<Account>, InferCreationAttributes<Account>> {
  declare id: CreationOptional<number>;
  declare owner: string;
  declare balance: number;
}

class Transfer extends Model<InferAttributes<Transfer>, InferCreationAttributes<Transfer>> {
  declare id: CreationOptional<number>;
  declare sender: string;
  declare receiver: string;
  declare amount: number;
}

const id = { type: DataTypes.INTEGER, autoIncrement: true, primaryKey: true };
const name = { type: DataTypes.STRING(100), allowNull: false };
const sum = { type: DataTypes.INTEGER, allowNull: false };
Account.init({ id, owner: { ...name, unique: true }, balance: sum }, { sequelize, tableName: 'accounts' });
Transfer.init({ id, sender: name, receiver: name, amount: sum }, { sequelize, tableName: 'transfers' });

const bank: Bank = {
  async migrate() {
    await sequelize.sync();
  },

  async openAccount(owner, balance) {
    await Account.create({ owner, balance });
  },

  async balanceOf(owner) {
    const { balance } = await Account.findOne({ where: { owner }, rejectOnEmpty: true });
    return balance;
  },

  async deposit(owner, amount) {
    await Account.increment('balance', { by: amount, where: { owner } });
  },

  async transfer(sender, receiver, amount) {
    await sequelize.transaction(async (transaction) => {
      await Account.decrement('balance', { by: amount, where: { owner: sender }, transaction });
      await Account.increment('balance', { by: amount, where: { owner: receiver }, transaction });
      await Transfer.create({ sender, receiver, amount }, { transaction });
      const left = await Account.findOne({ where: { owner: sender }, transaction, rejectOnEmpty: true });
      if (left.balance < 0) throw new Error(`${sender} has not enough`);
    });
  },

  countTransfers: () => Transfer.count(),

  totalBalance: () => Account.sum('balance'),

  close: () => sequelize.close(),
};

runDay(bank);
