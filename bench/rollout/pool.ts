import { createPool, type OptimizationFlags } from '../../src/index.js';

/** An engine of instant resources, and one acquire and release for a query that it knows. */
export async function open(
  flags: OptimizationFlags,
): Promise<{ lease(): Promise<void>; close(): Promise<void> }> {
  let opened = 0;
  const pool = createPool<number>({
    driver: {
      open: async () => {
        opened += 1;
        return opened;
      },
      check: async () => {},
      close() {},
      isBroken: () => false,
    },
    options: { max: 10, idleTimeoutMs: 0 },
    flags,
  });
  const hint = { sql: 'SELECT id, name, price FROM item WHERE id = $1', dialect: 'postgresql' } as const;
  return {
    lease: async () => {
      (await pool.acquire(hint)).release();
    },
    close: () => pool.drain(),
  };
}
