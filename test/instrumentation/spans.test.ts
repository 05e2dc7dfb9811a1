import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, context, createContextKey, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { AlwaysOffSampler, type ReadableSpan, SamplingDecision } from '@opentelemetry/sdk-trace';
import { expect } from 'chai';
import {
  EnhancedPoolInstrumentation,
  type EnhancedPoolInstrumentationConfig,
} from '../../instrumentation/index.js';
import { CollectedSpans, forgetProviders } from './collected.js';
import { type FakePool, openFakePool } from './fake-library.js';

const CHOSEN = 'enhanced_pool.decision.chosen';
const REASON = 'enhanced_pool.decision.reason';

describe('pool spans', () => {
  let spans: CollectedSpans;
  let instrumentation: EnhancedPoolInstrumentation;
  let pool: FakePool;

  function begin(config: EnhancedPoolInstrumentationConfig = {}, options = {}): void {
    instrumentation = new EnhancedPoolInstrumentation(config);
    instrumentation.setTracerProvider(spans.provider);
    pool = openFakePool({}, { max: 1, ...options })!;
  }

  /** As `pool.query` has it followed. */
  function query(text: string | undefined): Promise<void> {
    return new Promise((resolve) => {
      pool.setup.follow!(
        text,
        () => resolve(),
        (done) =>
          pool.engine.request((lease) => {
            lease.release();
            done(undefined);
          }, done),
      );
    });
  }

  beforeEach(() => {
    spans = new CollectedSpans();
  });

  afterEach(async () => {
    instrumentation.disable();
    await pool.close();
    await spans.stop();
    forgetProviders();
  });

  it('tell of an acquire that opened a connection, under the span of its caller', async () => {
    begin();
    await spans.inRequest(() => pool.engine.use(undefined, async () => {}));
    const [acquire] = await spans.named('pool.acquire');
    const [request] = await spans.named('request');
    expect(acquire?.kind).to.equal(SpanKind.INTERNAL);
    expect(acquire?.parentSpanContext?.spanId).to.equal(request?.spanContext().spanId);
    expect(acquire?.attributes).to.include({
      'db.system.name': 'postgresql',
      'db.client.connection.pool.name': 'orders',
      [CHOSEN]: 'opened_connection',
      'enhanced_pool.acquire.queue_position': 1,
      'enhanced_pool.connection.id': 1,
    });
  });

  it('tell of an acquire that waited for a release, though another request released', async () => {
    begin();
    const held = await pool.engine.acquire();
    const waiting = spans.inRequest(() => pool.engine.use({ queryType: 'report' }, async () => {}));
    await spans.inRequest(async () => held.release());
    await waiting;
    const [acquire] = await spans.named('pool.acquire');
    const requests = await spans.named('request');
    expect(acquire?.attributes).to.include({
      [CHOSEN]: 'released_connection',
      'enhanced_pool.query.type': 'report',
    });
    expect(acquire?.attributes['enhanced_pool.acquire.waited_ms']).to.be.a('number');
    expect(acquire?.parentSpanContext?.spanId).to.equal(requests.at(-1)?.spanContext().spanId);
  });

  it('tell of a connection that came before the one opened for the caller', async () => {
    begin({}, { max: 2 });
    const held = await pool.engine.acquire();
    pool.driver.held = true;
    const waiting = spans.inRequest(() => pool.engine.use(undefined, async () => {}));
    held.release();
    await waiting;
    const [acquire] = await spans.named('pool.acquire');
    expect(acquire?.attributes).to.include({
      [CHOSEN]: 'released_connection',
      'enhanced_pool.decision.runner_up': 'opened_connection',
    });
    pool.driver.openNext();
  });

  it('tell of a connection that was checked first', async () => {
    begin();
    (await pool.engine.acquire()).release();
    pool.driver.checkBeforeLease = true;
    await spans.inRequest(() => pool.engine.use(undefined, async () => {}));
    const [acquire] = await spans.named('pool.acquire');
    expect(acquire?.attributes[CHOSEN]).to.equal('checked_connection');
    expect(await spans.named('pool.health_check'), 'the acquire waits for it').to.have.length(0);
  });

  it('tell of a failure by its type and the pool’s numbers', async () => {
    begin();
    const held = await pool.engine.acquire();
    await failure(spans.inRequest(() => pool.engine.acquire({ deadlineMs: 1 })));
    held.release();
    const [acquire] = await spans.named('pool.acquire');
    expect(acquire?.attributes['error.type']).to.equal('ACQUIRE_TIMEOUT');
    expect(acquire?.status.code).to.equal(SpanStatusCode.ERROR);
    expect(acquire?.status.message).to.include('1 leased').and.include('of max 1');
  });

  it('tell of a caller who was turned away', async () => {
    begin({}, { maxWaiters: 1 });
    const held = await pool.engine.acquire();
    const waiting = pool.engine.acquire();
    await failure(spans.inRequest(() => pool.engine.acquire()));
    held.release();
    (await waiting).release();
    const [acquire] = await spans.named('pool.acquire');
    expect(acquire?.attributes).to.include({ 'error.type': 'QUEUE_FULL', [CHOSEN]: 'refuse' });
  });

  it('tell nothing of what was served at once, unless all is asked for', async () => {
    begin();
    (await pool.engine.acquire()).release();
    await spans.inRequest(() => pool.engine.use(undefined, async () => {}));
    expect(await spans.named('pool.acquire')).to.have.length(0);
    instrumentation.setConfig({ telemetry: { acquireSpans: 'all' } });
    await spans.inRequest(() => pool.engine.use(undefined, async () => {}));
    const [acquire] = await spans.named('pool.acquire');
    expect(acquire?.attributes[CHOSEN]).to.equal('idle_connection');
  });

  it('tell of a shared connection that it is one, and why, from when this statement came onto it', async () => {
    begin({ telemetry: { acquireSpans: 'all' } });
    const sharedBeside = async () => {
      (await pool.engine.acquire()).release();
      const first = pool.engine.tryShare(0.1);
      await sleep(10);
      const begunAt = performance.now();
      const leases = await spans.inRequest(async () =>
        [0.1, 5].map((costMs) => pool.engine.tryShare(costMs)),
      );
      for (const lease of [first, ...leases]) lease?.release();
      return leases.includes(undefined) ? undefined : begunAt;
    };
    let begunAt: number | undefined;
    // Nobody is taken in beside others when the machine stood still in between.
    while (begunAt === undefined) {
      await spans.collect();
      begunAt = await sharedBeside();
    }
    const [packed, spread] = await spans.named('pool.acquire');
    expect(packed?.attributes[REASON]).to.match(/^packed: /);
    expect(spread?.attributes[REASON]).to.match(/^spread: no connection was idle/);
    for (const { attributes, startTime } of [packed!, spread!]) {
      expect(attributes[CHOSEN]).to.equal('shared_connection');
      const [seconds, nanoseconds] = startTime;
      const startedAt = seconds * 1_000 + nanoseconds / 1e6 - performance.timeOrigin;
      // The SDK sets a span's times by the wall clock, of which it reads whole milliseconds.
      expect(startedAt).to.be.at.least(begunAt - 2);
    }
  });

  it('tell of the first on a shared connection that it was idle', async () => {
    begin({ telemetry: { acquireSpans: 'all' } });
    const share = () => spans.inRequest(async () => pool.engine.tryShare(0.1)?.release());
    while ((await share()) === undefined) (await pool.engine.acquire()).release();
    const [acquire] = await spans.named('pool.acquire');
    expect(acquire?.attributes).to.include({ [CHOSEN]: 'shared_connection' });
    expect(acquire?.attributes[REASON]).to.match(/^spread: .* this one was idle$/);
  });

  it('tell of no acquire when none is asked for', async () => {
    begin({ telemetry: { acquireSpans: 'none', connectSpans: false } });
    await spans.inRequest(() => pool.engine.use(undefined, async () => {}));
    expect(await spans.named('pool.acquire')).to.have.length(0);
    expect(await spans.named('pool.connect')).to.have.length(0);
  });

  it('tell of no acquire without a span around it, unless that is asked for', async () => {
    begin();
    (await pool.engine.acquire()).release('broken');
    expect(await spans.named('pool.acquire')).to.have.length(0);
    instrumentation.setConfig({ telemetry: { requireParentSpan: false } });
    (await pool.engine.acquire()).release();
    expect(await spans.named('pool.acquire')).to.have.length(1);
  });

  it('tell nothing where tracing is suppressed', async () => {
    begin();
    await spans.inRequest(() => context.with(suppressed(), () => pool.engine.use(undefined, async () => {})));
    expect(await spans.named('pool.acquire')).to.have.length(0);
    expect(await spans.named('pool.connect')).to.have.length(0);
  });

  it('tell of a connection that opens in a trace of its own, to which the acquire that needed it links', async () => {
    begin();
    pool.driver.onOpen = () => spans.provider.getTracer('driver').startSpan('driver.connect').end();
    await spans.inRequest(() => pool.engine.use(undefined, async () => {}));
    const [connect] = await spans.named('pool.connect');
    const [acquire] = await spans.named('pool.acquire');
    expect(connect?.kind).to.equal(SpanKind.CLIENT);
    expect(connect?.parentSpanContext).to.equal(undefined);
    expect(connect?.spanContext().traceId).to.not.equal(acquire?.spanContext().traceId);
    expect(acquire?.links.map((link) => link.context.spanId)).to.deep.equal([connect?.spanContext().spanId]);
    expect(connect?.attributes).to.include({ [CHOSEN]: 'open', 'enhanced_pool.connection.id': 1 });
    const [driverConnect] = await spans.named('driver.connect');
    expect(driverConnect?.parentSpanContext).to.equal(undefined);
  });

  /** A pool loses so many of its connections at once that the others are asked. */
  async function lose(lost: number, connections: number): Promise<void> {
    await spans.inRequest(async () => {
      const leases = await Promise.all(Array.from({ length: connections }, () => pool.engine.acquire()));
      for (const lease of leases.splice(lost)) lease.release();
      for (const { connection } of leases) pool.engine.heed(failing('ECONNRESET'), connection);
      for (const lease of leases) lease.release('broken');
      await settled();
    });
  }

  it('tell of a round of checks in a trace of its own, linked to the request whose loss was its cause', async () => {
    begin({}, { max: 4 });
    await lose(2, 4);
    const [round] = await spans.named('pool.health_check');
    const [request] = await spans.named('request');
    expect(round?.kind).to.equal(SpanKind.INTERNAL);
    expect(round?.parentSpanContext).to.equal(undefined);
    expect(round?.spanContext().traceId).to.not.equal(request?.spanContext().traceId);
    expect(round?.links.map((link) => link.context.spanId)).to.deep.equal([request?.spanContext().spanId]);
    expect(round?.status.code).to.equal(SpanStatusCode.UNSET);
    expect(round?.attributes).to.include({
      [CHOSEN]: 'check',
      'enhanced_pool.decision.runner_up': 'check_when_asked',
      'enhanced_pool.health_check.connections': 2,
      'enhanced_pool.health_check.failed': 0,
    });
    expect(round?.events.map(({ name }) => name)).to.deep.equal(
      Array(2).fill('enhanced_pool.connection.checked'),
    );
    expect(
      new Set(round?.events.map(({ attributes }) => attributes?.['enhanced_pool.connection.id'])),
    ).to.deep.equal(new Set([3, 4]));
    expect(eventsOf(request)).to.deep.equal([['enhanced_pool.circuit.changed', 'closed', 'degraded']]);
  });

  it('tell which checks of a round failed, and carry no word of the driver', async () => {
    begin({}, { max: 4 });
    pool.driver.onCheck = () => {
      throw failing('EPIPE', 'hunter2 is gone');
    };
    await lose(2, 4);
    const [round] = await spans.named('pool.health_check');
    expect(round?.status).to.deep.equal({ code: SpanStatusCode.ERROR, message: '2 of 2 failed' });
    for (const { attributes } of round!.events) {
      expect(attributes).to.include({
        'enhanced_pool.health_check.outcome': 'failed',
        'error.type': 'EPIPE',
      });
    }
    expect(wordsOf(round!)).to.not.include('hunter2');
  });

  it('tell of a crowd of checks in several rounds, of every connection once', async () => {
    begin({}, { max: 45 });
    await lose(9, 45);
    const rounds = await spans.named('pool.health_check');
    expect(
      rounds.map(({ attributes }) => attributes['enhanced_pool.health_check.connections']),
    ).to.have.members([32, 4]);
    const told = rounds.flatMap(({ events }) => events.map(({ attributes }) => attributes!));
    expect(new Set(told.map((attributes) => attributes['enhanced_pool.connection.id']))).to.have.property(
      'size',
      36,
    );
  });

  it('tell of a round in which a connection is given up before it answers', async () => {
    begin();
    const lease = await pool.engine.acquire();
    pool.setup.observer!.onChecking!(lease.slot, 'quiet');
    lease.release('broken');
    await settled();
    const [round] = await spans.named('pool.health_check');
    expect(round?.attributes['enhanced_pool.health_check.connections']).to.equal(1);
    expect(round?.events).to.deep.equal([]);
  });

  it('link a question about silent connections to the requests that hold them', async () => {
    begin({}, { max: 2 });
    const asking = await pool.engine.acquire();
    await spans.inRequest(async () => {
      const silent = await pool.engine.acquire();
      pool.setup.observer!.onChecking!(asking.slot, 'silence', [silent.slot]);
      pool.setup.observer!.onChecked!(asking.slot, 5, undefined);
      silent.release();
    });
    asking.release();
    const [round] = await spans.named('pool.health_check');
    const [request] = await spans.named('request');
    expect(round?.links.map((link) => link.context.spanId)).to.deep.equal([request?.spanContext().spanId]);
  });

  it('tell of no round of checks unless it is asked for', async () => {
    begin({ telemetry: { checkSpans: false } }, { max: 4 });
    await lose(2, 4);
    expect(pool.engine.report().counters.checks).to.equal(2);
    expect(await spans.named('pool.health_check')).to.have.length(0);
  });

  it('tell of the circuit where an opening failed or went well, and caused it', async () => {
    begin();
    (await pool.engine.acquire()).release('broken');
    await settled();
    pool.driver.held = true;
    const waiting = pool.engine.acquire();
    pool.driver.failNext(failing('ECONNREFUSED'));
    await settled();
    pool.driver.held = false;
    (await waiting).release();
    const [, failed, probe] = await spans.named('pool.connect');
    expect(failed?.status.code).to.equal(SpanStatusCode.ERROR);
    expect(eventsOf(failed)).to.deep.equal([['enhanced_pool.circuit.changed', 'closed', 'open']]);
    expect(eventsOf(probe)).to.deep.equal([['enhanced_pool.circuit.changed', 'half_open', 'recovering']]);
  });

  it('tell of a limit that the server set where it refused an opening', async () => {
    begin({}, { max: 3 });
    const held = await pool.engine.acquire();
    pool.driver.held = true;
    const waiting = pool.engine.acquire();
    pool.driver.failNext(Object.assign(failing('53300'), { severity: 'FATAL' }));
    await settled();
    held.release();
    (await waiting).release();
    const [, refused] = await spans.named('pool.connect');
    expect(refused?.events.map(({ name }) => name)).to.deep.equal(['enhanced_pool.resized']);
    expect(refused?.events[0]?.attributes).to.include({
      'enhanced_pool.limit.from': 3,
      'enhanced_pool.limit.to': 1,
    });
  });

  it('tell the circuit of nobody’s span where none caused it', async () => {
    begin();
    await spans.inRequest(async () => {
      pool.engine.isolate();
      pool.engine.reset();
    });
    expect((await spans.all()).flatMap(({ events }) => events)).to.deep.equal([]);
  });

  it('tell why a query waited, where queries have spans', async () => {
    begin({ telemetry: { querySpans: true } });
    await spans.inRequest(() => query('SELECT name FROM item'));
    const [span] = await spans.named('SELECT item');
    const [request] = await spans.named('request');
    expect(span?.parentSpanContext?.spanId).to.equal(request?.spanContext().spanId);
    expect(span?.attributes).to.include({
      'db.system.name': 'postgresql',
      'db.client.connection.pool.name': 'orders',
      'db.query.summary': 'SELECT item',
      'enhanced_pool.connection.id': 1,
      [CHOSEN]: 'opened_connection',
    });
    expect(span?.attributes['enhanced_pool.acquire.waited_ms']).to.be.a('number');
  });

  it('tell each kind of query by its own summary, and one whose text is not known by its database', async () => {
    begin({ telemetry: { querySpans: true } });
    for (const text of ['SELECT 1 FROM item', 'DELETE FROM item', undefined, 'SELECT 2 FROM item'])
      await spans.inRequest(() => query(text));
    const told = (await spans.all()).filter(
      ({ kind, name }) => kind === SpanKind.CLIENT && name !== 'pool.connect',
    );
    expect(told.map(({ name, attributes }) => [name, attributes['db.query.summary']])).to.deep.equal([
      ['SELECT item', 'SELECT item'],
      ['DELETE item', 'DELETE item'],
      ['orders', undefined],
      ['SELECT item', 'SELECT item'],
    ]);
    for (const { attributes } of told)
      expect(attributes['enhanced_pool.acquire.waited_ms']).to.be.a('number');
  });

  it('let a sampler go by the attributes of a query that begins a trace, and make no other', async () => {
    await spans.stop();
    const seen: unknown[] = [];
    spans = new CollectedSpans({
      shouldSample: (_context, _traceId, name, _kind, attributes) => {
        if (name !== 'pool.connect') seen.push(attributes['db.query.summary']);
        return {
          decision:
            name === 'DELETE item' ? SamplingDecision.NOT_RECORD : SamplingDecision.RECORD_AND_SAMPLED,
        };
      },
    });
    begin({ telemetry: { querySpans: true, requireParentSpan: false } });
    await query('SELECT 1 FROM item');
    await query('DELETE FROM item');
    expect(seen).to.deep.equal(['SELECT item', 'DELETE item']);
    expect(await spans.named('SELECT item')).to.have.length(1);
    expect(await spans.named('DELETE item')).to.have.length(0);
  });

  it('are not made for the statements with which a connection is checked', async () => {
    begin();
    (await pool.engine.acquire()).release();
    pool.driver.checkBeforeLease = true;
    pool.driver.onCheck = () => spans.provider.getTracer('driver').startSpan('driver.query').end();
    await spans.inRequest(() => pool.engine.use(undefined, async () => {}));
    expect(await spans.named('driver.query')).to.have.length(0);
  });

  it('tell of a connection that did not open, and carry no word of the driver', async () => {
    begin();
    pool.driver.held = true;
    const waiting = failure(spans.inRequest(() => pool.engine.acquire({ sql: "select 'hunter2'" })));
    pool.driver.failNext(Object.assign(new Error('password hunter2 is wrong'), { code: '28P01' }));
    await waiting;
    const [connect] = await spans.named('pool.connect');
    const [acquire] = await spans.named('pool.acquire');
    for (const span of [connect, acquire]) {
      expect(span?.attributes['error.type']).to.equal('28P01');
      expect(span?.status.code).to.equal(SpanStatusCode.ERROR);
      expect(wordsOf(span!)).to.not.include('hunter2');
    }
  });

  it('are not made in a trace that is not sampled', async () => {
    await spans.stop();
    spans = new CollectedSpans(new AlwaysOffSampler());
    begin();
    await spans.inRequest(() => pool.engine.use(undefined, async () => {}));
    expect(await spans.named('pool.acquire')).to.have.length(0);
  });
});

/** As `suppressTracing` of OpenTelemetry's core does it. */
function suppressed(): Context {
  return context.active().setValue(createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING'), true);
}

/** After all that is to happen in this turn of the event loop. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function failing(code: string, message = 'no'): Error {
  return Object.assign(new Error(message), { code });
}

/** Changes of the circuit that are told on a span. */
function eventsOf(span: ReadableSpan | undefined): unknown[] {
  return span!.events.map(({ name, attributes = {} }) => [
    name,
    attributes['enhanced_pool.circuit.from_state'],
    attributes['enhanced_pool.circuit.state'],
  ]);
}

function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error) => error,
  );
}

function wordsOf({ name, attributes, status, events, links }: ReadableSpan): string {
  return JSON.stringify({ name, attributes, status, events, links });
}
