import { expect } from 'chai';
import * as peers from '../../bench/acquire/peers.js';
import { interleave } from '../../bench/interleave.js';
import { median, over, paired } from '../../bench/statistics.js';

const SLOTS = 10;
const WARM_UP_OPERATIONS = 40_000;
const OPERATIONS = 4_000;
const ROUNDS = 15;
const ATTEMPTS = 4;

/** One pool, some of whose connections are held. */
interface Contestant {
  readonly peer: string;
  readonly size?: number;
  readonly held?: number;
}

/** What an acquire and release of one takes, over that of another, at the most. The bounds are far from what `npm run bench` finds. */
interface Ratio {
  readonly claim: string;
  readonly of: Contestant;
  readonly over: Contestant;
  readonly atMost: number;
}

const RATIOS: readonly Ratio[] = [
  {
    claim: 'pg.Pool, enhanced over stock',
    of: { peer: peers.PG },
    over: { peer: peers.PG_STOCK },
    atMost: 1.2,
  },
  {
    claim: 'knex, enhanced over stock',
    of: { peer: peers.KNEX },
    over: { peer: peers.KNEX_STOCK },
    atMost: 0.8,
  },
  {
    claim: 'mysql2, enhanced over stock',
    of: { peer: peers.MYSQL2 },
    over: { peer: peers.MYSQL2_STOCK },
    atMost: 1.5,
  },
  { claim: 'the engine over tarn', of: { peer: peers.ENGINE }, over: { peer: peers.TARN }, atMost: 0.5 },
  {
    claim: 'the engine, 1,000 connections of which one is idle, over 10',
    of: { peer: peers.ENGINE, size: 1_000, held: 999 },
    over: { peer: peers.ENGINE },
    atMost: 2.5,
  },
];

/** In blocks that take turns, so that what the machine does to one it does to both. */
async function ratioOf({ of, over: other }: Ratio): Promise<number> {
  const contestants = [];
  for (const [name, { peer: wanted, size = SLOTS, held = 0 }] of Object.entries({ of, other })) {
    const { loops, open } = peers.load(peers.PEERS.find((peer) => peer.name === wanted)!);
    const pool = await open({ size });
    await loops.fill(pool, size);
    await loops.hold(pool, held);
    await loops.sequence(pool, WARM_UP_OPERATIONS);
    contestants.push({ name, pool, loops });
  }
  const times = await interleave(contestants, ROUNDS, async ({ pool, loops }) => {
    const begin = performance.now();
    await loops.sequence(pool, OPERATIONS);
    return performance.now() - begin;
  });
  for (const { pool } of contestants) await pool.close();
  return median(paired(times.of!, times.other!, over));
}

describe('the time of an acquire and release', function () {
  this.timeout(300_000);

  for (const ratio of RATIOS) {
    it(`${ratio.claim}: at most ${ratio.atMost}`, async () => {
      let least = Number.POSITIVE_INFINITY;
      // Noise makes one side slower, and hardly so in every attempt.
      for (let attempt = 0; attempt < ATTEMPTS && !(least <= ratio.atMost); attempt += 1)
        least = Math.min(least, await ratioOf(ratio));
      expect(least).at.most(ratio.atMost);
    });
  }
});
