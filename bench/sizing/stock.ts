import { Agenda } from './agenda.js';
import { CONNECT_MS, cost, MAX, type Outcome, Tally } from './outcome.js';
import type { Workload } from './workloads.js';

/** What distinguishes the stock pools from each other where sizing is concerned. */
interface StockPolicy {
  /** `early`: a caller who has a connection opened waits for that one; `late`: for whichever comes first. */
  readonly binding: 'early' | 'late';
  /** Infinite: connections never idle out. */
  readonly idleTimeoutMs: number;
  readonly min: number;
  /** How often idle connections are looked through; 0 where each has its own timer. */
  readonly reapEveryMs: number;
}

/** As read in pg-pool 3.14, mysql2 3.24 and tarn 3.1 as knex sets it up, all at their defaults but for the common max. */
export const STOCK: Readonly<Record<string, StockPolicy>> = {
  'pg-pool': { binding: 'early', idleTimeoutMs: 10_000, min: 0, reapEveryMs: 0 },
  mysql2: { binding: 'early', idleTimeoutMs: Number.POSITIVE_INFINITY, min: 0, reapEveryMs: 0 },
  tarn: { binding: 'late', idleTimeoutMs: 30_000, min: 2, reapEveryMs: 1_000 },
};

interface Idle {
  readonly connection: number;
  readonly since: number;
}

type Event =
  | { readonly kind: 'release'; readonly connection: number }
  | { readonly kind: 'connected'; readonly caller: number }
  | { readonly kind: 'expiry' };

/** Replays a workload on a model of a stock pool. */
export function replayStock(workload: Workload, policy: StockPolicy, unavoidableWaitMs: number): Outcome {
  const { arrivals, holds, durationMs } = workload;
  const tally = new Tally(workload);
  const agenda = new Agenda<Event>();
  /** When each began to open that is open now. */
  const openedAt = new Map<number, number>();
  const idle: Idle[] = [];
  const queue: number[] = [];
  let head = 0;
  let opened = 0;
  let open = 0;
  let opening = 0;

  const lease = (connection: number, caller: number, now: number) => {
    tally.waits[caller] = now - arrivals[caller]!;
    agenda.add(now + holds[caller]!, { kind: 'release', connection });
  };
  const startOpening = (caller: number, now: number) => {
    open += 1;
    opening += 1;
    tally.creates += 1;
    agenda.add(now + CONNECT_MS, { kind: 'connected', caller });
  };
  const offer = (connection: number, now: number) => {
    if (head < queue.length) {
      lease(connection, queue[head]!, now);
      head += 1;
    } else {
      idle.push({ connection, since: now });
      if (Number.isFinite(policy.idleTimeoutMs) && policy.reapEveryMs === 0) {
        agenda.add(now + policy.idleTimeoutMs, { kind: 'expiry' });
      }
    }
  };
  const expire = (now: number) => {
    while (idle.length > 0 && open > policy.min && now - idle[0]!.since >= policy.idleTimeoutMs) {
      const { connection } = idle.shift()!;
      tally.connectionMs += now - openedAt.get(connection)!;
      openedAt.delete(connection);
      open -= 1;
    }
  };
  const arrive = (caller: number, now: number) => {
    const free = idle.pop();
    if (free !== undefined) return lease(free.connection, caller, now);
    if (policy.binding === 'early' && open < MAX) return startOpening(caller, now);
    queue.push(caller);
    if (policy.binding === 'late' && open < MAX && queue.length - head > opening) startOpening(caller, now);
  };

  if (policy.reapEveryMs > 0) {
    for (let at = policy.reapEveryMs; at < durationMs; at += policy.reapEveryMs)
      agenda.add(at, { kind: 'expiry' });
  }
  let next = 0;
  while (next < arrivals.length || agenda.length > 0) {
    const arrivesAt = arrivals[next] ?? Number.POSITIVE_INFINITY;
    if (arrivesAt <= agenda.nextAt) {
      arrive(next, arrivesAt);
      next += 1;
      continue;
    }
    const now = agenda.nextAt;
    if (now > durationMs && next >= arrivals.length && head >= queue.length) break;
    const event = agenda.take()!;
    if (event.kind === 'expiry') expire(now);
    else if (event.kind === 'release') offer(event.connection, now);
    else {
      const connection = opened;
      opened += 1;
      openedAt.set(connection, now - CONNECT_MS);
      opening -= 1;
      if (policy.binding === 'early') lease(connection, event.caller, now);
      else offer(connection, now);
    }
  }
  for (const since of openedAt.values()) tally.connectionMs += Math.max(0, durationMs - since);
  return tally.outcome(unavoidableWaitMs);
}

/** Replays a workload on `size` connections, all opened at the start: whoever comes before they are there waits. */
export function replayFixed(
  workload: Workload,
  size: number,
  unavoidableWaitMs: number,
  openAtMs = CONNECT_MS,
): Outcome {
  const { arrivals, holds, durationMs } = workload;
  const tally = new Tally(workload);
  const freeAt = new Float64Array(size).fill(openAtMs);
  for (const [caller, at] of arrivals.entries()) {
    let first = 0;
    for (let connection = 1; connection < size && freeAt[first]! > at; connection += 1) {
      if (freeAt[connection]! < freeAt[first]!) first = connection;
    }
    const startsAt = Math.max(at, freeAt[first]!);
    freeAt[first] = startsAt + holds[caller]!;
    tally.waits[caller] = startsAt - at;
  }
  tally.connectionMs = size * durationMs;
  tally.creates = size;
  return tally.outcome(unavoidableWaitMs);
}

/**
 * What one who knows the future would do: nobody waits for more than `MAX` connections makes unavoidable, the newest
 * idle connection is taken first, and one is kept only through those gaps that are shorter than opening another.
 */
export function replayOracle(workload: Workload, unavoidableWaitMs: number): Outcome {
  const { arrivals, holds } = workload;
  const tally = new Tally(workload);
  const releases = new Agenda<number>();
  const idleSince: number[] = Array.from({ length: MAX }, () => Number.NEGATIVE_INFINITY);
  const idle = [...idleSince.keys()];
  const take = (connection: number, now: number) => {
    const gapMs = now - idleSince[connection]!;
    tally.connectionMs += Math.min(gapMs, CONNECT_MS);
    if (gapMs > CONNECT_MS) tally.creates += 1;
  };
  for (const [caller, at] of arrivals.entries()) {
    while (releases.nextAt <= at) {
      const freedAt = releases.nextAt;
      const connection = releases.take()!;
      idleSince[connection] = freedAt;
      idle.push(connection);
    }
    let startsAt = at;
    let connection = idle.pop();
    if (connection === undefined) {
      startsAt = releases.nextAt;
      connection = releases.take()!;
    } else {
      take(connection, at);
    }
    tally.waits[caller] = startsAt - at;
    tally.connectionMs += holds[caller]!;
    releases.add(startsAt + holds[caller]!, connection);
  }
  return tally.outcome(unavoidableWaitMs);
}

/** The cheapest of all fixed sizes, and the size. */
export function bestFixed(workload: Workload, unavoidableWaitMs: number): { size: number; outcome: Outcome } {
  let size = MAX;
  let outcome = replayFixed(workload, size, unavoidableWaitMs);
  // From the top: the cost falls with the connections and rises, once, with the waits.
  while (size > 1) {
    const smaller = replayFixed(workload, size - 1, unavoidableWaitMs);
    if (cost(smaller) > cost(outcome)) break;
    size -= 1;
    outcome = smaller;
  }
  return { size, outcome };
}

/** Milliseconds that the callers wait, all together, on `MAX` warm connections. */
export function unavoidableWait(workload: Workload): number {
  return replayFixed(workload, MAX, 0, 0).coldWaitMs;
}
