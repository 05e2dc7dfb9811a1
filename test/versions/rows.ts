import type { Library } from '../../adapters/host.js';

/** Versions that are tried together. */
export interface Row {
  readonly library: Library;
  readonly version: string;
  readonly packages: Readonly<Record<string, string>>;
  /** Whether its pools are meant to stay stock, with a warning. */
  readonly unsupported?: boolean;
}

/** The newest patch of every minor of pg 8, with the pg-pool that it asked for when it was released. */
const PG = {
  '8.0.3': '3.1.1',
  '8.1.0': '3.2.0',
  '8.2.2': '3.2.1',
  '8.3.3': '3.2.1',
  '8.4.2': '3.2.2',
  '8.5.1': '3.2.2',
  '8.6.0': '3.3.0',
  '8.7.3': '3.5.1',
  '8.8.0': '3.5.2',
  '8.9.0': '3.5.2',
  '8.10.0': '3.6.0',
  '8.11.6': '3.6.2',
  '8.12.0': '3.6.2',
  '8.13.3': '3.7.1',
  '8.14.1': '3.8.0',
  '8.15.6': '3.9.6',
  '8.16.3': '3.10.1',
  '8.17.2': '3.11.0',
  '8.18.0': '3.11.0',
  '8.19.0': '3.12.0',
  '8.20.0': '3.13.0',
  '8.21.0': '3.14.0',
  '8.22.0': '3.14.0',
  '8.23.1': '3.14.0',
};

const MYSQL2 = [
  ...[
    '2.0.2',
    '2.1.0',
    '2.2.5',
    '2.3.3',
    '3.0.1',
    '3.1.2',
    '3.2.4',
    '3.3.5',
    '3.4.5',
    '3.5.2',
    '3.6.5',
    '3.7.1',
  ],
  ...[
    '3.8.0',
    '3.9.9',
    '3.10.3',
    '3.11.5',
    '3.12.0',
    '3.13.0',
    '3.14.5',
    '3.15.3',
    '3.16.3',
    '3.17.5',
    '3.18.2',
  ],
  ...['3.19.1', '3.20.0', '3.21.1', '3.22.6', '3.23.4', '3.24.6'],
];

const KNEX = [
  ...[
    '0.95.15',
    '1.0.7',
    '2.0.0',
    '2.1.0',
    '2.2.0',
    '2.3.0',
    '2.4.2',
    '2.5.1',
    '3.0.1',
    '3.1.0',
    '3.2.10',
    '3.3.0',
  ],
];

const CURRENT = { pg: '8.23.1', 'pg-pool': '3.14.0', mysql2: '3.24.6', knex: '3.3.0' };

const knex = (version: string): Row => ({
  library: 'knex',
  version,
  packages: { ...CURRENT, knex: version },
});

/** What is tried on the oldest line of Node. */
export const ROWS: readonly Row[] = [
  ...Object.entries(PG).map(
    ([pg, pool]): Row => ({ library: 'pg', version: pg, packages: { pg, 'pg-pool': pool } }),
  ),
  // What a fresh installation of the oldest gives.
  { library: 'pg', version: '8.0.3', packages: { pg: '8.0.3', 'pg-pool': CURRENT['pg-pool'] } },
  ...MYSQL2.map((mysql2): Row => ({ library: 'mysql2', version: mysql2, packages: { mysql2 } })),
  { library: 'mysql2', version: '1.7.0', packages: { mysql2: '1.7.0' }, unsupported: true },
  ...KNEX.map(knex),
  { ...knex('0.21.21'), unsupported: true },
];

/** What is tried on later lines of Node, and beside other lines of OpenTelemetry. */
export const CURRENT_ROWS: readonly Row[] = [
  { library: 'pg', version: CURRENT.pg, packages: CURRENT },
  { library: 'mysql2', version: CURRENT.mysql2, packages: CURRENT },
  { library: 'knex', version: CURRENT.knex, packages: CURRENT },
];

/** The newest of the second line of OpenTelemetry JS, and the stock instrumentations that go with it. */
export const OPENTELEMETRY_2 = {
  ...CURRENT,
  '@opentelemetry/api': '1.9.1',
  '@opentelemetry/instrumentation': '0.223.0',
  '@opentelemetry/instrumentation-knex': '0.67.0',
  '@opentelemetry/instrumentation-mysql2': '0.69.0',
  '@opentelemetry/instrumentation-pg': '0.76.0',
  '@opentelemetry/sdk-metrics': '2.12.0',
  '@opentelemetry/sdk-node': '0.223.0',
  '@opentelemetry/sdk-trace': '2.12.0',
};
