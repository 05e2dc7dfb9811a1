import { expect } from 'chai';
import { StallWatch } from '../../../src/health/stall.js';
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
    slot.profile = profileOf(1, 5);
    expect(lookUntil(watch, [slot], 50, 1_000)).deep.equal([]);
    expect(lookUntil(watch, [slot], 1_050, 1_050)).deep.equal([slot]);
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
    expect(mute.asks(leased(0), 1_040, 1_200)).deep.equal(pair);

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
    const [alone, check, shared] = [leased(0), checking(0), leased(0)];
    shared.depth = 8;
    lookUntil(watch, [alone], 50, 300);
    expect(watch.expendable()).equal(undefined);
    lookUntil(watch, [alone, shared], 350, 600);
    expect(watch.expendable()).equal(undefined);
    lookUntil(watch, [alone, shared, check], 650, 900);
    expect(watch.expendable()).equal(check);
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
    expect(watch.lost()).deep.equal([]);
    watch.learnAnswer(60);
    watch.learnAnswer(30);
    expect(watch.lost()).deep.equal([check]);
  });

  it('learns nothing of when a question was asked from the answer to one that it gave up', () => {
    const watch = new StallWatch<Line>();
    const [check, late, asker] = [checking(0), checking(0), checking(0)];
    watch.asks(late, 0, 10);
    lookUntil(watch, [check], 50, 300);
    watch.asks(asker, 0, 300);
    watch.answered(late, false, 310);
    expect(watch.lost()).deep.equal([]);
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

  it('takes the network for quiet when two are held for a while', () => {
    const watch = new StallWatch<Line>();
    expect(watch.isQuiet([leased(0), leased(0)], 19)).equal(false);
    expect(watch.isQuiet([leased(0), leased(0)], 20)).equal(true);
    expect(watch.isQuiet([leased(0), leased(15)], 20)).equal(false);
    expect(watch.isQuiet([leased(0), checking(0)], 20)).equal(false);
  });
});
