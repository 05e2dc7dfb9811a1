import { expect } from 'chai';
import { PgPooler, type PoolerConfig } from '../../adapters/pg/pooler.js';
import type { PgClient, QueryCallback } from '../../adapters/pg/shapes.js';

const MADE_UP = -769_933_066;
const SERVER_AWAY = Object.assign(new Error('server login has been failing (server_login_retry)'), {
  code: '08P01',
  severity: 'FATAL',
});

/** A client whose statements are answered by the server's process `backend`, or fail. */
class FakeClient {
  readonly asked: string[] = [];
  readonly processID: number;
  backend: number;
  failure: unknown = undefined;
  _ending = false;

  constructor(processID: number, backend: number) {
    this.processID = processID;
    this.backend = backend;
  }

  query(text: string, _values: unknown, done: QueryCallback): void {
    this.asked.push(text);
    if (this.failure === undefined) done(null, { rows: [{ pid: this.backend }] });
    else done(this.failure);
  }
}

function seen(config?: PoolerConfig, warn?: (message: string) => void) {
  const pooler = new PgPooler(config, warn);
  const client = (processID: number, backend: number) => {
    const fake = new FakeClient(processID, backend);
    const proof = pooler.welcomed(fake as unknown as PgClient);
    return { fake, proof, ask: () => pooler.ask(fake as unknown as PgClient) };
  };
  return { pooler, client };
}

async function rejection(promise: Promise<void> | undefined): Promise<unknown> {
  return promise?.then(
    () => undefined,
    (error) => error,
  );
}

describe('a pooler in front of PostgreSQL', () => {
  it('is not seen in the number of a process, and nothing is asked for', async () => {
    const { pooler, client } = seen();
    const { fake, proof, ask } = client(4_194_304, 4_194_304);
    await ask();
    expect(proof).equal(undefined);
    expect(pooler).include({ mode: 'none', keepsNames: true });
    expect(fake.asked).deep.equal(['']);
  });

  it('is seen in a number that no process has', () => {
    const { pooler, client } = seen();
    client(4_194_305, 1);
    expect(pooler).include({ mode: 'unknown', declared: false, keepsNames: false });
  });

  it('is none where the server itself gives such numbers', async () => {
    const { pooler, client } = seen();
    await client(MADE_UP, MADE_UP).ask();
    client(MADE_UP + 1, MADE_UP + 1);
    expect(pooler).include({ mode: 'none', keepsNames: true });
  });

  it('lends by the transaction if one process answers two open clients', async () => {
    const { pooler, client } = seen();
    await client(MADE_UP, 7).ask();
    expect(pooler.mode).equal('unknown');
    await client(MADE_UP + 1, 7).ask();
    expect(pooler).include({ mode: 'transaction', keepsNames: false });
  });

  it('lends by the transaction if two processes answer one client', async () => {
    const { pooler, client } = seen();
    const { fake, ask } = client(MADE_UP, 7);
    await ask();
    fake.backend = 8;
    await ask();
    expect(pooler.mode).equal('transaction');
  });

  it('may keep sessions if a process answers another client once the first is gone', async () => {
    const { pooler, client } = seen();
    const first = client(MADE_UP, 7);
    await first.ask();
    first.fake._ending = true;
    await client(MADE_UP + 1, 7).ask();
    expect(pooler.mode).equal('unknown');
  });

  it('is what the user says, whatever is seen', async () => {
    for (const mode of ['none', 'session', 'transaction'] as const) {
      const { pooler, client } = seen({ mode });
      await client(MADE_UP, 7).ask();
      await client(MADE_UP + 1, 7).ask();
      expect(pooler).include({ mode, declared: true, keepsNames: mode !== 'transaction' });
    }
    expect(seen({ mode: 'transaction', preparedStatements: true }).pooler.keepsNames).equal(true);
  });

  it('is told of once, with the first statement that goes by its session, whichever is known first', async () => {
    for (const isUsedFirst of [true, false]) {
      const told: string[] = [];
      const { pooler, client } = seen({}, (message) => told.push(message));
      if (isUsedFirst) pooler.sessionUsed('SET');
      await client(MADE_UP, 7).ask();
      expect(told).deep.equal([]);
      await client(MADE_UP + 1, 7).ask();
      pooler.sessionUsed('LISTEN');
      expect(told.map((message) => message.split(' ')[0])).deep.equal([isUsedFirst ? 'SET' : 'LISTEN']);
      pooler.sessionUsed('SET');
      expect(told.length).equal(1);
    }
  });

  it('has its clients prove the server from the moment it says that it cannot reach it, until one has', async () => {
    const { pooler, client } = seen();
    expect(client(MADE_UP, 7).proof).equal(undefined);
    pooler.failed(new Error('some statement failed'));
    expect(client(MADE_UP, 7).proof).equal(undefined);
    pooler.failed(SERVER_AWAY);

    const { proof, fake, ask } = client(MADE_UP + 1, 7);
    expect(proof).not.equal(undefined);
    await proof;
    expect(fake.asked).deep.equal(['SELECT pg_backend_pid() AS pid']);
    expect(client(MADE_UP + 2, 7).proof).equal(undefined);

    fake.failure = SERVER_AWAY;
    expect(await rejection(ask())).equal(SERVER_AWAY);
  });

  it('a statement that the server refuses proves the server', async () => {
    const { client } = seen();
    const { fake, ask } = client(MADE_UP, 7);
    fake.failure = Object.assign(new Error('aborted'), { code: '25P02', severity: 'ERROR' });
    expect(await rejection(ask())).equal(undefined);
  });
});
