import { expect } from 'chai';
import { Block, type Totals } from '../../../src/rollout/block.js';

const NOTHING: Totals = { leases: 0, failed: 0, faults: 0, opened: 0 };

/** A block that began at nothing. */
function begun(): Block {
  const block = new Block();
  block.start(NOTHING);
  return block;
}

describe('the measures of a block of time', () => {
  it('are all nothing where nothing happened', () => {
    expect(begun().end(NOTHING)).deep.equal({
      leases: 0,
      waitP95Ms: 0,
      holdRatio: 0,
      failedShare: 0,
      faultShare: 0,
      opened: 0,
      lagMs: 0,
    });
  });

  it('are what was added to the counts since it began', () => {
    const block = new Block();
    block.start({ leases: 1_000, failed: 10, faults: 4, opened: 50 });
    const totals = { leases: 1_030, failed: 20, faults: 7, opened: 52 };
    expect(block.leasesSince(totals)).equal(30);
    expect(block.end(totals)).include({ leases: 30, failedShare: 0.25, faultShare: 0.1, opened: 2 });
  });

  it('are shares of one where no lease was given', () => {
    const measures = begun().end({ leases: 0, failed: 3, faults: 2, opened: 0 });
    expect(measures).include({ failedShare: 1, faultShare: 2 });
  });

  it('are the 95th percentile of the waits, the median of the holds, and the latest upkeep', () => {
    const block = begun();
    for (let number = 100; number > 0; number -= 1) {
      block.recordWait(number);
      block.recordHold(number / 100);
    }
    for (const lateMs of [3, 40, 5]) block.recordLag(lateMs);
    expect(block.end(NOTHING)).include({ waitP95Ms: 96, holdRatio: 0.51, lagMs: 40 });
  });

  it('are those of the latest 256 waits', () => {
    const block = begun();
    for (let wait = 0; wait < 100; wait += 1) block.recordWait(1_000);
    for (let wait = 0; wait < 255; wait += 1) block.recordWait(1);
    expect(block.end(NOTHING).waitP95Ms).equal(1);
    for (let wait = 0; wait < 13; wait += 1) block.recordWait(7);
    expect(block.end(NOTHING).waitP95Ms).equal(7);
  });

  it('have nothing of the block before', () => {
    const block = begun();
    block.recordWait(9);
    block.recordHold(9);
    block.recordLag(9);
    block.start(NOTHING);
    expect(block.end(NOTHING)).include({ waitP95Ms: 0, holdRatio: 0, lagMs: 0 });
  });
});
