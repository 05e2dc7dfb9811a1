import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

/** A line of a panel: what is asked, and what it is called. */
export interface Line {
  readonly expr: string;
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  /** What it shows, and what to do when it looks bad. */
  readonly description: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  readonly form?: 'lines' | 'stacked' | 'number';
  readonly width?: number;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Board {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
}

const SOURCE = { type: 'prometheus', uid: '$datasource' };
const HEIGHT = 8;

export function draw({ uid, title, description, rows }: Board): dashboard.Dashboard {
  const builder = new dashboard.DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['opentelemetry', 'connection-pool'])
    .editable()
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .refresh('10s')
    .time({ from: 'now-30m', to: 'now' })
    .timezone('browser')
    .link(
      new dashboard.DashboardLinkBuilder('Connection pools')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(['connection-pool'])
        .asDropdown(true)
        .keepTime(true)
        .includeVars(true),
    )
    .withVariable(
      new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    )
    .withVariable(choice('job', 'Job', 'label_values({__name__="db_client_connection_limit"}, job)'))
    .withVariable(
      choice(
        'instance',
        'Instance',
        'label_values({__name__="db_client_connection_limit", job=~"$job"}, instance)',
      ),
    )
    .withVariable(
      choice(
        'pool',
        'Pool',
        'label_values({__name__="db_client_connection_limit", job=~"$job", instance=~"$instance"}, db_client_connection_pool_name)',
      ),
    );
  for (const row of rows) {
    builder.withRow(new dashboard.RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(drawPanel(panel));
  }
  return builder.build();
}

function choice(name: string, label: string, query: string): dashboard.QueryVariableBuilder {
  return new dashboard.QueryVariableBuilder(name)
    .label(label)
    .datasource(SOURCE)
    .query(query)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: 'All', value: '$__all' });
}

function drawPanel(panel: Panel) {
  const { title, description, unit, lines, form = 'lines', width = 12 } = panel;
  const builder = builderOf(form)
    .title(title)
    .description(description)
    .datasource(SOURCE)
    .unit(unit)
    .span(width)
    .height(form === 'number' ? HEIGHT / 2 : HEIGHT);
  for (const [index, { expr, legend }] of lines.entries()) {
    builder.withTarget(
      new DataqueryBuilder()
        .refId(String.fromCharCode(65 + index))
        .expr(expr)
        .legendFormat(legend)
        .datasource(SOURCE),
    );
  }
  return builder;
}

function builderOf(form: NonNullable<Panel['form']>) {
  if (form === 'number') return new stat.PanelBuilder();
  const lines = new timeseries.PanelBuilder().lineWidth(1).fillOpacity(form === 'stacked' ? 30 : 8);
  if (form !== 'stacked') return lines;
  return lines.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
}
