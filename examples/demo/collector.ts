import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What OpenTelemetry tells of a pool. Undefined is what it does not tell. */
export interface PoolNumbers {
  idle?: number;
  used?: number;
  opening?: number;
  waiting?: number;
  /** Since the phase began. */
  created?: number;
  errors?: number;
  wait?: { readonly boundsMs: readonly number[]; readonly counts: number[]; maxMs: number };
}

export interface ToldSpan {
  readonly name: string;
  readonly id: string;
  readonly parentId: string | undefined;
  readonly durationMs: number;
  readonly attributes: Attributes;
}

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A small OpenTelemetry collector: takes OTLP as JSON over HTTP and keeps what this demonstration shows. */
export class Collector {
  readonly pools = new Map<string, PoolNumbers>();
  readonly spans: ToldSpan[] = [];
  readonly #server: Server;

  static async start(): Promise<Collector> {
    const collector = new Collector();
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  private constructor() {
    this.#server = createServer(async (request, response) => {
      try {
        this.#take(JSON.parse(await textOf(request)) as OtlpMessage);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      } catch {
        response.writeHead(400).end();
      }
    });
  }

  /** What an application's SDK must be told to send here, quickly enough to watch. */
  get environment(): NodeJS.ProcessEnv {
    return {
      OTEL_SERVICE_NAME: 'orders-service',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta',
      OTEL_METRIC_EXPORT_INTERVAL: '250',
      OTEL_METRIC_EXPORT_TIMEOUT: '250',
      OTEL_BSP_SCHEDULE_DELAY: '250',
      OTEL_LOGS_EXPORTER: 'none',
    };
  }

  /** Begins counts and durations anew. */
  beginPhase(): void {
    for (const numbers of this.pools.values()) {
      if (numbers.created !== undefined) numbers.created = 0;
      if (numbers.errors !== undefined) numbers.errors = 0;
      if (numbers.wait === undefined) continue;
      numbers.wait.counts.fill(0);
      numbers.wait.maxMs = 0;
    }
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #take({ resourceMetrics = [], resourceSpans = [] }: OtlpMessage): void {
    const metrics = resourceMetrics.flatMap(({ scopeMetrics }) =>
      scopeMetrics.flatMap((scope) => scope.metrics),
    );
    const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
    for (const metric of metrics) this.#takeMetric(metric);
    for (const span of spans) this.#takeSpan(span);
  }

  #takeMetric({ name, sum, histogram }: OtlpMetric): void {
    for (const point of sum?.dataPoints ?? []) {
      const attributes = attributesOf(point);
      const numbers = this.#numbersOf(attributes);
      if (numbers === undefined) continue;
      const value = Number(point.asInt ?? point.asDouble);
      if (name === 'db.client.connection.count') {
        numbers[attributes['db.client.connection.state'] === 'idle' ? 'idle' : 'used'] = value;
      } else if (name === 'db.client.connection.pending_requests') {
        numbers.waiting = value;
      } else if (name === 'enhanced_pool.connection.opening') {
        numbers.opening = value;
      } else if (name === 'enhanced_pool.connection.opened') {
        numbers.created = (numbers.created ?? 0) + value;
      } else if (name === 'enhanced_pool.acquire.count') {
        const failed = !['immediate', 'waited'].includes(String(attributes['enhanced_pool.acquire.outcome']));
        numbers.errors = (numbers.errors ?? 0) + (failed ? value : 0);
      }
    }
    if (name !== 'db.client.connection.wait_time') return;
    for (const point of histogram?.dataPoints ?? []) {
      const numbers = this.#numbersOf(attributesOf(point));
      if (numbers === undefined) continue;
      numbers.wait ??= {
        boundsMs: point.explicitBounds.map((seconds) => seconds * 1_000),
        counts: point.bucketCounts.map(() => 0),
        maxMs: 0,
      };
      numbers.wait.maxMs = Math.max(numbers.wait.maxMs, (point.max ?? Number.POSITIVE_INFINITY) * 1_000);
      for (const [bucket, count] of point.bucketCounts.entries())
        numbers.wait.counts[bucket]! += Number(count);
    }
  }

  #takeSpan(span: OtlpSpan): void {
    this.spans.push({
      name: span.name,
      id: span.spanId,
      parentId: span.parentSpanId || undefined,
      durationMs: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
      attributes: attributesOf(span),
    });
  }

  /** Some instrumentations name a pool `server:port/database`; we go by the database. */
  #numbersOf(attributes: Attributes): PoolNumbers | undefined {
    const name = attributes['db.client.connection.pool.name'];
    if (name === undefined) return undefined;
    const database = String(name).split('/').at(-1)!;
    let numbers = this.pools.get(database);
    if (numbers === undefined) {
      numbers = {};
      this.pools.set(database, numbers);
    }
    return numbers;
  }
}

/** As dashboards do it, linear within the bucket that holds the quantile, but never above the longest wait. */
export function quantileMs({ wait }: PoolNumbers, quantile: number): number | undefined {
  if (wait === undefined) return undefined;
  const rank = quantile * wait.counts.reduce((sum, count) => sum + count, 0);
  if (rank === 0) return undefined;
  let below = 0;
  for (const [bucket, count] of wait.counts.entries()) {
    if (below + count >= rank) {
      const fromMs = wait.boundsMs[bucket - 1] ?? 0;
      const toMs = wait.boundsMs[bucket] ?? fromMs;
      return Math.min(wait.maxMs, fromMs + ((toMs - fromMs) * (rank - below)) / count);
    }
    below += count;
  }
  return wait.boundsMs.at(-1);
}

async function textOf(request: IncomingMessage): Promise<string> {
  request.setEncoding('utf8');
  let text = '';
  for await (const part of request) text += part;
  return text;
}

function attributesOf({ attributes = [] }: { attributes?: OtlpAttribute[] }): Attributes {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ??
        value.boolValue ??
        (value.intValue === undefined ? value.doubleValue : Number(value.intValue)),
    ]),
  );
}

// The parts of OTLP's JSON that are read here.

interface OtlpMessage {
  resourceMetrics?: { scopeMetrics: { metrics: OtlpMetric[] }[] }[];
  resourceSpans?: { scopeSpans: { spans: OtlpSpan[] }[] }[];
}

interface OtlpAttribute {
  key: string;
  value: { stringValue?: string; boolValue?: boolean; intValue?: number | string; doubleValue?: number };
}

interface OtlpMetric {
  name: string;
  sum?: { dataPoints: { attributes?: OtlpAttribute[]; asInt?: number | string; asDouble?: number }[] };
  histogram?: {
    dataPoints: {
      attributes?: OtlpAttribute[];
      max?: number;
      explicitBounds: number[];
      bucketCounts: (number | string)[];
    }[];
  };
}

interface OtlpSpan {
  name: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: OtlpAttribute[];
}
