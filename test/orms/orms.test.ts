import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import mysql from 'mysql2/promise';
import { Client } from 'pg';
import type { Library } from '../../adapters/host.js';
import { checkoutDirectory } from '../checkout.js';
import { type Databases, startDatabases } from '../servers/index.js';
import type { AdoptedPool } from './adopted-pools.js';

interface Application {
  /** Its file in examples/orms. */
  readonly name: string;
  readonly database: 'postgres' | 'mysql';
  /** The library of each of its pools that is to run on the engine. */
  readonly pools: readonly Library[];
}

const APPLICATIONS: readonly Application[] = [
  { name: 'drizzle-pg', database: 'postgres', pools: ['pg'] },
  { name: 'drizzle-mysql2', database: 'mysql', pools: ['mysql2'] },
  { name: 'kysely-pg', database: 'postgres', pools: ['pg'] },
  { name: 'kysely-mysql2', database: 'mysql', pools: ['mysql2'] },
  { name: 'typeorm', database: 'postgres', pools: ['pg'] },
  { name: 'objection', database: 'postgres', pools: ['knex'] },
  { name: 'mikro-orm', database: 'postgres', pools: ['pg'] },
  { name: 'prisma', database: 'postgres', pools: ['pg'] },
  { name: 'pg-boss', database: 'postgres', pools: ['pg', 'pg'] },
  { name: 'sequelize', database: 'postgres', pools: [] },
];

/** What every bank of examples/orms comes to, whoever keeps its books; see bank.ts for the day it had. */
const BOOKS = { morning: [700, 1_300], transfers: 201, total: 119_100 };

const root = checkoutDirectory();
const register = join(root, 'dist/instrumentation/register.js');
const observe = join(__dirname, 'adopted-pools.js');

interface Run {
  readonly report: Readonly<Record<string, unknown>>;
  readonly errors: string;
  readonly pools: readonly AdoptedPool[];
}

describe('applications on ORMs', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres' | 'mysql'>;

  before(async () => {
    databases = await startDatabases({ postgres: true, mysql: true });
  });

  after(() => databases?.stop());

  for (const { name, database, pools } of APPLICATIONS) {
    const where = pools.length === 0 ? 'with a pool of its own' : `on ${pools.join(' and ')}`;
    it(`${name}, ${where}, gives the same answers and ends by itself`, async () => {
      const [stock, enhanced] = await Promise.all([
        runOnFreshDatabase(database, name, []),
        runOnFreshDatabase(database, name, ['--require', register, '--require', observe]),
      ]);
      expect(enhanced.report).to.deep.equal(stock.report);
      if (name !== 'pg-boss')
        expect(stock.report).to.include.keys(Object.keys(BOOKS)).and.deep.include(BOOKS);
      expect([stock.errors, enhanced.errors]).to.deep.equal(['', '']);
      expect(enhanced.pools.map(({ library }) => library)).to.deep.equal(pools);
      for (const pool of enhanced.pools) expectServedAndClosed(pool);
    });
  }

  async function runOnFreshDatabase(
    kind: 'postgres' | 'mysql',
    application: string,
    node: readonly string[],
  ): Promise<Run> {
    const name = `${application}_${node.length === 0 ? 'stock' : 'enhanced'}`.replaceAll('-', '_');
    await ask(kind, `create database ${name}`);
    try {
      const url = new URL(databases[kind].url);
      url.pathname = name;
      const variable = kind === 'postgres' ? 'PG_URL' : 'MYSQL_URL';
      return await run([...node, join(root, `dist/examples/orms/${application}.js`)], {
        [variable]: url.href,
      });
    } finally {
      await ask(kind, `drop database ${name}`);
    }
  }

  async function ask(kind: 'postgres' | 'mysql', sql: string): Promise<void> {
    const { url } = databases[kind];
    if (kind === 'mysql') {
      const connection = await mysql.createConnection(url);
      await connection.query(sql).finally(() => connection.end());
    } else {
      const client = new Client(url);
      await client.connect();
      await client.query(sql).finally(() => client.end());
    }
  }
});

/** Fewer connections than callers, each lease returned once, and nothing left open. */
function expectServedAndClosed({ stats, counters }: AdoptedPool): void {
  const acquires = counters.immediate + counters.waited + counters.shared;
  expect(acquires, 'acquires').to.be.within(400, 10_000);
  expect(counters.waited, 'acquires that waited').to.be.above(0);
  expect(counters.released, 'releases').to.equal(acquires);
  expect(counters).to.include({
    timedOut: 0,
    rejected: 0,
    openErrors: 0,
    staleReleases: 0,
    leaksSuspected: 0,
  });
  expect(stats).to.include({ open: 0, closing: 0, waiting: 0, max: 5 });
}

async function run(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<Run> {
  const child = spawn(process.execPath, argv, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    timeout: 100_000,
  });
  const told = child.stdio[3] as Readable;
  const [output, errors, pools, [code, signal]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    text(told),
    once(child, 'close'),
  ]);
  expect(code, `${argv.at(-1)} ended by ${signal ?? code}: ${errors}`).to.equal(0);
  return {
    report: JSON.parse(output.trim().split('\n').at(-1)!),
    errors,
    pools: pools === '' ? [] : JSON.parse(pools),
  };
}
