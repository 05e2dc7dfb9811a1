import { expect } from 'chai';
import fc from 'fast-check';
import { loadModule, parseSync } from 'libpg-query';
import { classify } from '../../../src/query/classify.js';
import { CANARY, NUMBER_CANARY, Statements } from './statements.js';

const STATEMENTS = 14_000;
const seeds = fc.integer();
/** One seed, printed when a property fails: `seed: …, path: …` in the message replays it. */
const runs = { numRuns: STATEMENTS, seed: 20_261_124 };

/** Calls that the generator makes and that only compute. */
const PURE = new Set([
  'count',
  'lower',
  'upper',
  'length',
  'generate_series',
  'unnest',
  'extract',
  'replace',
]);
const READING = new Set(['SelectStmt', 'ExplainStmt', 'CopyStmt', 'VariableShowStmt']);
const WRITING = new Set([
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'lockingClause',
  'intoClause',
  'IntoClause',
]);

/** What the parser's own tree says: whether anything in the text may do more than read. */
function mayWrite(text: string): boolean | undefined {
  let statements: { stmt?: Record<string, unknown> }[];
  try {
    statements = parseSync(text).stmts ?? [];
  } catch {
    return undefined;
  }
  if (statements.length !== 1) return true;
  const statement = statements[0]?.stmt ?? {};
  return !READING.has(Object.keys(statement)[0] ?? '') || treeWrites(statement);
}

function treeWrites(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(treeWrites);
  if (typeof node !== 'object' || node === null) return false;
  return Object.entries(node).some(
    ([key, value]) => WRITING.has(key) || (key === 'FuncCall' && callsUnknown(value)) || treeWrites(value),
  );
}

function callsUnknown(call: { funcname?: { String: { sval: string } }[]; funcformat?: string }): boolean {
  const names = (call.funcname ?? []).map((part) => part.String.sval);
  if (call.funcformat === 'COERCE_SQL_SYNTAX') return false;
  return names.length !== 1 || !PURE.has(names[0] as string);
}

describe('the classifier beside PostgreSQL’s own parser', () => {
  before(() => loadModule());

  it(`never says "read-only" where the parser sees a write, on more than 10,000 statements`, function () {
    this.timeout(120_000);
    let parsed = 0;
    let reads = 0;
    let recognised = 0;
    fc.assert(
      fc.property(seeds, seeds, seeds, (structure, literals, noise) => {
        const text = new Statements(structure, literals, noise).text();
        const writes = mayWrite(text);
        if (writes === undefined) return;
        parsed += 1;
        const { readOnly, multiStatement } = classify(text, 'postgresql');
        if (writes) expect(readOnly, text).not.to.equal('yes');
        if ((parseSync(text).stmts ?? []).length > 1) expect(multiStatement, text).to.equal(true);
        if (writes) return;
        reads += 1;
        if (readOnly === 'yes') recognised += 1;
      }),
      runs,
    );
    expect(parsed, 'statements that the parser took').to.be.at.least(10_000);
    // An oracle that never hears "yes" proves nothing.
    expect(recognised / reads, 'share of the reads recognised').to.be.at.least(0.97);
    expect(reads).to.be.at.least(2000);
  });

  it('lets no literal and no comment into the summary or the fingerprint', function () {
    this.timeout(60_000);
    fc.assert(
      fc.property(
        seeds,
        seeds,
        seeds,
        fc.constantFrom('postgresql', 'mysql'),
        (structure, literals, noise, dialect) => {
          const text = new Statements(structure, literals, noise).text();
          const { summary, fingerprint, ...rest } = classify(text, dialect);
          expect(fingerprint, text).to.match(/^[0-9a-f]{16}$/);
          expect(`${summary} ${JSON.stringify(rest)}`, text)
            .not.to.include(CANARY)
            .and.not.to.include(NUMBER_CANARY);
        },
      ),
      runs,
    );
  });

  it('gives one fingerprint to a query whatever its literals, lists, comments, white space and case', function () {
    this.timeout(60_000);
    fc.assert(
      fc.property(seeds, seeds, seeds, (structure, one, other) => {
        const left = new Statements(structure, one, one).text();
        const right = new Statements(structure, other, other).text();
        expect(classify(left, 'postgresql').fingerprint, `${left}\n---\n${right}`).to.equal(
          classify(right, 'postgresql').fingerprint,
        );
      }),
      runs,
    );
  });

  it('tells different queries apart', () => {
    const byFingerprint = new Map<string, string>();
    for (let structure = 0; structure < 3000; structure += 1) {
      const plain = new Statements(structure, 7, 7).text();
      const key = classify(plain, 'postgresql').fingerprint;
      const known = byFingerprint.get(key);
      if (known !== undefined) expect(shapeOf(known), `${known}\n---\n${plain}`).to.equal(shapeOf(plain));
      byFingerprint.set(key, plain);
    }
    expect(byFingerprint.size).to.be.at.least(2000);
  });

  it('never says "read-only" of a write cut off in the middle', function () {
    this.timeout(60_000);
    fc.assert(
      fc.property(seeds, seeds, fc.nat(), (structure, literals, cut) => {
        const whole = new Statements(structure, literals, literals).text();
        const text = whole.slice(0, cut % whole.length);
        if (mayWrite(text) === true) expect(classify(text, 'postgresql').readOnly, text).not.to.equal('yes');
      }),
      { ...runs, numRuns: 5000 },
    );
  });
});

/** The same query by a blunter measure: its words and marks, without literals, comments and lists. */
function shapeOf(text: string): string {
  return text
    .replace(/\/\*(?:[^*/]|\*(?!\/)|\/(?!\*)|\/\*(?:[^*]|\*(?!\/))*\*\/)*\*\//g, ' ')
    .replace(/(?:e'(?:[^'\\]|\\.)*'|\$(\w*)\$[\s\S]*?\$\1\$|b'[^']*'|'(?:[^']|'')*')/gi, '?')
    .replace(/--.*$/gm, ' ')
    .replace(/[-+\s]*(?:\b0x\w+|\b\d[\d.e]*|\$\d+|\bnull\b|\btrue\b)/gi, '?')
    .replace(/[\s]+/g, '')
    .replace(/\?(?:,\?)+/g, '?')
    .replace(/(?:\(\?\),?)+/g, '?')
    .replace(/[-+]|;$/g, '')
    .toLowerCase();
}
