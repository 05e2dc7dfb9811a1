import type { Script } from './script.js';

/**
 * The shortest script that still fails, as far as leaving out parts of it finds one: halves first, then ever smaller parts
 * (delta debugging: Zeller and Hildebrandt, 2002).
 */
export async function shrink(script: Script, fails: (script: Script) => Promise<boolean>): Promise<Script> {
  let shortest = script;
  for (let parts = 2; shortest.happenings.length > 1; ) {
    const { happenings } = shortest;
    const size = Math.ceil(happenings.length / parts);
    let shorter: Script | undefined;
    for (let from = 0; from < happenings.length && shorter === undefined; from += size) {
      const without = {
        ...shortest,
        happenings: happenings.filter((_, index) => index < from || index >= from + size),
      };
      if (await fails(without)) shorter = without;
    }
    if (shorter !== undefined) {
      shortest = shorter;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(happenings.length, parts * 2);
  }
  return shortest;
}
