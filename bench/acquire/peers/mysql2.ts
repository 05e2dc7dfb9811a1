import { Duplex } from 'node:stream';
import mysql from 'mysql2';
import { createPool, type PoolConnection } from 'mysql2/promise';
import { observedHost, patchLibrary } from '../../enhancement.js';
import type { PeerPool, PoolWish } from '../peer.js';

/** The part of mysql2's server side that greets a client, which its types leave out. */
interface ServerSide {
  sequenceId: number;
  on(event: 'ping' | 'quit' | 'error', listener: () => void): void;
  serverHandshake(greeting: object): void;
  writeOk(): void;
}

const GREETING = {
  protocolVersion: 10,
  serverVersion: '8.0.0',
  connectionId: 1,
  statusFlags: 2,
  characterSet: 45,
  capabilityFlags: 0xffffff,
  authCallback: (_given: unknown, done: (error: null) => void) => done(null),
};

/** mysql2's pool, by its promise calls. Each connection speaks, in memory, to a server side of its own. */
export async function open({ size, enhanced }: PoolWish): Promise<PeerPool<PoolConnection>> {
  const { host, stop } = observedHost();
  if (enhanced) patchLibrary('mysql2', host);
  const pool = createPool({ connectionLimit: size, stream: () => serverStream() });
  // Now, while what it requires is this peer's own.
  (await pool.getConnection()).release();
  return {
    acquire: () => pool.getConnection(),
    release: (connection) => connection.release(),
    close: async () => {
      // One that has connections out may take its time to end.
      pool.end().catch(() => {});
      await stop();
    },
  };
}

/** Where the sequence number stands in a packet's header; a command's first packet has 0. */
const SEQUENCE_AT = 3;

function serverStream(): Duplex {
  const [client, served] = duplexPair((packet) => {
    // mysql2's server side forgets that every command begins a new sequence, and complains.
    if (packet[SEQUENCE_AT] === 0) side.sequenceId = 0;
  });
  const Connection = (mysql as unknown as { Connection: new (options: object) => ServerSide }).Connection;
  const side = new Connection({ config: { isServer: true, stream: served, maxPreparedStatements: 1 } });
  side.on('ping', () => side.writeOk());
  side.on('error', () => {});
  side.serverHandshake(GREETING);
  return client;
}

/** Two ends: what is written to one is read from the other. */
function duplexPair(onFirstWrite: (packet: Buffer) => void): [Duplex, Duplex] {
  const first: Duplex = end(
    () => second,
    (packet) => onFirstWrite(packet),
  );
  const second: Duplex = end(() => first);
  return [first, second];
}

function end(other: () => Duplex, onWrite: (packet: Buffer) => void = () => {}): Duplex {
  return new Duplex({
    read() {},
    write(packet, _encoding, done) {
      onWrite(packet);
      other().push(packet);
      done();
    },
    final(done) {
      other().push(null);
      done();
    },
  });
}
