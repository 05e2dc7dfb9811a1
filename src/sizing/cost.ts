/**
 * What a connection that stands open for a second is worth, in milliseconds of one caller's wait. Everything in this
 * room weighs connections against waits at this price.
 */
export const CONNECTION_SECOND_MS = 0.5;

/** A share of callers that is none. */
const NOBODY = 1e-9;

/** What `connections` cost that stand open for `lastedMs`, in milliseconds of one caller's wait. */
export function keepingMs(connections: number, lastedMs: number): number {
  return (connections * lastedMs * CONNECTION_SECOND_MS) / 1_000;
}

/** A demand for connections, as far as it decides who has to wait. */
export interface Demand {
  /** The most connections that would have been needed at once: leased ones and callers in the queue. */
  readonly peak: number;
  /** Offered load: arrivals × hold, in connections. */
  readonly load: number;
  /** Mean time a lease is held. */
  readonly holdMs: number;
  /** A slow, not the slowest, time to open a connection: its 95th percentile. */
  readonly connectMs: number;
}

/**
 * Milliseconds that callers wait together when a demand meets `warm` connections, until others have opened. Those who come
 * at once share the releases (a queue that drains by `warm / holdMs`) or wait for a connection to open, where that is sooner.
 * Those who come meanwhile queue as at a counter with `warm` servers (Erlang's formula C), or gather,
 * `(load − warm) / holdMs` a millisecond, where that is too few for the load.
 */
export function coldWaitMs({ peak, load, holdMs, connectMs }: Demand, warm: number): number {
  const short = peak - warm;
  if (short <= 0) return 0;
  if (warm === 0 || holdMs <= 0)
    return Math.max(short, holdMs > 0 ? (load * connectMs) / (2 * holdMs) : 0) * connectMs;
  const atOnce = short * Math.min(connectMs, ((short + 1) * holdMs) / (2 * warm));
  const gathering = (Math.max(0, load - warm) * connectMs * connectMs) / (2 * holdMs);
  const queueMs = load < warm ? (holdMs * shareWhoQueue(load, warm)) / (warm - load) : connectMs;
  const queueing = ((load * connectMs) / holdMs) * Math.min(queueMs, connectMs / 4);
  return Math.max(atOnce, gathering, queueing);
}

/** Erlang C by the recursion of Erlang B, which ends where hardly anybody queues. */
function shareWhoQueue(load: number, servers: number): number {
  let blocked = 1;
  for (let count = 1; count <= servers && blocked > NOBODY; count += 1)
    blocked = (load * blocked) / (count + load * blocked);
  return (servers * blocked) / (servers - load * (1 - blocked));
}
