import { expect } from 'chai';
import { Recurrence } from '../../../src/sizing/recurrence.js';

const SLOT_MS = 500;

/** A demand of `low`, and of `high` in one slot in `every`, for so many slots; the search keeps up with it. */
function seen(slots: number, every: number, { high = 20, low = 2, length = 480 } = {}): Recurrence {
  const recurrence = new Recurrence(SLOT_MS, length, 0);
  for (let slot = 0; slot < slots; slot += 1) {
    recurrence.note(slot * SLOT_MS + 1, slot % every === 0 ? high : low, low);
    recurrence.search(5);
  }
  return recurrence;
}

describe('what recurs', () => {
  it('is nothing at first, and nothing of a level load', () => {
    for (const nothing of [new Recurrence(SLOT_MS, 480, 0), seen(480, 10, { high: 2 })]) {
      expect(nothing).include({ period: 0, highest: 0 });
      expect(nothing.expected(10_000)).equal(0);
      expect(nothing.nextAbove(0, 0, 0)).equal(Number.POSITIVE_INFINITY);
    }
  });

  it('is found with its period, the shortest and no multiple of it, and its highest demand', () => {
    expect(seen(480, 30)).include({ period: 30, highest: 20 });
    expect(seen(480, 7)).include({ period: 7, highest: 20 });
  });

  it('is believed once it was seen three times', () => {
    expect(seen(50, 30).period).equal(0);
    expect(seen(140, 30).period).equal(30);
    expect(seen(480, 170).period, 'longer than a third of what is remembered').equal(0);
  });

  it('is expected a period after it was, and as far ahead as is asked', () => {
    // The last peak was in slot 450, the newest is 479, so the next one is the next slot.
    const recurrence = seen(480, 30);
    expect(recurrence.expected(SLOT_MS)).equal(20);
    const later = seen(470, 30);
    expect(later.expected(SLOT_MS), 'eleven slots before it').equal(2);
    expect(later.expected(10 * SLOT_MS)).equal(20);
    expect(later.expected(1e9), 'never further than a period').equal(20);
  });

  it('says when it will first be above a level', () => {
    const now = 469 * SLOT_MS + 1;
    const recurrence = seen(470, 30);
    expect(recurrence.nextAbove(2, now, 0)).equal(479 * SLOT_MS);
    expect(recurrence.nextAbove(2, now, 2_000)).equal(479 * SLOT_MS - 2_000);
    expect(recurrence.nextAbove(2, now, 1e9), 'not in the past').equal(now);
    expect(recurrence.nextAbove(1, now, 0), 'it is there already').equal(now);
    expect(recurrence.nextAbove(20, now, 0)).equal(Number.POSITIVE_INFINITY);
  });

  it('is taken to have held through a rest as it did before', () => {
    const recurrence = new Recurrence(SLOT_MS, 480, 0);
    for (let at = 1; at < 240_000; at += 30 * SLOT_MS) {
      recurrence.note(at, 20, 2);
      recurrence.note(at + SLOT_MS, 2, 2);
    }
    recurrence.search(400);
    recurrence.search(400);
    expect(recurrence).include({ period: 30, highest: 20 });
    recurrence.note(10_000_000, 3, 0);
    recurrence.search(400);
    recurrence.search(400);
    expect(recurrence.period, 'a rest longer than it remembers').equal(0);
  });
});

describe('what recurs in a load', () => {
  it('is found after three periods, expected a period later, and not before', () => {
    const peaks = new Recurrence(500, 480, 0);
    const until = (end: number, from: number) => {
      for (let now = from; now <= end; now += 100) {
        peaks.note(now, now % 15_000 < 400 ? 20 : 0, 0);
        peaks.search(1);
        if (now < 40_000) expect(peaks.period, `at ${now} ms`).equal(0);
      }
    };
    until(82_000, 100);
    expect(peaks.period * peaks.slotMs).equal(15_000);
    expect(peaks.highest).equal(20);
    expect(peaks.expected(200)).equal(0);
    expect(peaks.nextAbove(0, 82_000, 200)).within(88_500, 90_000);
  });

  it('is found in spikes between which the pool is at rest', () => {
    const peaks = new Recurrence(500, 480, 0);
    for (let now = 45_000; now <= 10 * 45_000; now += 45_000) {
      peaks.note(now - 100, 0, 0);
      peaks.search(449);
      peaks.note(now, 20, 0);
      peaks.search(1);
    }
    expect(peaks.period * peaks.slotMs).equal(45_000);
  });

  it('is not seen in a slow rise', () => {
    const peaks = new Recurrence(500, 480, 0);
    for (let now = 100; now <= 240_000; now += 100) {
      peaks.note(now, now / 10_000, 0);
      peaks.search(1);
    }
    expect(peaks.period).equal(0);
  });
});
