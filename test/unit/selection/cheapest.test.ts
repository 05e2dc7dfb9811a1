import { expect } from 'chai';
import { QueryProfiles } from '../../../src/query/profiles.js';
import { Cheapest, type IdleConnection, type Wanted } from '../../../src/selection/cheapest.js';
import { TrackRecord } from '../../../src/selection/track-record.js';

const NOW = 100_000;
const READ = new QueryProfiles().of('SELECT a FROM t', 'postgresql');
for (let run = 0; run < 20; run += 1) READ.learn(2, 'ok');

interface Connection extends IdleConnection {
  readonly name: string;
  readonly has: readonly string[];
}

function connection(
  name: string,
  { slowness = 1, has = [] as string[], ...told }: Partial<Connection> & { slowness?: number } = {},
): Connection {
  const track = new TrackRecord();
  for (let lease = 0; lease < 20; lease += 1) track.learn(READ, 2 * slowness, 'ok', NOW);
  return {
    name,
    has,
    track,
    openedAt: 0,
    expiresAt: Number.POSITIVE_INFINITY,
    idleSince: NOW - 10,
    isSuspect: false,
    settings: undefined,
    passedOver: 0,
    ...told,
  };
}

const WANTED: Wanted = {
  query: { typicalMs: 2 },
  statement: undefined,
  settings: undefined,
  weighsHealth: true,
  checkAfterIdleMs: 500,
  openMs: 2,
  now: NOW,
};

/** `idle`: the newest last. */
function choice(idle: readonly Connection[], wanted: Partial<Wanted> = {}): string | undefined {
  const cheapest = new Cheapest<Connection>(({ has }, statement) => has.includes(statement));
  const chosen = cheapest.choose(idle, { ...WANTED, ...wanted });
  return chosen === undefined ? undefined : `${chosen.connection.name} for ${chosen.flag}: ${chosen.reason}`;
}

describe('the cheapest idle connection', () => {
  it('is the newest one, unless that is worth more than a tenth of a millisecond', () => {
    expect(choice([connection('old'), connection('new')])).equal(undefined);
    const slow = connection('new', { slowness: 3 });
    expect(choice([connection('old'), slow], { query: { typicalMs: 0.01 } })).equal(undefined);
  });

  it('is another where the newest is slow', () => {
    const slow = connection('new', { slowness: 3 });
    expect(choice([connection('oldest'), connection('old'), slow])).equal('old for selection: slow');
    expect(choice([connection('old'), slow], { weighsHealth: false })).equal(undefined);
    expect(choice([connection('old', { slowness: 3 }), slow]), 'all are').equal(undefined);
  });

  it('is another where the newest has not prepared the statement', () => {
    const idle = [connection('old', { has: ['s'] }), connection('middle'), connection('new')];
    expect(choice(idle, { statement: 's' })).equal('old for affinity: statement');
    expect(choice(idle, { statement: 's', weighsHealth: false })).equal('old for affinity: statement');
    const slow = [connection('old', { has: ['s'], slowness: 9 }), connection('new')];
    expect(choice(slow, { statement: 's' }), 'that one costs more').equal(undefined);
    expect(choice(slow, { statement: 's', weighsHealth: false })).equal('old for affinity: statement');
    expect(choice(idle, { statement: 'other' }), 'none has').equal(undefined);
    expect(choice(idle), 'nobody asks').equal(undefined);
  });

  it('is another whose latest holder had the settings that are named', () => {
    const idle = [
      connection('old', { settings: 'a' }),
      connection('middle'),
      connection('new', { settings: 'b' }),
    ];
    expect(choice(idle, { settings: 'a' })).equal('old for affinity: settings');
    expect(choice(idle, { settings: 'a', weighsHealth: false })).equal('old for affinity: settings');
    expect(choice(idle, { settings: 'b' }), 'the newest has them').equal(undefined);
    expect(choice(idle, { settings: 'c' }), 'none has').equal(undefined);
    expect(choice(idle), 'nobody asks').equal(undefined);
  });

  it('is another at the end of a lifetime', () => {
    const ending = connection('new', { expiresAt: NOW + 1_000 });
    expect(choice([connection('old'), ending])).equal('old for selection: lifetime');
    expect(choice([connection('old'), connection('new', { expiresAt: NOW + 10_000 })])).equal(undefined);
  });

  it('is sought among the four newest that need no check', () => {
    const slow = connection('new', { slowness: 3 });
    const worse = connection('worse', { slowness: 4 });
    expect(choice([connection('fifth'), worse, worse, worse, slow])).equal(undefined);
    expect(choice([connection('fourth'), worse, worse, slow])).equal('fourth for selection: slow');
    expect(choice([connection('old', { idleSince: NOW - 500 }), slow])).equal(undefined);
    expect(choice([connection('old', { isSuspect: true }), slow])).equal(undefined);
  });

  it('weighs one reason against another', () => {
    const slow = connection('new', { slowness: 3 });
    const ending = connection('old', { expiresAt: NOW + 1_000 });
    expect(choice([ending, slow], { query: { typicalMs: 0.4 } }), '0.8 ms against 1 ms').equal(undefined);
    expect(choice([ending, slow], { query: { typicalMs: 2 } })).equal('old for selection: slow');
  });

  it('weighs what it costs to open another one where that one is dead', () => {
    const cheapest = new Cheapest<Connection>(() => undefined);
    for (let seen = 0; seen < 100; seen += 1) cheapest.survival.learn(1_000, false);
    const idle = [connection('old', { idleSince: NOW - 1_000 }), connection('new', { slowness: 3 })];
    const chosen = (openMs: number) =>
      cheapest.choose(idle, { ...WANTED, openMs, checkAfterIdleMs: Number.POSITIVE_INFINITY })?.connection
        .name;
    expect(chosen(2), 'two thirds of 2 ms against 4').equal('old');
    expect(chosen(10), 'two thirds of 10 ms against 4').equal(undefined);
  });

  it('is the newest until a twentieth of its own lifetime is left', () => {
    const ending = (leftMs: number) => connection('new', { openedAt: 50_000, expiresAt: NOW + leftMs });
    expect(choice([connection('old'), ending(3_000)])).equal(undefined);
    expect(choice([connection('old'), ending(2_600)])).equal('old for selection: lifetime');
  });

  it('is the newest again after it was passed over sixteen times', () => {
    expect(choice([connection('old'), connection('new', { slowness: 3, passedOver: 15 })])).not.equal(
      undefined,
    );
    expect(choice([connection('old'), connection('new', { slowness: 3, passedOver: 16 })])).equal(undefined);
  });
});
