import { expect } from 'chai';
import { classify, type Dialect } from '../../../src/query/classify.js';
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
    expect(classify('WITH "Xy" AS (SELECT 1) SELECT * FROM "Xy", "t"', 'postgresql').summary)
      .contain(' "t"')
      .not.contain('X');
    expect(classify('WITH "xy" AS (SELECT 1) SELECT * FROM Xy, t', 'postgresql').summary).not.contain('X');
    expect(classify('WITH `xy` AS (SELECT 1) SELECT * FROM xy, t', 'mysql').summary).not.contain('xy');
    expect(classify('WITH x AS (SELECT 1) SELECT * FROM app.x', 'postgresql').summary).contain('app.x');
  });

  const summaries: Record<Dialect, Record<string, string>> = {
    postgresql: {
      'SELECT * FROM "My T"': 'SELECT "My T"',
      'SELECT * FROM "a"."b"': 'SELECT "a"."b"',
      'SELECT * FROM a.b.c': 'SELECT a.b.c',
      "SELECT 'a\\\\' FROM t": 'SELECT t',
      "EXPLAIN SELECT 'a": 'EXPLAIN',
      "SELECT * FROM 'canary', $1, t": 'SELECT t',
      'SELECT * FROM ONLY t': 'SELECT t',
      'SELECT extract(year FROM a), b IS DISTINCT FROM c FROM t': 'SELECT t',
      'SELECT a FROM t ORDER BY a USING >, b': 'SELECT t',
      'SELECT * FROM t FOR UPDATE': 'SELECT t',
      'SELECT * FROM a JOIN b USING (id)': 'SELECT a b',
      'SELECT * FROM (a CROSS JOIN b)': 'SELECT a b',
      'SELECT * FROM (SELECT * FROM t) s': 'SELECT SELECT t',
      'SELECT begin FROM t; SELECT * FROM u': 'SELECT t; SELECT u',
      'VALUES (1)': 'VALUES',
      'SELECT * FROM (VALUES (1)) v': 'SELECT',
      'WITH x AS (VALUES (1)) SELECT * FROM x': 'SELECT',
      'TABLE t': 'TABLE t',
      'TABLE tables': 'TABLE tables',
      'INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2': 'INSERT t',
      'INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x': 'INSERT t SELECT SELECT',
      'DELETE FROM t USING u WHERE t.id = u.id': 'DELETE t u',
      'DELETE FROM t USING u JOIN v USING (id)': 'DELETE t u v',
      'MERGE INTO t USING u ON true WHEN MATCHED THEN UPDATE SET a = 1': 'MERGE t u',
      'EXPLAIN SELECT * FROM t': 'EXPLAIN SELECT t',
      'CREATE TABLE IF NOT EXISTS app.t (a int)': 'CREATE TABLE app.t',
      'CREATE TABLE t AS SELECT * FROM u': 'CREATE TABLE t',
      'CREATE INDEX i ON t (a)': 'CREATE INDEX i',
      'CREATE UNIQUE INDEX i ON t (a)': 'CREATE INDEX i',
      'CREATE INDEX ON t (a)': 'CREATE INDEX',
      'DROP TABLE a, b': 'DROP TABLE a b',
      'ALTER SYSTEM SET search_path TO app': 'ALTER',
      'ALTER SYSTEM SET a TO user': 'ALTER',
      'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO u': 'ALTER',
      'TRUNCATE TABLE t': 'TRUNCATE t',
      'CALL app.f(1)': 'CALL app.f',
      'COPY t TO STDOUT': 'COPY t',
      'START TRANSACTION READ ONLY': 'START TRANSACTION',
      COMMIT: 'COMMIT',
      'VACUUM t': 'VACUUM',
      'FROB INSERT INTO t VALUES (1)': '',
    },
    mysql: {
      'SELECT * FROM "canary", ?, t': 'SELECT t',
      "SELECT 'a\\', ' FROM canary -- '": 'SELECT',
      'REPLACE INTO t VALUES (1)': 'REPLACE t',
      'SELECT * FROM t; REPLACE INTO u VALUES (1)': 'SELECT t; REPLACE u',
      'UPDATE(t JOIN u ON t.id = u.id) SET a = 1': 'UPDATE t u',
      'DELETE t FROM t JOIN u ON t.id = u.id': 'DELETE t u',
      'DELETE a.* FROM a JOIN b ON a.id = b.id': 'DELETE a b',
      'CREATE PROCEDURE p() BEGIN DELETE FROM t; COMMIT; CREATE TABLE u (a int); END': 'CREATE PROCEDURE p',
      'CREATE PACKAGE p AS PROCEDURE q()': 'CREATE',
    },
  };
  for (const dialect of ['postgresql', 'mysql'] as const) {
    for (const [sql, summary] of Object.entries(summaries[dialect])) {
      it(`is "${summary}" for ${sql} (${dialect})`, () => {
        expect(classify(sql, dialect).summary).equal(summary);
      });
    }
  }

  it('keeps only the first word of a text that never ends', () => {
    expect(classify("SELECT * FROM users WHERE name = 'O'Brien' FROM canary", 'postgresql').summary).to.equal(
      'SELECT',
    );
  });
});
