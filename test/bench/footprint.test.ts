import { expect } from 'chai';
import { type Footprint, measureFootprints } from '../../bench/acquire/footprint.js';
import * as peers from '../../bench/acquire/peers.js';

const ROUNDS = 3;
const MEASURED = [
  peers.ENGINE,
  peers.PG,
  peers.PG_STOCK,
  peers.MYSQL2,
  peers.MYSQL2_STOCK,
  peers.KNEX,
  peers.KNEX_STOCK,
];

/** What does not depend on the machine; times are `npm run bench`. */
describe('an acquire and release', function () {
  this.timeout(240_000);
  let footprints: Readonly<Record<string, Footprint>>[];

  /** More than one process: on a busy machine the compiler may not be done with one in time, and what it has not compiled allocates more. */
  before(async () => {
    footprints = [];
    for (let round = 0; round < ROUNDS; round += 1) footprints.push(await measureFootprints(5, MEASURED));
  });

  /** What else a process does only adds to what an operation allocates. */
  const bytesOf = (peer: string) => Math.min(...footprints.flatMap((each) => each[peer]!.bytes));
  const resourcesOf = (peer: string) => footprints[0]![peer]!.resources;

  it('makes one promise, no timer and at most 300 bytes in the engine, metrics on', () => {
    expect(resourcesOf(peers.ENGINE)).deep.equal({ PROMISE: 1 });
    expect(bytesOf(peers.ENGINE)).at.most(300);
  });

  for (const [enhanced, stock] of [
    [peers.PG, peers.PG_STOCK],
    [peers.MYSQL2, peers.MYSQL2_STOCK],
    [peers.KNEX, peers.KNEX_STOCK],
  ] as const) {
    it(`makes no more promises, timers and bytes with ${enhanced} than with stock`, () => {
      for (const [type, count] of Object.entries(resourcesOf(enhanced))) {
        expect(count, type).at.most(resourcesOf(stock)[type] ?? 0);
      }
      expect(bytesOf(enhanced)).at.most(bytesOf(stock) * 1.02);
    });
  }
});
