import dns from 'node:dns';
import { isIP } from 'node:net';
import type { Dialect, Route } from '../src/index.js';

/** What a driver tells of a connection's session on the server, where it can. */
export interface Sessions<Connection> {
  /** How to read statements, and the methods of a connection that run one. */
  readonly dialect: Dialect;
  readonly runs: readonly string[];
  /**
   * Bytes received so far, while an answer is owed and read as it comes; undefined while none is, while the reader is paused or
   * what came is unread, and where the driver does not tell.
   */
  bytesHeard(connection: Connection): number | undefined;
  /** Bytes received so far, while no answer is owed; undefined while one is, and where the driver does not tell. */
  bytesAtRest(connection: Connection): number | undefined;
  /** The way to the server; undefined where its address was given, or the socket was made by others. */
  route(connection: Connection): Route | undefined;
  /** A round trip to the server. */
  ask(connection: Connection): Promise<void>;
  /**
   * Asks the server which of `silent` it is not working for. What it does not tell is left out: a pooler in between gives other
   * session numbers than the server's. Rejects only when `connection` is lost.
   */
  findDead(connection: Connection, silent: readonly Connection[]): Promise<Connection[]>;
  /** Destroys the connection: whoever awaits an answer on it is told `error`. */
  sever(connection: Connection, error: Error): void;
}

/** The part of a connection's socket, plain or TLS, that we rely on. */
export interface SessionSocket {
  readonly destroyed?: boolean;
  readonly bytesRead?: number;
  readonly readableFlowing?: boolean | null;
  readonly readableLength?: number;
  isPaused?(): boolean;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** A connection as the client knows it. */
export interface ClientSide {
  /** The session's number, as the server gave it. */
  readonly id: number | null | undefined;
  readonly socket: SessionSocket | undefined;
}

/** A session as the server lists it. */
export interface ListedSession {
  readonly id: number;
  readonly user: string;
  /** The client, as the server sees it. */
  readonly address: string;
  readonly port: number;
  /** Whether it works for nobody, and has not for a while. */
  readonly rests: boolean;
}

/** Bytes received on a socket that is read as they come. */
export function bytesReadOf(socket: SessionSocket | undefined): number | undefined {
  if (socket === undefined || socket.destroyed !== false) return undefined;
  // A reader that is slow makes a socket as silent as a dead network does.
  const isRead =
    socket.isPaused?.() !== true && socket.readableFlowing !== false && !(socket.readableLength! > 0);
  return isRead ? socket.bytesRead : undefined;
}

/** IPv4 as it reads on a socket of IPv6. */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/** The way of a socket that a driver opened to `host`: undefined where that is no name, or one that never leads elsewhere. */
export function routeOf(host: unknown, socket: SessionSocket | undefined): Route | undefined {
  const address = socket?.remoteAddress?.replace(MAPPED, '');
  if (typeof host !== 'string' || address === undefined) return undefined;
  if (host === 'localhost' || host.startsWith('/') || isIP(host) !== 0) return undefined;
  return { host, address };
}

/** For all pools: one that hangs takes a thread of which there are few. */
const lookups = new Map<string, Promise<readonly string[]>>();

/** Asks as drivers do who are given a name: the file of hosts, and whatever has taken the place of `dns.lookup`, are heeded. */
export function lookUp(host: string): Promise<readonly string[]> {
  const pending = lookups.get(host);
  if (pending !== undefined) return pending;
  const answer = new Promise<readonly string[]>((resolve, reject) => {
    dns.lookup(host, { all: true }, (error, found) => {
      lookups.delete(host);
      if (error) reject(error);
      else resolve(found.map(({ address }) => address.replace(MAPPED, '')));
    });
  });
  lookups.set(host, answer);
  return answer;
}

/** Those whose session the server of `asker` may list: they lead to the same address. */
export function askable<C>(
  asker: ClientSide,
  silent: readonly C[],
  sideOf: (connection: C) => ClientSide,
): C[] {
  if (!Number.isInteger(asker.id) || asker.socket?.remoteAddress === undefined) return [];
  const { remoteAddress, remotePort } = asker.socket;
  return silent.filter((connection) => {
    const { id, socket } = sideOf(connection);
    return (
      Number.isInteger(id) && socket?.remoteAddress === remoteAddress && socket?.remotePort === remotePort
    );
  });
}

/**
 * Those of `silent` that the server lists as resting. Behind one address there may be several servers, whose session numbers
 * may be the same: a listed session is ours only when its user, its client's address and its client's port are, too. Where the
 * asker's own port is another one to the server, something in between changes ports, and nobody can be told from another.
 */
export function restingOf<C>(
  asker: ClientSide,
  ownId: number,
  silent: readonly C[],
  sideOf: (connection: C) => ClientSide,
  listed: readonly ListedSession[],
): C[] {
  const sessionOf = ({ id, socket }: ClientSide) =>
    listed.find((session) => session.id === id && session.port === socket?.localPort);
  const own = sessionOf(asker);
  if (own === undefined || own.id !== ownId) return [];
  return silent.filter((connection) => {
    const session = sessionOf(sideOf(connection));
    return session?.rests === true && session.user === own.user && session.address === own.address;
  });
}
