import { expect } from 'chai';
import { SlowMoments } from '../../../src/selection/slow-moments.js';

/** The places of those found slow, of a row of times. */
function found(times: readonly number[]): number[] {
  const moments = new SlowMoments<number>(20);
  return times.flatMap((ms, index) => moments.take(index, ms) ?? []);
}

const quick = (count: number) => new Array<number>(count).fill(1);
const slow = (count: number, ms: number) => new Array<number>(count).fill(ms);

describe('a slow answer', () => {
  it('among quick ones was slow itself, eight answers later', () => {
    expect(found([...quick(10), 200, ...quick(7)])).deep.equal([]);
    expect(found([...quick(10), 200, ...quick(8)])).deep.equal([10]);
    expect(found([...quick(10), 200, 30, 1, 30, ...quick(20)])).deep.equal([10, 11, 13]);
  });

  it('among slow ones, at the beginning or the end of their moment, was not', () => {
    expect(found([...quick(20), ...slow(10, 60), ...quick(20)])).deep.equal([]);
    expect(found([...quick(20), ...slow(9, 25), ...quick(20)])).deep.equal([]);
  });

  it('that took far longer than a slow moment was', () => {
    expect(found([...quick(10), ...slow(10, 25), 500, ...slow(10, 25), ...quick(20)])).deep.equal([20]);
  });

  it('is not judged before there is something to judge it by', () => {
    expect(found([200, ...quick(30)])).deep.equal([]);
  });
});
