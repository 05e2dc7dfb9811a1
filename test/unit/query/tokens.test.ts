import { expect } from 'chai';
import { LITERAL } from '../../../src/query/digest.js';
import { type Dialect, END, QUOTED, Tokens } from '../../../src/query/tokens.js';

/** A text read to its end: its tokens, and what is said of the whole. */
function read(text: string, dialect: Dialect) {
  const tokens = new Tokens();
  tokens.open(text, dialect, dialect === 'mysql');
  const all: { readonly slice: string; readonly token: number; readonly hash: number }[] = [];
  for (tokens.next(); tokens.token !== END; tokens.next())
    all.push({ slice: tokens.slice(), token: tokens.token, hash: tokens.hash });
  const { broken, ambiguous, conditional } = tokens;
  return { all, slices: all.map(({ slice }) => slice), broken, ambiguous, conditional };
}

/** Where the tokens of a text begin and end, if they do not in the same places in both dialects. */
type Cut = readonly string[] | { readonly postgresql: readonly string[]; readonly mysql: readonly string[] };

const cuts: Record<string, Record<string, Cut>> = {
  'words and marks': {
    'select a.b': ['select', 'a', '.', 'b'],
    AZaz_09$1: ['AZaz_09$1'],
    'a@b[c]{d}': ['a', '@', 'b', '[', 'c', ']', '{', 'd', '}'],
    'été \u{1f600}x': ['été', '\u{1f600}x'],
    '\ta\nb\vc\fd\re f': ['a', 'b', 'c', 'd', 'e', 'f'],
    'a\u0008b\u000eb\u007fb': ['a', '\u0008', 'b', '\u000e', 'b', '\u007f', 'b'],
    'a/b - c*d': ['a', '/', 'b', '-', 'c', '*', 'd'],
    '*/': ['*', '/'],
    '': [],
  },
  numbers: {
    '12 1.5 1. 1.5e-3 1e+5 1E5': ['12', '1.5', '1.', '1.5e-3', '1e+5', '1E5'],
    '1e 1e- 1ex': ['1', 'e', '1', 'e', '-', '1', 'ex'],
    '1e': ['1', 'e'],
    '1e+': ['1', 'e', '+'],
    '1into 1.into': ['1', 'into', '1.', 'into'],
    '1.5.2': ['1.5', '.', '2'],
    '.5 (.5)': ['.5', '(', '.5', ')'],
    'a.5 a .5': ['a', '.', '5', 'a', '.5'],
    'a. ': ['a', '.'],
    'a.': ['a', '.'],
    '0xFF 0XaF9 0x 0xG': ['0xFF', '0XaF9', '0', 'x', '0', 'xG'],
    '0x': ['0', 'x'],
    '0xA': ['0xA'],
    '0xaf/ 0x09:': ['0xaf', '/', '0x09', ':'],
    '0x`': ['0', 'x', '`'],
    '1xF 0bF': ['1', 'xF', '0', 'bF'],
    '1_000 1_a 1__0 1_': ['1_000', '1', '_a', '1', '__0', '1', '_'],
    '1_000.5_0': ['1_000.5_0'],
  },
  strings: {
    "'' 'it''s' 'a' 'b'": ["''", "'it''s'", "'a'", "'b'"],
    "'a\\' b ' '": { postgresql: ["'a\\'", 'b', "' '"], mysql: ["'a\\' b '", "'"] },
    "'a\\\\' b": ["'a\\\\'", 'b'],
    "E'a\\'b' e''": ["E'a\\'b'", "e''"],
    "B'1' x'F' N'n' u'u' en''": ["B'1'", "x'F'", "N'n'", 'u', "'u'", 'en', "''"],
    "E'a'\n'b\\'' c": ["E'a'", "'b\\''", 'c'],
    "E'a'\n'b'\n'c\\'' d": ["E'a'", "'b'", "'c\\''", 'd'],
    "B'1'\n'b\\' c": { postgresql: ["B'1'", "'b\\'", 'c'], mysql: ["B'1'", "'b\\' c"] },
    "B'\\' 1": { postgresql: ["B'\\'", '1'], mysql: ["B'\\' 1"] },
    '"a""b" c': ['"a""b"', 'c'],
    '`a``b` c': { postgresql: ['`', 'a', '`', '`', 'b', '`', 'c'], mysql: ['`a``b`', 'c'] },
  },
  'dollar signs': {
    '$1 $12a': { postgresql: ['$1', '$12', 'a'], mysql: ['$1', '$12a'] },
    '$$a$$ $t$ $$ $t$ b': {
      postgresql: ['$$a$$', '$t$ $$ $t$', 'b'],
      mysql: ['$$a$$', '$t$', '$$', '$t$', 'b'],
    },
    '$é$a$é$ b': { postgresql: ['$é$a$é$', 'b'], mysql: ['$é$a$é$', 'b'] },
    '$t $ ': { postgresql: ['$', 't', '$'], mysql: ['$t', '$'] },
    $t: { postgresql: ['$', 't'], mysql: ['$t'] },
  },
  placeholders: {
    '? ?a': ['?', '?', 'a'],
    'a=:name :b1': ['a', '=', ':name', ':b1'],
    'a::text': ['a', ':', ':', 'text'],
    'a[1:n] a:b': ['a', '[', '1', ':', 'n', ']', 'a', ':', 'b'],
    ':1 := :é :': [':', '1', ':', '=', ':', 'é', ':'],
  },
  comments: {
    'a --b\nc': { postgresql: ['a', 'c'], mysql: ['a', '-', '-', 'b', 'c'] },
    'a -- b\nc': ['a', 'c'],
    'a --': ['a'],
    'a --\u007fb\nc --\u0001d\ne': ['a', 'c', 'e'],
    'a -- b\rc': { postgresql: ['a', 'c'], mysql: ['a'] },
    'a #b\nc': { postgresql: ['a', '#', 'b', 'c'], mysql: ['a', 'c'] },
    'a/**/b /*/ c */ d': ['a', 'b', 'd'],
    'a /* /* */ b */ c': { postgresql: ['a', 'c'], mysql: ['a', 'b', '*', '/', 'c'] },
    '/*!50000 a */ b /*!c*/': { postgresql: ['b'], mysql: ['a', 'b', 'c'] },
    '/*M! a */ b': { postgresql: ['b'], mysql: ['a', 'b'] },
    '/*Ma*/ b /*m! c */': ['b'],
    '/*! a /*! b */ c */ d': { postgresql: ['d'], mysql: ['a', 'b', 'c', 'd'] },
    '/*! a * b */': { postgresql: [], mysql: ['a', '*', 'b'] },
    '/*!1 a */ */': { postgresql: ['*', '/'], mysql: ['a', '*', '/'] },
  },
};

describe('the tokens of a text', () => {
  for (const [of, texts] of Object.entries(cuts)) {
    for (const [text, cut] of Object.entries(texts)) {
      for (const dialect of ['postgresql', 'mysql'] as const) {
        it(`are cut as the server cuts them: ${of}, ${JSON.stringify(text)} (${dialect})`, () => {
          expect(read(text, dialect).slices).deep.equal(Array.isArray(cut) ? cut : cut[dialect as never]);
        });
      }
    }
  }

  it('are the same for all literals, and for words without regard to case', () => {
    for (const literal of ['1', "'a'", "E'a'", '$1', '$$a$$', ':a', '?', 'NULL', 'true', 'False'])
      expect(read(literal, 'postgresql').all[0]!.hash, literal).equal(LITERAL);
    const hashOf = (text: string) => read(text, 'postgresql').all[0]!.hash;
    expect(hashOf('Ab')).equal(hashOf('aB'));
    expect(new Set(['ab', 'ba', 'a', '"ab"', '"ba"', '"Ab"', '"ab""', '+'].map(hashOf)).size).equal(8);
  });

  it('tell a quoted name from a string', () => {
    const isName = (text: string, dialect: Dialect) => read(text, dialect).all[0]!.token === QUOTED;
    expect([isName('"a"', 'postgresql'), isName('"a"', 'mysql'), isName('`a`', 'mysql')]).deep.equal([
      true,
      false,
      true,
    ]);
  });
});

describe('a text as a whole', () => {
  const said: [text: string, dialect: Dialect, what: string][] = [
    ["'a' \"b\" /* c */ $$d$$ E'e\\'' -- f", 'postgresql', ''],
    ['\'a\' "b" /* c */ `d` # f', 'mysql', ''],
    ["'a''", 'postgresql', 'broken'],
    ['"a""', 'postgresql', 'broken'],
    ["E'a\\'", 'postgresql', 'broken'],
    ['/* a /* b */', 'postgresql', 'broken'],
    ['/* a *', 'postgresql', 'broken'],
    ['$$a$', 'postgresql', 'broken'],
    ['$a$ $b$', 'postgresql', 'broken'],
    ['a\0b', 'postgresql', 'broken'],
    ['`a``', 'mysql', 'broken'],
    ['/* a', 'mysql', 'broken'],
    ['/*!1 a', 'mysql', 'broken conditional'],
    ['/*!1 a */', 'mysql', 'conditional'],
    ['/*M! a */', 'mysql', 'conditional'],
    ['a\u00a0b', 'mysql', 'conditional'],
    ['\u0085b', 'mysql', 'conditional'],
    ['é', 'mysql', ''],
    ['a\u00a0b\u0085', 'postgresql', ''],
    ["'a\\'b'", 'mysql', 'ambiguous'],
    ['"a\\"b"', 'mysql', 'ambiguous'],
    ["'a\\b'", 'mysql', ''],
    ["'a\\' b ' '", 'postgresql', 'ambiguous'],
    ["'a\\b'", 'postgresql', ''],
    ["'a\\", 'postgresql', 'broken'],
    ["E'a\\'b'\n'c\\'d'", 'postgresql', ''],
    ["E'a\\'b'", 'mysql', 'ambiguous'],
  ];
  for (const [text, dialect, what] of said) {
    it(`is ${what || 'whole and clear'}: ${JSON.stringify(text)} (${dialect})`, () => {
      const { broken, ambiguous, conditional } = read(text, dialect);
      const is = Object.entries({ broken, ambiguous, conditional }).filter(([, told]) => told);
      expect(is.map(([name]) => name).join(' ')).equal(what);
    });
  }

  it('is not kept once it was read', () => {
    const tokens = new Tokens();
    tokens.open('secret', 'mysql', true);
    tokens.next();
    expect(tokens.slice()).equal('secret');
    tokens.close();
    expect(tokens.slice()).equal('');
  });

  it('says nothing of the one read before', () => {
    const tokens = new Tokens();
    for (const text of ["'a\\'b' /*! c", 'a']) {
      tokens.open(text, 'mysql', true);
      do tokens.next();
      while (tokens.token !== END);
    }
    expect(tokens).include({ broken: false, ambiguous: false, conditional: false });
  });
});
