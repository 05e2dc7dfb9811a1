/** What we use of a client of node-redis, the package `redis`, 4.3 and later. */
export interface RedisClient {
  /** Another client to the same server, its options changed as given. */
  duplicate(options?: object): RedisClient;
  connect(): Promise<unknown>;
  /** Lets the process end though it is connected. */
  unref(): void;
  on(event: 'error' | 'end', listener: (error?: unknown) => void): unknown;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  hDel(key: string, field: string): Promise<unknown>;
  subscribe(channels: string[], listener: (message: string, channel: string) => void): Promise<unknown>;
  /** Ends it at once. From 5 on. */
  destroy?(): void;
  /** Ends it at once. In 4. */
  disconnect?(): Promise<unknown>;
}

/** The package `redis`. */
export interface RedisModule {
  /** From 4 on. */
  createCluster?: unknown;
  createClient(options: object): RedisClient;
}
