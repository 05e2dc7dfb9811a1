import { expect } from 'chai';
import { Recent } from '../../../src/query/recent.js';

describe('the texts seen lately', () => {
  it('have the value that was given last', () => {
    const recent = new Recent<number>(64);
    for (const value of [1, 2, 3]) recent.set('select 1', value);
    expect(recent.get('select 1')).equal(3);
    recent.set('select 1', 4);
    expect(recent.get('select 1'), 'after it moved forward').equal(4);
  });

  it('are bounded, and those asked for again stay', () => {
    const recent = new Recent<number>(64);
    recent.set('select often', 0);
    for (let turn = 0; turn < 10_000; turn += 1) {
      recent.get('select often');
      recent.set(`select ${turn}`, turn);
    }
    const kept = Array.from({ length: 10_000 }, (_, turn) => recent.get(`select ${turn}`));
    expect(kept.filter((value) => value !== undefined).length).below(64);
    expect(recent.get('select often')).equal(0);
  });
});
