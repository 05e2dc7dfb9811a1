import type { Lease, PoolError } from '../../src/index.js';
import type { FakeConnection } from '../simulation/fake-driver.js';

export type FakeLease = Lease<FakeConnection>;

/** Follows an acquire without awaiting it. */
export function follow(acquire: Promise<FakeLease>): { lease?: FakeLease; error?: PoolError } {
  const outcome: { lease?: FakeLease; error?: PoolError } = {};
  acquire.then(
    (lease) => {
      outcome.lease = lease;
    },
    (error) => {
      outcome.error = error;
    },
  );
  return outcome;
}
