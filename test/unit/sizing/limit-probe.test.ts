import { expect } from 'chai';
import { LimitProbe, type LimitView } from '../../../src/sizing/limit-probe.js';

const STEP_MS = 100;
const MAX = 64;
const ALL = Number.POSITIVE_INFINITY;

/** How many leases come back in a tenth of a second with so many connections at work. */
type Server = (atWork: number) => number;

const computing: Server = () => 300;
const waiting: Server = (atWork) => 10 * atWork;
/** Does less with fewer than `enough`. */
const busiestWith =
  (enough: number): Server =>
  (atWork) =>
    atWork < enough ? 100 : 300;

/** A crowd that waits all the time, on a server that takes so many at a time as the probe lets. */
class Crowd {
  readonly probe: LimitProbe;
  server: Server;
  now = 0;
  waiting = MAX;
  view: Partial<LimitView> = {};
  acts = true;
  /** How long leases are held, next to what those take that are at work all the time. */
  holdShare = 1;
  #released = 0;
  readonly #held = { count: 0, sumMs: 0 };

  constructor(server: Server, random = 0) {
    this.server = server;
    this.probe = new LimitProbe(0, () => random);
  }

  step(elapsedMs = STEP_MS) {
    this.now += elapsedMs;
    const { max = MAX } = this.view;
    const leased = Math.min(this.probe.use, max);
    const completed = Math.round((this.server(leased) * elapsedMs) / STEP_MS);
    this.#released += completed;
    this.#held.count += completed;
    this.#held.sumMs += this.holdShare * leased * elapsedMs;
    const view = {
      now: this.now,
      released: this.#released,
      useTimes: { ...this.#held },
      leased,
      waiting: this.waiting,
      min: 0,
      max,
      shared: 0,
      stalled: false,
      trouble: undefined,
      ...this.view,
    };
    return this.probe.step(view, this.acts);
  }

  run(ms: number): this {
    for (const end = this.now + ms; this.now < end; ) this.step();
    return this;
  }

  /** Until something is so, or two hours have passed. */
  until(isSo: () => boolean): this {
    for (const end = this.now + 7_200_000; this.now < end && !isSo(); ) this.step();
    return this;
  }

  get isTrying(): boolean {
    return this.probe.use !== this.probe.size || this.probe.open !== this.probe.size;
  }

  /** The next trials: how long after the last one each began, and what it tried. */
  trials(count: number): (readonly [afterMs: number, size: number])[] {
    return Array.from({ length: count }, () => {
      this.until(() => !this.isTrying);
      const { now } = this;
      this.until(() => this.isTrying);
      const begunAt = this.now;
      const from = this.probe.use;
      this.until(() => this.probe.use !== from);
      return [begunAt - now, this.probe.use] as const;
    });
  }

  get report() {
    return this.probe.report(this.view.max ?? MAX);
  }
}

/** One in which a quarter of the maximum was found to do as much as all. */
function found(random = 0): Crowd {
  const crowd = new Crowd(computing, random);
  return crowd.until(() => crowd.probe.size === 16);
}

describe('the limit probe', () => {
  it('allows all at first, and tries a quarter once callers have waited for two seconds', () => {
    const crowd = new Crowd(computing).run(2_000);
    expect(crowd.probe).include({ use: ALL, open: ALL, size: ALL, reason: 'nothing was tried yet' });
    expect(crowd.report).deep.include({ size: MAX, trials: 0, enough: undefined, better: undefined });
    crowd.step();
    expect(crowd.probe, 'the maximum comes first').include({ use: MAX, open: MAX, size: ALL });
    crowd.until(() => crowd.probe.use !== MAX);
    expect(crowd.probe, 'the others stay open').include({ use: 16, open: MAX });
  });

  it('tries nothing while callers do not wait all the time', () => {
    const crowd = new Crowd(computing);
    for (let pause = 0; pause < 10; pause += 1) {
      crowd.waiting = 0;
      crowd.run(100);
      crowd.waiting = 5;
      crowd.run(1_900);
    }
    expect(crowd.isTrying).equal(false);
    expect(crowd.run(100).isTrying).equal(true);
  });

  it('tries nothing where fewer than a hundred leases come back a second', () => {
    expect(new Crowd(() => 9).run(60_000).isTrying).equal(false);
    expect(new Crowd(() => 10).run(3_000).isTrying).equal(true);
  });

  it('tries nothing while statements share connections', () => {
    const crowd = new Crowd(computing);
    for (let shared = 1; shared < 100; shared += 1) {
      crowd.view = { shared };
      crowd.run(100);
    }
    expect(crowd.isTrying).equal(false);
    expect(crowd.run(2_000).isTrying, 'it has come to an end').equal(true);
  });

  it('tries nothing below min, nor one connection alone, nor as many as there are', () => {
    const triedWith = (view: Partial<LimitView>) => {
      const crowd = new Crowd(() => 300);
      crowd.view = view;
      crowd.run(30_000);
      return crowd.probe.size;
    };
    expect(triedWith({ min: 40 })).equal(40);
    expect(triedWith({ min: 64 })).equal(ALL);
    expect(triedWith({ max: 8 })).equal(2);
    expect(triedWith({ max: 9 })).equal(3);
    expect(triedWith({ max: 4 })).equal(2);
    expect(triedWith({ max: 2 })).equal(ALL);
  });

  it('stays with a quarter that does as much, and says what came of it', () => {
    const crowd = found();
    expect(crowd.probe).include({ use: 16, open: 16, size: 16 });
    expect(crowd.report).deep.equal({
      size: 16,
      reason: '16 connections did 100 % of what 64 did',
      trials: 1,
      enough: 16,
      better: { max: 16, throughputRatio: 1, holdRatio: crowd.report.better?.holdRatio },
      advice:
        'max 64 is large: with 16 connections the database did as much, and each lease held its connection for 25 % of the time',
    });
    expect(crowd.report.better?.holdRatio).closeTo(0.25, 1e-9);
    expect(crowd.probe.isEnough).equal(true);
    const { smartMs, plainMs } = crowd.step();
    expect([smartMs, plainMs].map(Math.round), 'of one lease').deep.equal([5, 21]);
    const faster = new Crowd((atWork) => (atWork === 16 ? 312 : 300));
    faster.until(() => faster.probe.size === 16);
    expect(faster.probe.reason).equal('16 connections did 104 % of what 64 did');
  });

  it('goes back to all where a quarter does less, and tries half, then three quarters, ever more seldom', () => {
    const crowd = new Crowd(busiestWith(50));
    const trials = crowd.trials(9);
    expect(trials.map(([, size]) => size)).deep.equal([16, 32, ...Array(7).fill(48)]);
    expect(trials.slice(1).map(([afterMs]) => afterMs / 1_000)).deep.equal([
      10, 20, 40, 80, 160, 320, 600, 600,
    ]);
    crowd.until(() => !crowd.isTrying);
    expect(crowd.probe).include({ use: ALL, size: ALL, reason: '48 connections did less than 64' });
    expect(crowd.report).include({ trials: 9, enough: MAX });
  });

  it('tries each time up to a fifth later, by chance', () => {
    const [, [afterMs]] = new Crowd(busiestWith(50), 1).trials(2) as [unknown, [number, number]];
    expect(afterMs).equal(12_000);
  });

  it('is not content with fewer that hold leases for as long', () => {
    const crowd = new Crowd(computing);
    crowd.view = { useTimes: { count: 0, sumMs: 0 } };
    crowd.until(() => crowd.report.trials === 1);
    expect(crowd.probe.size, 'nothing is known of holds').equal(ALL);
  });

  it('settles on half where a quarter did less, and begins with a quarter again once that is over', () => {
    const crowd = new Crowd(busiestWith(30));
    crowd.until(() => crowd.probe.size === 32);
    expect(crowd.report).include({ trials: 2, size: 32 });
    crowd.waiting = 0;
    crowd.run(11_000);
    crowd.waiting = MAX;
    crowd.server = computing;
    expect(crowd.trials(1)[0]![1]).equal(16);
  });

  it('looks now and then whether a quarter more do more, ever more seldom while they do not', () => {
    const crowd = found();
    const trials = crowd.trials(7);
    expect(trials.map(([, size]) => size)).deep.equal(Array(7).fill(20));
    expect(trials.map(([afterMs]) => afterMs / 1_000)).deep.equal([3, 3, 6, 12, 24, 48, 60].slice(0, 7));
    expect(crowd.probe.open).equal(20);
  });

  it('goes back to all at once when a quarter more do more', () => {
    const crowd = found();
    crowd.server = (atWork) => (atWork > 16 ? 400 : 300);
    crowd.until(() => crowd.probe.size === ALL);
    expect(crowd.probe.reason).equal('20 connections did more than 16');
    expect(crowd.report.enough).above(16);
    const [[afterMs, size]] = crowd.trials(1) as [[number, number]];
    expect([afterMs, size], 'and is less bold next').deep.equal([10_000, 32]);
  });

  for (const { what, pace, holdShare = 1, isOther } of [
    { what: 'three times as many leases come back', pace: 900, isOther: true },
    {
      what: 'three times as many come back that are held for as long',
      pace: 900,
      holdShare: 3,
      isOther: true,
    },
    { what: 'as many come back that are held for half as long', pace: 300, holdShare: 0.5, isOther: true },
    { what: 'a third as many come back', pace: 100, isOther: true },
    { what: 'two fifths more come back', pace: 420, isOther: false },
    { what: 'a third fewer come back', pace: 205, isOther: false },
  ]) {
    it(`${isOther ? 'tries twice as many at once' : 'tries nothing'} when ${what} for three steps`, () => {
      const crowd = found().run(1_000);
      crowd.server = () => pace;
      crowd.holdShare = holdShare;
      crowd.run(200);
      expect(crowd.isTrying).equal(false);
      crowd.run(100);
      expect(crowd.isTrying).equal(isOther);
      if (isOther) expect(crowd.probe).include({ use: 16, open: 32 });
    });
  }

  it('takes no notice of another load that is over within two steps, nor of one that comes slowly', () => {
    const crowd = found().run(1_000);
    for (let spell = 0; spell < 2; spell += 1) {
      crowd.server = () => 900;
      crowd.run(200);
      crowd.server = computing;
      crowd.run(100);
    }
    crowd.server = () => 0;
    crowd.run(200);
    crowd.server = () => 900;
    crowd.run(100);
    expect(crowd.isTrying, 'nothing came back, and then much').equal(false);
    const slow = found();
    let pace = 300;
    slow.server = () => pace;
    for (let step = 0; step < 28; step += 1) {
      pace *= 1.02;
      slow.run(100);
    }
    expect(pace).above(1.7 * 300);
    expect(slow.isTrying).equal(false);
  });

  it('cannot tell another load while more are leased than may be, nor where no lease is timed', () => {
    for (const view of [{ leased: 17 }, { useTimes: { count: 0, sumMs: 0 } }]) {
      const crowd = found().run(1_000);
      crowd.view = view;
      crowd.server = () => 900;
      expect(crowd.run(1_000).isTrying, JSON.stringify(view)).equal(false);
    }
  });

  it('lets all be used ten seconds after the last has waited', () => {
    const crowd = found();
    crowd.waiting = 0;
    crowd.run(10_000);
    expect(crowd.probe.size).equal(16);
    crowd.step();
    expect(crowd.probe).include({ size: ALL, use: ALL, reason: 'nobody waits any more' });
  });

  it('lets all be used when no lease comes back for a quarter of a second, and tries nothing for a minute, then two', () => {
    const crowd = found();
    const [first, second] = [60_000, 120_000].map((coolDownMs) => {
      crowd.server = () => 0;
      crowd.run(200);
      expect(crowd.probe.size).equal(16);
      crowd.step();
      expect(crowd.probe).include({ size: ALL, reason: 'callers waited and no lease came back' });
      const { now } = crowd;
      crowd.server = computing;
      crowd.until(() => crowd.isTrying);
      expect(crowd.now - now).equal(coolDownMs);
      crowd.until(() => crowd.probe.size === 16);
      return crowd.now;
    });
    expect(second).above(first!);
  });

  it('is not stuck while leases come back, nobody waits, or all may be used', () => {
    const crowd = found();
    for (let pause = 0; pause < 5; pause += 1) {
      crowd.server = () => 0;
      crowd.run(200);
      crowd.server = computing;
      crowd.run(100);
    }
    crowd.server = () => 0;
    crowd.waiting = 0;
    crowd.run(1_000);
    expect(crowd.probe.size).equal(16);
    const all = new Crowd(computing);
    all.server = () => 0;
    all.run(5_000);
    all.server = computing;
    expect(all.run(100).isTrying).equal(true);
  });

  it('waits no longer than an hour after it was let go again and again', () => {
    const crowd = found();
    for (let time = 0; time < 8; time += 1) crowd.probe.letGo('by word', crowd.now);
    expect(crowd.probe.reason).equal('by word');
    const { now } = crowd;
    crowd.until(() => crowd.isTrying);
    expect(crowd.now - now).equal(3_600_000);
  });

  it('lets all be used while something is against it, and tells what', () => {
    const releasedBy = (view: Partial<LimitView>, acts = true) => {
      const crowd = found();
      crowd.view = view;
      crowd.acts = acts;
      crowd.step();
      expect(crowd.probe).include({ use: ALL, open: ALL, size: ALL });
      expect(crowd.run(5_000).isTrying).equal(false);
      return crowd.probe.reason;
    };
    expect(releasedBy({ trouble: 'the server is in trouble' })).equal('the server is in trouble');
    expect(releasedBy({}, false)).equal('the probe does not act');
  });

  it('begins anew when the maximum is another', () => {
    const crowd = found().run(2_500);
    crowd.view = { max: 32 };
    crowd.step();
    expect(crowd.probe).include({ size: ALL, reason: 'the maximum is another' });
    expect(crowd.report.enough).equal(undefined);
    expect(crowd.run(1_900).isTrying).equal(false);
    expect(crowd.run(200).isTrying).equal(true);
    crowd.until(() => crowd.probe.size === 8);
    expect(crowd.report).include({ size: 8, enough: 8 });
  });

  it('goes on with a trial that the event loop slept through', () => {
    const crowd = new Crowd(computing);
    crowd.view = { stalled: true };
    expect(crowd.run(60_000).isTrying, 'and begins none').equal(false);
    const tried = new Crowd(computing);
    tried.until(() => tried.isTrying);
    tried.view = { stalled: true };
    tried.run(20_000);
    expect(tried.report, 'the trial is not over').include({ trials: 0 });
    tried.view = {};
    tried.until(() => tried.probe.size === 16);
    expect(tried.report.trials).equal(1);
  });

  it('takes two looks within half a step for one', () => {
    const crowd = new Crowd(computing);
    for (let look = 0; look < 50; look += 1) crowd.step(49);
    expect(crowd.isTrying).equal(true);
    const { now } = crowd;
    expect(crowd.probe.step({ now: now + 49, max: 1 } as LimitView, true)).deep.equal({
      smartMs: 0,
      plainMs: 0,
    });
    expect(crowd.isTrying).equal(true);
  });

  it('foretells what more would do where each connection does its part, and eight times as many at the most', () => {
    const crowd = new Crowd(waiting);
    crowd.waiting = 36;
    crowd.until(() => crowd.report.trials > 0);
    expect(crowd.report.better, 'there is room for all who came').equal(undefined);
    crowd.run(100);
    const { better, advice } = crowd.report;
    expect(better?.max).equal(100);
    expect(better?.throughputRatio).closeTo(100 / 64, 0.01);
    expect(better?.holdRatio).closeTo(1, 0.01);
    expect(advice).equal(
      'max 64 is small: callers wait while the database does more with every connection; with 100 it would do up to 1.6 times as much, if that goes on',
    );
    expect(crowd.probe.isEnough).equal(false);
    crowd.waiting = 10_000;
    crowd.run(1_000);
    expect(crowd.report.better?.max).equal(8 * MAX);
    const less = new Crowd((atWork) => 10 * atWork ** 0.75);
    less.waiting = 36;
    less.until(() => less.report.trials > 0).run(100);
    expect(less.report.better?.throughputRatio, 'as it grew so far').closeTo((100 / 64) ** 0.75, 0.01);
  });

  it('goes by the smallest size that was tried, and by none that was given up before it was measured', () => {
    const crowd = new Crowd((atWork) => (atWork <= 16 ? 75 : atWork <= 32 ? 270 : 300));
    crowd.until(() => crowd.report.trials === 2);
    expect(crowd.probe.reason).equal('32 connections did less than 64');
    expect(crowd.probe.isEnough, 'with a quarter it did a quarter').equal(false);
    const givenUp = new Crowd(computing);
    givenUp.until(() => givenUp.isTrying);
    givenUp.waiting = 0;
    givenUp.until(() => givenUp.report.trials === 1);
    expect(givenUp.probe.isEnough).equal(false);
  });

  it('advises no more where half of the throughput that more would bring is missing, and no fewer than half', () => {
    // A quarter does 60 % of what all do: throughput grows by about the 0.37th power.
    const crowd = new Crowd((atWork) => 100 * atWork ** 0.37);
    crowd.until(() => crowd.report.trials > 0);
    expect(crowd.report).include({ better: undefined, advice: undefined });
    expect(crowd.probe.isEnough).equal(true);
    const most = new Crowd(busiestWith(40));
    most.until(() => most.probe.size === 48);
    expect(most.report).include({ enough: 48, better: undefined });
  });

  /** A load that is served by ever more connections, of which eight do what the database can, while the probe only watches. */
  function grown(viewAt: (now: number) => Partial<LimitView>): Crowd {
    const crowd = new Crowd((atWork) => 20 * Math.min(atWork, 8));
    crowd.acts = false;
    for (const max of [2, 4, 8, 16, 32, 64]) {
      for (let step = 0; step < 100; step += 1) {
        crowd.view = { max, ...viewAt(crowd.now) };
        crowd.step();
      }
    }
    return crowd;
  }

  it('learns nothing of shared connections, nor of what the event loop slept through', () => {
    expect(grown(() => ({})).report.enough).equal(8);
    expect(grown((now) => ({ shared: now + 1 })).report.enough).equal(undefined);
    expect(grown(() => ({ stalled: true })).report.enough).equal(undefined);
  });

  it('learns what is enough from what the load itself tries, while it may not act', () => {
    const crowd = grown(() => ({}));
    expect(crowd.probe.use).equal(ALL);
    expect(crowd.report).include({ enough: 8, trials: 0, size: MAX });
    expect(crowd.report.better).deep.include({ max: 8, throughputRatio: 1 });
    expect(crowd.report.better!.holdRatio).closeTo(1 / 8, 0.02);
    const { smartMs, plainMs } = crowd.step();
    expect(plainMs / smartMs).closeTo(8, 0.2);
    crowd.waiting = 0;
    expect(crowd.step(), 'nobody waits: nothing is decided').deep.equal({ smartMs: 0, plainMs: 0 });
  });

  it('compares longer blocks of a load whose pace is unsteady', () => {
    const firstBlockMs = (spread: number) => {
      let step = 0;
      const crowd = new Crowd(() => {
        step += 1;
        return 300 * (1 + (step % 2 === 0 ? spread : -spread));
      });
      crowd.until(() => crowd.isTrying);
      const { now } = crowd;
      crowd.until(() => crowd.probe.use !== MAX);
      return crowd.now - now;
    };
    // One step to settle, and as many as make it certain to a twentieth, eight at the most.
    expect([0, 0.08, 0.2].map(firstBlockMs)).deep.equal([300, 500, 900]);
  });
});
