/** How a peer's pool is to be made. Its resources open at once and are of no use. */
export interface PoolWish {
  readonly size: number;
  /** On our engine, with our metrics, or as the library ships it. */
  readonly enhanced: boolean;
  /** Default: the library's own. */
  readonly acquireTimeoutMs?: number;
}

/** A pool under test, by its own calls and nothing in between. */
export interface PeerPool<Held = unknown> {
  acquire(): Promise<Held>;
  release(held: Held): unknown;
  /** Whether a caller who releases awaits that. */
  readonly releaseSettles?: boolean;
  /** Acquires and releases without a promise, where there is such a thing. */
  tryOnce?(): unknown;
  close(): unknown;
}

/** What every file in `peers/` exports. */
export interface PeerModule {
  open(wish: PoolWish): Promise<PeerPool>;
}

/** No resource is closed for having been idle while a peer awaits its turn. */
export const LONG_IDLE_MS = 600_000;
