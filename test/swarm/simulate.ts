// npm run simulate -- --seed N: plays one world of the swarm, and tells everything that happens in it.
import { parseArgs } from 'node:util';
import { play } from './play.js';
import { scriptOf } from './script.js';

const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' } } });
const { happenings, ...rest } = scriptOf(Number(values.seed));

console.log(`${JSON.stringify(rest, undefined, 1)}\n${happenings.length} happenings`);
play(scriptOf(Number(values.seed)), (atMs, what) =>
  console.log(`${atMs.toFixed(1).padStart(9)} ms  ${what}`),
).then(
  () => console.log('every promise held'),
  (error: Error) => {
    console.error(`\nwrong: ${error.message}`);
    process.exitCode = 1;
  },
);
