import { expect } from 'chai';
import { systemRuntime } from '../../src/runtime.js';

describe('the machine’s own clock and timers', () => {
  it('run what is scheduled once its time has come, unless that is cancelled', async () => {
    const ran: string[] = [];
    const begunAt = systemRuntime.now();
    systemRuntime.schedule(5, () => ran.push('cancelled')).cancel();
    await new Promise<void>((resolve) => {
      const alive = systemRuntime.keepAlive();
      systemRuntime.schedule(20, () => {
        ran.push('scheduled');
        alive.cancel();
        resolve();
      });
    });
    expect(ran).deep.equal(['scheduled']);
    expect(systemRuntime.now() - begunAt).at.least(19);
  });

  it('take a time that no timer can hold for a long one', async () => {
    let ran = false;
    const timer = systemRuntime.schedule(Number.MAX_SAFE_INTEGER, () => {
      ran = true;
    });
    // What Node cannot hold it makes a millisecond.
    const alive = systemRuntime.keepAlive();
    await new Promise<void>((resolve) => systemRuntime.schedule(20, resolve));
    alive.cancel();
    timer.cancel();
    expect(ran).equal(false);
  });

  it('keep the process alive only while they are asked to', () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const scheduled = systemRuntime.schedule(60_000, () => {});
    expect(timers(), 'a scheduled call').equal(before);
    const alive = systemRuntime.keepAlive();
    expect(timers()).equal(before + 1);
    alive.cancel();
    scheduled.cancel();
    expect(timers()).equal(before);
  });
});
