import { expect } from 'chai';
import { Ledger } from '../../../src/sizing/ledger.js';

const HALF_LIFE_MS = 600_000;

describe('the ledger of an expert', () => {
  it('trusts nobody who has earned nothing', () => {
    expect(new Ledger().trusts).equal(false);
  });

  it('trusts who cost a twentieth and a millisecond less than going without would have', () => {
    const trusts = (ownMs: number) => {
      const ledger = new Ledger();
      ledger.add(ownMs, 100, 0);
      return ledger.trusts;
    };
    expect([93.9, 94, 95, 100].map(trusts)).deep.equal([true, false, false, false]);
  });

  it('half forgets both sides after ten minutes', () => {
    const ledger = new Ledger();
    ledger.add(0, 100, 0);
    ledger.add(45, 0, HALF_LIFE_MS);
    expect(ledger.trusts, '45 against 50').equal(true);
    ledger.add(22, 0, 2 * HALF_LIFE_MS);
    expect(ledger.trusts, '44.5 against 25').equal(false);
    ledger.add(0, 10_000, 3 * HALF_LIFE_MS);
    expect(ledger.trusts).equal(true);
  });

  it('begins anew when it is cleared', () => {
    const ledger = new Ledger();
    ledger.add(0, 100, 0);
    ledger.clear();
    expect(ledger.trusts).equal(false);
    ledger.add(1_000, 0, 0);
    ledger.clear();
    ledger.add(0, 100, 0);
    expect(ledger.trusts).equal(true);
  });
});

describe('the gate of an expert', () => {
  it('opens once it has earned more than it cost, and closes again', () => {
    const gate = new Ledger();
    expect(gate.trusts).equal(false);
    gate.add(0, 100, 1_000);
    expect(gate.trusts).equal(true);
    gate.add(200, 0, 2_000);
    expect(gate.trusts).equal(false);
    gate.add(0, 100, 3_600_000);
    expect(gate.trusts).equal(true);
  });
});
