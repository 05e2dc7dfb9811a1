import { expect } from 'chai';
import { FleetWorld } from './fleet-world.js';
import { mostWithin } from './most-within.js';

const SEEDS = Number(process.env.FLEET_SEEDS ?? 25);
const LEASE_MS = 2_000;
const STEP_MS = 20;

describe('a budget that many processes share', function () {
  this.timeout(SEEDS * 10_000);

  it(`is never exceeded, whatever dies, freezes or goes away, for each of ${SEEDS} seeds`, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      try {
        await live(seed);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).stack}`);
      }
    }
  });
});

const FIFTY = { members: 50, maxConnections: 90 };
const CALLERS = 20;
/** Each begins at a random moment: five milliseconds for each member (`START_SPREAD_MS`). */
const SPREAD_MS = 5 * FIFTY.members;
/** Whoever hears that somebody is short asks within a quarter of a second: after half of that, on the average (`CONTENDED_EVERY_MS`). */
const RENEWALS_PER_SECOND = 8;

describe('fifty processes that start again at once', function () {
  this.timeout(120_000);

  for (const keepsLeases of [true, false]) {
    const where = keepsLeases ? 'where their leases are remembered' : 'where nothing is remembered of them';
    it(`never storm the server, nor the store, ${where}`, async () => {
      for (let seed = 1; seed <= 3; seed += 1) {
        const world = new FleetWorld(seed, FIFTY);
        const { clock, redis, server } = world;
        const startAll = () => {
          for (let count = 0; count < FIFTY.members; count += 1) world.start();
        };
        startAll();
        await rush(world, 4_000);
        for (const process of [...world.processes]) world.kill(process);
        if (!keepsLeases) {
          redis.die();
          redis.comeBack(false);
        }
        const from = clock.now();
        startAll();
        await rush(world, 8_000);
        const since = (moments: readonly number[]) => moments.filter((at) => at >= from);
        const opened = since(server.openedAt);
        // No place of the budget is opened twice, however often shares change hands.
        expect(mostWithin(1_000, opened), 'openings within a second').most(FIFTY.maxConnections);
        expect(mostWithin(1_000, since(redis.renewedAt)), 'renewals within a second').most(
          FIFTY.members * RENEWALS_PER_SECOND,
        );
        if (!keepsLeases) {
          const first = opened.filter((at) => at - from <= LEASE_MS);
          expect(first.length, 'openings in the first lease').most(FIFTY.members);
          expect(mostWithin(SPREAD_MS / 5, first), 'of them in a fifth of their spread').most(
            FIFTY.members / 2,
          );
        }
        for (const process of world.processes) expect(process.served, 'callers served by each').above(0);
      }
    });
  }
});

/** All have more callers than the budget has connections, all the while. */
async function rush(world: FleetWorld, durationMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < durationMs; passedMs += STEP_MS) {
    for (const process of world.processes) while (process.waiting < CALLERS) process.call(100);
    await world.pass(STEP_MS);
  }
}

/** Half a minute of faults, one after the other, under changing load; then a quiet one in which everybody has to be served. */
async function live(seed: number): Promise<void> {
  const members = 2 + (seed % 7);
  const world = new FleetWorld(seed, { members, maxConnections: members + ((seed * 7) % (4 * members)) });
  const { clock } = world;
  for (let count = 0; count < members; count += 1) world.start();
  // Who is cut off for good while Redis lives may only be as late as the end of its lease; while all are, that does not matter.
  const cutsOff = seed % 3 === 0;
  const longestHoldMs = cutsOff ? 50 : 3_000;
  let failures = 0;
  for (let faults = 0; faults < 6; faults += 1) {
    await work(world, 1_000 + clock.random() * 3_000, longestHoldMs);
    await fault(world, cutsOff, longestHoldMs);
    failures += world.processes.reduce((sum, process) => sum + process.failures, 0);
    await work(world, 3 * LEASE_MS, longestHoldMs);
  }
  expect(failures, 'callers who were told an error').equal(0);
  for (const process of world.processes) for (let calls = 0; calls < 3; calls += 1) process.call(10);
  await world.pass(20_000);
  for (const process of world.processes) {
    expect(process.waiting, 'callers who still wait').equal(0);
    expect(process.pool.fleet!.state).equal('leased');
  }
  const held = world.processes.reduce((sum, process) => sum + process.pool.fleet!.held, 0);
  expect(held, 'what the processes believe they have').equal(world.server.connections.size);
}

async function work(world: FleetWorld, durationMs: number, longestHoldMs: number): Promise<void> {
  const { clock } = world;
  const busy = world.any();
  const isFrantic = clock.random() < 0.5;
  for (const until = clock.now() + durationMs; clock.now() < until; ) {
    for (const process of world.processes) {
      const chance = process === busy || isFrantic ? 0.8 : 0.05;
      if (!process.isFrozen && process.waiting < 40 && clock.random() < chance) {
        // Mostly short; now and then one that outlives a lease.
        process.call(clock.random() < 0.05 ? clock.random() * longestHoldMs : clock.random() * 50);
      }
    }
    await world.pass(STEP_MS);
  }
}

async function fault(world: FleetWorld, cutsOff: boolean, longestHoldMs: number): Promise<void> {
  const { clock, redis } = world;
  const forMs = clock.random() * 4 * LEASE_MS;
  const kind = Math.floor(clock.random() * 5);
  if (kind === 0) {
    redis.die();
    await work(world, forMs, longestHoldMs);
    redis.comeBack(clock.random() < 0.5);
  } else if (kind === 1) {
    redis.state = 'hung';
    await work(world, forMs, longestHoldMs);
    redis.thaw();
  } else if (kind === 2) {
    const frozen = world.processes.filter(() => clock.random() < 0.5);
    for (const process of frozen) process.freeze();
    await work(world, forMs, longestHoldMs);
    for (const process of frozen) process.thaw();
  } else if (kind === 3 && cutsOff) {
    const cut = world.processes.filter(() => clock.random() < 0.5);
    for (const process of cut) {
      process.link.isCut = true;
      process.link.lose();
    }
    await work(world, forMs, longestHoldMs);
    for (const process of cut) process.link.isCut = false;
  } else {
    // Some die and others take their place, at once or later.
    const isLate = clock.random() < 0.5;
    const dying = world.processes.filter(() => clock.random() < 0.5);
    for (const process of dying) world.kill(process);
    if (isLate && world.processes.length > 0) await work(world, forMs, longestHoldMs);
    for (const _ of dying) world.start();
  }
}
