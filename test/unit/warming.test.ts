import { expect } from 'chai';
import { type CloseReason, SlotState, Slots } from '../../src/slots.js';
import { isCostOfWarming, Warming, warmUpOn } from '../../src/warming.js';

/** How long it rests after `warming` has overrun at `now`. */
function restMs(warming: Warming, now: number): number {
  warming.overran(now);
  let rested = 0;
  while (!warming.mayBegin(now + rested)) rested += 1_000;
  return rested;
}

describe('the warming of connections', () => {
  it('may begin whenever it likes', () => {
    const warming = new Warming();
    expect(warming.mayBegin(0)).equal(true);
    warming.ended();
    expect(warming.mayBegin(0)).equal(true);
  });

  it('rests after one that had no end, twice as long each time, and ten minutes at most', () => {
    const warming = new Warming();
    const rests: number[] = [];
    for (let now = 0; rests.length < 9; now += 1_000_000) rests.push(restMs(warming, now));
    expect(rests).deep.equal([10, 20, 40, 80, 160, 320, 600, 600, 600].map((seconds) => seconds * 1_000));
  });

  it('counts those that had no end together as one', () => {
    const warming = new Warming();
    warming.overran(0);
    warming.overran(9_999);
    expect([warming.mayBegin(9_999), warming.mayBegin(10_000)]).deep.equal([false, true]);
    expect(restMs(warming, 10_000)).equal(20_000);
  });

  it('begins with the shortest rest again once one ended in its time', () => {
    const warming = new Warming();
    restMs(warming, 0);
    restMs(warming, 100_000);
    warming.ended();
    expect(restMs(warming, 200_000)).equal(10_000);
  });
});

describe('a warm-up', () => {
  const { signal } = new AbortController();
  const driver = { open: async () => ({}), check: async () => {}, close() {} };

  it('is what the driver makes of it, and nothing where it has nothing to do', async () => {
    const connection = {};
    const asked: unknown[] = [];
    const warm = async (...given: unknown[]) => void asked.push(...given);
    expect(warmUpOn(driver, connection, signal)).equal(undefined);
    await warmUpOn({ ...driver, warm }, connection, signal);
    expect(asked).deep.equal([connection, signal]);
  });

  it('fails by what is thrown at once as by what is rejected later', async () => {
    const thrown = new Error('no such table');
    const warm = () => {
      throw thrown;
    };
    expect(await warmUpOn({ ...driver, warm }, {}, signal)!.catch((error: unknown) => error)).equal(thrown);
  });

  const costs: [CloseReason, keyof typeof SlotState, uses: number, isCost: boolean][] = [
    ['warm', 'warming', 0, true],
    ['broken', 'warming', 0, true],
    ['broken', 'leased', 0, false],
    ['dirty', 'checking', 0, true],
    ['dirty', 'checking', 1, false],
    ['shrink', 'warming', 0, false],
    ['drain', 'idle', 0, false],
  ];
  for (const [reason, state, uses, isCost] of costs) {
    it(`${isCost ? 'cost' : 'did not cost'} a connection that is closed as ${reason} while ${state}, leased ${uses} times`, () => {
      const slot = new Slots<object>().add({ takeBack: () => true }, 0);
      Object.assign(slot, { state: SlotState[state], uses });
      expect(isCostOfWarming(slot, reason)).equal(isCost);
    });
  }
});
