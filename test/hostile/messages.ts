/** A server's side of one connection: what it sends first, and what it answers to what it is sent. */
export interface WireProtocol {
  readonly greeting: readonly Buffer[];
  /** Takes what came; gives the answers to what is complete, and keeps the rest. */
  answers(bytes: Buffer): Buffer[];
  /** Whether the client has said goodbye. */
  readonly isOver: boolean;
}

/** A protocol that can be spoken, and well-formed messages of it that nobody has asked for. */
export interface WireKind {
  /** @param connection whose answers say that they came over it. */
  readonly speak: (connection: number) => WireProtocol;
  readonly unasked: readonly Buffer[];
}

/** Messages by a length that the first bytes of each tell. */
class Framed {
  #held = Buffer.alloc(0);

  /** `lengthOf` gives the length of the whole message; undefined while too little has come to tell. */
  take(bytes: Buffer, lengthOf: (held: Buffer) => number | undefined): Buffer[] {
    this.#held = Buffer.concat([this.#held, bytes]);
    const messages: Buffer[] = [];
    for (;;) {
      const length = lengthOf(this.#held);
      if (length === undefined || this.#held.length < length) return messages;
      messages.push(this.#held.subarray(0, length));
      this.#held = this.#held.subarray(length);
    }
  }
}

const zero = Buffer.from([0]);
const text = (value: string) => Buffer.from(value);
const cString = (value: string) => Buffer.concat([text(value), zero]);

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

/** What a statement asks for, its last number, and over which connection. */
function answerTo(sql: string, connection: number): string {
  return `${sql.match(/\d+/g)?.at(-1) ?? '0'}@${connection}`;
}

// ── PostgreSQL ────────────────────────────────────────────────────────────────────────────────────────────────────

const pgMessage = (kind: string, ...body: Buffer[]): Buffer => {
  const bytes = Buffer.concat(body);
  return Buffer.concat([text(kind), int32(bytes.length + 4), bytes]);
};

const READY = pgMessage('Z', text('I'));

const pgError = (severity: string, code: string) =>
  pgMessage('E', cString(`S${severity}`), cString(`V${severity}`), cString(`C${code}`), cString('Mno'), zero);

const column = (name: string) =>
  pgMessage('T', int16(1), cString(name), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0));

const row = (value: string) => pgMessage('D', int16(1), int32(Buffer.byteLength(value)), text(value));

class PgProtocol implements WireProtocol {
  isOver = false;
  readonly greeting: readonly Buffer[] = [];
  readonly #framed = new Framed();
  readonly #connection: number;
  #started = false;
  #bound = '';

  constructor(connection: number) {
    this.#connection = connection;
  }

  answers(bytes: Buffer): Buffer[] {
    const lengthOf = (held: Buffer) => {
      if (held.length < 5) return undefined;
      return this.#started ? held.readInt32BE(1) + 1 : held.readInt32BE(0);
    };
    // One by one: the first message is of another form than those after it.
    const answers: Buffer[] = [];
    for (let rest = bytes; ; rest = Buffer.alloc(0)) {
      const started = this.#started;
      const messages = this.#framed.take(rest, lengthOf);
      answers.push(...messages.flatMap((message) => this.#answer(message)));
      if (started === this.#started) return answers;
    }
  }

  #answer(message: Buffer): Buffer[] {
    if (!this.#started) {
      this.#started = true;
      return [
        pgMessage('R', int32(0)),
        pgMessage('S', cString('server_version'), cString('16.1')),
        pgMessage('K', int32(1 + Math.trunc(performance.now())), int32(7)),
        READY,
      ];
    }
    const body = message.subarray(5);
    switch (String.fromCharCode(message[0]!)) {
      case 'Q': {
        const sql = body.toString('utf8', 0, body.length - 1);
        if (/^\s*$/.test(sql)) return [pgMessage('I'), READY];
        if (/^\s*(begin|commit|rollback)/i.test(sql)) {
          return [pgMessage('C', cString(sql.trim())), pgMessage('Z', text(/begin/i.test(sql) ? 'T' : 'I'))];
        }
        return [
          column('token'),
          row(answerTo(sql, this.#connection)),
          pgMessage('C', cString('SELECT 1')),
          READY,
        ];
      }
      case 'P':
        return [pgMessage('1')];
      case 'B':
        this.#bound = answerTo(body.toString('latin1'), this.#connection);
        return [pgMessage('2')];
      case 'D':
        return [column('token')];
      case 'E':
        return [row(this.#bound), pgMessage('C', cString('SELECT 1'))];
      case 'C':
        return [pgMessage('3')];
      case 'S':
        return [READY];
      case 'X':
        this.isOver = true;
        return [];
      default:
        return [];
    }
  }
}

export const postgres: WireKind = {
  speak: (connection) => new PgProtocol(connection),
  unasked: [
    READY,
    pgError('ERROR', '26000'),
    pgError('ERROR', '0A000'),
    pgError('FATAL', '57P01'),
    pgError('FATAL', '53300'),
    pgMessage('N', cString('SWARNING'), cString('C01000'), cString('Mnotice'), zero),
    pgMessage('A', int32(1), cString('channel'), cString('payload')),
    pgMessage('S', cString('TimeZone'), cString('Nowhere')),
    pgMessage('R', int32(3)),
    pgMessage('I'),
    pgMessage('1'),
    pgMessage('3'),
  ],
};

// ── MySQL ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const mysqlPacket = (sequence: number, ...body: Buffer[]): Buffer => {
  const bytes = Buffer.concat(body);
  const head = Buffer.alloc(4);
  head.writeUIntLE(bytes.length, 0, 3);
  head[3] = sequence;
  return Buffer.concat([head, bytes]);
};

const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const EOF = Buffer.from([0xfe, 0, 0, 2, 0]);
const counted = (value: string) => Buffer.concat([Buffer.from([Buffer.byteLength(value)]), text(value)]);

const mysqlError = (errno: number, state: string) =>
  Buffer.concat([Buffer.from([0xff, errno & 255, errno >> 8]), text(`#${state}no`)]);

/** Protocol 4.1, transactions, secure connection, plug-in authentication; nothing else. */
const CAPABILITIES = 0x0000_0001 | 0x0000_0200 | 0x0000_2000 | 0x0000_8000 | 0x0008_0000;

const GREETING = mysqlPacket(
  0,
  Buffer.from([10]),
  cString('8.0.30'),
  Buffer.from([1, 0, 0, 0]),
  text('12345678'),
  zero,
  Buffer.from([CAPABILITIES & 255, (CAPABILITIES >> 8) & 255, 45, 2, 0]),
  Buffer.from([(CAPABILITIES >> 16) & 255, (CAPABILITIES >> 24) & 255, 21]),
  Buffer.alloc(10),
  cString('123456789012'),
  cString('mysql_native_password'),
);

const DEFINITION = Buffer.concat([
  ...['def', '', '', '', 'token', ''].map(counted),
  Buffer.from([0x0c, 45, 0, 255, 0, 0, 0, 253, 0, 0, 0, 0, 0]),
]);

class MysqlProtocol implements WireProtocol {
  isOver = false;
  readonly greeting = [GREETING];
  readonly #framed = new Framed();
  readonly #connection: number;
  #loggedIn = false;

  constructor(connection: number) {
    this.#connection = connection;
  }

  answers(bytes: Buffer): Buffer[] {
    return this.#framed
      .take(bytes, (held) => (held.length < 4 ? undefined : held.readUIntLE(0, 3) + 4))
      .flatMap((packet) => this.#answer(packet));
  }

  #answer(packet: Buffer): Buffer[] {
    if (!this.#loggedIn) {
      this.#loggedIn = true;
      return [mysqlPacket(packet[3]! + 1, OK)];
    }
    const [command] = packet.subarray(4);
    const sql = packet.toString('utf8', 5);
    if (command === 1) this.isOver = true;
    if (this.isOver) return [];
    if (command !== 3 || !/^\s*select/i.test(sql)) return [mysqlPacket(1, OK)];
    return [
      mysqlPacket(1, Buffer.from([1])),
      mysqlPacket(2, DEFINITION),
      mysqlPacket(3, EOF),
      mysqlPacket(4, counted(answerTo(sql, this.#connection))),
      mysqlPacket(5, EOF),
    ];
  }
}

export const mysql: WireKind = {
  speak: (connection) => new MysqlProtocol(connection),
  unasked: [
    mysqlPacket(0, OK),
    mysqlPacket(1, OK),
    mysqlPacket(9, EOF),
    mysqlPacket(1, mysqlError(1040, '08004')),
    mysqlPacket(1, mysqlError(1053, '08S01')),
    mysqlPacket(0, mysqlError(4031, 'HY000')),
    mysqlPacket(1, Buffer.from([0xfb]), text('/etc/passwd')),
    mysqlPacket(0),
  ],
};
