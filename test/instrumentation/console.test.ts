import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { draw } from '../../instrumentation/console/top.js';
import type { ConsoleView } from '../../instrumentation/console/view.js';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';
import { type FakePool, openFakePool } from './fake-library.js';

const run = promisify(execFile);

describe('the console', () => {
  let instrumentation: EnhancedPoolInstrumentation;
  let pool: FakePool;
  let address: URL;
  let stillHeld: { release(): unknown };

  before(async () => {
    instrumentation = new EnhancedPoolInstrumentation({ telemetry: { console: true } });
    const said = saidOnStderr(/enhanced pool console: (\S+)/);
    pool = openFakePool({}, { max: 2, leakThresholdMs: 1 })!;
    address = new URL(await said);
    const held = [await pool.engine.acquire(), await pool.engine.acquire()];
    const waiting = pool.engine.acquire({ sql: "select 'hunter2'" });
    held[0]!.release();
    stillHeld = held[1]!;
    (await waiting).release('broken');
    await failure(pool.engine.acquire({ signal: AbortSignal.abort('hunter2') }));
  });

  after(async () => {
    instrumentation.disable();
    stillHeld.release();
    await pool.close();
  });

  async function ask(
    path: string,
    headers: Record<string, string> = {},
    token = address.search,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      request(new URL(path + token, address), { headers }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            body,
            policy: String(response.headers['content-security-policy']),
          }),
        );
      })
        .on('error', reject)
        .end();
    });
  }

  it('listens on the loopback only', () => {
    expect(address.hostname).to.equal('127.0.0.1');
  });

  it('answers only who knows its token, and only to names of this machine', async () => {
    expect((await ask('/')).status).to.equal(200);
    for (const token of ['', '?token=', '?token=guessed', `${address.search}x`]) {
      for (const path of ['/', '/snapshot', '/events']) {
        const { status, body } = await ask(path, {}, token);
        expect(status, path + token).to.equal(401);
        expect(body).not.to.include('orders');
      }
    }
    expect((await ask('/', { host: 'evil.example' })).status).to.equal(403);
    expect((await ask('/elsewhere')).status).to.equal(404);
  });

  it('is one page that loads nothing from anywhere', async () => {
    const { body, policy } = await ask('/');
    expect(policy).to.include("default-src 'none'");
    expect(body).to.include('uPlot').and.include('MIT License').and.include('EventSource');
    expect(body).not.to.match(/(src|href)=/);
    expect(body).not.to.match(/\{(uplot|page)\.(js|css)\}|\{nonce\}/);
  });

  it('tells the size, the waits, each connection and the last decisions, and no word of a query', async () => {
    // The forecast begins with the first upkeep.
    let body = '';
    let shown: ConsoleView['pools'][number] | undefined;
    while (shown?.forecast === undefined || shown.findings.length < 2) {
      ({ body } = await ask('/snapshot'));
      [shown] = (JSON.parse(body) as ConsoleView).pools;
    }
    expect(shown).to.include({ name: 'orders' });
    expect(shown?.stats).to.include({ limit: 2, leased: 1 });
    expect(shown?.connections.map(({ state }) => state)).to.include('leased');
    expect(shown?.decisions.map(({ kind }) => kind)).to.include.members([
      'opened',
      'served',
      'closed',
      'failed',
    ]);
    expect(shown?.flags).to.be.an('array').that.is.not.empty;
    expect(shown).to.include.keys('forecast', 'sizing', 'limit');
    expect(shown?.queries).to.be.an('array');
    const [leak, statements] = shown!.findings;
    expect(leak).to.match(/^connection \d has been held for \d+ ms/);
    expect(statements).to.include('statements prepared: 2, of which 1 ahead; 5 runs');
    expect(shown?.wait.count).to.be.within(1, 4);
    expect(shown?.wait.maxMs).to.be.at.least(shown!.wait.p50Ms);
    expect(shown?.ever.wait.count).to.be.above(0);
    expect(shown?.decisions.find(({ kind }) => kind === 'opened')?.words).to.match(
      /opened in .* ms: a caller waits and no connection is idle/,
    );
    expect(body).not.to.include('hunter2');
  });

  it('goes on telling those who look on', async () => {
    const response = await fetch(new URL(`/events${address.search}`, address));
    const reader = response.body!.getReader();
    let text = '';
    while ((text.match(/^data: /gm)?.length ?? 0) < 2) {
      text += new TextDecoder().decode((await reader.read()).value);
    }
    await reader.cancel();
    expect(text).to.include('"orders"');
  });

  it('is the same in a terminal', async () => {
    const cli = join(__dirname, '../../instrumentation/cli.js');
    const { stdout } = await run(process.execPath, [cli, 'top', address.href, '--once']);
    expect(stdout)
      .to.match(/orders {2}\[.*\] {2}1 in use/)
      .and.include('opened in')
      .and.include('has been held for');
    const refused = await failure(
      run(process.execPath, [cli, 'top', `${address.origin}/?token=no`, '--once']),
    );
    expect((refused as { stderr: string }).stderr).to.include('the token is missing or wrong');
  });

  it('shows in a terminal what there is room for, the sums of every pool first', async () => {
    const view = JSON.parse((await ask('/snapshot')).body) as ConsoleView;
    const [orders] = view.pools;
    const many = { ...view, pools: [orders!, { ...orders!, name: 'reports' }, { ...orders!, name: 'jobs' }] };
    const lines = draw(many, { rows: 17, columns: 60 }).split('\n');
    expect(lines.length).to.be.at.most(16);
    for (const line of lines) expect(line.length).to.be.at.most(60);
    for (const name of ['orders', 'reports', 'jobs'])
      expect(lines.join('\n')).to.match(new RegExp(`^${name} `, 'm'));
    expect(draw(many))
      .to.include('connections:')
      .and.match(/ forecast \d/);
  });

  it('is not there unless it was asked for', async () => {
    const quiet = new EnhancedPoolInstrumentation();
    const other = openFakePool({ database: 'quiet' })!;
    expect((await ask('/snapshot')).body).not.to.include('"quiet"');
    quiet.disable();
    await other.close();
  });
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly policy: string;
}

function saidOnStderr(what: RegExp): Promise<string> {
  const { write } = process.stderr;
  return new Promise((resolve) => {
    process.stderr.write = ((text: string) => {
      const [, found] = what.exec(text) ?? [];
      if (found === undefined) return write.call(process.stderr, text);
      process.stderr.write = write;
      resolve(found);
      return true;
    }) as typeof write;
  });
}

function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error) => error,
  );
}
