import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { PoolerConfig } from '../../adapters/pg/pooler.js';
import type { Pool } from '../../src/index.js';
import { checkoutDirectory } from '../checkout.js';
import { type Database, type Databases, startDatabases } from '../servers/index.js';
import { startPgBouncer } from '../servers/pgbouncer.js';
import { sharingKnex, sharingPool } from '../sharing/sharing-pool.js';

const TEXTS = ['select $1::int as token', 'select token from (select $1::int as token) as given'];
const CALLERS = 16;
const TOKENS = Number(process.env.TOKENS ?? 2_000);

/** Names of statements that are refused to a caller would be errors with these codes. */
const REFUSED_NAMES = ['26000', '42P05'];

/** Whose statements of this many server connections are mixed: fewer than the pool has clients. */
const SERVER_CONNECTIONS = 3;

/** Which tests of a contract a short run takes: those that run statements, transactions and ends of pools. */
const CONTRACTS = [
  {
    library: 'pg',
    short: /(52\.|53\.|54\.|55\. |58\.|68\.|transaction|COMMIT|21\.|22\.|26\.|40\.)/,
    atLeast: { short: 21, whole: 91 },
  },
  {
    library: 'knex',
    short: /(10\.|45\.|49\. streams|5[2-6]\.|59\.)/,
    atLeast: { short: 10, whole: 60 },
  },
];
/** They end, cancel or tell sessions by the process that serves them, and behind a pooler that one is nobody's. */
const GOES_BY_PROCESS = /(44\. an idle|46\. pool\.query|knex.*(34b\.|43\. a connection function|51\.))/;

describe('behind PgBouncer in transaction mode', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres'>;
  let bouncer: Database;

  before(async () => {
    databases = await startDatabases({ postgres: true });
    const settings = { default_pool_size: SERVER_CONNECTIONS };
    bouncer = await startPgBouncer({ to: databases.postgres, settings });
  });

  after(async () => {
    await bouncer?.stop();
    await databases?.stop();
  });

  const openPg = (pooler?: PoolerConfig, url = bouncer.url, warn?: (message: string) => void) => {
    const { pool, engine } = sharingPool({ connectionString: url, max: 8 }, {}, { pooler, warn });
    pool.on('error', () => {});
    return {
      pool,
      engine,
      ask: async (text: string, values: unknown[]) => (await pool.query(text, values)).rows,
      close: () => pool.end(),
    };
  };

  const openKnex = (pooler?: PoolerConfig, url = bouncer.url, warn?: (message: string) => void) => {
    const { knex, engine } = sharingKnex(
      { connection: { connectionString: url }, pool: { min: 0, max: 8 }, log: { warn() {} } },
      {},
      { pooler, warn },
    );
    return {
      engine,
      ask: async (text: string, values: unknown[]) => {
        return (await knex.raw(text.replaceAll(/\$\d/g, '?'), values as string[])).rows;
      },
      close: () => knex.destroy(),
    };
  };

  type Opened = Pick<ReturnType<typeof openPg>, 'ask' | 'close' | 'engine'>;

  /** Everybody gets the answer to their own question, and nobody hears of names. */
  async function askMany({ ask }: Opened): Promise<void> {
    const refused: string[] = [];
    let left = TOKENS;
    const call = async () => {
      while (left > 0) {
        left -= 1;
        const token = left;
        const rows = await ask(TEXTS[token % TEXTS.length]!, [token]).catch((error: { code: string }) => {
          if (!REFUSED_NAMES.includes(error.code)) throw error;
          refused.push(error.code);
        });
        if (rows !== undefined) expect(rows).deep.equal([{ token }]);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, call));
    expect(refused, 'statements refused for their names').deep.equal([]);
  }

  for (const [library, open] of Object.entries({ pg: openPg, knex: openKnex })) {
    it(`${library} gives its statements no names, whoever they are sent with`, async () => {
      const opened: Opened = open();
      await askMany(opened);
      const { statements, pooler } = opened.engine().report();
      expect(statements!.prepared).equal(0);
      expect(pooler).include({ declared: false }).and.property('mode').not.equal('none');
      expect(opened.engine().stats()).include({ leased: 0, waiting: 0 });
      await opened.close();
    });

    it(`${library} tells once that a session is not kept, and not where nothing goes by one`, async () => {
      const told: string[] = [];
      const opened: Opened = open({ mode: 'transaction' }, bouncer.url, (message) => told.push(message));
      await opened.ask('select $1::int as token', [1]);
      await opened.ask("insert into nowhere values ('secret')", []).catch(() => {});
      expect(told).deep.equal([]);
      await opened.ask("SET application_name = 'secret'", []);
      // Whoever had it before keeps it on the pooler's connection: nobody may wait for it.
      await opened.ask('select pg_try_advisory_lock(4711)', []);
      expect(told.length).equal(1);
      expect(told[0])
        .match(/^SET goes by its session/)
        .and.not.contain('secret');
      await opened.close();
    });

    it(`${library}: a name that is refused all the same, is sent without and unseen`, async () => {
      const opened: Opened = open({ mode: 'none' });
      await askMany(opened);
      expect(opened.engine().report().pooler).deep.equal({
        mode: 'none',
        declared: true,
        preparedStatements: false,
      });
      await opened.close();
    });
  }

  it('the mode is recognised, once one of the server’s processes has answered two clients', async () => {
    const { pool, engine } = sharingPool(
      { connectionString: bouncer.url, max: 4 },
      {},
      { options: { checkAfterIdleMs: 1 } },
    );
    const modes = new Set<string | undefined>();
    while (engine()?.report().pooler?.mode !== 'transaction') {
      const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
      modes.add(engine().report().pooler?.mode);
      for (const client of clients) client.release();
      await sleep(5);
    }
    expect([...modes][0]).equal('unknown');
    await pool.end();
  });

  it('no pooler is seen where there is none', async () => {
    const { ask, engine, close } = openPg(undefined, databases.postgres.url);
    await askMany({ ask, engine, close });
    expect(engine().report().pooler).deep.equal({ mode: 'none', declared: false, preparedStatements: false });
    expect(engine().report().statements!.prepared).above(0);
    await close();
  });

  it('names are given where the pooler is said to keep sessions, and does', async () => {
    const settings = { pool_mode: 'session', default_pool_size: 8 };
    const own = await startPgBouncer({ to: databases.postgres, settings });
    const { ask, engine, close } = openPg({ mode: 'session' }, own.url);
    await askMany({ ask, engine, close });
    expect(engine().report().statements!.preparedHits).above(0);
    await close();
    await own.stop();
  });

  it('transactions keep their connection, and leave nothing of theirs to others', async () => {
    const { pool, close } = openPg();
    const transact = async (token: number) => {
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query("select set_config('app.secret', $1, true)", [String(token)]);
      const { rows } = await client.query("select current_setting('app.secret') as secret");
      if (token % 2 === 0) await client.query('COMMIT');
      client.release();
      return rows[0].secret;
    };
    const asked = Array.from({ length: 200 }, (_, token) => token);
    expect(await Promise.all(asked.map(transact))).deep.equal(asked.map(String));
    const left = await Promise.all(
      asked.map(() => pool.query("select coalesce(current_setting('app.secret', true), '') as secret")),
    );
    expect(new Set(left.map(({ rows }) => rows[0].secret))).deep.equal(new Set(['']));
    await close();
  });

  it('a client that the pooler welcomes is no proof of a server: callers wait until there is one', async () => {
    const { pool, engine, close } = openPg();
    await Promise.all(Array.from({ length: 8 }, () => pool.query('select 1')));
    await databases.postgres.halt({ mode: 'immediate' });

    // Some are on connections that are lost, as in stock.
    const outcomes: string[] = [];
    const ask = () =>
      pool.query('select 1 as one').then(
        () => outcomes.push('answered'),
        () => outcomes.push('failed'),
      );
    while (engine().stats().circuit === 'closed') {
      ask();
      await sleep(20);
    }
    const failedBefore = outcomes.length;
    const waiting = Array.from({ length: 50 }, ask);
    await sleep(300);
    expect(engine().stats().circuit).not.equal('closed');
    await databases.postgres.resume();
    await Promise.all(waiting);
    expect(outcomes.slice(failedBefore).filter((outcome) => outcome === 'failed').length).at.most(8);
    expect(outcomes.filter((outcome) => outcome === 'answered').length).at.least(42);
    expect((engine() as Pool<unknown>).stats()).include({ leased: 0, waiting: 0 });
    await close();
  });

  for (const { library, short, atLeast } of CONTRACTS) {
    it(`the contract of ${library} holds`, async function () {
      this.timeout(300_000);
      const all = process.env.POOLER_CONTRACT === 'whole';
      const grep = `^(?!.*${GOES_BY_PROCESS.source}).*contract,? enhanced ${all ? '' : `(?=.*${short.source})`}`;
      const own = await startPgBouncer({ to: databases.postgres, settings: { default_pool_size: 20 } });
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [
          require.resolve('mocha/bin/mocha.js'),
          ...['--reporter', 'json', '--exit', '--grep', grep],
          join(__dirname, `../contract/${library}.test.js`),
        ],
        { cwd: checkoutDirectory(), env: { ...process.env, PG_URL: own.url }, maxBuffer: 1 << 26 },
      ).catch((error) => error);
      await own.stop();
      const { stats, failures } = JSON.parse(stdout.slice(stdout.indexOf('{\n')));
      expect(
        failures.map(({ fullTitle, err }: { fullTitle: string; err: Error }) => [fullTitle, err.message]),
      ).deep.equal([]);
      expect(stats.passes).least(all ? atLeast.whole : atLeast.short);
    });
  }
});
