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

  it('keeps only the first word of a text that never ends', () => {
    expect(classify("SELECT * FROM users WHERE name = 'O'Brien' FROM canary", 'postgresql').summary).to.equal(
      'SELECT',
    );
  });
});
