import { expect } from 'chai';
import { BurstAlarm } from '../../../src/sizing/burst-alarm.js';
import type { Observation } from '../../../src/sizing/observation.js';
import { observed } from './observed.js';

/** Steps of a tenth of a second in which `arrivals` come, and what the alarm asks for after each. */
function watch(
  alarm: BurstAlarm,
  from: number,
  steps: number,
  arrivals: number,
  more: Partial<Observation> = {},
) {
  const asked: number[] = [];
  for (let step = 1; step <= steps; step += 1) {
    const seen = {
      now: from + step * 100,
      elapsedMs: 100,
      arrivals,
      peak: arrivals,
      stalled: false,
      ...more,
    };
    asked.push(alarm.step(seen as Observation));
  }
  return asked;
}

describe('the alarm at a burst', () => {
  it('is silent while as many come as usual, or half as many again', () => {
    const alarm = new BurstAlarm();
    watch(alarm, 0, 300, 10);
    const alarms = alarm.alarms;
    expect(watch(alarm, 30_000, 300, 10)).deep.equal(Array(300).fill(0));
    watch(alarm, 60_000, 3, 15);
    expect(alarm.alarms).equal(alarms);
  });

  it('asks for twice the demand when three times as many come, for two seconds', () => {
    const alarm = new BurstAlarm();
    watch(alarm, 0, 300, 10);
    const alarms = alarm.alarms;
    expect(watch(alarm, 30_000, 1, 30)).deep.equal([60]);
    expect(alarm.alarms).equal(alarms + 1);
    expect(watch(alarm, 30_100, 19, 10)).deep.equal(Array(19).fill(60));
    expect(watch(alarm, 32_000, 1, 10)).deep.equal([0]);
  });

  it('takes a rate that lasts for the usual one', () => {
    const alarm = new BurstAlarm();
    watch(alarm, 0, 300, 10);
    watch(alarm, 30_000, 1, 40);
    const alarms = alarm.alarms;
    watch(alarm, 30_100, 300, 40);
    expect(alarm.alarms).equal(alarms);
  });

  it('keeps the higher of two demands while it is heeded, and forgets it with the next alarm', () => {
    const alarm = new BurstAlarm();
    watch(alarm, 0, 300, 10);
    watch(alarm, 30_000, 1, 30, { peak: 50 });
    expect(watch(alarm, 30_100, 1, 90, { peak: 20 }), 'a second burst').deep.equal([100]);
    watch(alarm, 30_200, 600, 10);
    expect(watch(alarm, 90_200, 1, 60, { peak: 20 })).deep.equal([40]);
  });

  it('learns nothing of a step in which the event loop stood still', () => {
    const alarm = new BurstAlarm();
    watch(alarm, 0, 300, 10);
    const alarms = alarm.alarms;
    expect(watch(alarm, 30_000, 1, 500, { stalled: true })).deep.equal([0]);
    expect(alarm.alarms).equal(alarms);
  });

  it('goes by the rate, however long a step is', () => {
    const alarm = new BurstAlarm();
    watch(alarm, 0, 300, 10);
    const alarms = alarm.alarms;
    watch(alarm, 30_000, 1, 1_000, { elapsedMs: 10_000 });
    expect(alarm.alarms).equal(alarms);
  });
});

describe('the burst alarm', () => {
  it('is silent on a steady load and asks for twice the demand of a sudden one', () => {
    const alarm = new BurstAlarm();
    let now = 0;
    const step = (arrivals: number) => {
      now += 100;
      return alarm.step(observed({ now, arrivals, peak: 5 }));
    };
    for (let count = 0; count < 20; count += 1) step(10);
    const before = alarm.alarms;
    for (let count = 0; count < 600; count += 1) expect(step(count % 2 === 0 ? 8 : 12)).equal(0);
    expect(alarm.alarms).equal(before);
    expect(step(100)).equal(10);
    expect(step(10)).equal(10);
    for (let count = 0; count < 20; count += 1) step(10);
    expect(step(10)).equal(0);
  });
});
