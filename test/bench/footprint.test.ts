import { expect } from 'chai';
import { type Footprint, measureFootprints } from '../../bench/acquire/footprint.js';
import * as peers from '../../bench/acquire/peers.js';
import { median } from '../../bench/statistics.js';

/** What does not depend on the machine; times are `npm run bench`. */
describe('an acquire and release', function () {
  this.timeout(60_000);
  let footprints: Readonly<Record<string, Footprint>>;

  before(async () => {
    footprints = await measureFootprints(5, [
      peers.ENGINE,
      peers.PG,
      peers.PG_STOCK,
      peers.MYSQL2,
      peers.MYSQL2_STOCK,
      peers.KNEX,
      peers.KNEX_STOCK,
    ]);
  });

  it('makes one promise, no timer and at most 300 bytes in the engine, metrics on', () => {
    const { bytes, resources } = footprints[peers.ENGINE]!;
    expect(resources).deep.equal({ PROMISE: 1 });
    expect(median(bytes)).at.most(300);
  });

  for (const [enhanced, stock] of [
    [peers.PG, peers.PG_STOCK],
    [peers.MYSQL2, peers.MYSQL2_STOCK],
    [peers.KNEX, peers.KNEX_STOCK],
  ] as const) {
    it(`makes no more promises, timers and bytes with ${enhanced} than with stock`, () => {
      const [ours, theirs] = [footprints[enhanced]!, footprints[stock]!];
      for (const [type, count] of Object.entries(ours.resources)) {
        expect(count, type).at.most(theirs.resources[type] ?? 0);
      }
      expect(median(ours.bytes)).at.most(median(theirs.bytes) * 1.02);
    });
  }
});
