import { expect } from 'chai';
import { classify } from '../../../src/query/classify.js';
import { MOST_PREPARED, Preparation, PreparedStatements } from '../../../src/query/preparation.js';

const preparationOf = (sql: string) => new Preparation(sql, classify(sql, 'postgresql'));

describe('a preparation', () => {
  it('begins with the sixth run, and leaves one run in 128 without a name', () => {
    const preparation = preparationOf('select 1 from t where id = $1');
    const named = Array.from({ length: 256 }, () => preparation.next());
    expect(named.slice(0, 5)).deep.equal([false, false, false, false, false]);
    expect(named.slice(5).filter((isNamed) => !isNamed)).have.length(2);
  });

  it('is only for what the server can prepare', () => {
    for (const sql of ['vacuum t', 'select 1; select 2', 'listen news']) {
      const preparation = preparationOf(sql);
      expect(Array.from({ length: 20 }, () => preparation.next())).not.include(true);
    }
  });

  it('takes another name once the server has refused one', () => {
    const preparation = preparationOf('select 1');
    const { name } = preparation;
    expect(preparation.renew(name)).equal(true);
    expect(preparation.name).not.equal(name);
    expect(preparation.renew(name), 'already known').equal(false);
    expect(preparation.name.length).at.most(63);
  });

  it('is given up when runs with the name take longer than those without', () => {
    const preparation = preparationOf('select 1 from t where id = $1');
    for (let run = 0; run < 10; run += 1) preparation.next();
    for (let run = 0; run < 8; run += 1) preparation.learn(1, false);
    const verdicts = Array.from({ length: 40 }, () => preparation.learn(3, true));
    expect(verdicts).include(true);
    expect(preparation.next()).equal(false);
  });
});

describe('the statements prepared on a connection', () => {
  it('are bounded: the least recently used one makes room', () => {
    const prepared = new PreparedStatements();
    for (let key = 0; key < MOST_PREPARED; key += 1)
      expect(prepared.add(`k${key}`, `n${key}`)).deep.equal([]);
    expect(prepared.use('k0', 'n0')).equal(true);
    expect(prepared.add('one more', 'name')).deep.equal(['n1']);
    expect(prepared.use('k1', 'n1')).equal(false);
    expect(prepared.use('k2', 'n2')).equal(true);
  });

  it('give up the old name for a new one', () => {
    const prepared = new PreparedStatements();
    prepared.add('key', 'old');
    expect(prepared.use('key', 'new')).equal(false);
    expect(prepared.add('key', 'new')).deep.equal(['old']);
  });
});
