import { expect } from 'chai';
import fc from 'fast-check';
import { type Classification, classify, type Dialect } from '../../../src/query/classify.js';
import { fingerprint } from '../../../src/query/fingerprint.js';
import { Recent } from '../../../src/query/recent.js';
import { hashOf } from '../../../src/query/words.js';
import { classified, type Expected } from '../../data/classified.js';

const dialects = ['postgresql', 'mysql'] as const;
const MEGABYTE = 1 << 20;

describe('the classifier', () => {
  it('has at least 300 cases of our own', () => {
    expect(classified.reduce((sum, { queries }) => sum + queries.length, 0)).to.be.at.least(300);
  });

  for (const expected of classified) {
    for (const dialect of expected.in) {
      it(`${expected.why} (${dialect})`, () => {
        for (const query of expected.queries)
          expect(outcome(query, dialect, expected), query).to.deep.equal(promised(expected));
      });
    }
  }

  it('remembers a text, and still answers the same after 5,000 others', () => {
    const query = 'SELECT * FROM users WHERE id = 5';
    const first = classify(query, 'postgresql');
    expect(classify(query, 'postgresql')).to.equal(first);
    for (let i = 0; i < 5000; i += 1) classify(`SELECT ${i}`, 'postgresql');
    expect(classify(query, 'postgresql')).to.deep.equal(first);
  });

  it('keeps the dialects apart', () => {
    const query = 'SELECT "a" FROM t -- \' \n';
    expect(classify(query, 'postgresql').fingerprint).not.to.equal(classify(query, 'mysql').fingerprint);
  });

  it('takes no function of a user’s for a built-in one whose name has the same hash', () => {
    for (const [name, builtIn] of [
      ['hypraayw', 'coalesce'],
      ['bnbpccta', 'coalesce'],
      ['efulaawp', 'lower'],
    ] as const) {
      expect(hashOf(name)).equal(hashOf(builtIn));
      for (const dialect of dialects) {
        expect(classify(`SELECT ${name}(a) FROM t`, dialect).readOnly).equal('unknown');
        expect(classify(`SELECT ${builtIn}(a) FROM t`, dialect).readOnly).equal('yes');
      }
    }
  });

  it('does not remember long texts', () => {
    const query = `SELECT '${'x'.repeat(9000)}'`;
    expect(classify(query, 'postgresql')).not.to.equal(classify(query, 'postgresql'));
  });

  it('answers any text whatever', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.constantFrom(...dialects),
        (text, dialect) => {
          expect(classify(text, dialect)).to.have.keys(
            'verb',
            'readOnly',
            'multiStatement',
            'sessionStateful',
            'shape',
            'summary',
            'fingerprint',
          );
        },
      ),
      { numRuns: 3000 },
    );
  }).timeout(30_000);

  it('never takes a text for a read when a second statement may stand behind a heap of quotes and comments', () => {
    const piece = fc.constantFrom(
      "'",
      '"',
      '`',
      '$$',
      '$a$',
      '/*',
      '/*!',
      '*/',
      '--',
      '-- ',
      '#',
      '\n',
      '\r',
      '\\',
      'E',
      'U&',
      ';',
      '(',
      ')',
      'a',
      ' ',
      '1',
      '@',
      ':',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), fc.constantFrom(...dialects), (pieces, dialect) => {
        expect(
          classify(`SELECT 1 ${pieces.join('')}\n;DELETE FROM t`, dialect).readOnly,
          pieces.join(''),
        ).not.to.equal('yes');
      }),
      { numRuns: 20_000 },
    );
  }).timeout(30_000);
});

describe('a trailing sqlcommenter comment', () => {
  const query = 'SELECT * FROM users WHERE id = 5';
  const tail = "/*action='%2Fusers',traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'*/";

  it('makes no difference, and no new entry', () => {
    expect(classify(`${query} ${tail}`, 'postgresql')).to.equal(classify(query, 'postgresql'));
    expect(classify(`${query}${tail}`, 'mysql')).to.equal(classify(query, 'mysql'));
  });

  it('hides nothing that only looks like one', () => {
    for (const dialect of dialects) {
      expect(classify("SELECT 1 /*a='*/; DELETE FROM t; --'*/", dialect).readOnly).to.equal('no');
      expect(classify("SELECT ' /*a='; DELETE FROM t; --'*/", dialect).readOnly).not.to.equal('yes');
      expect(classify("SELECT 1 FROM t /*! FOR UPDATE */ /*a='b'*/", 'mysql').readOnly).to.equal('no');
    }
    expect(classify("SELECT 1 /*!a='b'*/", 'mysql').readOnly).to.equal('unknown');
  });
});

describe('the fingerprint', () => {
  const same: readonly (readonly string[])[] = [
    [
      'SELECT * FROM t WHERE id = 1',
      'select  *  from t where id=2',
      'SELECT * FROM t WHERE id = $1',
      "SELECT * FROM t WHERE id = 'x' -- y",
      'SELECT * FROM t WHERE id = -5;',
    ],
    [
      'SELECT * FROM t WHERE id IN (1)',
      'SELECT * FROM t WHERE id IN (1, 2, 3)',
      "SELECT * FROM t WHERE id IN ($1, 'b', NULL)",
    ],
    ["SELECT * FROM t WHERE id IN ('a'::text)", "SELECT * FROM t WHERE id IN ('a'::text, 'b'::text)"],
    ['SELECT * FROM t WHERE (a, b) IN ((1, 2))', 'SELECT * FROM t WHERE (a, b) IN ((1, 2), (3, 4))'],
    [
      'INSERT INTO t (a, b) VALUES (1, now())',
      'INSERT INTO t (a, b) VALUES (1, now()), (2, now()), (3, now())',
    ],
    [
      'INSERT INTO t (a) VALUES (1), (2) ON CONFLICT DO NOTHING',
      'INSERT INTO t (a) VALUES ($1) ON CONFLICT DO NOTHING',
    ],
    ['SELECT ARRAY[1, 2]', 'SELECT ARRAY[1, 2, 3, 4]'],
    ["SELECT ARRAY['a'::text]", "SELECT ARRAY['a'::text, 'b'::text]"],
    ['SELECT * FROM (VALUES (1)) v', 'SELECT * FROM (VALUES (1), (2)) v'],
    ['SELECT * FROM t WHERE a IN (ARRAY[1])', 'SELECT * FROM t WHERE a IN (ARRAY[1, 2], ARRAY[3])'],
    [
      "SELECT * FROM t WHERE a IN (ARRAY['a']::text)",
      "SELECT * FROM t WHERE a IN (ARRAY['a', 'b']::text, ARRAY['c']::text)",
    ],
    [
      'INSERT INTO t VALUES (ARRAY[1]) RETURNING a',
      'INSERT INTO t VALUES (ARRAY[1, 2]), (ARRAY[3]), (ARRAY[4]) RETURNING a',
    ],
    ['SELECT * FROM t WHERE (a = 1 AND b IN (1))', 'SELECT * FROM t WHERE (a = 2 AND b IN (1, 2))'],
    ['INSERT INTO t VALUES (1); SELECT 1', 'INSERT INTO t VALUES (1), (2); SELECT 1'],
    ['SELECT a FROM t WHERE b BETWEEN 1 AND 2', 'SELECT a FROM t WHERE b BETWEEN -1 AND +2'],
    ['SELECT * FROM t WHERE id IN (1)', 'SELECT * FROM t WHERE id IN (1, -2, +3)'],
    ['SELECT true, null', 'SELECT false, 5'],
  ];
  for (const texts of same) {
    it(`is one for ${texts[0]} and its kin`, () =>
      expect(new Set(texts.map((text) => fingerprint(text, 'postgresql'))).size).to.equal(1));
  }

  it('is one for lists of rows, strings and odd names in the words of MySQL', () => {
    for (const [one, other] of [
      ['VALUES ROW(1, 2)', 'VALUES ROW(1, 2), ROW(3, 4)'],
      ["SELECT 'a'", "SELECT 'a' 'b' \"c\""],
      ['SELECT $a, 1', 'SELECT $a, 2'],
    ] as const) {
      expect(fingerprint(one, 'mysql'), other).equal(fingerprint(other, 'mysql'));
    }
  });

  it('goes by names without regard to case, also by those of MySQL that begin with a dollar sign', () => {
    const one = fingerprint('SELECT $Az, $zA_1 FROM T', 'mysql');
    expect(fingerprint('select $aZ, $Za_1 from t', 'mysql')).equal(one);
    expect(fingerprint('select $az, $za_2 from t', 'mysql')).not.equal(one);
    expect(fingerprint('select $ay, $za_1 from t', 'mysql')).not.equal(one);
  });

  it('is one for lists in lists, and beyond 32 of them goes by their lengths as by any text', () => {
    const nested = (depth: number, inner: string) =>
      fingerprint(`SELECT ${'ARRAY['.repeat(depth)}${inner}${']'.repeat(depth)}`, 'postgresql');
    for (const depth of [2, 32]) expect(nested(depth, '1')).equal(nested(depth, '1, 2'));
    expect(new Set(['1', '1, 2', 'a', 'b'].map((inner) => nested(40, inner))).size).equal(4);
    expect(nested(31, '1')).not.equal(nested(32, '1'));
  });

  it('tells different queries apart', () => {
    const different = [
      'SELECT a FROM t',
      'SELECT b FROM t',
      'SELECT a FROM u',
      'SELECT a, a FROM t',
      'SELECT a FROM t WHERE b = 1',
      'SELECT "a" FROM t',
      'SELECT a - 1 FROM t',
      'SELECT (a) - 1 FROM t',
      'SELECT (a) + 1 FROM t',
      'SELECT a[1] - 1 FROM t',
      'SELECT a[1] + 1 FROM t',
      'SELECT f(1)',
      'SELECT f(1, 2)',
      'SELECT a FROM t WHERE b IN (1)',
      'SELECT a FROM t WHERE b IN (c)',
      'SELECT a FROM t WHERE b IN (c, 1)',
      'SELECT a FROM t WHERE b IN (1, c)',
      'SELECT a FROM t WHERE b IN (1, c, 1)',
      "SELECT 'a' < b",
      "SELECT 'a' > b",
      "SELECT u'a'",
      "SELECT v'a'",
      'SELECT 1; SELECT 1',
      'VACUUM ANALYZE',
      'VACUUM; ANALYZE',
      'SELECT 1',
      'DELETE FROM t',
    ];
    expect(new Set(different.map((text) => fingerprint(text, 'postgresql'))).size).to.equal(different.length);
  });
});

describe('long and strange texts', () => {
  const long: Record<string, (length: number) => string> = {
    'a string': (n) => `SELECT '${'x'.repeat(n)}'`,
    'quotes in a string': (n) => `SELECT '${"''".repeat(n / 2)}'`,
    'a comment': (n) => `SELECT 1 /* ${'x'.repeat(n)} */`,
    'nested comments': (n) => `SELECT 1 ${'/*'.repeat(n / 4)}${'*/'.repeat(n / 4)}`,
    'comment openers that never end': (n) => `SELECT 1 ${'/*'.repeat(n / 2)}`,
    'dollar signs': (n) => `SELECT ${'$ '.repeat(n / 2)}`,
    'dollar quotes': (n) => `SELECT ${'$a$b$a$,'.repeat(n / 8)}1`,
    'unended dollar quotes': (n) => `SELECT ${'$a$b$c$'.repeat(n / 7)}`,
    'rows of VALUES': (n) => `INSERT INTO t VALUES ${"(1, 'a'),".repeat(n / 9)}(1, 'a')`,
    'an IN list': (n) => `SELECT * FROM t WHERE a IN (${'1,'.repeat(n / 2)}1)`,
    parentheses: (n) => `SELECT ${'('.repeat(n / 2)}1${')'.repeat(n / 2)}`,
    'joined tables': (n) => `SELECT * FROM ${'some_table, '.repeat(n / 12)}t`,
    CTEs: (n) =>
      `WITH ${Array.from({ length: n / 30 }, (_, i) => `c${i} AS (SELECT * FROM c${i - 1})`).join(', ')} SELECT 1`,
    statements: (n) => 'SELECT 1;'.repeat(n / 9),
    words: (n) => `SELECT ${'a '.repeat(n / 2)}`,
    'slashes, stars and dashes': (n) => `SELECT ${'/ * - '.repeat(n / 6)}`,
    'executable comments': (n) => `SELECT ${'/*!1 '.repeat(n / 10)}${'*/ '.repeat(n / 10)}`,
    'sqlcommenter tails': (n) => `SELECT 1 ${"/*a='b'*/".repeat(n / 9)}`,
    backslashes: (n) => `SELECT '${"\\'".repeat(n / 2)}'`,
  };

  for (const [name, text] of Object.entries(long)) {
    it(`costs at most in proportion to the length: ${name}`, () => {
      for (const dialect of dialects) {
        const small = operations(() => classify(text(16_384), dialect));
        const large = operations(() => classify(text(131_072), dialect));
        expect(large / small, dialect).to.be.at.most(8.5);
        expect(large, dialect).to.be.at.most(131_072 * 6);
      }
    }).timeout(30_000);
  }

  it('reads a megabyte', () => {
    for (const text of Object.values(long))
      for (const dialect of dialects)
        expect(classify(text(MEGABYTE), dialect).summary.length).to.be.at.most(255);
    expect(classify(`SELECT '${'x'.repeat(MEGABYTE)}' FROM t`, 'postgresql')).to.include({
      readOnly: 'yes',
      summary: 'SELECT t',
    });
    expect(classify(`SELECT '${'x'.repeat(MEGABYTE)}' FROM t FOR UPDATE`, 'postgresql').readOnly).to.equal(
      'no',
    );
  }).timeout(60_000);
});

describe('the memory of texts seen lately', () => {
  it('keeps to its bound, and what is asked for again outlives what is not', () => {
    const recent = new Recent<number>(96);
    recent.set('asked for', -1);
    for (let i = 0; i < 5000; i += 1) {
      recent.set(`text ${i}`, i);
      if (i < 20) recent.get('asked for');
    }
    expect(recent.get('asked for')).to.equal(-1);
    const kept = Array.from({ length: 5000 }, (_, i) => recent.get(`text ${i}`)).filter(
      (value) => value !== undefined,
    );
    expect(kept.length).to.be.within(10, 95);
    expect(recent.get('text 4999')).to.equal(4999);
  });

  it('tells texts apart that look alike at every place it samples', () => {
    const recent = new Recent<string>(16);
    const texts = Array.from({ length: 8 }, (_, i) => `${'a'.repeat(40)}${i}${'a'.repeat(40)}`);
    for (const text of texts) {
      recent.set(text, text);
      expect(recent.get(text)).to.equal(text);
    }
    for (const text of texts) expect(recent.get(text) ?? text).to.equal(text);
  });
});

type Outcome = Partial<Omit<Classification, 'fingerprint' | 'summary'>>;

function promised({ verb, readOnly, multiStatement, sessionStateful, shape }: Expected): Outcome {
  return { verb, readOnly, multiStatement, sessionStateful, shape } as Outcome;
}

/** The classification, as far as something is expected of it. */
function outcome(query: string, dialect: Dialect, expected: Expected): Outcome {
  const { verb, readOnly, multiStatement, sessionStateful, shape } = classify(query, dialect);
  const got = { verb, readOnly, multiStatement, sessionStateful, shape };
  return Object.fromEntries(
    Object.entries(got).map(([key, value]) => [
      key,
      expected[key as keyof Outcome] === undefined ? undefined : value,
    ]),
  );
}

/** Characters looked at: single looks, and the lengths of what was searched or copied. */
function operations(work: () => void): number {
  const { charCodeAt, indexOf, lastIndexOf, slice } = String.prototype;
  let count = 0;
  Object.assign(String.prototype, {
    charCodeAt(this: string, at: number) {
      count += 1;
      return charCodeAt.call(this, at);
    },
    indexOf(this: string, text: string, from = 0) {
      const found = indexOf.call(this, text, from);
      count += (found < 0 ? this.length : found) - from + 1;
      return found;
    },
    lastIndexOf(this: string, text: string) {
      const found = lastIndexOf.call(this, text);
      count += this.length - found;
      return found;
    },
    slice(this: string, from?: number, to?: number) {
      count += 1;
      return slice.call(this, from, to);
    },
  });
  try {
    work();
  } finally {
    Object.assign(String.prototype, { charCodeAt, indexOf, lastIndexOf, slice });
  }
  return count;
}
