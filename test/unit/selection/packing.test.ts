import { expect } from 'chai';
import {
  FULL_MS,
  PACKED_MS,
  pack,
  placementOf,
  type SharedConnection,
  SILENT_MS,
  spread,
} from '../../../src/selection/packing.js';

function connection(changes: Partial<SharedConnection> = {}): SharedConnection {
  return { holders: 1, depth: 256, loadMs: 0.1, leasedAt: 1_000, retiring: undefined, ...changes };
}

describe('packing', () => {
  it('fills the first connection before the next', () => {
    const [first, second] = [connection({ loadMs: 0.5 }), connection({ loadMs: 0 })];
    expect(pack([first, second], 0.5, 1_000)).equal(first);
    expect(pack([first, second], 0.6, 1_000)).equal(second);
  });

  it('gives up where the work in flight is enough for every connection', () => {
    expect(pack([connection({ loadMs: PACKED_MS })], 0.01, 1_000)).equal(undefined);
  });

  it('leaves alone what is full, retiring or silent', () => {
    const closed = [
      connection({ holders: 256 }),
      connection({ retiring: 'lifetime' }),
      connection({ leasedAt: 1_000 - SILENT_MS - 1 }),
    ];
    expect(pack(closed, 0.01, 1_000)).equal(undefined);
    expect(spread(closed, 0.01, 1_000)).equal(undefined);
  });
});

describe('spreading', () => {
  it('takes the least loaded connection, up to the most that a statement may find before it', () => {
    const [first, second] = [connection({ loadMs: 3 }), connection({ loadMs: 2 })];
    expect(spread([first, second], 0.5, 1_000)).equal(second);
    expect(spread([second, first], 0.5, 1_000)).equal(second);
    const third = connection({ loadMs: 2 });
    expect(spread([second, third], 0.5, 1_000), 'the longest shared of equals').equal(second);
    const nearlyFull = connection({ loadMs: FULL_MS - 0.5 });
    expect(spread([nearlyFull], 0.5, 1_000)).equal(nearlyFull);
    expect(spread([connection({ leasedAt: 1_000 - SILENT_MS, loadMs: 1 })], 0.5, 1_000)).not.equal(undefined);
    expect(spread([connection({ loadMs: FULL_MS })], 0.5, 1_000)).equal(undefined);
  });
});

describe('how a statement came onto its connection', () => {
  it('is told by who is there with it, and by what is in flight', () => {
    const placements = [
      { holders: 1, loadMs: 5 },
      { holders: 2, loadMs: PACKED_MS },
      { holders: 2, loadMs: PACKED_MS + 0.01 },
    ].map(placementOf);
    expect(placements).deep.equal(['first', 'packed', 'spread']);
  });
});
