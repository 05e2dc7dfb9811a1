import {
  createPool,
  type OptimizationFlags,
  type PoolOptions,
  type Runtime,
  type Timer,
} from '../../src/index.js';
import { seeded } from '../statistics.js';
import { Agenda } from './agenda.js';
import { CONNECT_MS, MAX, type Outcome, Tally } from './outcome.js';
import type { Workload } from './workloads.js';

/** A connection to nowhere, and when its opening began. */
interface Connection {
  readonly openStartedAt: number;
}

interface Due {
  run: (() => void) | undefined;
}

/** A clock that the replay sets, and everything the engine has put on it. */
class ReplayRuntime implements Runtime {
  time = 0;
  readonly agenda = new Agenda<Due>();
  readonly random = seeded(1);

  now(): number {
    return this.time;
  }

  schedule(delayMs: number, run: () => void): Timer {
    const due: Due = { run };
    this.agenda.add(this.time + delayMs, due);
    return {
      cancel() {
        due.run = undefined;
      },
    };
  }

  /** The replay itself keeps the process alive. */
  keepAlive(): Timer {
    return { cancel() {} };
  }

  afterPoll(run: () => void): void {
    this.schedule(0, run);
  }
}

/** What the pool aimed at, each tenth of a second, and the demand that then came. */
export interface Forecasts {
  readonly targets: number[];
  readonly peaks: number[];
}

/** Replays a workload on the real engine, whose clock and connections alone are not. */
export async function replayEngine(
  workload: Workload,
  flags: OptimizationFlags,
  options: PoolOptions,
  unavoidableWaitMs: number,
): Promise<{ outcome: Outcome; forecasts: Forecasts }> {
  const { arrivals, holds, durationMs } = workload;
  const tally = new Tally(workload);
  const runtime = new ReplayRuntime();
  const events = new Agenda<() => void>();
  const live = new Set<Connection>();
  /** Promises of the engine have to come to their end before the clock goes on. */
  let unsettled = false;
  const pool = createPool<Connection>({
    driver: {
      open: () => {
        const connection = { openStartedAt: runtime.time };
        live.add(connection);
        tally.creates += 1;
        return new Promise((resolve) => {
          events.add(runtime.time + CONNECT_MS, () => {
            unsettled = true;
            resolve(connection);
          });
        });
      },
      check: async () => {},
      close: (connection) => {
        unsettled = true;
        live.delete(connection);
        tally.connectionMs += runtime.time - connection.openStartedAt;
      },
    },
    runtime,
    flags,
    options: { max: MAX, checkAfterIdleMs: 0, acquireTimeoutMs: 0, ...options },
  });
  const forecasts: Forecasts = { targets: [], peaks: [] };
  const serve = (caller: number) => {
    const leased = (lease: { release(): boolean }) => {
      tally.waits[caller] = runtime.time - arrivals[caller]!;
      events.add(runtime.time + holds[caller]!, () => lease.release());
    };
    const lease = pool.tryAcquire();
    if (lease !== undefined) leased(lease);
    else
      pool.request(leased, (error) => {
        throw error;
      });
  };
  let next = 0;
  let sampleAt = 100;
  let peak = 0;
  for (;;) {
    const arrivesAt = arrivals[next] ?? Number.POSITIVE_INFINITY;
    const at = Math.min(arrivesAt, events.nextAt, runtime.agenda.nextAt);
    while (sampleAt < Math.min(at, durationMs)) {
      const { target, leased, waiting } = pool.stats();
      forecasts.peaks.push(Math.max(peak, leased + waiting));
      forecasts.targets.push(target);
      peak = 0;
      sampleAt += 100;
    }
    if (at > durationMs && next >= arrivals.length && pool.waiting === 0) break;
    runtime.time = at;
    if (at === arrivesAt) {
      serve(next);
      next += 1;
      const { leased, waiting } = pool.stats();
      peak = Math.max(peak, leased + waiting);
    } else if (events.nextAt <= runtime.agenda.nextAt) {
      events.take()!();
    } else {
      const due = runtime.agenda.take()!;
      due.run?.();
    }
    if (unsettled) {
      for (let turn = 0; turn < 8; turn += 1) await undefined;
      unsettled = false;
    }
  }
  for (const { openStartedAt } of live) tally.connectionMs += durationMs - openStartedAt;
  return { outcome: tally.outcome(unavoidableWaitMs), forecasts };
}
