import { run } from './classify.js';
import type { Suite } from './suite.js';

/** What reading a query costs. It prints its own table. */
export const classifySuite: Suite = {
  name: 'classify',
  question: 'What does it cost to read a query?',
  async run() {
    const rows = run();
    return {
      tables: [],
      goals: rows.flatMap(({ name, limit, nanoseconds }) =>
        limit === undefined ? [] : [{ claim: name, unit: 'ns', atMost: limit, values: [nanoseconds] }],
      ),
      samples: { rows },
    };
  },
};
