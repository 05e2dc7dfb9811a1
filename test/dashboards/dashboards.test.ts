import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { expect } from 'chai';
import { parse } from 'yaml';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';
import { METRICS } from '../../instrumentation/telemetry/metric-table.js';
import { checkoutDirectory } from '../checkout.js';
import { CollectedSpans, forgetProviders } from '../instrumentation/collected.js';
import { liveThrough } from '../instrumentation/eventful-life.js';
import { openFakePool } from '../instrumentation/fake-library.js';
import { boards, DASHBOARDS as folder, panelsOf, withoutData } from './boards.js';
import { type Prometheus, programOfPrometheus, startPrometheus } from './prometheus.js';

describe('the dashboards', function () {
  this.timeout(120_000);

  it('are committed as they are generated', () => {
    execFileSync(process.execPath, [join(checkoutDirectory(), 'dist/dashboards/generate.js'), '--check'], {
      cwd: checkoutDirectory(),
    });
  });

  it('are fit for any Grafana: variables for all that differs, and each panel says what it shows', () => {
    expect(boards).to.have.length(5);
    for (const { title, templating, panels } of boards) {
      expect(templating.list.map(({ name }) => name)).to.deep.equal([
        'datasource',
        'job',
        'instance',
        'pool',
      ]);
      const drawn = panelsOf(panels);
      expect(new Set(drawn.map((panel) => panel.title)).size, title).to.equal(drawn.length);
      for (const panel of drawn) {
        expect(panel.description, panel.title).to.be.a('string').and.not.equal('');
        expect(panel.fieldConfig?.defaults.unit, panel.title).to.be.a('string');
        expect(panel.datasource?.uid, panel.title).to.equal('$datasource');
        for (const { expr } of panel.targets ?? []) {
          for (const label of ['job', 'instance'])
            expect(expr, panel.title).to.include(`${label}=~"$${label}"`);
          expect(expr, panel.title).not.to.match(/\[\d/);
        }
      }
    }
  });

  it('show every metric of ours', () => {
    const asked = boards
      .flatMap(({ panels }) => panelsOf(panels))
      .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
      .join(' ');
    const own = METRICS.map(({ name }) => name.replaceAll('.', '_')).filter((name) =>
      /^enhanced_/.test(name),
    );
    expect(own.filter((name) => !asked.includes(name))).to.deep.equal([]);
  });

  it('alert when they should, and only then', () => {
    const promtool = programOfPrometheus('promtool');
    execFileSync(promtool, ['check', 'rules', join(folder, 'alerts.yaml')]);
    execFileSync(promtool, ['test', 'rules', join(folder, 'alerts.test.yaml')]);
    const { groups } = parse(readFileSync(join(folder, 'alerts.yaml'), 'utf8'));
    const tests = readFileSync(join(folder, 'alerts.test.yaml'), 'utf8');
    for (const { alert, annotations } of groups[0].rules) {
      expect(tests, alert).to.include(`alertname: ${alert}`);
      const [page, anchor] = annotations.runbook_url.split('#');
      const help = readFileSync(join(checkoutDirectory(), page), 'utf8');
      expect(help, alert).to.include(`<a id="${anchor}"></a>**\`${alert}\` fires.**`);
    }
  });

  describe('on a real Prometheus', () => {
    let exporter: PrometheusExporter;
    let provider: MeterProvider;
    let instrumentation: EnhancedPoolInstrumentation;
    let spans: CollectedSpans;
    let servers: Server[];
    let prometheus: Prometheus;
    let last: ReturnType<typeof openFakePool>;

    before(async () => {
      exporter = new PrometheusExporter({ preventServerStart: true });
      provider = new MeterProvider({ readers: [exporter] });
      spans = new CollectedSpans();
      instrumentation = new EnhancedPoolInstrumentation({
        telemetry: { querySpans: true },
        fleet: { maxConnections: 4, members: 1 },
      });
      instrumentation.setMeterProvider(provider);
      const [plain, withUnits] = [serve((text) => text), serve(addUnits)];
      servers = [plain, withUnits];
      await Promise.all([once(plain, 'listening'), once(withUnits, 'listening')]);
      prometheus = await startPrometheus({ plain: addressOf(plain), units: addressOf(withUnits) });
      const until = performance.now() + 6_000;
      while (performance.now() < until) {
        const pool = openFakePool({}, { max: 2, leakThresholdMs: 1, maxWaiters: 2 })!;
        await spans.inRequest(() => liveThrough(pool));
        await sleep(100);
        await pool.close();
      }
      last = openFakePool();
      await sleep(1_500);
    });

    after(async () => {
      await last?.close();
      await prometheus.stop();
      for (const server of servers) server.close();
      instrumentation.disable();
      await spans.stop();
      await provider.shutdown();
      forgetProviders();
    });

    for (const job of ['plain', 'units']) {
      for (const { title, panels } of boards) {
        it(`every panel of ‘${title}’ has data, names ${job === 'units' ? 'with' : 'without'} units`, async () => {
          expect(await withoutData(panels, job, prometheus, '10s')).to.deep.equal([]);
        });
      }
    }

    it('the variables offer what there is', async () => {
      const match = '{__name__="db_client_connection_limit"}';
      expect(await prometheus.labelValues('job', match)).to.have.members(['plain', 'units']);
      expect(await prometheus.labelValues('db_client_connection_pool_name', match)).to.include('orders');
    });

    function serve(change: (text: string) => string): Server {
      return createServer(async (_request, response) => {
        const { resourceMetrics } = await exporter.collect();
        response.end(change(serializer(exporter).serialize(resourceMetrics)));
      }).listen(0, '127.0.0.1');
    }
  });
});

/** The exporter's own, which it does not share. */
function serializer(exporter: PrometheusExporter): { serialize(metrics: unknown): string } {
  return (exporter as unknown as { _serializer: { serialize(metrics: unknown): string } })._serializer;
}

/** As the Collector and Prometheus's OTLP receiver name what comes to them. */
function addUnits(text: string): string {
  let changed = text;
  for (const { name, unit, instrument } of METRICS) {
    const series = name.replaceAll('.', '_');
    if (unit === 's')
      changed = changed.replaceAll(
        new RegExp(`\\b${series}(?=_bucket|_sum|_count|_total|[{ ])`, 'g'),
        `${series}_seconds`,
      );
    if (unit === '1' && instrument === 'gauge')
      changed = changed.replaceAll(new RegExp(`\\b${series}\\b`, 'g'), `${series}_ratio`);
  }
  return changed;
}

function addressOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
