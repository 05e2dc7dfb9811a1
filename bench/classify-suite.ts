import { run } from './classify.js';
import type { Suite } from './suite.js';

/** What reading a query costs. It prints its own table. */
export const classifySuite: Suite = {
  name: 'classify',
  question: 'What does it cost to read a query?',
  seconds: { full: 5, quick: 2 },
  async run({ quick }) {
    const rows = run(quick ? 11 : 51);
    return {
      tables: [],
      goals: rows.flatMap(({ name, limit, nanoseconds }) =>
        limit === undefined ? [] : [{ claim: name, unit: 'ns', atMost: limit, values: [nanoseconds] }],
      ),
      samples: { rows },
    };
  },
};
