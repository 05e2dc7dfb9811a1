import { expect } from 'chai';
import { seeded } from '../../../bench/statistics.js';
import { Histogram } from '../../../src/histogram.js';
import { type QueryMix, QueryMixClass } from '../../../src/sizing/query-mix.js';

/** The classes that a load leads through whose leases, ten a second, are held for as long as `holdMs` says. */
function lived(seconds: number, holdMs: (second: number) => number): string[] {
  const holds = new Histogram();
  const mix = new QueryMixClass();
  const classes: string[] = [];
  for (let step = 1; step <= 10 * seconds; step += 1) {
    holds.record(holdMs(step / 10));
    if (mix.step(step * 100, holds) !== undefined) classes.push(mix.current);
  }
  return classes;
}

type Kinds = readonly (readonly [count: number, heldMs: number])[];

/** The class that a mix is taken for whatever was before it; undefined where it changes nothing. */
function classOf(...kinds: Kinds): QueryMix | undefined {
  const before: readonly Kinds[] = [
    [[100, 4]],
    [[100, 2_000]],
    [
      [95, 4],
      [5, 200],
    ],
  ];
  const classes = before.map((first) => {
    const holds = new Histogram();
    const mix = new QueryMixClass();
    for (let vote = 1; vote <= 100; vote += 1) {
      for (const [count, heldMs] of vote <= 10 ? first : kinds)
        for (let lease = 0; lease < count; lease += 1) holds.record(heldMs);
      mix.step(5_000 * vote, holds);
    }
    return mix.current;
  });
  return new Set(classes).size === 1 ? classes[0] : undefined;
}

describe('the mix of queries', () => {
  const random = seeded(3);
  const short = () => 4 + 4 * random();
  const now = (share: number, one: () => number, other: () => number) => (random() < share ? one() : other());

  it('is short queries until something else is seen', () => {
    expect(lived(300, short)).deep.equal([]);
    expect(new QueryMixClass().current).equal('oltp');
  });

  it('is analytic where most of the time goes to long queries', () =>
    expect(lived(300, () => 2_000 + 2_000 * random())).deep.equal(['analytic']));

  it('is mixed where some queries take far longer than the others', () =>
    expect(lived(300, () => now(0.05, () => 200, short))).deep.equal(['mixed']));

  it('is short queries again half a minute after the long ones have gone', () =>
    expect(lived(300, (second) => (second < 150 ? now(0.1, () => 200, short) : short()))).deep.equal([
      'mixed',
      'oltp',
    ]));

  it('does not flap with a long query now and then', () =>
    expect(lived(600, (second) => (second % 60 < 0.1 ? 150 : short()))).deep.equal([]));

  for (const { kinds, is } of [
    { kinds: [[100, 90]], is: 'oltp' },
    { kinds: [[100, 150]], is: undefined },
    {
      kinds: [
        [90, 50],
        [10, 150],
      ],
      is: undefined,
    },
    {
      kinds: [
        [97, 50],
        [3, 150],
      ],
      is: 'oltp',
    },
    {
      kinds: [
        [5, 600],
        [1, 2_000],
      ],
      is: undefined,
    },
    {
      kinds: [
        [1, 600],
        [1, 2_000],
      ],
      is: 'analytic',
    },
    {
      kinds: [
        [900, 4],
        [100, 2_000],
      ],
      is: 'analytic',
    },
    // Some are slow, and take a sixth of the time, or almost all of it.
    {
      kinds: [
        [1_000, 4],
        [1, 800],
      ],
      is: undefined,
    },
    {
      kinds: [
        [900, 4],
        [100, 800],
      ],
      is: undefined,
    },
    {
      kinds: [
        [1_000, 4],
        [4, 800],
      ],
      is: 'mixed',
    },
    // Not as varied as that.
    {
      kinds: [
        [98, 4],
        [2, 80],
      ],
      is: 'oltp',
    },
    // Slow is from ten times the median on, or not all would have been a fifth.
    {
      kinds: [
        [10, 1],
        [1_000, 15],
        [100, 100],
        [2, 2_000],
      ],
      is: undefined,
    },
    {
      kinds: [
        [10, 1],
        [1_000, 15],
        [100, 200],
        [3, 2_000],
      ],
      is: 'mixed',
    },
    {
      kinds: [
        [1_000, 0.1],
        [10, 15],
      ],
      is: undefined,
    },
  ] as const) {
    it(`is ${is ?? 'as it was'} with [leases, ms] ${JSON.stringify(kinds)}`, () =>
      expect(classOf(...kinds)).equal(is));
  }

  it('is another by the third vote, one in five seconds, and twenty leases that count', () => {
    const votesUntil = (leases: number) => {
      const holds = new Histogram();
      const mix = new QueryMixClass();
      let votes = 0;
      while (mix.current === 'oltp') {
        votes += 1;
        for (let lease = 0; lease < leases; lease += 1) holds.record(2_000);
        mix.step(5_000 * votes - 1, holds);
        mix.step(5_000 * votes, holds);
      }
      return votes;
    };
    expect([20, 19].map(votesUntil), 'those of before count in part').deep.equal([3, 4]);
  });

  it('says nothing of a few leases', () => {
    const holds = new Histogram();
    const mix = new QueryMixClass();
    holds.record(5_000);
    for (let now = 5_000; now < 60_000; now += 5_000) expect(mix.step(now, holds)).equal(undefined);
    expect(mix.current).equal('oltp');
  });
});
