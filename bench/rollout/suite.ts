import { inRounds } from '../interleave.js';
import { say } from '../progress.js';
import { above, median, middleHalf, paired } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { figure, range } from '../table.js';
import { type FlaggedPool, FlagsProcess } from './flags-process.js';

const OFF = 'all off';
const OFF_AGAIN = 'all off again';
const SHADOW = 'all in shadow';
const AUTO = 'all on trial';

const POOLS: readonly FlaggedPool[] = [
  { name: OFF, setting: 'off' },
  { name: OFF_AGAIN, setting: 'off' },
  { name: SHADOW, setting: 'shadow' },
  { name: AUTO, setting: 'auto' },
];

const PROCESSES = { full: 12, quick: 3 };
const ROUNDS = { full: 20, quick: 10 };

export const rollout: Suite = {
  name: 'rollout',
  question: 'What do the flags cost an acquire while their optimisations only watch?',
  seconds: { full: 12, quick: 3 },
  async run({ quick, time }: Effort): Promise<Findings> {
    const effort = quick ? 'quick' : 'full';
    const all = await inRounds(PROCESSES[effort], () => inNewProcess(ROUNDS[effort]), time.partOf(1));
    const of = (name: string) => all.map((times) => times[name]!);
    const overOff = (name: string) => paired(of(name), of(OFF), above);
    return {
      tables: [
        {
          title: 'One acquire and release with a known query (ns)',
          columns: ['', 'median', 'middle half', 'over all off'],
          rows: POOLS.map(({ name }) => [
            name,
            figure(median(of(name))),
            range(middleHalf(of(name))),
            figure(median(overOff(name))),
          ]),
          note: 'all pools of a round in one process, a new one for each round',
        },
      ],
      goals: [
        { claim: 'all flags in shadow over all off', unit: 'ns', atMost: 100, values: overOff(SHADOW) },
        { claim: 'A/A: all off over all off', unit: 'ns', straddles: 0, values: overOff(OFF_AGAIN) },
      ],
      samples: Object.fromEntries(POOLS.map(({ name }) => [name, of(name)])),
    };
  },
};

async function inNewProcess(rounds: number): Promise<Readonly<Record<string, number>>> {
  say('a new process');
  const process = new FlagsProcess(POOLS);
  return process.ask<Readonly<Record<string, number>>>(rounds).finally(() => process.stop());
}
