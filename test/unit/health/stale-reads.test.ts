import { expect } from 'chai';
import { mayBeStale, StaleReads } from '../../../src/health/stale-reads.js';
import type { Hint } from '../../../src/hint.js';
import { classify } from '../../../src/query/classify.js';
import { QueryProfiles } from '../../../src/query/profiles.js';
import { Waiter, Waiters } from '../../../src/waiters.js';

const may = (sql: string, hint: Hint = {}) =>
  mayBeStale({ sql, dialect: 'postgresql', ...hint }, classify(sql, 'postgresql'));

describe('reads that may be stale', () => {
  it('are single statements that only read, by their text or by the word of their caller', () => {
    expect(may('SELECT price FROM item WHERE id = 1')).equal(true);
    expect(may('SELECT report(1)'), 'a function may write').equal(false);
    expect(may('SELECT report(1)', { readOnly: true })).equal(true);
    expect(may('SELECT 1', { readOnly: false })).equal(false);
    for (const sql of [
      'UPDATE item SET price = 1',
      'SELECT * FROM item FOR UPDATE',
      'SELECT 1; SELECT 2',
      'SET search_path = other',
      'BEGIN',
      'COMMIT',
      'no sql at all',
    ])
      expect(may(sql, { readOnly: true }), sql).equal(false);
  });

  it('are none of a caller who says nothing, or who wants a transaction', () => {
    expect(mayBeStale(undefined, undefined)).equal(false);
    expect(mayBeStale({ readOnly: true }, undefined)).equal(false);
    expect(may('SELECT 1', { requiresTransaction: true })).equal(false);
  });

  it('are served in the order in which they came, sessions and those who have left the queue left out', () => {
    const profiles = new QueryProfiles();
    const [waiters, stale] = [new Waiters<string>(), new StaleReads<string>()];
    const wait = (sql: string, isStatement = true) => {
      const hint: Hint = { sql, dialect: 'postgresql' };
      const waiter = new Waiter<string>(
        hint,
        0,
        0,
        () => {},
        () => {},
      );
      waiter.profile = profiles.ofHint(hint);
      waiter.isStatement = isStatement;
      waiters.enqueue(waiter);
      stale.joined(waiter);
      return waiter;
    };
    wait('DELETE FROM item');
    wait('SELECT 0', false);
    const [first, gone, last] = [wait('SELECT 1'), wait('SELECT 2'), wait('SELECT 3')];
    waiters.remove(gone!);
    expect(stale.next()).equal(first);
    expect(stale.next()).equal(last);
    expect(stale.next()).equal(undefined);
  });

  it('end with what the new writer has written, or after five seconds', () => {
    const stale = new StaleReads<string>();
    expect(stale).include({ isOn: false });
    stale.begin(10, 1_000);
    expect(stale).include({ isOn: true, until: 6_000 });
    expect(stale.isOver(5_999)).equal(false);
    expect(stale.isOver(6_000)).equal(true);
    expect(stale.isProof(10), 'written before the failover, and told late').equal(false);
    expect(stale.isProof(11)).equal(true);
    stale.end();
    expect(stale).include({ isOn: false });
    expect(stale.isProof(11)).equal(false);
  });

  it('keep half of the connections from the new writer, and the only one never', () => {
    expect([1, 2, 5, 10].map((max) => StaleReads.most(max))).deep.equal([0, 1, 2, 5]);
  });
});
