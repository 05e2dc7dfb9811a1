import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import pg from 'pg';
import { mysqlSessions } from '../../adapters/mysql2/sessions.js';
import type { MysqlConnection } from '../../adapters/mysql2/shapes.js';
import { pgSessions } from '../../adapters/pg/sessions.js';
import type { PgClient } from '../../adapters/pg/shapes.js';
import {
  askable,
  bytesReadOf,
  type ClientSide,
  type ListedSession,
  restingOf,
} from '../../adapters/sessions.js';

const SERVER = { remoteAddress: '10.0.0.1', remotePort: 5432 };
const itself = (side: ClientSide) => side;

function side(id: number, localPort: number, server: object = SERVER): ClientSide {
  return { id, socket: { destroyed: false, localPort, ...server } };
}

function session(id: number, port: number, rests = true, more: Partial<ListedSession> = {}): ListedSession {
  return { id, port, rests, user: 'app', address: '10.0.0.9', ...more };
}

describe('the sessions that a server lists', () => {
  const [asker, near, far] = [side(100, 50_100), side(101, 50_101), side(200, 50_200)];
  const own = session(100, 50_100, false);
  const resting = (listed: ListedSession[]) => restingOf(asker, 100, [near, far], itself, listed);

  it('are dead to their client when they rest', () => {
    expect(resting([own, session(101, 50_101), session(200, 50_200, false)])).deep.equal([near]);
  });

  it('do not tell of one that is not among them: another server may have it', () => {
    expect(resting([own, session(101, 50_101, false)])).deep.equal([]);
  });

  it('are not those of the same number on another server', () => {
    expect(resting([own, session(101, 61_000)])).deep.equal([]);
    expect(resting([own, session(101, 50_101, true, { user: 'other' })])).deep.equal([]);
    expect(resting([own, session(101, 50_101, true, { address: '10.0.0.8' })])).deep.equal([]);
  });

  it('tell nothing where something in between changes ports or numbers', () => {
    expect(resting([session(100, 61_000, false), session(101, 50_101)])).deep.equal([]);
    expect(restingOf(asker, 7, [near], itself, [own, session(101, 50_101)])).deep.equal([]);
    expect(restingOf(asker, Number.NaN, [near], itself, [])).deep.equal([]);
  });

  it('are asked for only where they lead to the same address', () => {
    const replica = side(102, 50_102, { remoteAddress: '10.0.0.2', remotePort: 5432 });
    const proxied = side(103, 50_103, { remoteAddress: '10.0.0.1', remotePort: 6432 });
    const unnumbered: ClientSide = { ...side(0, 50_104), id: undefined };
    expect(askable(asker, [near, replica, proxied, unnumbered], itself)).deep.equal([near]);
    const local: ClientSide = { id: 100, socket: { destroyed: false } };
    expect(askable(local, [{ id: 101, socket: { destroyed: false } }], itself), 'no TCP').deep.equal([]);
  });
});

describe('bytes that are heard', () => {
  /** A socket that counts nothing by itself. */
  const socket = () => Object.assign(new PassThrough(), { bytesRead: 7 });

  it('are told of a socket that is read as they come', () => {
    const read = socket().on('data', () => {});
    expect(bytesReadOf(read)).equal(7);
    read.pause();
    expect(bytesReadOf(read), 'paused').equal(undefined);
    read.write('unread');
    read.isPaused = () => false;
    Object.defineProperty(read, 'readableFlowing', { value: true });
    expect(bytesReadOf(read), 'unread').equal(undefined);
    read.destroy();
    expect(bytesReadOf(read)).equal(undefined);
  });

  it('are told of queries of pg, and of nothing that streams', () => {
    const stream = socket().on('data', () => {});
    const client = Object.assign(new pg.Client(), { readyForQuery: false, connection: { stream } });
    const heard = (_activeQuery: unknown) =>
      pgSessions.bytesHeard(Object.assign(client, { _activeQuery }) as never as PgClient);
    expect(heard(new pg.Query('SELECT 1'))).equal(7);
    expect(heard({ submit() {} })).equal(undefined);
    expect(heard(null)).equal(undefined);
  });

  it('are not told of a mysql2 connection that a slow reader has paused', () => {
    const stream = socket().on('data', () => {});
    const heard = (_paused: boolean) =>
      mysqlSessions.bytesHeard({ stream, _paused, _command: { next() {} } } as never as MysqlConnection);
    expect(heard(false)).equal(7);
    expect(heard(true)).equal(undefined);
  });
});

describe('a mysql2 connection that is cut', () => {
  it('tells those of its commands that have no callback', async () => {
    const stream = new PassThrough().on('error', () => {});
    const told: unknown[] = [];
    const command = () => new EventEmitter().on('error', (error) => told.push(error));
    const [streaming, unheard] = [command(), new EventEmitter()];
    const called = Object.assign(command(), { onResult() {} });
    const waiting = { length: 2, toArray: () => [called, unheard] };
    const connection = { stream, _command: streaming, _commands: waiting };
    const error = new Error('dead');
    mysqlSessions.sever(connection as never as MysqlConnection, error);
    await new Promise((resolve) => stream.once('close', resolve));
    expect(told).deep.equal([error]);
  });
});
