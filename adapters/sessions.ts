/** What a driver tells of a connection's session on the server, where it can. */
export interface Sessions<Connection> {
  /** Bytes received so far, while an answer is owed; undefined while none is, or where the driver does not tell. */
  bytesHeard(connection: Connection): number | undefined;
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
