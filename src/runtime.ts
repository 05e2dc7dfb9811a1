/** A scheduled call that can still be called off. */
export interface Timer {
  cancel(): void;
}

/**
 * PORT: time and chance. The engine asks nobody else, so a seeded runtime replays a run exactly.
 */
export interface Runtime {
  /** Monotonic milliseconds, with fractions. */
  now(): number;
  /** A number in [0, 1), used for jitter only. */
  random(): number;
  /** Calls `run` once after `delayMs`; never keeps a process alive. */
  schedule(delayMs: number, run: () => void): Timer;
  /** Calls `run` once, after the event loop has polled for input and output one time. */
  afterPoll(run: () => void): void;
  /** Keeps the process alive until it is cancelled. */
  keepAlive(): Timer;
}

/** Node turns a longer delay into one millisecond. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** The machine's own clock and timers. */
export const systemRuntime: Runtime = {
  now: () => performance.now(),
  random: Math.random,
  schedule(delayMs, run) {
    const timeout = setTimeout(run, Math.min(delayMs, LONGEST_DELAY_MS));
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
  afterPoll(run) {
    setImmediate(run);
  },
  keepAlive() {
    const interval = setInterval(() => {}, LONGEST_DELAY_MS);
    return { cancel: () => clearInterval(interval) };
  },
};
