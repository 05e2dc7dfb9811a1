import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A wire between a client and a server that can be counted, silenced and led elsewhere. */
export class TcpProxy {
  /** Where the next connection leads. */
  target: number;
  /** When each connection was attempted, by `performance.now()`. */
  readonly attempts: number[] = [];
  readonly #server: Server;
  readonly #wires = new Set<Wire>();

  static async before(target: number, host = '127.0.0.1', port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(port, host);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer((client) => this.#lead(client));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** How many connections are open through it. */
  get open(): number {
    return this.#wires.size;
  }

  /** From now on nothing passes on the connections that are open, and nobody is told; new ones are sound. */
  mute(): void {
    for (const wire of this.#wires) wire.muted = true;
  }

  async close(): Promise<void> {
    for (const wire of this.#wires) wire.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #lead(client: Socket): void {
    this.attempts.push(performance.now());
    // As most networks do, it leaves the client's port as it is; another address of the same host has it free.
    const from = { localAddress: '127.0.0.2', localPort: client.remotePort };
    const wire = new Wire(client, connect({ ...from, port: this.target, host: '127.0.0.1', noDelay: true }));
    this.#wires.add(wire);
    client.once('close', () => this.#wires.delete(wire));
  }
}

class Wire {
  muted = false;
  readonly #ends: readonly [Socket, Socket];

  constructor(client: Socket, server: Socket) {
    this.#ends = [client, server];
    client.setNoDelay(true);
    this.#forward(client, server);
    this.#forward(server, client);
  }

  cut(): void {
    for (const end of this.#ends) end.destroy();
  }

  #forward(from: Socket, to: Socket): void {
    from.on('data', (bytes) => {
      if (!this.muted) to.write(bytes);
    });
    from.on('end', () => {
      if (!this.muted) to.end();
    });
    from.on('error', () => {
      if (!this.muted) to.destroy();
    });
    from.on('close', () => {
      if (!this.muted) to.destroySoon();
    });
  }
}
