// npm run test:panels: whether every panel of every dashboard has data from the pools of `npm run demo`.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { DemoDatabases } from '../../examples/demo/databases.js';
import { POOLS, planPhases } from '../../examples/demo/phases.js';
import { Service } from '../../examples/demo/service.js';
import { newExperiences, send } from '../../examples/demo/traffic.js';
import { findFreePort } from '../servers/free-port.js';
import { boards, withoutData } from './boards.js';
import { type Prometheus, startPrometheus } from './prometheus.js';

const OURS = 'opentelemetry-instrumentation-enhanced-pool';

describe('the dashboards, on the pools of the demo', function () {
  this.timeout(120_000);
  let databases: DemoDatabases;
  let service: Service;
  let prometheus: Prometheus;
  const crash = new AbortController();

  before(async () => {
    databases = await DemoDatabases.start();
    const port = await findFreePort();
    service = await Service.start(
      'enhanced',
      {
        ...databases.environmentFor('enhanced'),
        OTEL_METRICS_EXPORTER: 'prometheus',
        OTEL_EXPORTER_PROMETHEUS_HOST: '127.0.0.1',
        OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
        OTEL_TRACES_EXPORTER: 'none',
        OTEL_LOGS_EXPORTER: 'none',
        ENHANCED_POOL_FLEET: 'maxConnections=60,members=2',
      },
      (error) => crash.abort(error),
    );
    prometheus = await startPrometheus({ demo: `127.0.0.1:${port}` });
    const target = { origin: service.origin, experiences: newExperiences() };
    const withOutage = databases.postgres.owned;
    for (const { arrivals, durationMs, outage } of planPhases({ quick: true, withOutage })) {
      await Promise.all([
        send(arrivals, [target], crash.signal),
        sleep(durationMs, undefined, { signal: crash.signal }),
        outage && databases.takeAway(outage, crash.signal),
      ]);
    }
    // The last word is scraped within a second.
    await sleep(2_000);
  });

  after(async () => {
    await prometheus?.stop();
    await service?.stop();
    await databases?.stop();
  });

  it('find all its pools, and the scope by which ours are told from others’', async () => {
    const match = '{__name__="db_client_connection_count"}';
    expect(await prometheus.labelValues('db_client_connection_pool_name', match)).include.members([...POOLS]);
    expect(await prometheus.labelValues('otel_scope_name', match)).include(OURS);
  });

  for (const { title, panels } of boards) {
    it(`have data in every panel of ‘${title}’`, async () => {
      expect(await withoutData(panels, 'demo', prometheus, '1m')).deep.equal([]);
    });
  }
});
