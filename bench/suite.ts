import type { Allotment } from './allotment.js';
import type { Chart } from './chart.js';
import type { Goal } from './goals.js';
import type { Table } from './table.js';

/** How much trouble to take. */
export interface Effort {
  /** For a first impression; its figures are not to be quoted. */
  readonly quick: boolean;
  readonly time: Allotment;
  /** Only the rows in whose name this occurs, for suites that take long and look. */
  readonly only?: string | undefined;
}

/** What a suite found: for people, to be judged, and everything it saw. */
export interface Findings {
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
  /** For the report. */
  readonly charts?: readonly Chart[];
  /** Every sample, by what was measured and by peer. */
  readonly samples: Readonly<Record<string, unknown>>;
  /** What it ran against, such as a server's version. */
  readonly against?: Readonly<Record<string, string>>;
}

export interface Suite {
  readonly name: string;
  /** What it answers, in one line. */
  readonly question: string;
  /** So many it may take of the time of a whole run, and of a quick one. */
  readonly seconds: { readonly full: number; readonly quick: number };
  run(effort: Effort): Promise<Findings>;
}
