/** The labels that every panel filters by. */
const FILTER = 'job=~"$job",instance=~"$instance",db_client_connection_pool_name=~"$pool"';

/**
 * Pools that other instrumentations tell of under the same names are not ours. Some pipelines drop the scope: there they count twice, as
 * docs/dashboards.md says, but without the empty one those would show nothing.
 */
const OURS = 'otel_scope_name=~"|opentelemetry-instrumentation-enhanced-pool"';

/** What a pipeline may put behind a name: OpenTelemetry's own exporter no unit, the Collector and Prometheus one. */
type Unit = 'seconds' | 'ratio' | 'none';

interface Selection {
  readonly unit?: Unit;
  /** More matchers, in PromQL. */
  readonly where?: string;
  readonly filter?: string;
}

/** The series of an OpenTelemetry metric, whichever way its name came to Prometheus. */
export function series(
  metric: string,
  ending: '' | '_total' | '_bucket' | '_sum' | '_count' = '',
  { unit = 'none', where, filter = FILTER }: Selection = {},
): string {
  const name = metric.replaceAll('.', '_');
  const named = unit === 'none' ? `__name__="${name}${ending}"` : `__name__=~"${name}(_${unit})?${ending}"`;
  return `{${[named, filter, OURS, where].filter(Boolean).join(',')}}`;
}

export const POOL = 'db_client_connection_pool_name';

/** Per second, summed by labels. */
export function perSecond(metric: string, by: readonly string[] = [], selection: Selection = {}): string {
  return `sum by (${[...by].join(', ')}) (rate(${series(metric, '_total', selection)}[$__rate_interval]))`;
}

export function total(metric: string, by: readonly string[] = [], selection: Selection = {}): string {
  return `sum by (${[...by].join(', ')}) (${series(metric, '', selection)})`;
}

/** A quantile of a duration in seconds. */
export function quantile(q: number, metric: string, by: readonly string[] = []): string {
  const buckets = `rate(${series(metric, '_bucket', { unit: 'seconds' })}[$__rate_interval])`;
  return `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (${buckets}))`;
}
