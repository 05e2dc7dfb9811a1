import { expect } from 'chai';
import { Openings } from '../../../src/sizing/openings.js';

describe('how many connections open at once ahead of demand', () => {
  it('counts those that are on their way', () => {
    const openings = new Openings(3);
    expect([0, 2, 3, 5].map((opening) => openings.room(opening))).deep.equal([3, 1, 0, 0]);
  });

  it('is one more when as many have opened as usual', () => {
    const openings = new Openings(2);
    for (const at of [0, 10]) openings.opened(at, at + 10);
    expect(openings.room(0)).equal(2);
    openings.opened(20, 30);
    expect(openings.room(0)).equal(3);
  });

  it('is three tenths less when one takes more than twice as long as usual, and that counts once for those on their way', () => {
    const openings = new Openings(10);
    openings.opened(0, 10);
    openings.opened(10, 30);
    expect(openings.room(0), 'twice as long is not slow').equal(10);
    openings.opened(30, 53);
    expect(openings.room(0)).equal(7);
    openings.opened(52, 90);
    expect(openings.room(0), 'it was on its way already').equal(7);
    openings.opened(53, 93);
    expect(openings.room(0)).equal(4);
  });

  it('takes what opens slowly for usual in time', () => {
    const openings = new Openings(10);
    openings.opened(0, 10);
    for (let at = 10; at < 10_000; at += 100) openings.opened(at, at + 100);
    const before = openings.room(0);
    openings.opened(10_010, 10_110);
    for (let at = 10_110; at < 20_000; at += 100) openings.opened(at, at + 100);
    expect(openings.room(0)).above(before);
  });

  it('is halved by a failure, and never below one', () => {
    const openings = new Openings(4);
    openings.failed(0, 10);
    openings.failed(5, 11);
    expect(openings.room(0)).equal(2);
    for (let at = 10; at < 100; at += 10) openings.failed(at, at + 10);
    expect(openings.room(0)).equal(1);
  });
});

describe('openings ahead of demand', () => {
  it('are fewer at once when they are slow or fail, and more again when they are not', () => {
    const openings = new Openings(20);
    for (let opened = 0; opened < 10; opened += 1) openings.opened(0, 10);
    const usual = openings.room(0);
    expect(usual).at.least(20);
    openings.opened(100, 200);
    expect(openings.room(0)).lessThan(usual);
    const slower = openings.room(0);
    openings.opened(150, 260);
    expect(openings.room(0), 'those of the same moment count once').at.least(slower);
    openings.failed(300, 310);
    openings.failed(400, 410);
    openings.failed(500, 510);
    expect(openings.room(0)).lessThan(slower / 4);
    for (let opened = 0; opened < 100; opened += 1) openings.opened(600, 610);
    expect(openings.room(3)).greaterThan(8);
  });
});
