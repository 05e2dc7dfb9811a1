import type { Attributes } from '@opentelemetry/api';
import type { PoolInfo } from '../../adapters/host.js';
import { PoolError } from '../../src/index.js';
import { ATTR_DB_NAMESPACE, ATTR_DB_SYSTEM_NAME, ATTR_SERVER_ADDRESS, ATTR_SERVER_PORT } from './semconv.js';

/** The database behind a pool, as every signal of the pool carries it (conventions 1.45). */
export function databaseIdentity(info: PoolInfo): Attributes {
  const identity: Attributes = { [ATTR_DB_SYSTEM_NAME]: info.system };
  if (info.database) identity[ATTR_DB_NAMESPACE] = info.database;
  if (info.serverAddress) identity[ATTR_SERVER_ADDRESS] = info.serverAddress;
  if (isPort(info.serverPort)) identity[ATTR_SERVER_PORT] = info.serverPort;
  return identity;
}

/** What the conventions call a pool that the application gave no name. */
export function defaultPoolName(info: PoolInfo): string {
  if (info.database) return info.database;
  if (info.serverAddress) return serverName(info.serverAddress, info.serverPort);
  return info.system || info.library;
}

function serverName(address: string, port: number | undefined): string {
  if (!isPort(port)) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function isPort(port: number | undefined): port is number {
  return port !== undefined && Number.isInteger(port) && port > 0;
}

/** Codes of drivers and servers: SQLSTATE, `ECONNREFUSED`, `ER_ACCESS_DENIED_ERROR`. */
const CODE = /^[A-Z0-9_]{3,50}$/;

/** `error.type`: a code or a class, few in number. Never the message, which may quote anything. */
export function errorType(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '_OTHER';
  const { code, constructor: kind } = error as { code?: unknown; constructor?: { name?: unknown } };
  if (typeof code === 'string' && CODE.test(code)) return code;
  const name = kind?.name;
  return typeof name === 'string' && name !== '' && name !== 'Object' ? name : '_OTHER';
}

/** What a span says of a failure: the pool's numbers if there are any, never the driver's words. */
export function errorDescription(error: unknown): string {
  const { stats } = error instanceof PoolError ? error : { stats: undefined };
  if (stats === undefined) return errorType(error);
  return (
    `${errorType(error)}: ${stats.leased} leased, ${stats.idle} idle, ${stats.opening} opening ` +
    `of max ${stats.limit}; ${stats.waiting} still waiting`
  );
}
