import type { PrivateServer, StopMode } from './private-server.js';

/** How to reach a database. */
export interface Address {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface DatabaseOptions {
  /** The server's own settings, such as `{ max_connections: 20 }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** A database to connect to, and for one of our own, the power over its server. */
export interface Database extends Address {
  /** Whether it is ours to break. A database given by PG_URL or MYSQL_URL is not. */
  readonly owned: boolean;
  /** The server's process; undefined while it is halted, or when it is not ours. */
  readonly pid: number | undefined;
  readonly directory: string | undefined;
  readonly binary: string | undefined;
  log(): string;
  /** Shuts down and keeps the data and the port, for `resume`. */
  halt(options?: { mode?: StopMode }): Promise<void>;
  resume(): Promise<void>;
  restart(options?: { mode?: StopMode }): Promise<void>;
  /** A hung server: connections stay open, new ones are taken by the kernel, nothing answers. */
  freeze(): void;
  thaw(): void;
  /** Shuts down and removes every trace; nothing, when it is not ours. */
  stop(): Promise<void>;
}

export function ownDatabase(
  server: PrivateServer,
  login: Omit<Address, 'url' | 'host' | 'port'> & { scheme: string },
): Database {
  const { scheme, user, password, database } = login;
  const host = '127.0.0.1';
  const { port } = server;
  const credentials = password ? `${user}:${password}` : user;
  return {
    url: `${scheme}://${credentials}@${host}:${port}/${database}`,
    host,
    port,
    user,
    password,
    database,
    owned: true,
    get pid() {
      return server.pid;
    },
    directory: server.directory,
    binary: server.binary,
    log: () => server.log(),
    halt: (options) => server.halt(options),
    resume: () => server.resume(),
    restart: (options) => server.restart(options),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    stop: () => server.stop(),
  };
}

/** The database that an environment variable names, if it is set. */
export function givenDatabase(variable: string, scheme: RegExp, defaultPort: number): Database | undefined {
  const url = process.env[variable];
  if (!url) return undefined;
  if (!URL.canParse(url) || !scheme.test(url)) {
    throw new Error(`${variable} must look like ${example(variable)}; its value does not`);
  }
  const parts = new URL(url);
  const refuse = (): never => {
    throw new Error(
      `The server of ${variable} is not ours to break: unset ${variable} and we start one that is`,
    );
  };
  return {
    url,
    host: parts.hostname,
    port: Number(parts.port || defaultPort),
    user: decodeURIComponent(parts.username),
    password: decodeURIComponent(parts.password),
    database: decodeURIComponent(parts.pathname.slice(1)),
    owned: false,
    pid: undefined,
    directory: undefined,
    binary: undefined,
    log: refuse,
    halt: refuse,
    resume: refuse,
    restart: refuse,
    freeze: refuse,
    thaw: refuse,
    stop: async () => {},
  };
}

/** One error that says what was tried and how to get a database. */
export function missingDatabase(
  name: string,
  variable: string,
  tried: readonly string[],
  remedies: readonly string[],
): Error {
  const ways = [`set ${variable}=${example(variable)}`, ...remedies];
  return new Error(
    [
      `There is no ${name} to run against. Tried:`,
      ...[`${variable} is not set`, ...tried].map((place) => `  - ${place}`),
      'Ways to get one:',
      ...ways.map((way, index) => `  ${index + 1}. ${way}`),
    ].join('\n'),
  );
}

function example(variable: string): string {
  return variable === 'PG_URL'
    ? 'postgres://user:password@host:5432/database'
    : 'mysql://user:password@host:3306/database';
}
