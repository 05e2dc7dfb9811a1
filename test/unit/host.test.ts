import { expect } from 'chai';
import { plainHost, startWatch, type Watching } from '../../adapters/host.js';

describe('what goes wrong when the watch of a stock pool begins', () => {
  it('costs the watching and nothing else', () => {
    const info = { library: 'pg' } as never;
    const watching = { watched: {} } as Watching;
    const closed: unknown[] = [];
    const host = {
      ...plainHost,
      watch: () => watching,
      closed: (_: unknown, pool: unknown) => closed.push(pool),
    };
    const begin = () => {
      throw new TypeError('Cannot assign to read only property');
    };
    expect(startWatch(info, host, begin)).equal(undefined);
    expect(closed).deep.equal([watching.watched]);
  });
});
