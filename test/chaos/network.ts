import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A network between a client and a server, with the troubles that networks have. */
export class TroubledNetwork {
  /** How long bytes are on their way, and by how much more at most. */
  latencyMs = 0;
  jitterMs = 0;
  /** Share of the packets that are lost: over TCP a loss is a silence, until the packet is sent again. */
  loss = 0;
  /** How long a connection waits to be taken. */
  acceptDelayMs = 0;
  readonly random: () => number;
  readonly #server: Server;
  readonly #wires = new Set<Wire>();

  static async before(target: number, random: () => number): Promise<TroubledNetwork> {
    const network = new TroubledNetwork(target, random);
    network.#server.listen(0, '127.0.0.1');
    await once(network.#server, 'listening');
    return network;
  }

  private constructor(target: number, random: () => number) {
    this.random = random;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
      client.on('error', () => {});
      setTimeout(() => this.#lead(client, target), this.acceptDelayMs);
    });
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** From now on nothing passes on what is open, and nobody is told. */
  goMute(): void {
    for (const wire of this.#wires) wire.isMute = true;
  }

  /** Ends what is mute, as a network at last does. */
  cutMute(): void {
    for (const wire of this.#wires) if (wire.isMute) wire.cut();
  }

  heal(): void {
    this.latencyMs = 0;
    this.jitterMs = 0;
    this.loss = 0;
    this.acceptDelayMs = 0;
    this.cutMute();
  }

  async close(): Promise<void> {
    for (const wire of this.#wires) wire.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #lead(client: Socket, target: number): void {
    if (client.destroyed) return;
    // It leaves the client's port as it is, as most networks do: another address of this host has it free.
    const from = { localAddress: '127.0.0.2', localPort: client.remotePort! };
    const server = connect({ ...from, port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const wire = new Wire(this, client, server);
    this.#wires.add(wire);
    client.once('close', () => this.#wires.delete(wire));
    client.resume();
  }
}

/** A lost packet is sent again after this, twice that if it is lost again (RFC 6298 has 200 ms as the least in Linux). */
const RESENT_AFTER_MS = 200;

class Wire {
  isMute = false;
  readonly #network: TroubledNetwork;
  readonly #ends: readonly [Socket, Socket];

  constructor(network: TroubledNetwork, client: Socket, server: Socket) {
    this.#network = network;
    this.#ends = [client, server];
    client.setNoDelay(true);
    this.#forward(client, server);
    this.#forward(server, client);
  }

  cut(): void {
    for (const end of this.#ends) end.destroy();
  }

  #forward(from: Socket, to: Socket): void {
    /** What is on its way, in order: nothing overtakes. */
    const underWay: { readonly arrivesAt: number; readonly deliver: () => void }[] = [];
    const arrive = () => {
      while (underWay.length > 0 && underWay[0]!.arrivesAt <= performance.now())
        this.#pass(underWay.shift()!.deliver);
      if (underWay.length > 0) setTimeout(arrive, underWay[0]!.arrivesAt - performance.now());
    };
    const later = (deliver: () => void) => {
      underWay.push({ arrivesAt: performance.now() + this.#delayMs(), deliver });
      if (underWay.length === 1) arrive();
    };
    from.on('data', (bytes) => later(() => void (to.writable && to.write(bytes))));
    from.on('end', () => later(() => to.end()));
    from.on('error', () => this.#pass(() => to.destroy()));
    from.on('close', () => later(() => to.destroySoon()));
    to.on('error', () => {});
  }

  #pass(deliver: () => void): void {
    if (!this.isMute) deliver();
  }

  #delayMs(): number {
    const { latencyMs, jitterMs, loss, random } = this.#network;
    let delayMs = latencyMs + random() * jitterMs;
    for (let againMs = RESENT_AFTER_MS; random() < loss && againMs < 2_000; againMs *= 2) delayMs += againMs;
    return delayMs;
  }
}
