// What the applications of the registration tests do, with libraries that they have loaded themselves.
import { setTimeout } from 'node:timers/promises';
import { context, trace } from '@opentelemetry/api';
import type { Knex } from 'knex';
import type { PoolOptions } from 'mysql2';
import type { PoolConfig } from 'pg';
import type { Telemetry } from './telemetry.js';

export type { Telemetry } from './telemetry.js';

interface Pg {
  Pool: new (config: PoolConfig) => import('pg').Pool;
}

export interface Libraries {
  pg: Pg;
  /** A second copy, as a dependency may bring one. */
  otherPg?: Pg | undefined;
  mysql: { createPool(options: PoolOptions): import('mysql2/promise').Pool };
  knex: (config: Knex.Config) => Knex;
}

/** What an application prints, as its last line. */
export interface Report {
  readonly answers: readonly unknown[];
  /** Whether the pools compute what stock pools keep: the mark of one that runs on the engine. */
  readonly enhanced: readonly boolean[];
  /** What a preloaded SDK has collected; absent without one. */
  readonly telemetry?: Telemetry;
}

declare global {
  /** Put there by a preloaded SDK. */
  var collectTelemetry: (() => Promise<Telemetry>) | undefined;
}

/** Three queries at once on pools of two, so that one has to wait, and one query more. */
export async function work({ pg, otherPg, mysql, knex }: Libraries): Promise<void> {
  const pgPools = (otherPg === undefined ? [pg] : [pg, otherPg]).map(
    ({ Pool }) => new Pool({ connectionString: process.env.PG_URL!, max: 2 }),
  );
  const mysqlPool = mysql.createPool({ uri: process.env.MYSQL_URL!, connectionLimit: 2 });
  const reports = knex({ client: 'pg', connection: process.env.PG_URL!, pool: { min: 0, max: 2 } });
  const twice = <T>(query: () => Promise<T>) => Promise.all([query(), query(), query()]).then(query);

  const answers = await inRequest(() =>
    Promise.all([
      ...pgPools.map((pool) => twice(async () => (await pool.query('select 1 as pg')).rows[0])),
      twice(async () => ((await mysqlPool.query('select 1 as mysql')) as unknown[][])[0]![0]),
      twice(async () => (await reports.select(reports.raw('1 as knex')))[0]),
    ]),
  );
  await until(
    () =>
      pgPools.every(({ idleCount }) => idleCount === 2) &&
      freeOf(mysqlPool) === 2 &&
      reports.client.pool.numFree() === 2,
  );
  const enhanced = [
    ...pgPools.map((pool) => isComputed(pool, '_clients')),
    isComputed(mysqlPool.pool, '_allConnections'),
    isComputed(reports.client.pool, 'used'),
  ];
  const telemetry = await globalThis.collectTelemetry?.();
  await Promise.all([...pgPools.map((pool) => pool.end()), mysqlPool.end(), reports.destroy()]);
  console.log(JSON.stringify({ answers, enhanced, ...(telemetry && { telemetry }) } satisfies Report));
}

async function inRequest<T>(run: () => Promise<T>): Promise<T> {
  const span = trace.getTracer('application').startSpan('request');
  try {
    return await context.with(trace.setSpan(context.active(), span), run);
  } finally {
    span.end();
  }
}

/** A connection may still be on its way when nobody needs it any more. */
async function until(settled: () => boolean): Promise<void> {
  while (!settled()) await setTimeout(5);
}

function freeOf({ pool }: import('mysql2/promise').Pool): number {
  return (pool as unknown as { _freeConnections: { length: number } })._freeConnections.length;
}

function isComputed(pool: object, name: string): boolean {
  return Object.getOwnPropertyDescriptor(pool, name)?.get !== undefined;
}
