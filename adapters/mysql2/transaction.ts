import type { Done, MysqlConnection, MysqlPacket } from './shapes.js';

/** First bytes of an answer's last packet, and where the server's status flags are in it (MySQL client/server protocol). */
const OK = 0x00;
const EOF = 0xfe;
const ERROR = 0xff;
const HEADER_BYTES = 4;
const LONGEST_EOF_BYTES = HEADER_BYTES + 8;
const SERVER_STATUS_IN_TRANS = 0x0001;

/**
 * Reads the status flags that the server sent last. An error packet has none: a statement failed, and whether it stood
 * in a transaction nobody can tell. While a statement is unanswered, or on a version that does not keep the packet, false.
 */
export function mayBeInTransaction(connection: MysqlConnection): boolean {
  const packet = connection.packetParser?._reusablePacket;
  if (packet === undefined || packet.end - packet.start <= HEADER_BYTES) return false;
  const marker = packet.buffer[packet.start + HEADER_BYTES];
  // Behind a failed statement others may be in line, and one of them may be the very `COMMIT`.
  if (marker === ERROR) return connection._commands === undefined || connection._commands.length === 0;
  if (isBusy(connection)) return false;
  const statusAt = marker === OK ? statusOfOk(packet) : marker === EOF ? statusOfEof(packet) : undefined;
  if (statusAt === undefined || statusAt + 2 > packet.end) return false;
  return (packet.buffer.readUInt16LE(statusAt) & SERVER_STATUS_IN_TRANS) !== 0;
}

/** Whether a statement is unanswered. */
export function isBusy({ _command, _commands }: Pick<MysqlConnection, '_command' | '_commands'>): boolean {
  return _command?.next != null || (_commands !== undefined && _commands.length > 0);
}

export function rollBack(connection: Pick<MysqlConnection, 'query'>): Promise<void> {
  return answered((done) => connection.query('ROLLBACK', done));
}

/** What is asked with a callback, as a promise. */
export function answered(ask: (done: Done) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    ask((error) => (error ? reject(error) : resolve()));
  });
}

function statusOfOk({ buffer, start }: MysqlPacket): number {
  const affectedRowsAt = start + HEADER_BYTES + 1;
  const insertIdAt = affectedRowsAt + encodedBytes(buffer[affectedRowsAt]);
  return insertIdAt + encodedBytes(buffer[insertIdAt]);
}

function statusOfEof({ start, end }: MysqlPacket): number | undefined {
  return end - start <= LONGEST_EOF_BYTES ? start + HEADER_BYTES + 3 : undefined;
}

/** Size of a length-encoded integer, by its first byte. */
function encodedBytes(first: number | undefined): number {
  if (first === 0xfc) return 3;
  if (first === 0xfd) return 4;
  return first === 0xfe ? 9 : 1;
}
