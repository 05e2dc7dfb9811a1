import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { countOf, sumOf, type Telemetry } from './apps/telemetry.js';

/** As much of OTLP's JSON as we look at. */
interface Scoped {
  readonly scope: { readonly name: string };
  readonly spans?: readonly { readonly name: string }[];
  readonly metrics?: readonly Metric[];
}

interface Metric {
  readonly name: string;
  readonly sum?: Points;
  readonly gauge?: Points;
  readonly histogram?: Points;
}

interface Points {
  readonly dataPoints: readonly {
    readonly attributes: readonly { key: string; value: { stringValue?: string } }[];
    readonly asInt?: number;
    readonly asDouble?: number;
    readonly count?: number;
  }[];
}

/** Takes OTLP over HTTP as JSON; `GET /` answers what has come, as `Telemetry`. */
export class Collector {
  readonly #server: Server = createServer((request, response) => {
    this.#answer(request).then((body) => response.end(JSON.stringify(body)));
  });
  readonly #scopes: Scoped[] = [];

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage): Promise<object> {
    if (request.method === 'GET') return this.#telemetry();
    const { resourceSpans, resourceMetrics } = (await json(request)) as {
      resourceSpans?: { scopeSpans: Scoped[] }[];
      resourceMetrics?: { scopeMetrics: Scoped[] }[];
    };
    for (const { scopeSpans } of resourceSpans ?? []) this.#scopes.push(...scopeSpans);
    for (const { scopeMetrics } of resourceMetrics ?? []) this.#scopes.push(...scopeMetrics);
    return {};
  }

  #telemetry(): Telemetry {
    const scopes = this.#scopes;
    return {
      numbers: sumOf(scopes.flatMap(pointsOf)),
      spans: countOf(
        scopes.flatMap(({ scope, spans = [] }) => spans.map(({ name }) => ({ scope: scope.name, name }))),
      ),
    };
  }
}

function pointsOf({ scope, metrics = [] }: Scoped) {
  return metrics.flatMap(({ name, sum, gauge, histogram }) =>
    ((sum ?? gauge ?? histogram)?.dataPoints ?? []).map((point) => ({
      scope: scope.name,
      metric: name,
      attributes: Object.fromEntries(point.attributes.map(({ key, value }) => [key, value.stringValue])),
      value: Number(point.count ?? point.asInt ?? point.asDouble),
    })),
  );
}
