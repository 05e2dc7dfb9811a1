import type { Route } from '../../src/index.js';
import type { FakeConnection } from '../simulation/fake-driver.js';
import { MuteDriver } from '../simulation/mute-driver.js';

const HOST = 'writer.example';

/** A server with a name, which its connections lead to, and whose connections remember what was prepared on them. */
export class SwarmDriver extends MuteDriver {
  /** Connections that nobody may have before they have answered. */
  readonly doubted = new Set<FakeConnection>();
  lookUps = 0;
  /** Whether names can be looked up. */
  canLookUp = true;
  #address = 1;
  readonly #addresses = new WeakMap<FakeConnection, number>();
  readonly #prepared = new WeakMap<FakeConnection, Set<string>>();

  override async open(): Promise<FakeConnection> {
    const connection = await super.open();
    this.#addresses.set(connection, this.#address);
    return connection;
  }

  override async check(connection: FakeConnection): Promise<void> {
    await super.check(connection);
    this.doubted.delete(connection);
  }

  mustCheck(connection: FakeConnection): boolean {
    return this.doubted.has(connection);
  }

  hasPrepared(connection: FakeConnection, statement: string): boolean {
    return this.#prepared.get(connection)?.has(statement) === true;
  }

  prepare(connection: FakeConnection, statement: string): void {
    this.#prepared.set(connection, (this.#prepared.get(connection) ?? new Set()).add(statement));
  }

  route(connection: FakeConnection): Route {
    return { host: HOST, address: addressOf(this.#addresses.get(connection)!) };
  }

  /** From now on the name leads elsewhere; connections of before go on as they are. */
  move(): void {
    this.#address += 1;
  }

  leadsAstray(connection: FakeConnection): boolean {
    return this.#addresses.get(connection) !== this.#address;
  }

  async lookUp(): Promise<readonly string[]> {
    this.lookUps += 1;
    await new Promise<void>((resolve) => this.runtime.schedule(1, resolve));
    if (!this.canLookUp) throw new Error('EAI_AGAIN');
    return [addressOf(this.#address)];
  }

  /** What is mute ends, as it does at last in every network. */
  cutMute(): void {
    for (const connection of [...this.mute]) {
      if (!connection.closed) this.sever(connection, connectionLost());
      this.mute.delete(connection);
    }
  }
}

export function connectionLost(): Error {
  return Object.assign(new Error('connection lost'), { code: 'ECONNRESET' });
}

function addressOf(number: number): string {
  return `10.0.0.${number}`;
}
