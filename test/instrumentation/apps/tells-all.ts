// An application that holds canaries in all that must not leave it, and prints all that we have to say: errors, reports, the console.
import { request } from 'node:http';
import { inspect } from 'node:util';
import { EnhancedPoolInstrumentation, withQueryHint } from '../../../instrumentation/index.js';
import type { Pool as Engine } from '../../../src/index.js';
import { Pool as EngineClass } from '../../../src/index.js';

const canary = process.env.APP_CANARY!;
const postgres = JSON.parse(process.env.APP_POSTGRES!) as Record<string, unknown>;
const maria = JSON.parse(process.env.APP_MYSQL!) as Record<string, unknown>;

const engines: Engine<unknown>[] = [];
const { report } = EngineClass.prototype;
/** Whoever asks for a report of any pool shows us the pool. */
EngineClass.prototype.report = function (this: Engine<unknown>) {
  if (!engines.includes(this)) engines.push(this);
  return report.call(this);
};

const instrumentation = new EnhancedPoolInstrumentation({
  options: { leakThresholdMs: 20 },
  telemetry: { console: true },
  optimizations: { lanes: 'on', selection: 'on', pipelining: 'on', autoPrepare: 'on' },
});

/** The address of the console, once it is said. */
const address = new Promise<URL>((resolve) => {
  const { write } = process.stderr;
  process.stderr.write = ((text: string, ...rest: []) => {
    const said = /enhanced pool console: (\S+)/.exec(text);
    if (said !== null) resolve(new URL(said[1]!));
    return write.call(process.stderr, text, ...rest);
  }) as typeof write;
});

/** A pool's acquire that fails, with what was thrown. The driver's own errors about a statement are the application's. */
async function thrown(what: string, work: () => PromiseLike<unknown>): Promise<void> {
  try {
    await work();
    throw new Error(`bug: ${what} did not fail`);
  } catch (error) {
    console.log(what, inspect(error, { depth: 12 }), JSON.stringify(error), String((error as Error).stack));
  }
}

const sql = `select '${canary}' as word`;

async function onPg(): Promise<() => Promise<unknown>> {
  const { Pool } = await import('pg');
  const pool = new Pool({ ...postgres, max: 1, connectionTimeoutMillis: 2_000 });
  for (let run = 0; run < 30; run += 1) {
    await pool.query(sql);
    await pool.query('select $1::text as word', [canary]);
  }
  const held = await pool.connect();
  await held.query(sql);
  await thrown('pg timeout', () => withQueryHint({ sql, queryType: 'report' }, () => pool.connect()));
  await thrown('pg abort', () => withQueryHint({ sql, signal: AbortSignal.abort() }, () => pool.connect()));
  held.release();
  const lockedOut = new Pool({ ...postgres, password: canary, max: 1 });
  await thrown('pg login', () => lockedOut.connect());
  const nowhere = new Pool({ ...postgres, host: '127.0.0.1', port: 1, password: canary, max: 1 });
  await thrown('pg refused', () => nowhere.connect());
  await Promise.all([lockedOut.end(), nowhere.end()]);
  return () => pool.end();
}

async function onMysql(): Promise<() => Promise<unknown>> {
  const { createPool } = await import('mysql2/promise');
  const pool = createPool({ ...maria, connectionLimit: 1, queueLimit: 1 });
  for (let run = 0; run < 30; run += 1) {
    await pool.query(sql);
    await pool.execute('select ? as word', [canary]);
  }
  const lockedOut = createPool({ ...maria, password: canary, connectionLimit: 1 });
  await thrown('mysql2 login', () => lockedOut.getConnection());
  await lockedOut.end();
  return () => pool.end();
}

async function onKnex(): Promise<() => Promise<unknown>> {
  const { default: knex } = await import('knex');
  const settings = { client: 'pg', pool: { min: 0, max: 1 }, acquireConnectionTimeout: 2_000 };
  const db = knex({ ...settings, connection: postgres });
  for (let run = 0; run < 30; run += 1) await db.raw('select ?::text as word', [canary]);
  const held = await db.transaction();
  await thrown('knex timeout', () => db.client.acquireConnection());
  await held.rollback();
  return () => db.destroy();
}

/** What the console shows at one of its paths; of a stream the beginning. */
async function shown(path: string): Promise<string> {
  const base = await address;
  return new Promise((resolve, reject) => {
    request(new URL(path + base.search, base), (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
        if (path === '/events' && body.length > 500) response.destroy();
      });
      response.once('close', () => resolve(body));
    })
      .on('error', reject)
      .end();
  });
}

async function main(): Promise<void> {
  const ends = [await onPg(), await onMysql(), await onKnex()];
  for (const path of ['/snapshot', '/events', '/']) console.log(`console ${path}`, await shown(path));
  for (const engine of engines) {
    console.log('report', JSON.stringify(engine.report()), inspect(engine.report(), { depth: 12 }));
    console.log('stats', JSON.stringify(engine.stats()));
  }
  console.log(`engines ${engines.length}`);
  for (const end of ends) await end();
  instrumentation.disable();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
