// One process of a fleet: callers on a pg pool, now many, now few. Tells its parent what became of them.
import pg from 'pg';

/** What a worker tells, over and over. */
export interface Told {
  readonly served: number;
  readonly failed: number;
  /** The messages of those that failed, each once. */
  readonly errors: readonly string[];
  readonly longestWaitMs: number;
}

const {
  FLEET_PG_URL: connectionString,
  FLEET_MAX,
  FLEET_CALLERS,
  FLEET_HOLD_MS,
  FLEET_THINK_MS,
} = process.env;
const max = Number(FLEET_MAX);
const most = Number(FLEET_CALLERS);
const holdMs = Number(FLEET_HOLD_MS);
const thinkMs = Number(FLEET_THINK_MS);
const pool = new pg.Pool({ connectionString, max });
pool.on('error', (error) => errors.add(error.message));

let served = 0;
let failed = 0;
let longestWaitMs = 0;
let isOver = false;
const errors = new Set<string>();

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks again and again, but for the times in which this process is quiet; only the first caller always does. */
async function caller(number: number, isQuiet: () => boolean): Promise<void> {
  while (!isOver) {
    if (number > 0 && isQuiet()) {
      await sleep(20);
      continue;
    }
    const began = performance.now();
    try {
      await pool.query(`select pg_sleep(${holdMs / 1_000})`);
      served += 1;
      longestWaitMs = Math.max(longestWaitMs, performance.now() - began);
    } catch (error) {
      failed += 1;
      errors.add((error as Error).message);
    }
    await sleep(Math.random() * 2 * thinkMs);
  }
}

async function main(): Promise<void> {
  let quietUntil = 0;
  let busyUntil = performance.now() + Math.random() * 2_000;
  const isQuiet = () => {
    const now = performance.now();
    if (now > busyUntil && now > quietUntil) {
      quietUntil = now + Math.random() * 2_000;
      busyUntil = quietUntil + Math.random() * 2_000;
    }
    return now < quietUntil;
  };
  const tell = () => {
    if (process.connected)
      process.send?.({ served, failed, errors: [...errors], longestWaitMs } satisfies Told);
  };
  const telling = setInterval(tell, 100);
  process.on('message', () => {
    isOver = true;
  });
  process.on('disconnect', () => process.exit(1));
  await Promise.all(Array.from({ length: most }, (_, number) => caller(number, isQuiet)));
  clearInterval(telling);
  await pool.end();
  tell();
  process.disconnect?.();
}

main();
