import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { replayEngine } from '../../../bench/sizing/engine.js';
import { cost, type Outcome } from '../../../bench/sizing/outcome.js';
import {
  bestFixed,
  replayFixed,
  replayOracle,
  replayStock,
  STOCK,
  unavoidableWait,
} from '../../../bench/sizing/stock.js';
import { generated, recorded } from '../../../bench/sizing/workloads.js';
import { GOLDEN_COSTS } from '../../data/sizing-golden.js';

const MINUTES = 5;

describe('the sizing backtest', function () {
  this.timeout(120_000);
  for (const workload of generated(1, MINUTES)) {
    it(`costs on ${workload.name} what it did, and no more than without the forecaster`, async () => {
      const waitMs = unavoidableWait(workload);
      const engine = async (forecaster: 'on' | 'off'): Promise<Outcome> => {
        const flags = { forecaster, seasonal: forecaster };
        return (await replayEngine(workload, flags, { idleTimeoutMs: 10_000 }, waitMs)).outcome;
      };
      const outcomes: Record<string, Outcome> = {
        ...Object.fromEntries(
          Object.entries(STOCK).map(([name, policy]) => [name, replayStock(workload, policy, waitMs)]),
        ),
        fixed: replayFixed(workload, 10, waitMs),
        oracle: replayOracle(workload, waitMs),
        plain: await engine('off'),
        forecaster: await engine('on'),
      };
      const costs = Object.fromEntries(
        Object.entries(outcomes).map(([name, outcome]) => [name, Math.round(cost(outcome) * 10) / 10]),
      );
      expect(costs.oracle).equal(Math.min(...Object.values(costs)));
      expect(costs.forecaster).at.most(1.02 * costs.plain!);
      expect(Object.values(costs)).deep.equal(GOLDEN_COSTS[workload.name]);
    });
  }

  it('finds the fixed size that costs least', () => {
    const workload = generated(1, 1)[0]!;
    const waitMs = unavoidableWait(workload);
    const { outcome } = bestFixed(workload, waitMs);
    for (let size = 1; size <= 20; size += 1) {
      expect(cost(outcome)).at.most(cost(replayFixed(workload, size, waitMs)));
    }
  });

  it('counts the time of stock connections that are leased to the end', () => {
    const workload = {
      name: 'three who stay',
      durationMs: 5_000,
      arrivals: Float64Array.of(1_000, 1_000, 1_000),
      holds: Float64Array.of(10_000, 10_000, 100),
    };
    for (const policy of Object.values(STOCK)) {
      expect(replayStock(workload, policy, 0).connectionSeconds).closeTo(12, 0.001);
    }
  });

  it('reads a recorded load, and says which line is none', () => {
    const file = join(tmpdir(), `sizing-trace-${process.pid}.csv`);
    writeFileSync(file, 't_ms,count\n1000,2\n2000,0\n3000,5\n');
    const { arrivals, durationMs } = recorded('trace', file, 1);
    expect(arrivals).lengthOf(7);
    expect([...arrivals].slice(0, 2).every((at) => at >= 0 && at < 1_000)).equal(true);
    expect([...arrivals].slice(2).every((at) => at >= 2_000 && at < 3_000)).equal(true);
    expect(durationMs).equal(3_000);
    writeFileSync(file, '1000,2\nsoon,many\n');
    expect(() => recorded('trace', file, 1)).throw(/:2 is not 't_ms,count': soon,many/);
  });
});
