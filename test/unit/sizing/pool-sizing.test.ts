import { expect } from 'chai';
import { seeded } from '../../../bench/statistics.js';
import { createPool, type Pool, type PoolOptions, type WorkloadChange } from '../../../src/index.js';
import { type FakeConnection, FakeDriver } from '../../simulation/fake-driver.js';
import { VirtualRuntime } from '../../simulation/virtual-runtime.js';

const CONNECT_MS = 40;

let runtime: VirtualRuntime;
let driver: FakeDriver;

beforeEach(() => {
  runtime = new VirtualRuntime(1);
  driver = new FakeDriver(runtime);
  driver.onOpen = () => ({ afterMs: CONNECT_MS, ends: 'well' });
});

function pool(options: PoolOptions, setting: 'on' | 'off' = 'on'): Pool<FakeConnection> {
  return createPool({
    driver,
    runtime,
    options: { max: 20, idleTimeoutMs: 10_000, ...options },
    flags: { forecaster: setting, seasonal: setting },
  });
}

/** One that tells what becomes of its load. */
function observed(): { it: Pool<FakeConnection>; changes: WorkloadChange[] } {
  const changes: WorkloadChange[] = [];
  const observer = { onWorkloadChanged: (change: WorkloadChange) => void changes.push(change) };
  return { it: createPool({ driver, runtime, observer, flags: { forecaster: 'on' } }), changes };
}

/** So many callers at once, each for 4 ms. @returns how long the last of them waited. */
async function crowd(of: Pool<FakeConnection>, callers: number): Promise<number> {
  const cameAt = runtime.now();
  let lastAt = cameAt;
  for (let caller = 0; caller < callers; caller += 1) {
    of.acquire().then((lease) => {
      lastAt = Math.max(lastAt, runtime.now());
      runtime.schedule(4, () => lease.release());
    });
  }
  await runtime.advance(200);
  return lastAt - cameAt;
}

describe('a pool that forecasts', () => {
  it('has connections ready for a crowd that comes every 45 seconds, and few in between', async () => {
    const it = pool({});
    const waits: number[] = [];
    let openInBetween = 0;
    for (let period = 0; period < 14; period += 1) {
      waits.push(await crowd(it, 60));
      await runtime.advance(30_000);
      openInBetween = it.stats().open;
      await runtime.advance(14_800);
    }
    expect(waits[0]).at.least(CONNECT_MS);
    expect(waits.at(-1)).at.most(12);
    expect(openInBetween).equal(0);
    expect(it.counters.openedAhead).at.least(20);
    expect(it.report().sizing).include({ workload: 'periodic', periodMs: 45_000 });
  });

  it('tells what was needed of what it had', async () => {
    const it = pool({ min: 20, keepMin: true });
    await runtime.advance(1_000);
    await crowd(it, 5);
    await runtime.advance(9_800);
    await crowd(it, 1);
    const { peak, peakAgoMs, openMs, unneededMs } = it.report().sizing!.usage;
    expect(peak).equal(5);
    expect(peakAgoMs).within(9_000, 10_500);
    expect(openMs).within(20 * 9_500, 20 * 11_200);
    expect(unneededMs / openMs).within(0.95, 0.999);
  });

  it('never has more than max, nor closes below min', async () => {
    const it = pool({ min: 3, keepMin: false });
    for (let period = 0; period < 10; period += 1) {
      await crowd(it, 60);
      expect(it.stats().open).at.most(20);
      await runtime.advance(44_800);
      expect(it.stats().open).at.least(3);
    }
  });

  it('has asked connections whether they are alive before a crowd that it foresees', async () => {
    driver.onCheck = () => ({ afterMs: 5, ends: 'well' });
    const it = pool({ checkAfterIdleMs: 500 });
    const waits: number[] = [];
    for (let period = 0; period < 14; period += 1) {
      waits.push(await crowd(it, 20));
      await runtime.advance(11_800);
    }
    expect(waits[0]).at.least(CONNECT_MS);
    expect(waits.at(-1)).equal(0);
    expect(it.report().sizing).include({ periodMs: 12_000 });
  });

  it('does not ask beforehand where the answer would be out of date by then', async () => {
    driver.onCheck = () => ({ afterMs: 1, ends: 'well' });
    const it = pool({ checkAfterIdleMs: 300 });
    for (let period = 0; period < 14; period += 1) {
      await crowd(it, 20);
      await runtime.advance(11_800);
    }
    expect(it.report().sizing).include({ periodMs: 12_000 });
    expect(driver.checks, 'each of 20 once a crowd').at.most(14 * 20);
  });

  it('has no timer left once it is at rest and nothing is expected', async () => {
    const it = pool({});
    await crowd(it, 5);
    await runtime.advance(60_000);
    expect(it.stats().open).equal(0);
    expect(runtime.outstanding).equal(0);
  });

  it('closes by the idle timeout alone while the flag is off', async () => {
    const it = pool({}, 'off');
    for (let period = 0; period < 10; period += 1) {
      expect(await crowd(it, 60)).at.least(CONNECT_MS);
      await runtime.advance(9_700);
      expect(it.stats().open).equal(20);
      await runtime.advance(35_100);
      expect(it.stats().open).equal(0);
    }
    expect(it.counters.openedAhead).equal(0);
    expect(it.report().sizing).equal(undefined);
  });

  it('leaves short queues to what comes back, and opens for whom nothing comes back', async () => {
    const opened = async (setting: 'on' | 'off') => {
      const it = pool({ idleTimeoutMs: 2_000 }, setting);
      const random = seeded(1);
      const come = () => {
        it.acquire().then((lease) => runtime.schedule(0.5 + 7 * random(), () => lease.release()));
      };
      for (let step = 0; step < 600; step += 1) {
        for (let caller = 0; caller < 50; caller += 1) runtime.schedule(100 * random(), come);
        await runtime.advance(100);
      }
      return { it, count: it.counters.opened };
    };
    const plain = await opened('off');
    const { it, count } = await opened('on');
    expect(count).below(plain.count);
    for (let left = it.stats().idle; left > 0; left -= 1) await it.acquire();
    const cameAt = runtime.now();
    let servedAt = 0;
    it.acquire().then(() => {
      servedAt = runtime.now();
    });
    await runtime.advance(1_000);
    expect(servedAt - cameAt).at.most(CONNECT_MS + 10);
  });

  it('closes nothing before its idle timeout while its load rises, and again what is not needed once it does not', async () => {
    const { it, changes } = observed();
    const random = seeded(3);
    const rise = async (seconds: number, perSecond: (second: number) => number) => {
      for (let step = 0; step < 10 * seconds; step += 1) {
        const callers = perSecond(step / 10) / 5;
        for (let caller = 0; caller < callers * random(); caller += 1)
          it.acquire().then((lease) => runtime.schedule(40 * random(), () => lease.release()));
        await runtime.advance(100);
      }
    };
    await rise(50, (second) => 20 + 4 * second);
    expect(changes.at(-1)).deep.equal({ axis: 'shape', from: 'steady', to: 'ramp' });
    const { closed } = it.counters;
    const closedBefore = closed.idle;
    await rise(12, (second) => 220 + 4 * second);
    expect(closed.idle).equal(closedBefore);
    await rise(90, () => 20);
    expect(closed.idle).above(closedBefore);
  });

  it('tells when its load becomes another', async () => {
    const { it, changes } = observed();
    for (let second = 0; second < 300; second += 1) {
      for (let caller = 0; caller < 2; caller += 1) {
        it.acquire().then((lease) => runtime.schedule(4, () => lease.release()));
      }
      await runtime.advance(100);
    }
    expect(changes).deep.equal([{ axis: 'shape', from: 'idle', to: 'steady' }]);
  });

  it('tells when its queries become others, and what both are now', async () => {
    const { it, changes } = observed();
    for (let second = 0; second < 120; second += 1) {
      for (let caller = 0; caller < 3; caller += 1) {
        it.acquire().then((lease) => runtime.schedule(2_500, () => lease.release()));
      }
      await runtime.advance(1_000);
    }
    expect(changes.filter(({ axis }) => axis === 'mix')).deep.equal([
      { axis: 'mix', from: 'oltp', to: 'analytic' },
    ]);
    expect(it.outlook).include({ workload: 'steady', mix: 'analytic' });
    expect(it.report().sizing).include({ mix: 'analytic' });
    it.setFlag('forecaster', 'off');
    expect(it.outlook).equal(undefined);
  });
});
