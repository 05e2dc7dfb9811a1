import { expect } from 'chai';
import type { Knex } from 'knex';
import { withQueryHint } from '../../adapters/query-hint.js';
import { fingerprint, type Pool, SlotState } from '../../src/index.js';
import { everyFlag } from '../../src/rollout/flags.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { sharingKnex } from '../sharing/sharing-pool.js';

const MAX = 4;
const FLAGS = { ...everyFlag('off'), lanes: 'on' } as const;

const nothing = () => {};

const SERVERS = [
  { client: 'pg', server: 'postgres', dialect: 'postgresql', sleep: 'pg_sleep(0.05)' },
  { client: 'mysql2', server: 'mysql', dialect: 'mysql', sleep: 'sleep(0.05)' },
] as const;

for (const { client, server, dialect, sleep } of SERVERS) {
  describe(`what knex's connections are wanted for (${client})`, function () {
    this.timeout(120_000);
    let databases: Databases<'postgres'> | Databases<'mysql'>;
    let knex: Knex;
    let engine: () => Pool<unknown>;
    let readShape: string;
    let reportShape: string;

    const read = (id = 1) => knex('numbers').where({ id }).first('square');
    const report = () => knex('numbers').select(knex.raw(sleep)).where({ square: 1 });
    const shapeOf = (builder: Knex.QueryBuilder) => fingerprint(builder.toSQL().toNative().sql, dialect);
    const known = (shape: string) => {
      const found = [...engine().profiles].find((profile) => profile.fingerprint === shape);
      return { runs: found?.runs ?? 0, lane: found?.lane };
    };
    const sessions = () => engine().profiles.session.runs;
    /** What those hold a connection for who hold one now. */
    const holders = () =>
      [...engine().slots()]
        .filter(({ state }) => state === SlotState.leased)
        .map(({ profile, lane }) => ({ what: profile?.fingerprint ?? '', lane }));

    /** What each statement of `work` holds its connection for when it is sent: of what is timed more would show, but not all is. */
    const sentFor = async (work: () => PromiseLike<unknown>) => {
      const seen: string[] = [];
      const look = () => seen.push(...holders().map(({ what }) => what));
      knex.on('query', look);
      await work();
      knex.removeListener('query', look);
      return seen;
    };

    before(async () => {
      databases =
        server === 'postgres'
          ? await startDatabases({ postgres: true })
          : await startDatabases({ mysql: true });
      const { url } = (databases as Readonly<Record<string, { url: string }>>)[server]!;
      const pool = { min: 0, max: MAX };
      ({ knex, engine } = sharingKnex(
        { client, connection: url, pool, log: { warn: nothing } },
        { ...FLAGS, pipelining: 'off', autoPrepare: 'off' },
      ));
      readShape = shapeOf(read());
      reportShape = shapeOf(report());
      await knex.schema.createTable('numbers', (table) => {
        table.integer('id').primary();
        table.integer('square');
      });
      await knex('numbers').insert([1, 2, 3].map((id) => ({ id, square: id * id })));
    });

    after(async () => {
      await knex?.destroy();
      await databases?.stop();
    });

    it('shows when a builder is compiled, and is expected of the next of its kind', async () => {
      for (let run = 0; run < 5; run += 1) expect(await sentFor(() => read(2))).deep.equal([readShape]);
      const wait = await Promise.all(Array.from({ length: MAX }, () => knex.transaction()));
      const queued = Array.from({ length: 3 }, () => read(3).then(nothing));
      for (let look = 0; look < 1_000 && engine().waiting < 3; look += 1)
        await new Promise((resolve) => setImmediate(resolve));
      const expected = [...engine().waiters()].map(({ profile }) => profile?.fingerprint);
      expect(expected).deep.equal(Array(3).fill(readShape));
      for (const transaction of wait) await transaction.rollback();
      await Promise.all(queued);
    });

    it('is what a builder became, whatever the last of its kind was', async () => {
      const same = () => knex('numbers').select('id').where({ id: 1 });
      const other = () => knex('numbers').select('square').where({ id: 1 });
      for (let run = 0; run < 4; run += 1) {
        expect(await sentFor(same)).deep.equal([shapeOf(same())]);
        expect(await sentFor(other)).deep.equal([shapeOf(other())]);
      }
    });

    it('is a session in a transaction, whose statements teach all the same', async () => {
      const [readsBefore, sessionsBefore] = [known(readShape).runs, sessions()];
      const transact = () =>
        knex.transaction(async (trx) => {
          for (let run = 0; run < 3; run += 1) {
            expect(await trx('numbers').where({ id: 3 }).first('square')).deep.equal({ square: 9 });
            expect(holders().map(({ what }) => what)).deep.equal(['session']);
          }
        });
      for (let run = 0; run < 10_000 && sessions() === sessionsBefore; run += 1) await transact();
      for (let look = 0; look < 10_000 && engine().stats().leased > 0; look += 1)
        await new Promise((resolve) => setImmediate(resolve));
      const timed = sessions() - sessionsBefore;
      expect(timed).above(0);
      expect(known(readShape).runs - readsBefore).equal(3 * timed);
    });

    it('is what the caller says, where he does', async () => {
      const sql = 'select 1 from nowhere';
      const told = await sentFor(() => withQueryHint({ sql, dialect }, async () => read()));
      expect(told).deep.equal([fingerprint(sql, dialect)]);
    });

    it('is not told by a builder of several statements', async () => {
      const seen = await sentFor(() =>
        knex.schema.dropTableIfExists('others').createTable('others', (table) => table.integer('id')),
      );
      expect(seen).deep.equal(['session', 'session']);
    });

    it('keeps a connection from the slow while the load is mixed', async () => {
      const { overtakings } = engine().counters;
      let over = false;
      const again = async (ask: () => PromiseLike<unknown>) => {
        while (!over) await ask();
      };
      const load = [
        ...Array.from({ length: 2 * MAX }, () => again(report)),
        ...Array.from({ length: 2 * MAX }, () => again(read)),
      ];
      const seen = new Set<string>();
      const isShown = () => {
        for (const { what, lane } of holders()) {
          if (what === reportShape) seen.add(`report ${lane}`);
          if (what === readShape) seen.add(`read ${lane}`);
        }
        return (
          seen.has('report slow') && seen.has('read fast') && engine().counters.overtakings > overtakings
        );
      };
      try {
        for (let look = 0; look < 20_000 && !isShown(); look += 1)
          await new Promise((resolve) => setTimeout(resolve, 1));
        expect(isShown(), `${[...seen]}, ${JSON.stringify(engine().counters)}`).equal(true);
        expect(seen.has('read slow'), 'reads taken for slow').equal(false);
      } finally {
        over = true;
        await Promise.all(load);
      }
      expect(known(reportShape)).include({ lane: 'slow' });
      expect(engine().stats()).include({ leased: 0, waiting: 0 });
    });
  });
}
