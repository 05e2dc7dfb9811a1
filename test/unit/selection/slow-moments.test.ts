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

  it('is one that took longer than what is slow, and more than four times as long as its neighbours', () => {
    expect(found([...quick(10), 20, ...quick(8)])).deep.equal([]);
    expect(found([...quick(10), 21, ...quick(8)])).deep.equal([10]);
    expect(found([...slow(10, 10), 40, ...quick(8)])).deep.equal([]);
    expect(found([...slow(10, 10), 41, ...quick(8)])).deep.equal([10]);
  });

  it('is judged by the middle of eight neighbours, in whatever order they came', () => {
    const half = [90, 1, 90, 1, 90, 1, 90, 1];
    expect(found([...quick(9), 200, ...half]), 'half of them were slow').deep.equal([]);
    expect(found([...quick(9), 200, ...half.with(6, 1)])).deep.equal([9]);
    expect(found([...half, 200, ...quick(8)])).deep.equal([]);
    expect(found([1, ...half.with(0, 1), 200, ...quick(8)])).deep.equal([9]);
  });
});
