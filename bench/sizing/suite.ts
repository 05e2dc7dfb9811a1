import type { Goal } from '../goals.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { figure, type Table } from '../table.js';
import { replayEngine } from './engine.js';
import { meanPinball, scaledError } from './forecast-error.js';
import { cost, MAX, type Outcome, utilisation } from './outcome.js';
import { bestFixed, replayFixed, replayOracle, replayStock, STOCK, unavoidableWait } from './stock.js';
import { microsecondsPerStep, shareOfCoreAtRest } from './upkeep-cost.js';
import { generated, recorded, type Workload } from './workloads.js';

const SEED = 1;

/** One workload under every policy. */
interface Comparison {
  readonly workload: string;
  readonly outcomes: Readonly<Record<string, Outcome>>;
  /** Cost over that of the best stock pool; of the engine without its forecaster; of pg-pool; of the best fixed size. */
  readonly stock: number;
  readonly plain: number;
  readonly pgPool: number;
  readonly bestFixed: number;
  readonly utilisationGain: number;
  readonly gainOverPgPool: number;
  /** What a caller waits on average, over the same. */
  readonly waitOverPgPool: number;
  readonly waitOverBestFixed: number;
  readonly pinball: number;
  readonly scaledError: number;
}

async function run({ quick }: Effort): Promise<Findings> {
  const trace = process.env.SIZING_TRACE;
  const workloads = generated(SEED, quick ? 2 : 40);
  if (trace !== undefined) workloads.push(recorded('trace', trace, SEED));
  const compared: Comparison[] = [];
  for (const workload of workloads) compared.push(await compare(workload));
  return {
    tables: [...compared.map(tableOf), forecasts(compared)],
    goals: await goalsOf(compared.filter(({ workload }) => workload !== 'trace')),
    samples: Object.fromEntries(compared.map((each) => [each.workload, each])),
  };
}

async function compare(workload: Workload): Promise<Comparison> {
  const unavoidableMs = unavoidableWait(workload);
  const stock = Object.entries(STOCK).map(
    ([name, policy]) => [name, replayStock(workload, policy, unavoidableMs)] as const,
  );
  const fixed = bestFixed(workload, unavoidableMs);
  const options = { idleTimeoutMs: 10_000 };
  const plain = await replayEngine(workload, { forecaster: 'off' }, options, unavoidableMs);
  const ours = await replayEngine(workload, { forecaster: 'on', seasonal: 'on' }, options, unavoidableMs);
  const { outcome, forecasts: seen } = ours;
  const asGood = smallestAsGood(workload, outcome.waitP99Ms, unavoidableMs);
  return {
    workload: workload.name,
    outcomes: {
      ...Object.fromEntries(stock),
      [`fixed ${fixed.size}`]: fixed.outcome,
      'engine, plain': plain.outcome,
      'engine, forecaster': outcome,
      oracle: replayOracle(workload, unavoidableMs),
    },
    stock: cost(outcome) / Math.min(...stock.map(([, each]) => cost(each))),
    plain: cost(outcome) / cost(plain.outcome),
    pgPool: cost(outcome) / cost(stock[0]![1]),
    bestFixed: cost(outcome) / cost(fixed.outcome),
    utilisationGain: utilisation(outcome) / utilisation(asGood) - 1,
    gainOverPgPool: utilisation(outcome) / utilisation(stock[0]![1]) - 1,
    waitOverPgPool: outcome.waitMeanMs / stock[0]![1].waitMeanMs,
    waitOverBestFixed: outcome.waitMeanMs / fixed.outcome.waitMeanMs,
    pinball: meanPinball(seen),
    scaledError: scaledError(seen),
  };
}

/** The smallest fixed pool that makes 99 % of the callers wait no longer. */
function smallestAsGood(workload: Workload, waitP99Ms: number, unavoidableMs: number): Outcome {
  let found = replayFixed(workload, MAX, unavoidableMs);
  for (let size = MAX - 1; size > 0; size -= 1) {
    const smaller = replayFixed(workload, size, unavoidableMs);
    if (smaller.waitP99Ms > waitP99Ms) break;
    found = smaller;
  }
  return found;
}

function tableOf({ workload, outcomes }: Comparison): Table {
  return {
    title: workload,
    columns: ['policy', 'cost', 'cold wait ms', 'connection s', 'wait p99 ms', 'opened', 'in use'],
    rows: Object.entries(outcomes).map(([policy, outcome]) => [
      policy,
      figure(cost(outcome)),
      figure(outcome.coldWaitMs),
      figure(outcome.connectionSeconds),
      figure(outcome.waitP99Ms),
      outcome.creates,
      `${(100 * utilisation(outcome)).toFixed(1)} %`,
    ]),
  };
}

function forecasts(compared: readonly Comparison[]): Table {
  return {
    title: 'Forecaster',
    columns: [
      'workload',
      'cost / best stock',
      '/ pg-pool',
      '/ plain engine',
      '/ best fixed',
      'use gained',
      'pinball .95',
      'MASE',
    ],
    rows: compared.map((each) => [
      each.workload,
      figure(each.stock),
      figure(each.pgPool),
      figure(each.plain),
      figure(each.bestFixed),
      `${Math.round(100 * each.utilisationGain)} %`,
      figure(each.pinball),
      figure(each.scaledError),
    ]),
    note:
      'cost: what callers waited beyond a pool of 20 that is always warm, in ms, + 0.5 × connection seconds, all of them counted from the ' +
      'start; use gained (busy over open connection seconds) over the fixed pool of the same p99 wait',
  };
}

async function goalsOf(compared: readonly Comparison[]): Promise<Goal[]> {
  const named = (name: string) => compared.find(({ workload }) => workload === name)!;
  return [
    {
      claim: 'workloads that cost less than under the best stock pool',
      unit: 'of 8',
      atLeast: 6,
      values: [compared.filter(({ stock }) => stock < 1).length],
    },
    {
      claim: 'workloads that cost less than under the best fixed pool',
      unit: 'of 8',
      atLeast: 6,
      values: [compared.filter(({ bestFixed }) => bestFixed < 1).length],
    },
    {
      claim: 'worst cost over that of the best stock pool',
      unit: '×',
      atMost: 1.02,
      values: [Math.max(...compared.map(({ stock }) => stock))],
    },
    {
      claim: 'worst cost over that of the engine without its forecaster',
      unit: '×',
      atMost: 1.02,
      values: [Math.max(...compared.map(({ plain }) => plain))],
    },
    {
      claim: 'a step of the forecaster, for a pool of 20',
      unit: 'µs',
      atMost: 10,
      values: [microsecondsPerStep(20)],
    },
    {
      claim: 'a thousand pools at rest',
      unit: '% of a core',
      atMost: 1,
      values: [100 * (await shareOfCoreAtRest(1_000))],
    },
    {
      claim: 'mean wait over pg-pool at its defaults, cron',
      unit: '×',
      atMost: 0.4,
      values: [named('cron').waitOverPgPool],
    },
    {
      claim: 'mean wait over the best fixed pool, cron',
      unit: '×',
      atMost: 1.02,
      values: [named('cron').waitOverBestFixed],
    },
    ...['diurnal', 'periodic'].flatMap((name) => [
      {
        claim: `use gained over the fixed pool of the same p99 wait, ${name}`,
        unit: '%',
        atLeast: 40,
        values: [100 * named(name).utilisationGain],
      },
      {
        claim: `use gained over pg-pool at its defaults, ${name}`,
        unit: '%',
        atLeast: 50,
        values: [100 * named(name).gainOverPgPool],
      },
    ]),
  ];
}

export const sizing: Suite = {
  name: 'sizing',
  question:
    'what do waits and connections cost under each way to size a pool? (virtual clock; SIZING_TRACE=t_ms,count file)',
  seconds: { full: 128, quick: 10 },
  run,
};
