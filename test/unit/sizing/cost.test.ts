import { expect } from 'chai';
import { CONNECTION_SECOND_MS, coldWaitMs, keepingMs } from '../../../src/sizing/cost.js';

const CROWD = { peak: 10, load: 0, holdMs: 10, connectMs: 100 };

describe('what a size costs', () => {
  it('is half a millisecond of a wait for a connection that stands open for a second', () => {
    expect(keepingMs(4, 2_500)).equal(10 * CONNECTION_SECOND_MS);
    expect(keepingMs(4, 30_000)).equal(60);
  });

  it('is no wait where as many are warm as are needed', () => {
    expect(coldWaitMs(CROWD, 10)).equal(0);
    expect(coldWaitMs(CROWD, 12)).equal(0);
  });

  it('is for each of a crowd the time to connect where none is warm', () => {
    expect(coldWaitMs(CROWD, 0)).equal(1_000);
    expect(coldWaitMs({ ...CROWD, holdMs: 0 }, 5), 'nothing is known of holds').equal(500);
  });

  it('is where none is warm that of all who come meanwhile, if those are more', () => {
    expect(coldWaitMs({ ...CROWD, load: 8 }, 0)).equal(((8 * 100) / 20) * 100);
  });

  it('is shared releases where those come sooner than connections', () => {
    expect(coldWaitMs(CROWD, 5)).equal(5 * ((6 * 10) / 10));
    expect(coldWaitMs({ ...CROWD, holdMs: 1_000 }, 5)).equal(5 * 100);
  });

  it('grows with the load that gathers where the warm ones are too few for it', () => {
    const load = 9;
    expect(coldWaitMs({ ...CROWD, load }, 2)).equal((7 * 100 * 100) / 20);
  });

  it('is that of a counter with so many servers, by Erlang’s formula for who waits there at all', () => {
    const one = { peak: 2, load: 0.5, holdMs: 10, connectMs: 100 };
    expect(coldWaitMs(one, 1), 'one of two waits').closeTo(50, 1e-6);
    expect(coldWaitMs({ ...one, peak: 3, load: 1 }, 2), 'one of three waits').closeTo(100 / 3, 1e-6);
  });

  it('is never more than a quarter of connecting for each, where the load nearly fills them', () => {
    expect(coldWaitMs({ ...CROWD, load: 8.9 }, 9)).closeTo(89 * 25, 1e-6);
  });
});

describe('the cost of a cold wait', () => {
  const demand = { load: 0, holdMs: 4, connectMs: 40 };
  it('is nothing while there are enough', () => expect(coldWaitMs({ ...demand, peak: 5 }, 5)).equal(0));
  it('is a whole opening for each caller when nothing is warm', () =>
    expect(coldWaitMs({ ...demand, peak: 3 }, 0)).equal(120));
  it('is the shorter of queueing and opening for those who come at once', () => {
    expect(coldWaitMs({ ...demand, peak: 6 }, 5)).closeTo(0.8, 1e-9);
    expect(coldWaitMs({ ...demand, peak: 6, holdMs: 4_000 }, 5)).equal(40);
  });
  it('counts those who queue meanwhile as Erlang does', () => {
    // Of a load of 7.8 on 17 servers 0.3 % queue, for 0.43 ms, and 780 come while a connection opens.
    const wait = coldWaitMs({ peak: 18, load: 7.8, holdMs: 4, connectMs: 400 }, 17);
    expect(wait).closeTo(1.0568, 0.0001);
    expect(coldWaitMs({ peak: 500, load: 8, holdMs: 4, connectMs: 40 }, 400)).above(0);
  });
  it('counts those who gather while connections open', () =>
    expect(coldWaitMs({ ...demand, peak: 6, load: 5 }, 2)).equal((3 * 40 * 40) / (2 * 4)));
});
