import { expect } from 'chai';
import { Votes } from '../../../src/sizing/votes.js';

type Load = 'unknown' | 'steady' | 'bursty' | 'ramp';

function voted(...ballots: Load[]): { current: Load; changes: (Load | undefined)[] } {
  const votes = new Votes<Load>('unknown', 'steady');
  const changes = ballots.map((ballot) => votes.cast(ballot));
  return { current: votes.current, changes };
}

const times = (count: number, load: Load): Load[] => Array(count).fill(load);

describe('a name that goes by votes', () => {
  it('is the first one until three in a row say another', () => {
    expect(voted('bursty', 'bursty').current).equal('unknown');
    expect(voted('bursty', 'bursty', 'bursty')).deep.equal({
      current: 'bursty',
      changes: [undefined, undefined, 'unknown'],
    });
  });

  it('takes no votes that others interrupt', () => {
    expect(voted('bursty', 'bursty', 'ramp', 'bursty', 'bursty').current).equal('unknown');
    expect(voted('bursty', 'bursty', 'unknown', 'bursty', 'bursty').current).equal('unknown');
    expect(voted('bursty', 'ramp', 'ramp', 'ramp').current).equal('ramp');
  });

  it('counts anew after a change', () => {
    expect(voted(...times(3, 'bursty'), ...times(2, 'ramp')).current).equal('bursty');
    expect(voted(...times(3, 'bursty'), ...times(3, 'ramp')).current).equal('ramp');
  });

  it('falls back to the calmest by six votes, but takes it as its first word by three', () => {
    expect(voted(...times(3, 'steady')).current).equal('steady');
    expect(voted(...times(3, 'bursty'), ...times(5, 'steady')).current).equal('bursty');
    expect(voted(...times(3, 'bursty'), ...times(6, 'steady')).current).equal('steady');
  });
});
