import { everyFlag, type FlagSetting } from '../../src/rollout/flags.js';
import { interleave } from '../interleave.js';
import { ownCopy } from '../own-copy.js';
import { say } from '../progress.js';
import { above, median, middleHalf, paired } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { figure, range } from '../table.js';
import type { open } from './pool.js';

const OFF = 'all off';
const OFF_AGAIN = 'all off again';
const SHADOW = 'all in shadow';
const AUTO = 'all on trial';

const PEERS: readonly { readonly name: string; readonly setting: FlagSetting }[] = [
  { name: OFF, setting: 'off' },
  { name: OFF_AGAIN, setting: 'off' },
  { name: SHADOW, setting: 'shadow' },
  { name: AUTO, setting: 'auto' },
];

const OPERATIONS = 20_000;

export const rollout: Suite = {
  name: 'rollout',
  question: 'What do the flags cost an acquire while their optimisations only watch?',
  seconds: { full: 10, quick: 3 },
  async run({ quick, time }: Effort): Promise<Findings> {
    const contestants = [];
    for (const { name, setting } of PEERS) {
      say(name);
      const { modules } = ownCopy([require.resolve('./pool.js')]);
      const pool = await (modules as [{ open: typeof open }])[0].open(everyFlag(setting));
      for (let round = 0; round < 20; round += 1) await nanoseconds(pool.lease);
      contestants.push({ name, pool });
    }
    const rounds = quick ? 10 : 60;
    const times = await interleave(
      contestants,
      rounds,
      ({ pool }) => nanoseconds(pool.lease),
      time.partOf(1),
    );
    for (const { pool } of contestants) await pool.close();
    const off = times[OFF]!;
    return {
      tables: [
        {
          title: 'One acquire and release with a known query (ns)',
          columns: ['', 'median', 'middle half', 'over all off'],
          rows: PEERS.map(({ name }) => [
            name,
            figure(median(times[name]!)),
            range(middleHalf(times[name]!)),
            figure(median(paired(times[name]!, off, above))),
          ]),
        },
      ],
      goals: [
        {
          claim: 'all flags in shadow over all off',
          unit: 'ns',
          atMost: 100,
          values: paired(times[SHADOW]!, off, above),
        },
        {
          claim: 'A/A: all off over all off',
          unit: 'ns',
          atMost: 25,
          values: paired(times[OFF_AGAIN]!, off, above),
        },
      ],
      samples: times,
    };
  },
};

async function nanoseconds(lease: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  for (let left = OPERATIONS; left > 0; left -= 1) await lease();
  return ((performance.now() - begin) * 1e6) / OPERATIONS;
}
