import { setFlagsFromString } from 'node:v8';
import { expect } from 'chai';
import { intoFastMode } from '../../adapters/fast-mode.js';

setFlagsFromString('--allow-natives-syntax');
const isFast = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean;
setFlagsFromString('--no-allow-natives-syntax');

class Pool {
  idle: unknown = [];
  waiting: unknown = [];
  closed = false;
}

describe('intoFastMode', () => {
  it('V8 knows the shape of an object again whose properties became accessors, however many there are', () => {
    const ends = Array.from({ length: 5_000 }, () => {
      const pool = new Pool();
      for (const name of ['idle', 'waiting']) {
        Object.defineProperty(pool, name, { configurable: true, enumerable: true, get: () => [] });
      }
      const before = isFast(pool);
      intoFastMode(pool);
      const after = isFast(pool);
      pool.closed = true;
      return { before, after, later: isFast(pool) };
    });
    expect(new Set(ends.map((end) => JSON.stringify(end)))).to.deep.equal(
      new Set([JSON.stringify({ before: false, after: true, later: true })]),
    );
  });
});
