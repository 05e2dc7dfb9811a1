// Telemetry boiled down to what can be compared, from whatever form it was collected in.

export interface Telemetry {
  /** `scope metric system state` → value, of the numbers; for histograms how many were recorded. */
  readonly numbers: Readonly<Record<string, number>>;
  /** `scope name` → how many. */
  readonly spans: Readonly<Record<string, number>>;
}

interface Point {
  readonly scope: string;
  readonly metric: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: number;
}

/** Of the metrics that tell of a pool. */
export function sumOf(points: readonly Point[]): Telemetry['numbers'] {
  const found: Record<string, number> = {};
  for (const { scope, metric, attributes, value } of points) {
    if (attributes['db.client.connection.pool.name'] === undefined) continue;
    const state = attributes['db.client.connection.state'] ?? '';
    const key = `${scope} ${metric} ${attributes['db.system.name']} ${state}`.trim();
    found[key] = (found[key] ?? 0) + value;
  }
  return found;
}

export function countOf(spans: readonly { scope: string; name: string }[]): Telemetry['spans'] {
  const found: Record<string, number> = {};
  for (const { scope, name } of spans) found[`${scope} ${name}`] = (found[`${scope} ${name}`] ?? 0) + 1;
  return found;
}
