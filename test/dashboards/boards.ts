import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDirectory } from '../checkout.js';
import type { Prometheus } from './prometheus.js';

export const DASHBOARDS = join(checkoutDirectory(), 'dashboards');

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly templating: { readonly list: readonly { readonly name: string; readonly query?: string }[] };
  readonly panels: readonly GrafanaPanel[];
}

interface GrafanaPanel {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string }[];
  readonly panels?: readonly GrafanaPanel[];
}

export const boards = readdirSync(DASHBOARDS)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(DASHBOARDS, name), 'utf8')) as Dashboard);

export function panelsOf(panels: readonly GrafanaPanel[]): GrafanaPanel[] {
  return panels.flatMap((panel) => (panel.type === 'row' ? panelsOf(panel.panels ?? []) : [panel]));
}

/** The queries that find nothing for a job, or nothing that is a number. */
export async function withoutData(
  panels: readonly GrafanaPanel[],
  job: string,
  prometheus: Prometheus,
  rateInterval: string,
): Promise<string[]> {
  const empty: string[] = [];
  for (const { title, targets = [] } of panelsOf(panels)) {
    for (const { expr } of targets) {
      const found = await prometheus.query(filledIn(expr, job, rateInterval));
      if (!found.some(({ value: [, told] }) => told !== 'NaN')) empty.push(`${title}: ${expr}`);
    }
  }
  return empty;
}

function filledIn(expr: string, job: string, rateInterval: string): string {
  return expr
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll('$__range', '1m')
    .replaceAll('$job', job)
    .replaceAll('$instance', '.*')
    .replaceAll('$pool', '.*');
}
