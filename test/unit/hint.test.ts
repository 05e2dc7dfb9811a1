import { expect } from 'chai';
import { deadlineOf, type Hint } from '../../src/hint.js';

describe('the longest wait of a hint', () => {
  it('is a number from 0 on, and whatever else is there counts as not said', () => {
    const deadlines = [0, 1.5, -1, Number.NaN, '5', null, undefined].map((deadlineMs) =>
      deadlineOf({ deadlineMs } as Hint),
    );
    expect(deadlines).deep.equal([0, 1.5, undefined, undefined, undefined, undefined, undefined]);
    expect(deadlineOf(undefined)).equal(undefined);
  });
});
