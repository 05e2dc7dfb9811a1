import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { WireKind, WireProtocol } from './messages.js';

/** Chance, from 0 to 1. */
export type Random = () => number;

/** What may become of one thing that a server was to send. */
type Prank = (socket: Socket, bytes: Buffer, kind: WireKind, random: Random) => void;

/** After a prank the connection ends at the latest so much later: nobody is to wait for ever. */
const ENDS_AFTER_MS = 100;

const pranks: Readonly<Record<string, Prank>> = {
  closes: (socket) => socket.end(),
  resets: (socket) => socket.resetAndDestroy(),
  'closes in the middle': (socket, bytes, _kind, random) =>
    socket.end(bytes.subarray(0, Math.floor(random() * bytes.length))),
  'falls silent': () => {},
  'falls silent in the middle': (socket, bytes, _kind, random) => {
    socket.write(bytes.subarray(0, Math.floor(random() * bytes.length)));
  },
  'talks rubbish': (socket, _bytes, _kind, random) => {
    socket.write(Buffer.from(Array.from({ length: 1 + Math.floor(random() * 60) }, () => random() * 256)));
  },
  'garbles a byte': (socket, bytes, _kind, random) => {
    const garbled = Buffer.from(bytes);
    if (garbled.length > 0) garbled[Math.floor(random() * garbled.length)] = random() * 256;
    socket.write(garbled);
  },
  'says more than was asked': (socket, bytes, { unasked }, random) => {
    const more = unasked[Math.floor(random() * unasked.length)]!;
    socket.write(Buffer.concat(random() < 0.5 ? [bytes, more] : [more, bytes]));
  },
  'says something else': (socket, _bytes, { unasked }, random) => {
    socket.write(unasked[Math.floor(random() * unasked.length)]!);
  },
  'says it twice': (socket, bytes) => {
    socket.write(Buffer.concat([bytes, bytes]));
  },
};

export const PRANKS: readonly string[] = Object.keys(pranks);

/** A server that on some connections keeps to its protocol up to a point only. */
export class HostileServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What it did, for a failure to tell. */
  readonly played: string[] = [];
  /** The prank that it played on each connection, counted from 1. */
  readonly playedOn = new Map<number, string>();
  #connections = 0;
  /** Share of the connections on which it plays a prank sooner or later. */
  hostility = 0.5;
  /** Whether it keeps to its protocol for now, on all connections. */
  isPeaceful = false;
  /** After how many things said it plays one; drawn for each connection while undefined. */
  playsAfter: number | undefined = undefined;
  /** What it may play. */
  pranks: readonly string[] = PRANKS;

  static async start(kind: WireKind, random: Random): Promise<HostileServer> {
    const server = new HostileServer(kind, random);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  private constructor(kind: WireKind, random: Random) {
    this.#server = createServer((socket) => this.#serve(socket, kind, random));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket, kind: WireKind, random: Random): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    this.#connections += 1;
    const connection = this.#connections;
    const protocol: WireProtocol = kind.speak(connection);
    // The first few things that are said are a login; what comes after that are answers.
    const drawn = this.playsAfter ?? Math.floor(random() ** 2 * 14);
    const saysSoundly = random() < this.hostility ? drawn : Number.POSITIVE_INFINITY;
    const prank = this.pranks[Math.floor(random() * this.pranks.length)]!;
    let said = 0;
    const say = (bytes: Buffer) => {
      if (this.isPeaceful) return void socket.write(bytes);
      said += 1;
      if (said <= saysSoundly) {
        socket.write(bytes);
      } else if (said === saysSoundly + 1) {
        this.played.push(`${prank}, after ${saysSoundly}`);
        this.playedOn.set(connection, prank);
        pranks[prank]!(socket, bytes, kind, random);
        setTimeout(() => socket.destroy(), random() * ENDS_AFTER_MS);
      }
    };
    if (protocol.greeting.length > 0) say(Buffer.concat(protocol.greeting));
    socket.on('data', (bytes) => {
      for (const answer of inPieces(protocol.answers(bytes), random)) if (socket.writable) say(answer);
      if (protocol.isOver) socket.end();
    });
  }
}

/** Messages as they may come over a wire: some together, others apart. */
function inPieces(messages: readonly Buffer[], random: Random): Buffer[] {
  const pieces: Buffer[] = [];
  for (const message of messages) {
    const last = pieces.pop();
    if (last === undefined) pieces.push(message);
    else if (random() < 0.7) pieces.push(Buffer.concat([last, message]));
    else pieces.push(last, message);
  }
  return pieces;
}
