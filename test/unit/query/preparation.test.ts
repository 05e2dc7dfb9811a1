import { expect } from 'chai';
import { seeded } from '../../../bench/statistics.js';
import { classify } from '../../../src/query/classify.js';
import { hottest, MOST_PREPARED, Preparation, PreparedStatements } from '../../../src/query/preparation.js';

const preparationOf = (sql: string, names = { generation: 0 }) =>
  new Preparation(sql, classify(sql, 'postgresql'), names);

describe('a preparation', () => {
  it('begins with the sixth run, and leaves one run in 16, later in 128, without a name', () => {
    const preparation = preparationOf('select 1 from t where id = $1');
    const named = Array.from({ length: 512 }, () => preparation.next());
    expect(named.slice(0, 5)).deep.equal([false, false, false, false, false]);
    expect(named.slice(5, 256).filter((isNamed) => !isNamed)).have.length(16);
    expect(named.slice(256).filter((isNamed) => !isNamed)).have.length(2);
  });

  it('is only for what the server can prepare', () => {
    for (const sql of ['vacuum t', 'select 1; select 2', 'listen news']) {
      const preparation = preparationOf(sql);
      expect(Array.from({ length: 20 }, () => preparation.next())).not.include(true);
    }
  });

  it('takes another name once the server has refused one, as all others of its pool do', () => {
    const names = { generation: 0 };
    const preparation = preparationOf('select 1', names);
    const other = preparationOf('select 2', names);
    const nameOfOther = other.name;
    const { name, key } = preparation;
    expect(name).match(/^enhanced_pool_[a-z0-9]+_0$/);
    expect(preparation.renew(name)).equal(true);
    expect(preparation.name).equal(`${key}_1`);
    expect(preparation.renew(name), 'already known').equal(false);
    expect(other.name).equal(`${other.key}_1`);
    expect(other.renew(nameOfOther), 'already known').equal(false);
    expect(other.renew(other.name)).equal(true);
    expect(preparation.name).equal(`${key}_2`);
    expect(preparation.name.length).at.most(63);
  });

  it('has a name for each text', () => {
    const names = Array.from({ length: 10_000 }, (_, id) => preparationOf(`select ${id}`).name);
    expect(new Set(names).size).equal(10_000);
    for (const name of names) expect(name).match(/^enhanced_pool_[a-z0-9]+_0$/);
  });

  /** Pairs of a run with the name and one without, until it is given up; undefined if it is not. */
  function pairsUntilGivenUp(times: (pair: number) => readonly [named: number, unnamed: number]) {
    const preparation = preparationOf('select 1 from t where id = $1');
    for (let run = 0; run < 10; run += 1) preparation.next();
    for (let pair = 1; pair <= 100; pair += 1) {
      const [named, unnamed] = times(pair);
      preparation.learn(named, true);
      if (!preparation.learn(unnamed, false)) continue;
      expect(preparation.next()).equal(false);
      return pair;
    }
    expect(preparation.next()).equal(true);
    return undefined;
  }

  it('is given up when runs with the name take longer than those without', () => {
    expect(pairsUntilGivenUp(() => [3, 1])).equal(16);
    expect(pairsUntilGivenUp((pair) => [3 + (pair % 4), 1 + (pair % 3) / 2])).within(16, 60);
    expect(pairsUntilGivenUp(() => [0.4, 0.2])).equal(16);
    expect(
      pairsUntilGivenUp((pair) => [pair % 2 ? 1 : 16, 1]),
      'the less steadily, the later',
    ).within(30, 40);
  });

  it('is not given up by runs from before it had a name, nor by those while it rests', () => {
    const preparation = preparationOf('select 1 from t where id = $1');
    const learnPairs = (pairs: number) =>
      Array.from({ length: pairs }, () => [preparation.learn(3, true), preparation.learn(1, false)]).flat();
    for (let run = 0; run < 5; run += 1) preparation.next();
    expect(learnPairs(20)).not.include(true);
    preparation.next();
    expect(preparation.learn(1, false), 'there is nothing to compare it with').equal(false);
    expect(learnPairs(16).indexOf(true)).equal(31);
    expect(learnPairs(100)).not.include(true);
    while (!preparation.next());
    expect(learnPairs(16).indexOf(true)).equal(31);
  });

  it('is tried again later, and later still when that was no better', () => {
    const preparation = preparationOf('select 1 from t where id = $1');
    const runsWithout = () => {
      let runs = 0;
      while (!preparation.next()) runs += 1;
      return runs;
    };
    const giveUp = () => {
      for (let pair = 0; pair < 16; pair += 1) {
        preparation.learn(3, true);
        preparation.learn(1, false);
      }
    };
    runsWithout();
    giveUp();
    expect(runsWithout()).equal(4_095);
    giveUp();
    expect(runsWithout()).equal(8_191);
  });

  it('is kept when they take as long, when the machine is slow for both, and when it is slow now and then', () => {
    expect(pairsUntilGivenUp(() => [1.1, 1])).equal(undefined);
    expect(
      pairsUntilGivenUp(() => [14, 10]),
      'less than half as long again',
    ).equal(undefined);
    expect(
      pairsUntilGivenUp((pair) => (pair % 2 ? [0.25, 0.1] : [0.2, 0.1])),
      'less than 0.2 ms',
    ).equal(undefined);
    expect(pairsUntilGivenUp((pair) => (pair < 20 ? [0.2, 0.2] : [60, 60]))).equal(undefined);
    expect(pairsUntilGivenUp((pair) => [pair % 7 === 0 ? 80 : 0.2, pair % 9 === 0 ? 80 : 0.2])).equal(
      undefined,
    );
  });
});

const named = (key: string, name: string) => ({ key, name, text: `text of ${key}` });

describe('the statements prepared on a connection', () => {
  it('are bounded: the least recently used one makes room', () => {
    const prepared = new PreparedStatements();
    for (let key = 0; key < MOST_PREPARED; key += 1)
      expect(prepared.add(named(`k${key}`, `n${key}`))).deep.equal([]);
    expect(prepared.use('k0', 'n0')).equal(true);
    expect(prepared.add(named('one more', 'name'))).deep.equal(['n1']);
    expect(prepared.use('k1', 'n1')).equal(false);
    expect(prepared.use('k2', 'n2')).equal(true);
    expect(prepared.add(named('k2', 'renewed')), 'in its own place').deep.equal(['n2']);
  });

  it('give up the old name for a new one', () => {
    const prepared = new PreparedStatements();
    prepared.add(named('key', 'old'));
    expect(prepared.use('key', 'new')).equal(false);
    expect(prepared.add(named('key', 'new'))).deep.equal(['old']);
  });
});

describe('the statements that are run most just now', () => {
  /** A connection on which they were run, in this order. */
  const having = (...runs: string[]) => {
    const prepared = new PreparedStatements();
    return inGeneration(0, prepared, ...runs);
  };
  const inGeneration = (generation: number, prepared: PreparedStatements, ...runs: string[]) => {
    for (const key of runs) {
      const name = `${key}_${generation}`;
      if (!prepared.use(key, name)) prepared.add(named(key, name));
    }
    return prepared;
  };
  const keys = (connections: PreparedStatements[], most = 10) =>
    hottest(connections, most, { generation: 0 }).map(({ key }) => key);

  it('are those that were run last, on as many connections as possible', () => {
    expect(keys([having('cold', 'hot', 'hot', 'hot')])).deep.equal(['hot', 'cold']);
    expect(keys([having('old', 'new', 'new'), having('old', 'other', 'new')])).deep.equal([
      'new',
      'old',
      'other',
    ]);
  });

  it('are bounded, and come with what it takes to prepare them', () => {
    expect(keys([having('a', 'b', 'c')], 2)).deep.equal(['c', 'b']);
    expect(hottest([having('a')], 1, { generation: 0 })).deep.equal([named('a', 'a_0')]);
    expect(keys([])).deep.equal([]);
  });

  it('go by the names of now alone, whatever is left of older ones on connections that idle', () => {
    const busy = inGeneration(1, having('a', 'b'), 'a');
    expect(hottest([having('a', 'b', 'b'), busy], 10, { generation: 1 })).deep.equal([named('a', 'a_1')]);
  });

  it('follow the load when it becomes another', () => {
    const morning = Array.from({ length: 1_000 }, () => 'morning');
    expect(keys([having(...morning, 'evening', 'other', 'evening')], 1)).deep.equal(['evening']);
  });

  it('are nearly ordered by their shares of the runs', () => {
    const random = seeded(7);
    const connections = Array.from({ length: 20 }, () =>
      having(...Array.from({ length: 400 }, () => `q${Math.floor(8 * random() ** 3)}`)),
    );
    expect(keys(connections, 2)).deep.equal(['q0', 'q1']);
  });
});
