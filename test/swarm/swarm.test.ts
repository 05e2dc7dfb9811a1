import { expect } from 'chai';
import { play, type Reached } from './play.js';
import { type Script, scriptOf } from './script.js';
import { shrink } from './shrink.js';

const SEEDS = Number(process.env.SWARM_SEEDS ?? 400);
const MOST_TOLD = 20;
const FIRST = Number(process.env.SWARM_FIRST ?? 1);

describe('a swarm of pools', function () {
  this.timeout(0);

  it(`holds every promise in ${SEEDS} worlds of any configuration, load and bad luck`, async () => {
    const all: Reached[] = [];
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
      const script = scriptOf(seed);
      const wrong = await fault(script, (reached) => all.push(reached));
      if (wrong === undefined) continue;
      const { happenings } = await shrink(script, async (shorter) => (await fault(shorter)) === wrong);
      const told = happenings
        .slice(0, MOST_TOLD)
        .map((happening) => JSON.stringify(happening))
        .join('\n');
      throw new Error(
        `${wrong}\nnpm run simulate -- --seed ${seed}\n${happenings.length} happenings are enough for it, with the options of that seed:\n${told}`,
      );
    }
    // Else the model of the server has become too good for what looks after a bad one.
    const sums = Object.keys(all[0]!).map(
      (of) => [of, all.reduce((sum, one) => sum + one[of as keyof Reached], 0)] as const,
    );
    if (process.env.SWARM_SEEDS !== undefined)
      console.log(`      ${sums.map((sum) => sum.join(': ')).join(', ')}`);
    if (SEEDS >= 400) for (const [what, sum] of sums) expect(sum, what).above(0);
  });

  it('plays a script the same way every time', async () => {
    const log = async () => {
      const lines: string[] = [];
      await play(scriptOf(7), (atMs, what) => lines.push(`${atMs} ${what}`));
      return lines;
    };
    const first = await log();
    expect(first.length).above(100);
    expect(await log()).deep.equal(first);
  });

  it('is shrunk to what a failure needs', async () => {
    const script = scriptOf(3);
    const [needed, also] = [script.happenings[11]!, script.happenings[40]!];
    const shortest = await shrink(
      script,
      async ({ happenings }) => happenings.includes(needed) && happenings.includes(also),
    );
    expect(shortest.happenings).deep.equal([needed, also]);
  });
});

/** What is wrong with a run; undefined when nothing is. */
async function fault(
  script: Script,
  reached: (what: Reached) => void = () => {},
): Promise<string | undefined> {
  try {
    reached(await play(script));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
