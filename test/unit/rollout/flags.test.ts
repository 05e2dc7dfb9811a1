import { expect } from 'chai';
import { notBuilt, OPTIMIZATION_NAMES, OPTIMIZATIONS } from '../../../src/rollout/flags.js';

describe('flags of what this version cannot do', () => {
  const unbuilt = OPTIMIZATION_NAMES.filter((name) => !OPTIMIZATIONS[name].built);

  it('are told where they ask for it', () => {
    expect(unbuilt).not.deep.equal([]);
    for (const name of unbuilt) {
      expect(notBuilt({ [name]: 'auto', lanes: 'on' })).deep.equal([name]);
      expect(notBuilt({ [name]: 'off' })).deep.equal([]);
    }
  });

  it('are not told where nobody asked', () => {
    expect(notBuilt({})).deep.equal([]);
    expect(notBuilt(Object.create({ [unbuilt[0]!]: 'on' })), 'inherited').deep.equal([]);
  });
});
