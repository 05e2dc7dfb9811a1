import { expect } from 'chai';
import {
  acts,
  BUILT_OPTIMIZATIONS,
  everyFlag,
  FLAG_SETTINGS,
  notBuilt,
  OPTIMIZATION_NAMES,
  OPTIMIZATIONS,
  resolveFlags,
} from '../../../src/rollout/flags.js';

describe('the flags of a pool', () => {
  it('are the defaults, but for those that were chosen', () => {
    const defaults = Object.fromEntries(
      OPTIMIZATION_NAMES.map((name) => [name, OPTIMIZATIONS[name].fallback]),
    );
    expect(resolveFlags()).deep.equal(defaults);
    expect(resolveFlags({ lanes: 'off', affinity: 'shadow' })).deep.equal({
      ...defaults,
      lanes: 'off',
      affinity: 'shadow',
    });
  });

  it('can all be set alike', () => {
    expect(everyFlag('shadow')).have.all.keys(OPTIMIZATION_NAMES);
    expect(new Set(Object.values(everyFlag('shadow')))).deep.equal(new Set(['shadow']));
  });

  it('let act what is on, and what proves itself', () => {
    expect(FLAG_SETTINGS.filter(acts)).deep.equal(['on', 'auto']);
  });
});

describe('flags of what this version cannot do', () => {
  const unbuilt = OPTIMIZATION_NAMES.filter((name) => !OPTIMIZATIONS[name].built);

  it('are told where they ask for it', () => {
    expect(unbuilt).not.deep.equal([]);
    for (const name of unbuilt) {
      expect(notBuilt({ [name]: 'auto', lanes: 'on' })).deep.equal([name]);
      expect(notBuilt({ [name]: 'off' })).deep.equal([]);
      expect(BUILT_OPTIMIZATIONS).not.include(name);
    }
  });

  it('are not told where nobody asked', () => {
    expect(notBuilt({})).deep.equal([]);
    expect(notBuilt(Object.create({ [unbuilt[0]!]: 'on' })), 'inherited').deep.equal([]);
  });
});
