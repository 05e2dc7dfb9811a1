import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type Databases, startDatabases } from '../servers/index.js';
import { attributesOf, OtlpReceiver, type OtlpSpan } from './otlp-receiver.js';

const CANARY = 'hunter2-canary-0815';
const INTERNAL = 1;
const CLIENT = 3;
const ERROR = 2;

const run = promisify(execFile);

describe('what is sent by OTLP', function () {
  this.timeout(60_000);
  let databases: Databases<'postgres'>;

  before(async () => {
    databases = await startDatabases({ postgres: { auth: 'scram-sha-256' } });
  });

  after(() => databases.stop());

  async function tell(
    protocol: string,
    querySpans: boolean,
  ): Promise<{ receiver: OtlpReceiver; said: string }> {
    const receiver = await OtlpReceiver.start();
    const { host, port, user, password, database } = databases.postgres;
    const { stdout, stderr } = await run(process.execPath, [join(__dirname, 'apps/tells-otlp.js')], {
      env: {
        ...process.env,
        APP_CANARY: CANARY,
        APP_POSTGRES: JSON.stringify({ host, port, user, password, database }),
        APP_QUERY_SPANS: String(querySpans),
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
        OTEL_LOG_LEVEL: 'debug',
      },
    });
    receiver.stop();
    return { receiver, said: stdout + stderr };
  }

  it('is drawn as a request, the wait in it, and the opening it waited for', async () => {
    const { receiver } = await tell('http/json', false);
    const spans = receiver.spans();
    const waits = only(spans, ({ name }) => name === 'waits');
    const acquire = only(spans, ({ parentSpanId }) => parentSpanId === waits.spanId);
    expect(acquire).to.include({ name: 'pool.acquire', kind: INTERNAL, traceId: waits.traceId });
    expect(attributesOf(acquire)).to.include({
      'enhanced_pool.decision.chosen': 'released_connection',
      'db.client.connection.pool.name': databases.postgres.database,
      'db.system.name': 'postgresql',
    });
    expect(lengthMs(acquire)).to.be.within(10, lengthMs(waits) + 1);
    expect(Number(acquire.startTimeUnixNano)).to.be.at.least(Number(waits.startTimeUnixNano) - 1e6);

    const lockedOut = only(spans, ({ name }) => name === 'is locked out');
    const refused = only(spans, ({ parentSpanId }) => parentSpanId === lockedOut.spanId);
    expect(refused.status).to.include({ code: ERROR });
    expect(attributesOf(refused)['error.type']).to.equal('28P01');
    const connect = only(spans, ({ spanId }) => spanId === refused.links?.[0]?.spanId);
    expect(connect).to.include({ name: 'pool.connect', kind: CLIENT });
    expect(connect.parentSpanId ?? '').to.equal('');
    expect(connect.status).to.include({ code: ERROR });

    const losesTwo = only(spans, ({ name }) => name === 'loses two');
    const check = only(spans, ({ name }) => name === 'pool.health_check');
    expect(check).to.include({ kind: INTERNAL });
    expect(check.parentSpanId ?? '').to.equal('');
    expect(check.links?.map(({ spanId }) => spanId)).to.deep.equal([losesTwo.spanId]);
    expect(check.events?.map(({ name }) => name)).to.deep.equal(['enhanced_pool.connection.checked']);
    expect(attributesOf(check.events![0]!)).to.include({ 'enhanced_pool.health_check.outcome': 'ok' });
    expect(losesTwo.events?.map(({ name }) => name)).to.deep.equal(['enhanced_pool.circuit.changed']);

    const givesUp = only(spans, ({ name }) => name === 'gives up');
    const timedOut = spans.filter(
      (span) => span.parentSpanId === givesUp.spanId && span.status?.code === ERROR,
    );
    expect(timedOut.map((span) => attributesOf(span)['error.type'])).to.deep.equal(['ACQUIRE_TIMEOUT']);
    expect(receiver.paths()).to.deep.equal(['/v1/logs', '/v1/metrics', '/v1/traces']);
    expect(text(receiver)).to.include('enhanced_pool.lease.suspected_leak');
  });

  it('has a span for every query where that is asked for, named by what the query does', async () => {
    const { receiver } = await tell('http/json', true);
    const spans = receiver.spans();
    const reads = only(spans, ({ name }) => name === 'reads');
    const queries = spans.filter(({ parentSpanId }) => parentSpanId === reads.spanId);
    expect(queries.map(({ name }) => name)).to.deep.equal([
      'select secret',
      'select secret',
      'insert secret',
    ]);
    for (const query of queries) {
      expect(query.kind).to.equal(CLIENT);
      expect(attributesOf(query)).to.include({ 'db.query.summary': query.name });
      expect(attributesOf(query)).to.have.property('enhanced_pool.acquire.waited_ms');
    }
    const violates = only(spans, ({ name }) => name === 'violates');
    const violating = only(spans, ({ parentSpanId }) => parentSpanId === violates.spanId);
    expect(attributesOf(violating)).to.include({
      'db.response.status_code': '23505',
      'error.type': '23505',
    });
    expect(violating.status).to.include({ code: ERROR });
  });

  for (const protocol of ['http/json', 'http/protobuf']) {
    it(`carries no literal, parameter or password, in ${protocol}, in logs or in errors`, async () => {
      const { receiver, said } = await tell(protocol, true);
      expect(receiver.paths()).to.deep.equal(['/v1/logs', '/v1/metrics', '/v1/traces']);
      for (const secret of [CANARY, databases.postgres.password]) {
        for (const { path, body } of receiver.bodies) expect(body.includes(secret), path).to.equal(false);
        expect(said).to.not.include(secret);
      }
      expect(said).to.include('timeout exceeded').and.include('all connections are held');
    });
  }
});

function only(spans: readonly OtlpSpan[], which: (span: OtlpSpan) => boolean): OtlpSpan {
  const found = spans.filter(which);
  expect(found.map(({ name }) => name)).to.have.length(1);
  return found[0]!;
}

function lengthMs({ startTimeUnixNano, endTimeUnixNano }: OtlpSpan): number {
  return Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6;
}

function text({ bodies }: OtlpReceiver): string {
  return bodies.map(({ body }) => body.toString()).join('\n');
}
