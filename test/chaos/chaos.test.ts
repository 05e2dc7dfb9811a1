import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { seeded } from '../../bench/statistics.js';
import { TROUBLES, World } from './world.js';

/** `npm run test:chaos` goes on for two minutes, `CHAOS_SECONDS` for as long as you like; without, every trouble comes once, and is short. */
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 0);
const SHORT = 0.5;
const SEED = Number(process.env.CHAOS_SEED ?? 1 + (Date.now() % 1_000_000));
/** Of one kind only, to look closer. */
const ONLY = process.env.CHAOS_TROUBLE;

describe('pg, knex and mysql2 pools under whatever befalls their servers, networks and process', function () {
  this.timeout(SECONDS * 1_000 + 240_000);

  it(`answer right or with an error, stay within max, and recover (CHAOS_SEED=${SEED})`, async () => {
    const random = seeded(SEED);
    const names = Object.keys(TROUBLES).filter((name) => ONLY === undefined || name === ONLY);
    expect(names, `troubles called ${ONLY}`).not.empty;
    const played: string[] = [];
    const world = await World.begin(seeded(SEED + 1), SECONDS === 0 ? SHORT : 1);
    try {
      world.load(6, 5);
      await world.recovered();
      const until = performance.now() + SECONDS * 1_000;
      // All of them in turn, in another order every time.
      do {
        const round = names.map((name) => [random(), name] as const).sort();
        for (const [, name] of round) {
          played.push(name);
          await TROUBLES[name]!(world);
          await sleep(random() * 300);
          if (random() < 0.5) await world.recovered();
        }
      } while (performance.now() < until);
      world.heal();
      await world.recovered();
      await world.end();
      expect(world.answered).above(played.length * 10);
      const failed = [...world.errors].sort(([, one], [, other]) => other - one);
      console.log(
        `      ${played.length} troubles, ${world.answered} answered; errors: ${failed
          .map(([words, count]) => `${count} × ${words}`)
          .join(' · ')}`,
      );
    } catch (error) {
      (error as Error).message += `\nCHAOS_SEED=${SEED}; ${played.join(', ')}`;
      await world.end().catch(() => {});
      throw error;
    }
  });
});
