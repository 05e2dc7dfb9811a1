import { expect } from 'chai';
import { Filling } from '../../../src/sizing/filling.js';
import { Openings } from '../../../src/sizing/openings.js';

const filling = (random = 0.5, max = 1_000) => {
  const openings = new Openings(() => max);
  return { openings, filling: new Filling(openings, () => random) };
};

describe('a pool that is filled up to its min', () => {
  it('opens a handful at once, whenever it is', () => {
    const { filling: it } = filling();
    expect([0, -3, 1, 10].map((lacking) => it.wave(lacking, 0, 0))).deep.equal([0, 0, 1, 10]);
    expect(it.wave(4, 6, 0)).equal(4);
  });

  it('opens more in waves, the next not before its time', () => {
    const { filling: it, openings } = filling();
    expect(it.wave(100, 0, 0)).equal(10);
    expect(it.nextAt).equal(100);
    expect(it.wave(90, 10, 50)).equal(0);
    for (let opened = 0; opened < 10; opened += 1) openings.opened(0, 30);
    expect(it.wave(90, 0, 99)).equal(0);
    expect(it.wave(90, 0, 100)).equal(20);
    expect(it.wave(70, 20, 200), 'none of the wave is there').equal(0);
    expect(it.wave(70, 15, 300), 'some are').equal(5);
  });

  it('is apart from others by chance', () => {
    const nextOf = (random: number) => {
      const { filling: it } = filling(random);
      it.wave(100, 0, 0);
      return it.nextAt;
    };
    expect([0, 0.5, 0.999].map(nextOf).map(Math.round)).deep.equal([50, 100, 150]);
  });
});
