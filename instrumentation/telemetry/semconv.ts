// Names of conventions that are still in development, copied as OpenTelemetry asks of libraries: importing them from
// `@opentelemetry/semantic-conventions/incubating` would break with its next minor version. From 1.45.0.

export const ATTR_DB_SYSTEM_NAME = 'db.system.name';
export const ATTR_DB_NAMESPACE = 'db.namespace';
export const ATTR_SERVER_ADDRESS = 'server.address';
export const ATTR_SERVER_PORT = 'server.port';
export const ATTR_ERROR_TYPE = 'error.type';
export const ATTR_POOL_NAME = 'db.client.connection.pool.name';
export const ATTR_CONNECTION_STATE = 'db.client.connection.state';

export const METRIC_CONNECTION_COUNT = 'db.client.connection.count';
export const METRIC_CONNECTION_IDLE_MAX = 'db.client.connection.idle.max';
export const METRIC_CONNECTION_IDLE_MIN = 'db.client.connection.idle.min';
export const METRIC_CONNECTION_LIMIT = 'db.client.connection.limit';
export const METRIC_CONNECTION_PENDING_REQUESTS = 'db.client.connection.pending_requests';
export const METRIC_CONNECTION_TIMEOUTS = 'db.client.connection.timeouts';
export const METRIC_CONNECTION_CREATE_TIME = 'db.client.connection.create_time';
export const METRIC_CONNECTION_WAIT_TIME = 'db.client.connection.wait_time';
export const METRIC_CONNECTION_USE_TIME = 'db.client.connection.use_time';

export const ATTR_DB_QUERY_SUMMARY = 'db.query.summary';
export const ATTR_DB_RESPONSE_STATUS_CODE = 'db.response.status_code';
