import { type Context, context, createContextKey, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { AlwaysOffSampler, type ReadableSpan } from '@opentelemetry/sdk-trace';
import { expect } from 'chai';
import {
  EnhancedPoolInstrumentation,
  type EnhancedPoolInstrumentationConfig,
} from '../../instrumentation/index.js';
import { CollectedSpans, forgetProviders } from './collected.js';
import { type FakePool, openFakePool } from './fake-library.js';

const CHOSEN = 'enhanced_pool.decision.chosen';

describe('pool spans', () => {
  let spans: CollectedSpans;
  let instrumentation: EnhancedPoolInstrumentation;
  let pool: FakePool;

  function begin(config: EnhancedPoolInstrumentationConfig = {}, options = {}): void {
    instrumentation = new EnhancedPoolInstrumentation(config);
    instrumentation.setTracerProvider(spans.provider);
    pool = openFakePool({}, { max: 1, ...options })!;
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
