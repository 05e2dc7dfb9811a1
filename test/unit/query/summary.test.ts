import { expect } from 'chai';
import { classify } from '../../../src/query/classify.js';
import { officialSummaries } from '../../data/otel-sql-summary.js';

describe('the summary of a query', () => {
  it('knows all 24 official vectors', () => expect(officialSummaries).to.have.length(24));

  for (const [name, query, summary] of officialSummaries) {
    for (const dialect of ['postgresql', 'mysql'] as const) {
      it(`follows the official vector ${name} (${dialect})`, () =>
        expect(classify(query, dialect).summary).to.equal(summary));
    }
  }

  it('never cuts a name, and stops at 255 characters', () => {
    const long = 'v'.repeat(250);
    expect(classify(`SELECT * FROM ${long} o, OrderDetails od`, 'postgresql').summary).to.equal('SELECT');
    const many = Array.from({ length: 100 }, (_, i) => `table_${i}`);
    const { summary } = classify(`SELECT * FROM ${many.join(', ')}`, 'postgresql');
    expect(summary.length).to.be.at.most(255);
    expect(many).to.include.members(summary.split(' ').slice(1));
  });

  it('leaves out what stands between the parts of a name', () => {
    expect(classify('SELECT * FROM a /* canary */ . b', 'postgresql').summary).to.equal('SELECT a.b');
  });

  it('has no names of CTEs, however they are written', () => {
    expect(
      classify('WITH Xy (a) AS (SELECT 1), z AS (SELECT 2) SELECT * FROM xY, z, t', 'postgresql').summary,
    )
      .contain(' t')
      .not.match(/xy|z/i);
    expect(classify('WITH "Xy" AS (SELECT 1) SELECT * FROM "Xy", t', 'postgresql').summary).not.contain('X');
    expect(classify('WITH `Xy` AS (SELECT 1) SELECT * FROM `Xy`, t', 'mysql').summary).not.contain('X');
    expect(classify('WITH x AS (SELECT 1) SELECT * FROM app.x', 'postgresql').summary).contain('app.x');
  });

  it('names what is touched twice once, and parts statements', () => {
    expect(classify('DELETE t FROM t JOIN u ON t.id = u.id', 'mysql').summary).equal('DELETE t u');
    expect(classify('SELECT * FROM t; DELETE FROM u', 'mysql').summary).equal('SELECT t; DELETE u');
  });

  it('names what DDL, calls, copies and the like touch', () => {
    const summaries = {
      'CREATE TABLE IF NOT EXISTS app.t (a int)': 'CREATE TABLE app.t',
      'DROP TABLE a, b': 'DROP TABLE a b',
      'CREATE INDEX i ON t (a)': 'CREATE INDEX i',
      'CREATE TABLE t AS SELECT * FROM u': 'CREATE TABLE t',
      'TRUNCATE TABLE t': 'TRUNCATE t',
      'CALL app.f(1)': 'CALL app.f',
      'TABLE t': 'TABLE t',
      'COPY t TO STDOUT': 'COPY t',
      'START TRANSACTION READ ONLY': 'START TRANSACTION',
      COMMIT: 'COMMIT',
      'EXPLAIN SELECT * FROM t': 'EXPLAIN SELECT t',
      'VALUES (1)': 'VALUES',
    };
    for (const [sql, summary] of Object.entries(summaries))
      expect(classify(sql, 'postgresql').summary, sql).equal(summary);
  });

  it('keeps only the first word of a text that never ends', () => {
    expect(classify("SELECT * FROM users WHERE name = 'O'Brien' FROM canary", 'postgresql').summary).to.equal(
      'SELECT',
    );
  });
});
