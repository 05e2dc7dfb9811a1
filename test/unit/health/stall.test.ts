import { expect } from 'chai';
import { muteError, StallWatch } from '../../../src/health/stall.js';
import { QueryProfile } from '../../../src/query/profiles.js';
import { Slot, SlotState } from '../../../src/slots.js';

/** Bytes received so far; undefined when no answer is owed. */
interface Line {
  bytes: number | undefined;
}

const bytesOf = ({ bytes }: Line) => bytes;

function profileOf(heldMs: number, runs = 100): QueryProfile {
  const profile = new QueryProfile('SELECT');
  for (let run = 0; run < runs; run += 1) profile.learn(heldMs, 'ok');
  return profile;
}

function leased(now: number, usualMs = 1): Slot<Line> {
  const slot = new Slot<Line>(1, { takeBack: () => true }, 0);
  slot.connection = { bytes: 100 };
  slot.state = SlotState.leased;
  slot.leasedAt = now;
  slot.profile = profileOf(usualMs);
  return slot;
}

function checking(now: number): Slot<Line> {
  const slot = leased(now);
  slot.state = SlotState.checking;
  slot.askedAt = now;
  slot.retiring = 'check';
  return slot;
}

/** Looks every 50 ms. */
function lookUntil(watch: StallWatch<Line>, slots: readonly Slot<Line>[], from: number, to: number) {
  let silent: readonly Slot<Line>[] = [];
  for (let now = from; now <= to; now += 50) silent = watch.look(slots, bytesOf, now);
  return silent;
}

describe('the watch over silent connections', () => {
  it('finds one that is silent for far longer than its kind of work ever took', () => {
    const watch = new StallWatch<Line>();
    const [quick, slow] = [leased(1_000, 1), leased(1_000, 400)];
    expect(lookUntil(watch, [quick, slow], 1_050, 1_150)).deep.equal([]);
    expect(lookUntil(watch, [quick, slow], 1_200, 1_200)).deep.equal([quick]);
    expect(lookUntil(watch, [quick, slow], 1_250, 5_000)).deep.equal([quick]);
    expect(lookUntil(watch, [quick, slow], 5_050, 5_100)).deep.equal([quick, slow]);
  });

  it('gives work that it hardly knows a second', () => {
    const watch = new StallWatch<Line>();
    const slot = leased(0);
    slot.profile = profileOf(1, 19);
    const unknown = leased(0);
    unknown.profile = undefined;
    const known = leased(0);
    known.profile = profileOf(1, 20);
    expect(lookUntil(watch, [slot, unknown, known], 50, 1_000)).deep.equal([known]);
    expect(lookUntil(watch, [slot, unknown, known], 1_050, 1_050)).deep.equal([slot, unknown, known]);
  });

  it('gives a shared connection ten times what is expected of all that is in flight there', () => {
    const watch = new StallWatch<Line>();
    const [busy, quick] = [leased(0), leased(0)];
    for (const slot of [busy, quick]) slot.depth = 8;
    busy.loadMs = 40;
    quick.loadMs = 1;
    expect(lookUntil(watch, [busy, quick], 50, 150)).deep.equal([]);
    expect(lookUntil(watch, [busy, quick], 200, 400)).deep.equal([quick]);
    expect(lookUntil(watch, [busy, quick], 450, 450)).deep.equal([busy, quick]);
  });

  it('looks at checks at once, at leases when they are 20 ms old, and at nothing else', () => {
    const watch = new StallWatch<Line>();
    const [lease, check, idle] = [leased(1_000), checking(1_000), leased(0)];
    idle.state = SlotState.idle;
    const all = [lease, check, idle];
    const lookedAt: Slot<Line>[] = [];
    const noted = (line: Line) => {
      lookedAt.push(all.find(({ connection }) => connection === line)!);
      return line.bytes;
    };
    watch.look(all, noted, 1_019);
    expect(lookedAt.splice(0)).deep.equal([check]);
    watch.look(all, noted, 1_020);
    expect(lookedAt).deep.equal([lease, check]);
  });

  it('counts the silence of a check on which something came from then on', () => {
    const watch = new StallWatch<Line>();
    const check = checking(1_000);
    lookUntil(watch, [check], 1_050, 1_100);
    check.connection!.bytes = 200;
    expect(lookUntil(watch, [check], 1_140, 1_280)).deep.equal([]);
    expect(lookUntil(watch, [check], 1_290, 1_290)).deep.equal([check]);
  });

  it('says when to look again: at the first limit of all, and no sooner than it may ask', () => {
    const watch = new StallWatch<Line>();
    const [quick, slow, asker] = [leased(0), leased(0, 30), leased(0)];
    watch.look([quick, slow], bytesOf, 50);
    expect(watch.dueAt).equal(200);
    watch.look([slow, quick], bytesOf, 190);
    expect(watch.dueAt).equal(200);
    watch.look([slow, quick], bytesOf, 199);
    expect(watch.dueAt).equal(200);
    watch.look([quick, slow], bytesOf, 200);
    expect(watch.dueAt, 'the other one').equal(350);
    watch.look([quick], bytesOf, 210);
    expect(watch.dueAt, 'once more').equal(360);
    watch.asks(asker, 0, 210);
    watch.answered(asker, false, 210);
    watch.look([quick], bytesOf, 250);
    expect(watch.dueAt, 'the next question').equal(1_210);
  });

  it('knows whether one that was asked about is silent still, and since when', () => {
    const watch = new StallWatch<Line>();
    const slot = leased(1_000);
    expect(watch.isStillSilent(slot, 100)).equal(false);
    expect(watch.silentMs(slot, 1_000)).equal(0);
    watch.look([slot], bytesOf, 1_050);
    expect(watch.isStillSilent(slot, 100)).equal(true);
    expect(watch.silentMs(slot, 1_080)).equal(30);
    expect(watch.isStillSilent(slot, 101), 'a byte came').equal(false);
    expect(watch.isStillSilent(slot, undefined), 'nothing is owed').equal(false);
    slot.leasedAt = 1_060;
    expect(watch.isStillSilent(slot, 100), 'another lease').equal(false);
    slot.leasedAt = 1_000;
    slot.state = SlotState.checking;
    expect(watch.isStillSilent(slot, 100), 'a check').equal(false);
  });

  it('tells whoever held it what the operating system would have said', () => {
    expect(muteError(200)).include({
      code: 'ETIMEDOUT',
      syscall: 'read',
      message:
        'The connection is dead: no byte came on it for 200 ms, and the server, asked over another connection, ' +
        'is not working on the statement. Whether it was run is unknown.',
    });
  });

  it('begins anew with every byte, with every lease, and when the event loop stood still', () => {
    const watch = new StallWatch<Line>();
    const slot = leased(0);
    lookUntil(watch, [slot], 50, 150);
    slot.connection!.bytes = 101;
    expect(lookUntil(watch, [slot], 200, 300)).deep.equal([]);
    slot.leasedAt = 320;
    expect(lookUntil(watch, [slot], 350, 450)).deep.equal([]);
    watch.restart(480);
    expect(watch.silentMs(slot, 500)).equal(20);
    expect(lookUntil(watch, [slot], 500, 600)).deep.equal([]);
    expect(lookUntil(watch, [slot], 650, 650)).deep.equal([slot]);
  });

  it('does not mind a connection that owes nothing', () => {
    const watch = new StallWatch<Line>();
    const slot = leased(0);
    slot.connection!.bytes = undefined;
    expect(lookUntil(watch, [slot], 50, 10_000)).deep.equal([]);
    expect(watch.dueAt).equal(Number.POSITIVE_INFINITY);
  });

  it('asks at once where all have gone mute, and of one alone only when TCP has tried four times', () => {
    const mute = new StallWatch<Line>();
    const pair = [leased(1_000), leased(1_000)];
    lookUntil(mute, pair, 1_050, 1_200);
    expect(mute.asks(leased(0), 1_050, 1_200)).deep.equal(pair);

    const others = new StallWatch<Line>();
    lookUntil(others, pair, 1_050, 1_200);
    const asker = leased(0);
    expect(others.asks(asker, 1_190, 1_200), 'another answered since').deep.equal([]);
    others.answered(asker, false, 1_200);
    lookUntil(others, pair, 1_250, 2_550);
    expect(others.asks(asker, 2_500, 2_550)).deep.equal(pair);

    const alone = new StallWatch<Line>();
    lookUntil(alone, [pair[0]!], 1_050, 1_200);
    expect(alone.asks(leased(0), 0, 1_200)).deep.equal([]);
  });

  it('asks about statements only, about those silent for a tenth of a second, and at once only if none of these was heard', () => {
    const [first, second, late] = [leased(1_000), leased(1_000), leased(1_000)];
    const check = checking(1_000);
    const watch = new StallWatch<Line>();
    watch.look([first], bytesOf, 1_050);
    watch.look([first, second, check], bytesOf, 1_100);
    watch.look([first, second, check, late], bytesOf, 1_101);
    expect(watch.asks(leased(0), 1_000, 1_200)).deep.equal([first, second]);
    expect(watch.asks(leased(0), 1_000, 1_201)).deep.equal([first, second, late]);
    expect(watch.asks(leased(0), 1_051, 1_201), 'the first is silent since before').deep.equal([]);
  });

  it('asks at once about those who were leased before others were proven dead, though the next are answered', () => {
    const watch = new StallWatch<Line>();
    const [asker, late, later] = [leased(0), leased(1_250), leased(1_350)];
    watch.asks(asker, 0, 1_300);
    watch.answered(asker, true, 1_300);
    lookUntil(watch, [late, later], 1_300, 1_600);
    expect(watch.asks(asker, 1_590, 1_600)).deep.equal([late]);
  });

  it('gives those who were leased before that a tenth of a second, however long their kind of work may take', () => {
    const watch = new StallWatch<Line>();
    const [asker, before, after] = [leased(0), leased(1_250, 400), leased(1_350, 400)];
    watch.asks(asker, 0, 1_300);
    watch.answered(asker, true, 1_300);
    expect(lookUntil(watch, [before, after], 1_400, 1_450)).deep.equal([]);
    expect(lookUntil(watch, [before, after], 1_500, 1_500)).deep.equal([before]);

    const none = new StallWatch<Line>();
    none.asks(asker, 0, 1_300);
    none.answered(asker, false, 1_300);
    expect(lookUntil(none, [before, after], 1_400, 1_600), 'none was dead').deep.equal([]);
  });

  it('counts the silence of a check from its beginning, but not what the event loop slept through', () => {
    const watch = new StallWatch<Line>();
    const check = checking(0);
    expect(lookUntil(watch, [check], 100, 100)).deep.equal([]);
    expect(lookUntil(watch, [check], 150, 150)).deep.equal([check]);
    const rested = new StallWatch<Line>();
    rested.restart(400);
    expect(lookUntil(rested, [check], 400, 500)).deep.equal([]);
    expect(lookUntil(rested, [check], 550, 550)).deep.equal([check]);
  });

  it('gives a check five times as long as one took, for its end costs nobody an answer', () => {
    const watch = new StallWatch<Line>();
    const check = checking(100);
    watch.learnCheck(0, 60);
    expect(lookUntil(watch, [check], 150, 350)).deep.equal([]);
    expect(lookUntil(watch, [check], 400, 400)).deep.equal([check]);
    // 60 ms × 0.98^25 is 36 ms.
    for (let run = 0; run < 25; run += 1) watch.learnCheck(0, 1);
    expect(lookUntil(watch, [checking(1_000)], 1_050, 1_150)).deep.equal([]);
    expect(lookUntil(watch, [checking(1_000)], 1_200, 1_200)).have.length(1);
  });

  it('asks ever more seldom while nothing is found', () => {
    const watch = new StallWatch<Line>();
    const slots = [leased(0), leased(0)];
    const asker = leased(0);
    const asked: number[] = [];
    for (let now = 50; now < 20_000; now += 50) {
      watch.look(slots, bytesOf, now);
      if (!watch.wantsToAsk(now)) continue;
      asked.push(now);
      watch.asks(asker, 0, now);
      expect(watch.wantsToAsk(now), 'one question at a time').equal(false);
      watch.answered(asker, false, now);
    }
    expect(asked).deep.equal([200, 1_200, 3_200, 7_200, 15_200]);
  });

  it('can spare a check, but no statement, shared or not', () => {
    const watch = new StallWatch<Line>();
    const [alone, check, shared, cleaned] = [leased(0), checking(0), leased(0), checking(0)];
    shared.depth = 8;
    alone.retiring = 'check';
    cleaned.retiring = undefined;
    lookUntil(watch, [alone, cleaned], 50, 300);
    expect(watch.expendable()).equal(undefined);
    expect(watch.doubtsIdle).equal(false);
    lookUntil(watch, [alone, shared], 350, 600);
    expect(watch.expendable()).equal(undefined);
    lookUntil(watch, [alone, shared, check], 650, 900);
    expect(watch.expendable()).equal(check);
    expect(watch.doubtsIdle).equal(true);
    watch.restart(950);
    expect(watch.expendable()).equal(undefined);
    expect(watch.wantsToAsk(950)).equal(false);
  });

  it('gives a check up once another is answered that was asked later', () => {
    const watch = new StallWatch<Line>();
    const [check, asker] = [checking(0), checking(0)];
    lookUntil(watch, [check], 50, 300);
    expect(watch.doubtsIdle).equal(true);
    watch.asks(asker, 0, 300);
    watch.unanswered(asker);
    lookUntil(watch, [check], 350, 350);
    expect(watch.lost(), 'nothing is known').deep.equal([]);
    watch.asks(asker, 0, 400);
    watch.answered(asker, false, 410);
    lookUntil(watch, [check], 450, 450);
    expect(watch.lost()).deep.equal([check]);
  });

  it('gives a check up once another connection has answered what was asked since, not what was asked before', () => {
    const watch = new StallWatch<Line>();
    const check = checking(50);
    lookUntil(watch, [check], 100, 300);
    watch.learnAnswer(40);
    watch.learnAnswer(50);
    expect(watch.lost()).deep.equal([]);
    watch.learnCheck(60, 5);
    watch.learnAnswer(30);
    expect(watch.lost()).deep.equal([check]);
  });

  it('learns nothing of when a question was asked from the answer to one that it gave up', () => {
    const watch = new StallWatch<Line>();
    const [check, late, asker] = [checking(0), checking(0), checking(0)];
    watch.asks(late, 0, 10);
    lookUntil(watch, [check], 50, 300);
    watch.asks(asker, 0, 300);
    watch.unanswered(late);
    expect(watch.wantsToAsk(310), 'the other question is on its way').equal(false);
    watch.answered(late, false, 310);
    expect(watch.lost()).deep.equal([]);
    watch.unanswered(asker);
    expect(watch.wantsToAsk(1_309)).equal(false);
    expect(watch.wantsToAsk(1_310)).equal(true);
  });

  it('takes the first checks of a long link for no longer than half of what it took to open, which was two round trips', () => {
    const watch = new StallWatch<Line>();
    const check = checking(0);
    watch.learnOpen(900);
    watch.learnOpen(280);
    expect(lookUntil(watch, [check], 50, 650)).deep.equal([]);
    expect(lookUntil(watch, [check], 700, 700)).deep.equal([check]);
  });

  it('asks anew over another connection when the question itself is silent', () => {
    const watch = new StallWatch<Line>();
    const [silent, asker] = [leased(0), checking(300)];
    lookUntil(watch, [silent], 50, 300);
    watch.asks(asker, 0, 300);
    lookUntil(watch, [silent, asker], 350, 400);
    expect(watch.wantsToAsk(400)).equal(false);
    lookUntil(watch, [silent, asker], 450, 450);
    expect(watch.wantsToAsk(450)).equal(true);
  });

  it('opens at most one connection a second to ask over', () => {
    const watch = new StallWatch<Line>();
    const opened: number[] = [];
    for (let now = 0; now < 3_000; now += 100) if (watch.claimOpening(now)) opened.push(now);
    expect(opened).deep.equal([0, 1_000, 2_000]);
  });

  it('tells for how long one has been silent that is so beyond its limit, as long as it owes that answer', () => {
    const watch = new StallWatch<Line>();
    const slot = leased(0, 30);
    lookUntil(watch, [slot], 50, 500);
    const beyondAt = (now: number) => watch.beyondLimitMs(slot, bytesOf(slot.connection!), now);
    expect(beyondAt(349), 'the limit is ten times 30 ms').equal(0);
    expect(beyondAt(450)).equal(400);
    slot.connection!.bytes = 101;
    expect(beyondAt(450), 'something came').equal(0);
    slot.connection!.bytes = undefined;
    expect(beyondAt(450), 'nothing is owed').equal(0);
    expect(watch.beyondLimitMs(leased(0), 100, 450), 'never looked at').equal(0);
  });

  it('takes the network for quiet when two are held for a while', () => {
    const watch = new StallWatch<Line>();
    expect(watch.isQuiet([leased(0), leased(0)], 19)).equal(false);
    expect(watch.isQuiet([leased(0), leased(0)], 20)).equal(true);
    expect(watch.isQuiet([leased(0), leased(15)], 20)).equal(false);
    expect(watch.isQuiet([leased(0), checking(0)], 20)).equal(false);
  });
});
