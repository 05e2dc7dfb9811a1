import { expect } from 'chai';
import type { Lease, Pool, PoolError } from '../../src/index.js';
import type { FakeConnection } from '../simulation/fake-driver.js';
import type { VirtualRuntime } from '../simulation/virtual-runtime.js';

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

/** A lease of a pool that has one to give at once. */
export async function leaseOf(of: Pool<FakeConnection>, runtime: VirtualRuntime): Promise<FakeLease> {
  const outcome = follow(of.acquire());
  await runtime.advance(0);
  expect(outcome.lease, 'a lease').not.equal(undefined);
  return outcome.lease!;
}
